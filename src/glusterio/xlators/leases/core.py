"""features/leases: what all its operations share: the files' leases, the recall and the waiting."""

from __future__ import annotations

import contextlib
import errno
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.graph.options import boolean, option, seconds
from glusterio.traps import Now, Wait
from glusterio.types import Gfid
from glusterio.wire.callbacks import RecallLease
from glusterio.wire.dictionary import Dict
from glusterio.wire.programs import LEASE_ID, CallbackProc, LeaseType
from glusterio.xlators.base import Xlator
from glusterio.xlators.leases.file import FileLeases
from glusterio.xlators.leases.rules import LEASE_ID_SIZE, NO_LEASE_ID, Holder, Use

#: Seconds that a holder has to give a lease back, unless ``lease-lock-recall-timeout`` says so.
RECALL_TIMEOUT: Final = 60

#: The key that marks a request as one of a translator's own.
_INTERNAL_KEY: Final = "glusterfs-internal-fop"

_NO_TRANSACTION: Final = bytes(16)


class LeasesBase(Xlator):
    """The leases of a brick's files."""

    def set_up(self) -> None:
        self.files: dict[Gfid, FileLeases] = {}
        #: how many leases each client holds, one for each file and lease id
        self.tally: Counter[object] = Counter()

    def configure(self, options: Mapping[str, str]) -> None:
        self.is_on = option(options, "leases", boolean, False)
        self.timeout = option(options, "lease-lock-recall-timeout", seconds, RECALL_TIMEOUT)
        for gfid, file in list(self.files.items()):
            if not self.is_on:
                for holder in list(file.leases):
                    _tell(gfid, holder)
                    self._revoke(gfid, file, holder)
            file.wake()  # the time-out may be over already
            self._settle(gfid, file)

    async def client_gone(self, frame: Frame) -> None:
        if frame.client in self.tally:
            for gfid, file in list(self.files.items()):
                for holder in [each for each in file.leases if each.client is frame.client]:
                    self._revoke(gfid, file, holder)
        await super().client_gone(frame)

    # -- a file's leases --------------------------------------------------------------------------

    def _file(self, gfid: Gfid) -> FileLeases:
        file = self.files.get(gfid)
        if file is None:
            file = self.files[gfid] = FileLeases()
        return file

    def _settle(self, gfid: Gfid, file: FileLeases) -> None:
        """Forget a file of which there is nothing to be kept in mind."""
        if file.is_idle and self.files.get(gfid) is file:
            del self.files[gfid]

    def _revoke(self, gfid: Gfid, file: FileLeases, holder: Holder) -> None:
        file.revoke(holder)
        self._uncount(holder)
        self._settle(gfid, file)

    def _uncount(self, holder: Holder) -> None:
        self.tally[holder.client] -= 1
        if not self.tally[holder.client]:
            del self.tally[holder.client]

    def _end_use(self, gfid: Gfid, key: object) -> None:
        file = self.files.get(gfid)
        if file is not None:
            file.uses.pop(key, None)
            self._settle(gfid, file)

    # -- recall -----------------------------------------------------------------------------------

    def _revoke_overdue(self, gfid: Gfid, file: FileLeases, now: float) -> None:
        """Take back what was recalled, and not given back in time."""
        for holder, lease in list(file.leases.items()):
            if lease.recalled is not None and now >= lease.recalled + self.timeout:
                self._revoke(gfid, file, holder)

    def _recall(self, gfid: Gfid, file: FileLeases, holders: Sequence[Holder], now: float) -> None:
        """Ask holders to give their leases back, each once. Who cannot hear it has the same time."""
        for holder in holders:
            lease = file.leases[holder]
            if lease.recalled is None:
                lease.recalled = now
                _tell(gfid, holder)

    async def _guard(self, frame: Frame, gfid: Gfid, use: Use, *, may_wait: bool = True) -> None:
        """Return when no lease keeps the caller from using a file; nothing happens after the look.

        Raises:
            OSError: EAGAIN: a lease does, and the caller will not wait; ENOTCONN: he has gone; ENOLCK:
                too many of his requests wait.
        """
        while (file := self.files.get(gfid)) is not None and file.in_the_way(use):
            now = await Now()
            self._revoke_overdue(gfid, file, now)
            in_the_way = file.in_the_way(use)
            if not in_the_way:
                continue
            self._recall(gfid, file, in_the_way, now)
            if not may_wait:
                raise fs_error(errno.EAGAIN)
            times = (file.leases[each].recalled for each in in_the_way)
            first = min(time for time in times if time is not None)
            await self._wait(frame, gfid, file, max(0.0, first + self.timeout - now))

    async def _wait(self, frame: Frame, gfid: Gfid, file: FileLeases, seconds: float) -> None:
        """Wait until a lease of the file has ended, or the caller's client has, or the time is over."""
        gone = getattr(frame.client, "gone", None)
        waiting = getattr(frame.client, "waiting", contextlib.nullcontext)
        event = self.services.new_event()
        with waiting():
            if gone is not None:
                gone.waiters.append(event.set)
                if gone.is_set:
                    event.set()
            file.waiting.append(event)
            try:
                await Wait(event, seconds)
            finally:
                file.waiting.remove(event)
                self._settle(gfid, file)
                if gone is not None:
                    with contextlib.suppress(ValueError):
                        gone.waiters.remove(event.set)
        if gone is not None and gone.is_set:
            raise fs_error(errno.ENOTCONN)


def _tell(gfid: Gfid, holder: Holder) -> None:
    notify = getattr(holder.client, "notify", None)
    if notify is not None:
        message = RecallLease(gfid, LeaseType.NONE, _NO_TRANSACTION)
        notify(CallbackProc.RECALL_LEASE, message)


def is_internal(frame: Frame, xdata: Dict | None) -> bool:
    """Tell whether a request is a daemon's or a translator's own: leases do not concern it."""
    identity = frame.identity
    if identity is not None and identity.pid < 0:
        return True
    return bool(xdata) and _INTERNAL_KEY in xdata  # type: ignore[operator]


def holder_of(frame: Frame, xdata: Dict | None, nameless: bytes = NO_LEASE_ID) -> Holder:
    """Return in whose name a request is made, by the lease id in its extra data.

    Args:
        frame: the request's.
        xdata: its extra data.
        nameless: what it is if there is none.
    """
    lease_id: Any = (xdata or {}).get(LEASE_ID)
    if isinstance(lease_id, bytes) and len(lease_id) == LEASE_ID_SIZE and any(lease_id):
        return Holder(frame.client, lease_id)
    return Holder(frame.client, nameless)


def is_patient(fd: Fd) -> bool:
    """Tell whether what is done through an fd may wait."""
    return not fd.flags & NONBLOCK


#: :attr:`~glusterio.wire.programs.OpenFlag.NONBLOCK` as a plain number, which is quicker.
NONBLOCK: Final = 0o4000
