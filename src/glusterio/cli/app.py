"""The command line: everything that is on it.

A command is put there by :func:`glusterio.cli.root.command`, in a file of ``cli/commands``. Those are
imported here, in the order in which the help lists their commands.
"""

from __future__ import annotations

# isort: off
from glusterio.cli.commands import serving
from glusterio.cli.commands import volume
from glusterio.cli.commands import examining
from glusterio.cli.commands import verifying
from glusterio.cli.commands import looking
from glusterio.cli.commands import reading
from glusterio.cli.commands import copying
from glusterio.cli.commands import changing
from glusterio.cli.commands import xattr

# isort: on
from glusterio.cli.root import app, run_app

__all__ = [
    "app",
    "changing",
    "copying",
    "examining",
    "looking",
    "reading",
    "run_app",
    "serving",
    "verifying",
    "volume",
    "xattr",
]
