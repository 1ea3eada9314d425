"""Opening anew, on a new connection, what was open on one that was lost.

The brick has closed it all when the old connection ended. What is to be opened again is in a registry:
entered when an OPEN, CREATE or OPENDIR has been answered, taken out when its RELEASE is made. A handle
that cannot be had back, or whose locks others may have had meanwhile, is *lost*: the translator says
so, once, with the reason, and whoever uses it is told.

**Locks.** A brick drops a client's locks when its connection ends, and between that and the opening
anew another client may have had them, and changed what they protected. So an open file that held a lock
is lost, unless ``strict-locks`` is off: then each lock is asked for anew, without waiting, and the
file is lost if one of them is refused. GlusterFS has ``client.strict-locks`` off by default and takes
nothing anew (client-handshake.c, ``client_reopen_done``; upstream issue 3183): there an application
goes on as if it had its locks.

**Leases** are gone with the connection, too. Their holders are told so, as if the brick had asked for
them (:mod:`.held_leases`).

**Which file it is.** The new connection may be to another server, or to one that has lost its wits.
So each file is asked for its gfid through its new number, and no two have the same number. Otherwise a
handle would read, write and close another's file, and nobody would know. The same is asked of a new
graph's server, when an open file goes over to that (:meth:`Reopening.prove`). That no two have the same
number is seen to whenever a file is opened.

**Who opens.** An open file stays open to whoever has it, whatever becomes of its permissions. So it is
opened anew in root's name, as GlusterFS does (client-handshake.c, ``protocol_client_reopenfile``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from glusterio.errors import (
    ConnectionLostError,
    GlusterError,
    HandleStaleError,
    RemoteProtocolError,
)
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.graph.options import boolean, option
from glusterio.rpc.connection import Connection
from glusterio.traps import Disconnect, Gather, Reply
from glusterio.types import NULL_GFID
from glusterio.wire.credentials import Credentials
from glusterio.wire.fops.attributes import FstatRequest, StatReply
from glusterio.wire.fops.directories import OpendirRequest
from glusterio.wire.fops.files import OpenRequest
from glusterio.wire.fops.locks import LeaseRequest, LkRequest
from glusterio.wire.programs import Fop, LockCommand
from glusterio.xlators.base import Notice
from glusterio.xlators.client.held_leases import HeldLeases, recall
from glusterio.xlators.client.held_locks import HeldLocks
from glusterio.xlators.client.remote import ANONYMOUS, RemoteFd
from glusterio.xlators.client.requests import Requests

#: What is done when a file is opened, and not when it is opened again.
_ONCE: Final = os.O_CREAT | os.O_EXCL | os.O_TRUNC

LOCKS_LOST: Final = "its locks were lost with the connection to its brick"


class Reopening(Requests):
    """The part of the client that knows what is open."""

    def set_up(self) -> None:
        super().set_up()
        self._lock = self.services.new_lock()
        self._fds: dict[Fd, RemoteFd] = {}
        self._leases = HeldLeases()
        self._forgone: list[tuple[Fd, Credentials | None, LkRequest]] = []
        self._numbered: dict[int, Fd] = {}  # whose the brick's numbers are
        self._process: object = None  # which process the brick is, as it says

    def configure(self, options: Mapping[str, str]) -> None:
        self._strict_locks = option(options, "strict-locks", boolean, True)

    # -- the registry -----------------------------------------------------------------------------

    async def _entered(
        self, fd: Fd, answer: Any, connection: Connection, is_directory: bool
    ) -> None:
        """A brick has opened a file or directory: take note of it.

        If the connection is lost already, and another one is there, whose reconnector has not seen
        this fd, it is opened on that.

        Raises:
            RemoteProtocolError: it has another open file's number.
        """
        remote = RemoteFd(answer.fd, connection, is_directory)
        if self._numbered.setdefault(answer.fd, fd) is not fd:
            await self._take_number(fd, remote)
        if fd.gfid == NULL_GFID:
            fd.gfid = answer.stat.gfid
        with self._lock:
            fd.context[self] = self._fds[fd] = remote
            present = self._connection
        if present is not connection and present is not None:
            await self._reopen_all(present, [(fd, remote)], False)

    async def _take_number(self, fd: Fd, remote: RemoteFd) -> None:
        """Take note of whose a number is.

        A brick may give a number anew as soon as it has handled a RELEASE, the answer to which is still
        on its way: so it is wrong only while the other's RELEASE has not been made.

        Raises:
            RemoteProtocolError: it is another open file's, and whoever closes one of them would close
                both: nothing that this server says can be relied on. The connection has been ended.
        """
        if remote.release is not None:
            return
        number, connection = remote.number, remote.connection
        holder = self._numbered.setdefault(number, fd)
        other: RemoteFd | None = holder.context.get(self)
        if (
            holder is not fd
            and other is not None
            and other.number == number
            and other.connection is connection
            and other.release is None
        ):
            error = RemoteProtocolError(f"{connection.name}: one number for two open files")
            await Disconnect(connection, error)
            raise error
        self._numbered[number] = fd

    def _parted(self, fd: Fd) -> None:
        """An fd is being released: it will not be opened again."""
        with self._lock:
            self._fds.pop(fd, None)

    def _remote(self, fd: Fd) -> RemoteFd:
        """Return what is kept for an open fd.

        Raises:
            HandleStaleError: no brick holds it any more.
        """
        remote: RemoteFd | None = fd.context.get(self)
        if remote is not None:
            return remote
        if fd.anonymous:
            return ANONYMOUS
        why = fd.context.get(RemoteFd, "the brick does not hold this file open")
        raise HandleStaleError(f"{self.name}: {why}")

    def _lose(self, lost: dict[Fd, str]) -> None:
        """Open files are lost, each for a reason: whoever uses them shall hear of it."""
        with self._lock:
            for fd, why in lost.items():
                self._fds.pop(fd, None)
                fd.context.pop(self, None)
                fd.context[RemoteFd] = why
        self.notify(Notice.FD_LOST, lost)

    def inherit(self, fd: Fd, old: Fd) -> None:
        """What was locked and written through another graph's fd is this one's now."""
        remote: RemoteFd | None = fd.context.get(self)
        for client, other in old.context.items():
            if remote is not None and isinstance(other, RemoteFd):
                remote.locks = other.locks
                if other.unsynced and other.connection.lost is not None:
                    assert isinstance(client, Reopening)
                    remote.doubtful = remote.doubtful or client._process != self._process
                remote.unsynced = remote.unsynced or other.unsynced
                remote.doubtful = remote.doubtful or other.doubtful

    # -- locks ------------------------------------------------------------------------------------

    def _granted(
        self, remote: RemoteFd, connection: Connection, frame: Frame, request: LkRequest
    ) -> None:
        """A lock was granted, or dropped.

        Raises:
            ConnectionLostError: it is gone already, with the connection.
        """
        if request.cmd == LockCommand.GETLK:
            return
        with self._lock:
            if connection.lost is None:
                if remote.locks is None:
                    remote.locks = HeldLocks()
                remote.locks.note(frame.identity, request)
                return
        raise ConnectionLostError(f"{self.name}: the lock was lost with the connection")

    async def _forgo(self, fd: Fd, identity: Credentials | None, request: LkRequest) -> None:
        """An unlock has failed with its connection: what it was about shall not be locked anew.

        If that has been done, or is just being done, it is dropped: here, or before anybody else may
        use the new connection.
        """
        remote: RemoteFd | None = fd.context.get(self)
        if self._strict_locks or remote is None or remote.locks is None:
            return
        with self._lock:
            remote.locks.note(identity, request)
            self._forgone.append((fd, identity, request))
            connection = self._connection
        if connection is not None:
            try:
                await self._drop_forgone(connection)
            except ConnectionError:
                pass  # gone, too, and with it the lock

    async def _drop_forgone(self, connection: Connection) -> None:
        """Drop what was locked anew though somebody had unlocked it meanwhile.

        Raises:
            ConnectionError: the connection is lost.
        """
        with self._lock:
            forgone, self._forgone = self._forgone, []
        for fd, identity, request in forgone:
            remote = self._fds.get(fd)
            if remote is None or remote.connection is not connection:
                continue  # it was released
            message = request._replace(gfid=fd.gfid, fd=remote.number)
            frame = Frame(identity=identity)
            try:
                await self._answer(
                    Fop.LK, self._request(Fop.LK, frame, message, remote, connection)
                )
            except ConnectionError:
                raise
            except OSError:
                pass  # nothing that it has locked

    # -- leases -----------------------------------------------------------------------------------

    def _leased(self, connection: Connection, frame: Frame, request: LeaseRequest) -> None:
        """A lease was granted.

        Raises:
            ConnectionLostError: it is gone already, with the connection.
        """
        with self._lock:
            if connection.lost is None:
                self._leases.note(frame.identity, request)
                return
        raise ConnectionLostError(f"{self.name}: the lease was lost with the connection")

    def _let_leases_go(self) -> list[tuple[LeaseRequest, Credentials | None]]:
        """Tell the holders of leases that they have them no longer; return what gives each back."""
        with self._lock:
            held = self._leases.take_all()
        for gfid in dict.fromkeys(request.gfid for request, _ in held):
            self.notify(Notice.UPCALL, recall(gfid))
        return held

    async def give_leases_back(self) -> None:
        for request, who in self._let_leases_go():
            try:
                await self._answer(
                    Fop.LEASE, self._request(Fop.LEASE, Frame(identity=who), request)
                )
            except Exception:
                pass  # the end of the connection gives it back

    # -- opening anew -----------------------------------------------------------------------------

    def _not_on(self, connection: Connection) -> list[tuple[Fd, RemoteFd]]:
        """Return what is open, and not on this connection. Called with the lock held."""
        return [each for each in self._fds.items() if each[1].connection is not connection]

    async def _reopen_all(
        self, connection: Connection, fds: list[tuple[Fd, RemoteFd]], in_doubt: bool
    ) -> None:
        """Open files and directories on a new connection; those that cannot be are lost.

        Args:
            connection: the new connection.
            fds: what was open on an older one.
            in_doubt: whether the brick may have lost what was written and not synced.

        Raises:
            ConnectionLostError: this connection is lost, too.
            RemoteProtocolError: it is not a brick, or no longer.
        """
        if in_doubt:
            unsynced = {
                fd.gfid
                for fd, remote in fds
                if (remote.unsynced or remote.syncing) and not fd.flags & os.O_DSYNC
            }
            for fd, remote in fds:
                remote.doubtful = remote.doubtful or fd.gfid in unsynced
        lost: dict[Fd, str] = {}
        outcomes = await Gather([self._reopen(connection, *each) for each in fds])
        for (fd, _), outcome in zip(fds, outcomes, strict=True):
            why = outcome.get()
            if why:
                lost[fd] = why
        for fd, remote in fds:
            if remote.connection is connection:
                await self._take_number(fd, remote)
        if lost:
            self._lose(lost)

    async def _reopen(self, connection: Connection, fd: Fd, remote: RemoteFd) -> str:
        """Open a file or directory on a new connection, unless it has been released meanwhile.

        Until all is done it counts as open on the old connection alone: so who releases it waits, and
        whatever the new brick holds is let go of here.

        Returns:
            Why it is lost; nothing if it is not.
        """
        if remote.locks and self._strict_locks:
            return LOCKS_LOST
        with self._lock:
            if self._fds.get(fd) is not remote:
                return ""
            reopening = remote.reopening = self.services.new_event()
        try:
            frame = Frame(identity=_root(self.services.identity))
            message: OpendirRequest | OpenRequest = OpendirRequest(fd.gfid)
            fop = Fop.OPENDIR
            if not remote.is_directory:
                fop, message = Fop.OPEN, OpenRequest(fd.gfid, fd.flags & ~_ONCE)
            number: int | None = None
            try:
                answer = await self._answer(
                    fop, self._request(fop, frame, message, None, connection)
                )
                number = answer.fd
                await self._prove(connection, frame, fd, number)
            except OSError as error:
                if isinstance(error, GlusterError):
                    raise
                if number is not None:
                    await self._close_again(connection, fd, number)
                return (
                    "it could not be opened again when its brick had come back:"
                    f" {error.strerror or error}"
                )
            if remote.locks and not await self._retake(connection, fd, remote, number):
                await self._close_again(connection, fd, number)
                return LOCKS_LOST + ", and others have them now"
            remote.number, remote.connection = number, connection
            return ""
        finally:
            remote.reopening = None
            reopening.set()

    async def _prove(self, connection: Connection, frame: Frame, fd: Fd, number: int) -> None:
        """Look whether a file that was opened anew is the one that it is to be.

        Raises:
            RemoteProtocolError: it is another one: nothing that this server says can be relied on.
            OSError: that cannot be told.
        """
        request = FstatRequest(fd.gfid, number)
        told = await self._answer(
            Fop.FSTAT, self._request(Fop.FSTAT, frame, request, None, connection)
        )
        _is_of(told, fd, connection)

    async def prove(self, fd: Fd) -> None:
        remote = self._remote(fd)
        told = await self.fstat(Frame(), fd, FstatRequest(fd.gfid, 0))
        connection = remote.connection
        try:
            _is_of(told, fd, connection)
        except RemoteProtocolError as error:
            await Disconnect(connection, error)
            raise

    async def _retake(self, connection: Connection, fd: Fd, remote: RemoteFd, number: int) -> bool:
        """Take the locks of an open file anew; tell whether all of them could be had."""
        for lock in () if remote.locks is None else remote.locks.held:
            message = lock.again()._replace(gfid=fd.gfid, fd=number)
            frame = Frame(identity=lock.identity)
            try:
                await self._answer(
                    Fop.LK, self._request(Fop.LK, frame, message, remote, connection)
                )
            except OSError as error:
                if isinstance(error, GlusterError):
                    raise
                return False
        return True

    async def _close_again(self, connection: Connection, fd: Fd, number: int) -> None:
        """Have a brick let go of an open file that is lost, with those of its locks that were had."""
        xid = connection.next_xid()
        await Reply(connection, xid, (self._hot.release(xid, fd.gfid, number),))


def _is_of(told: StatReply, fd: Fd, connection: Connection) -> None:
    """Look whether attributes that were told of an open file are of the one that it is to be.

    Raises:
        RemoteProtocolError: they are another's: nothing that this server says can be relied on.
    """
    if told.stat.gfid != fd.gfid:
        raise RemoteProtocolError(f"{connection.name}: another file was opened than asked for")


def _root(identity: Credentials | None) -> Credentials | None:
    return None if identity is None else identity._replace(uid=0, gid=0, groups=())
