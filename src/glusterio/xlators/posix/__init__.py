"""storage/posix: the files of a brick, in a directory of this machine.

The bottom of a brick's graph. Every operation is a few system calls, made on the spot; what may take
long (fsync) is offloaded. Linux only: it relies on ``O_PATH``, on ``/proc/self/fd`` and on extended
attributes.

Nothing leads out of the directory: a name is one component, found below a descriptor of its directory,
and a symbolic link is data for the client, never followed here.

Options: ``directory``, what to serve; ``volume-id``, the volume's id, which must be the one that the
directory is marked with, if it is; ``gfid2path``, whether every file notes its names
(:mod:`~glusterio.xlators.posix.gfid2path`), ``off`` by default.
"""

from __future__ import annotations

from typing import ClassVar

from glusterio.xlators.posix.attributes import AttributeOperations
from glusterio.xlators.posix.checksums import ChecksumOperations
from glusterio.xlators.posix.counters import CounterOperations
from glusterio.xlators.posix.directories import DirectoryOperations
from glusterio.xlators.posix.making import MakeOperations
from glusterio.xlators.posix.names import NameOperations
from glusterio.xlators.posix.renaming import RenameOperations

__all__ = ["Posix"]


class Posix(
    NameOperations,
    MakeOperations,
    RenameOperations,
    AttributeOperations,
    ChecksumOperations,
    DirectoryOperations,
    CounterOperations,
):
    """A directory of this machine as a translator."""

    xlator_type: ClassVar[str] = "storage/posix"
