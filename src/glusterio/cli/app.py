"""The command line: everything that is on it.

A command is put there by :func:`glusterio.cli.root.command`, in a file of ``cli/commands``. Those are
imported here, in the order in which the help lists their commands.
"""

from __future__ import annotations

from glusterio.cli.commands import (
    changing,
    copying,
    looking,
    reading,
    serving,
    volume,
)
from glusterio.cli.root import app

__all__ = ["app", "changing", "copying", "looking", "reading", "serving", "volume"]
