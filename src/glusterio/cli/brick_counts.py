"""What a brick itself says it holds of a file: open fds and locks.

Asked for by keys in a LOOKUP's extra data, which a GlusterFS brick answers as the embedded one does
(xlators/storage/posix/src/posix-helpers.c, ``_posix_xattr_get_set``;
xlators/features/locks/src/posix.c, ``pl_set_xdata_response``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from glusterio import aio
from glusterio.api.attributes import stat
from glusterio.cli.tasks import each
from glusterio.graph.frame import Frame
from glusterio.types import StrPath
from glusterio.wire.fops.names import LookupRequest

if TYPE_CHECKING:
    from glusterio.api.core import Core

FDS: Final = "glusterfs.open-fd-count"
LOCKS: Final = (
    "glusterfs.posixlk-count",
    "glusterfs.inodelk-count",
    "glusterfs.entrylk-count",
)
_WANTED: Final = dict.fromkeys((FDS, *LOCKS), 0)

#: How many files are asked about at the same time.
IN_FLIGHT = 64


class Held(NamedTuple):
    """What a brick holds. The last line of the demo is this, as text."""

    fds: int
    locks: int

    def __str__(self) -> str:
        return f"brick holds {self.fds} fds, {self.locks} locks"


async def counts(core: Core, frame: Frame, path: StrPath) -> Held:
    """Ask for one file's counts.

    Raises:
        LookupError: the brick does not tell.
        OSError: the file is not there, or what the brick says.
    """
    file = await stat(core, frame, path, False)
    reply = await core.top.lookup(frame, LookupRequest(file.gfid, xdata=_WANTED))
    told = reply.xdata or {}
    numbers = [told.get(key) for key in _WANTED]
    if not all(isinstance(number, int) for number in numbers):
        missing = next(key for key in _WANTED if not isinstance(told.get(key), int))
        raise LookupError(f"the brick does not tell {missing} of {path!r}")
    fds, *locks = (int(number) for number in numbers if isinstance(number, int))
    return Held(fds, sum(locks))


async def held(volume: aio.Volume, paths: Iterable[str]) -> Held:
    """Ask for the sum over many files, with many questions in flight."""
    fds = locks = 0

    async def ask(path: str) -> None:
        nonlocal fds, locks
        told: Held = await volume._session.call(counts, None, path)
        fds += told.fds
        locks += told.locks

    await each(paths, ask, IN_FLIGHT)
    return Held(fds, locks)
