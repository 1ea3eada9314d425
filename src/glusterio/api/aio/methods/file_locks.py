"""A file's methods that lock parts of it."""

from __future__ import annotations

import errno
import os
from types import TracebackType

from glusterio.api import leases, locks
from glusterio.api.aio.base import AsyncFileBase
from glusterio.api.aio.methods.leases import AsyncLease
from glusterio.api.aio.session import AioSession
from glusterio.api.locks import LockedBytes, LockHolder, Section
from glusterio.api.of_session import OfSession
from glusterio.errors import HandleClosedError, fs_error
from glusterio.lifecycle.handle import Handle
from glusterio.wire.programs import LeaseType


class AsyncFileLock(OfSession):
    """A lock on a part of a file, to be taken and dropped. Made by the file's ``lock`` method."""

    __slots__ = ("_handle", "_held", "_mandatory", "_section", "_session", "_shared", "_timeout")

    def __init__(
        self,
        session: AioSession,
        handle: Handle,
        section: Section,
        shared: bool,
        timeout: float | None,
        mandatory: bool,
    ) -> None:
        self._session = session
        self._handle = handle
        self._section = section
        self._shared = shared
        self._timeout = timeout
        self._mandatory = mandatory
        self._held: LockedBytes | None = None

    @property
    def locked(self) -> bool:
        """Whether it has been taken and not been dropped since."""
        return self._held is not None

    async def acquire(self) -> None:
        """Take the lock.

        Raises:
            RuntimeError: it has been taken already.
            BlockingIOError: another has one there, and the timeout is 0.
            TimeoutError: another still has one there.
            OSError: EBADF: the file is not open for reading, or for an exclusive lock for writing.
        """
        if self._held is not None:
            raise RuntimeError(f"{self._handle.path}: the lock has been taken already")
        self._held = await self._session.take(
            locks.lock,
            self._handle,
            locks.give_back,
            self._section,
            self._shared,
            self._timeout,
            self._mandatory,
        )

    async def release(self) -> None:
        """Drop the lock, if it is held. Harmless when the file is closed, which has dropped it.

        Raises:
            HandleStaleError, ConnectionLostError: the brick is gone, and so is the lock, perhaps for
                some time: what was done under it may not have been alone.
        """
        held, self._held = self._held, None
        if held is None:
            return
        try:
            await self._session.call(
                locks.unlock,
                self._handle,
                Section(held.length, held.start, os.SEEK_SET),
                held.owner,
            )
        except HandleClosedError:
            pass

    async def __aenter__(self) -> AsyncFileLock:
        await self.acquire()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.release()


class AsyncFileLocks(AsyncFileBase):
    """Locks on an open file, against everybody else who locks: other files, processes, machines."""

    __slots__ = ()

    def lock(
        self,
        length: int = 0,
        offset: int = 0,
        whence: int = os.SEEK_SET,
        *,
        shared: bool = False,
        timeout: float | None = None,
        mandatory: bool = False,
    ) -> AsyncFileLock:
        """Make a lock on a part of the file, to be used in a ``with`` statement.

        What is locked is the open file's: it never waits for itself, a lock inside another is part of
        that, and unlocking a part drops it whoever locked it. Whoever waits for a part gives up what
        the file had locked of it. Closing the file drops all.

        Args:
            length: bytes; 0 for all that follow, however long the file gets; a negative number of
                bytes lies before the offset.
            offset: where it begins, in bytes.
            whence: ``os.SEEK_SET``, or ``os.SEEK_END`` for from the end of the file.
            shared: whether other shared locks may be there at the same time.
            timeout: seconds to wait for others at most: ``None`` for as long as it takes, 0 not to
                wait.
            mandatory: whether it also keeps others from reading and writing, on a volume with
                ``locks.mandatory-locking``; without that it is like any other. Who has the lock has to
                read and write in its name, in a ``with vol.lock_owner(...)`` block, too.
        """
        section = Section(length, offset, whence)
        return AsyncFileLock(self._session, self._handle, section, shared, timeout, mandatory)

    async def lockf(
        self, command: int, length: int = 0, offset: int = 0, whence: int = os.SEEK_SET
    ) -> None:
        """Take, drop or test an exclusive lock, as ``os.lockf`` does.

        Args:
            command: ``os.F_LOCK`` to wait for it, ``os.F_TLOCK`` not to wait, ``os.F_ULOCK`` to drop,
                ``os.F_TEST``.
            length: as for :meth:`lock`.
            offset: where it begins; ``os.lockf`` begins at the file's position, which there is none of
                here.
            whence: as for :meth:`lock`.

        Raises:
            BlockingIOError: F_TLOCK, and another has a lock there.
            PermissionError: F_TEST, likewise.
            OSError: EBADF: the file is not open for writing; EINVAL: no such command.
        """
        section = Section(length, offset, whence)
        if command == os.F_ULOCK:
            await self._session.call(locks.unlock, self._handle, section)
        elif command == os.F_TEST:
            if await self.lock_holder(length, offset, whence) is not None:
                raise fs_error(errno.EACCES)
        elif command in (os.F_LOCK, os.F_TLOCK):
            seconds = None if command == os.F_LOCK else 0.0
            await self._session.take(
                locks.lock, self._handle, locks.give_back, section, False, seconds
            )
        else:
            raise fs_error(errno.EINVAL)

    def lease(self, kind: LeaseType = LeaseType.READ) -> AsyncLease:
        """Make a lease on the file, to be used in a ``with`` statement.

        With ``LeaseType.READ`` nobody else changes the file, with ``LeaseType.READ_WRITE`` nobody else
        uses its data, until it is given back. Who wants to has the brick ask for that, which is an
        upcall, ``UpcallKind.LEASE_RECALL``; one that is not answered in time is as good as answered.
        A lease ends with the connection to the brick, of which its holder hears in the same way.
        """
        return AsyncLease(self._session, self._handle.fd.gfid, kind)

    async def lease_held(self) -> LeaseType:
        """Tell which lease there is on the file, whoever holds it."""
        found: LeaseType = await self._session.call(leases.held, None, self._handle.fd.gfid)
        return found

    async def lock_holder(
        self, length: int = 0, offset: int = 0, whence: int = os.SEEK_SET, *, shared: bool = False
    ) -> LockHolder | None:
        """Tell which lock of another is in the way of one on a part of the file, if there is one."""
        found: LockHolder | None = await self._session.call(
            locks.holder, self._handle, Section(length, offset, whence), shared
        )
        return found
