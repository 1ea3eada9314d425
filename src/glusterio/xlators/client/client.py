"""protocol/client: the translator that talks to one brick.

The fops are table-driven: a request is encoded, sent, its reply decoded, and a failure becomes an
``OSError``. READ, WRITE, LOOKUP and the STATs go through prebuilt packets.

An fd's context is the brick's number for it and the count of requests about it that the brick has not
answered. The count matters for closing: a brick serves one connection's requests in any order, so a
RELEASE must not be sent while another request about the same fd is unanswered, even if its caller has
long given up.

An OPEN whose caller gives up is not forgotten: a sub-call waits for its reply in the caller's stead
and releases what the brick opened. The handle in the session's ledger tells the drain to wait for it.

Source: GlusterFS xlators/protocol/client/src/client.c, client-handshake.c, client-rpc-fops_v2.c.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from glusterio.errors import ConnectionLostError, RemoteProtocolError, fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Coro, Disconnect, Reply, Spawn, Wait
from glusterio.types import Buffer, Gfid
from glusterio.wire import dictionary, hot
from glusterio.wire.credentials import encode_v3
from glusterio.wire.dictionary import NULL_DICT, NewGfid
from glusterio.wire.fops import attributes, data, directories, files, locks, names
from glusterio.wire.fops.data import ReadRequest, WriteRequest
from glusterio.wire.messages import encode
from glusterio.wire.programs import GFID_REQ, Fop, LeaseCommand, LockType
from glusterio.wire.records import REPLY_HEADER_SIZE
from glusterio.xlators.base import Data, Rest, Written
from glusterio.xlators.client.connected import Connected
from glusterio.xlators.client.remote import RemoteFd
from glusterio.xlators.client.repeating import may_repeat

#: How long a RELEASE waits for requests about the same fd that the brick has not answered, in
#: seconds, beyond the caller's own patience. Then the connection is of no use any more.
UNANSWERED = 60.0


#: Makes a :class:`Data` of a tuple, without the function that a named tuple has for that; and so on.
_data: Callable[[tuple[Buffer, None, bool]], Data] = partial(tuple.__new__, Data)
_written: Callable[[tuple[int, None, None]], Written] = partial(tuple.__new__, Written)


class Client(Connected):
    """One brick, over one connection.

    Options: ``remote-host``, ``remote-subvolume``, ``remote-port``, ``transport.socket.connect-path``,
    ``username``, ``password``, ``ping-timeout``, as in a volfile.
    """

    xlator_type = "protocol/client"

    # -- whatever needs no code of its own --------------------------------------------------------

    async def _plain(self, frame: Frame, fop: Fop, message: Any) -> Any:
        """Any fop that concerns no fd."""
        try:
            return await self._answer(fop, self._request(fop, frame, message))
        except ConnectionLostError as lost:
            return await self._again(lost, may_repeat(fop), frame, self._plain, fop, message)

    async def _on_fd(self, frame: Frame, fop: Fop, fd: Fd, message: Any) -> Any:
        """Any fop on an open file: the brick's number and the gfid are filled in."""
        remote = self._remote(fd)
        try:
            request = self._request(
                fop, frame, message._replace(gfid=fd.gfid, fd=remote.number), remote
            )
            return await self._answer(fop, request)
        except ConnectionLostError as lost:
            return await self._again(lost, may_repeat(fop), frame, self._on_fd, fop, fd, message)

    # -- opening and closing ----------------------------------------------------------------------

    async def _open(self, frame: Frame, fop: Fop, fd: Fd, reply: Reply) -> Any:
        try:
            return await self._opened(fop, reply, fd)
        except (Exception, GeneratorExit):
            raise
        except BaseException:  # cancelled; or interrupted, in the middle of anything
            if reply.submitted and frame.late is not None:
                frame.adopted = True
                await Spawn(self._see_out(frame, fd, partial(self._opened, fop, reply, fd)))
            raise

    async def _opened(self, fop: Fop, reply: Reply, fd: Fd) -> Any:
        answer = await self._answer(fop, reply)
        await self._entered(fd, answer, reply.connection, fop is Fop.OPENDIR)
        return answer

    async def _see_out(
        self,
        frame: Frame,
        fd: Fd,
        finish: Callable[[], Coro[Any]] | None,
        error: Exception | None = None,
    ) -> None:
        """The caller of a request gave up: wait for the answer in its stead, and tell of it.

        It is gone on with where an interrupt of whoever steps it ends it.

        Args:
            frame: the caller's, whose ``late`` is told.
            fd: the file that it is about.
            finish: waits for the answer; ``None`` when that has been done.
            error: what that has raised.
        """
        assert frame.late is not None
        try:
            if finish is not None:
                try:
                    await finish()
                except Exception as failure:
                    error = failure
                finish = None
            await frame.late(fd, error)
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            await Spawn(self._see_out(frame, fd, finish, error))
            raise

    async def open(self, frame: Frame, fd: Fd, request: files.OpenRequest) -> files.OpenReply:
        try:
            reply = self._request(Fop.OPEN, frame, request)
            return await self._open(frame, Fop.OPEN, fd, reply)  # type: ignore[no-any-return]
        except ConnectionLostError as lost:
            repeats = may_repeat(Fop.OPEN, request)
            return await self._again(lost, repeats, frame, self.open, fd, request)

    async def create(self, frame: Frame, fd: Fd, request: names.CreateRequest) -> names.CreateReply:
        parent, flags, mode, umask, name, xdata = request
        gfid = xdata.get(GFID_REQ) if xdata is not None and len(xdata) == 1 else None
        try:
            if type(gfid) is NewGfid and not _is_leased(frame):
                connection = self._connected()
                xid = connection.next_xid()
                packet = self._hot_for(frame).create(
                    xid, parent, flags, mode, umask, name.encode("utf-8", "surrogateescape"),
                    gfid, frame.stamp,
                )  # fmt: skip
                reply = Reply(connection, xid, (packet,))
            else:
                reply = self._request(Fop.CREATE, frame, request)
            return await self._open(frame, Fop.CREATE, fd, reply)  # type: ignore[no-any-return]
        except ConnectionLostError as lost:
            return await self._again(lost, False, frame, self.create, fd, request)

    async def opendir(
        self, frame: Frame, fd: Fd, request: directories.OpendirRequest
    ) -> files.OpenReply:
        try:
            reply = self._request(Fop.OPENDIR, frame, request)
            return await self._open(frame, Fop.OPENDIR, fd, reply)  # type: ignore[no-any-return]
        except ConnectionLostError as lost:
            return await self._again(lost, True, frame, self.opendir, fd, request)

    async def _release(self, fd: Fd, pack: Callable[[int, Gfid, int], bytearray]) -> None:
        """Close a descriptor: once the brick has answered every request about it.

        Args:
            fd: the descriptor.
            pack: makes the packet, of its number, the gfid and the brick's number for the descriptor.
        """
        remote: RemoteFd | None = fd.context.get(self)
        if remote is None:
            return  # the brick has let go of it, or never had it
        self._parted(fd)
        if remote.reopening is not None:
            await Wait(remote.reopening)
        connection = remote.connection
        if connection.lost is not None:
            fd.context.pop(self, None)
            return  # and with it the brick's fd is gone
        for xid in tuple(remote.unanswered):
            if xid not in connection.pending:  # interrupted before it was sent
                remote.unanswered.discard(xid)
        if remote.unanswered:
            remote.quiet = self.services.new_event()
            if remote.unanswered and not await Wait(remote.quiet, UNANSWERED):
                await Disconnect(
                    connection,
                    ConnectionLostError(f"{connection.name}: a request is not being answered"),
                )
        reply = remote.release  # there already, if something was amiss with release_now()
        if reply is None:
            xid = connection.next_xid()
            reply = remote.release = Reply(connection, xid, (pack(xid, fd.gfid, remote.number),))
            self._numbered.pop(remote.number, None)
        try:
            await reply
            op_ret, op_errno = hot.common_reply(reply.record, REPLY_HEADER_SIZE)
        except ConnectionLostError:
            return  # and with the connection the brick's fd
        except RemoteProtocolError as error:
            await Disconnect(connection, error)
            raise connection.blame(error) from None
        finally:
            if isinstance(reply.error, ConnectionLostError) and connection.lost is None:
                remote.release = None  # taken back, and never sent: so it may be called again
            elif reply.submitted:  # else it was interrupted before, and is called again
                fd.context.pop(self, None)
        if op_ret < 0:
            raise fs_error(op_errno)

    def release_now(self, fd: Fd, done: Callable[[bool], None]) -> Reply | None:
        remote: RemoteFd | None = fd.context.get(self)
        if remote is None or remote.unanswered:
            return None
        connection = remote.connection
        if connection.lost is not None:
            return None
        self._parted(fd)
        xid = connection.next_xid()
        packet = self._hot.release(xid, fd.gfid, remote.number)
        settled = partial(self._released, fd, done)
        reply = remote.release = Reply(connection, xid, (packet,), None, None, settled)
        self._numbered.pop(remote.number, None)
        return reply

    def _released(self, fd: Fd, done: Callable[[bool], None], reply: Reply) -> None:
        if reply.error is None:
            well = reply.record[REPLY_HEADER_SIZE:] in _DONE
        else:
            well = isinstance(reply.error, ConnectionLostError)  # and with it went the brick's fd
        if well:
            fd.context.pop(self, None)
        done(well)

    def release(self, frame: Frame, fd: Fd) -> Coro[None]:
        return self._release(fd, self._hot.release)

    def releasedir(self, frame: Frame, fd: Fd) -> Coro[None]:
        return self._release(fd, self._hot.releasedir)

    # -- locks ------------------------------------------------------------------------------------

    async def lk(self, frame: Frame, fd: Fd, request: locks.LkRequest) -> locks.LkReply:
        """A POSIX lock. When its caller gives up, ``frame.late`` is told what became of it."""
        try:
            return await self._lk(frame, fd, request)
        except ConnectionError:
            if request.flock.type == LockType.UNLOCK:
                await self._forgo(fd, frame.identity, request)
            raise

    async def _lk(self, frame: Frame, fd: Fd, request: locks.LkRequest) -> locks.LkReply:
        remote = self._remote(fd)
        reply: Reply | None = None
        try:
            message = request._replace(gfid=fd.gfid, fd=remote.number)
            reply = self._request(Fop.LK, frame, message, remote)
            answer: locks.LkReply = await self._answer(Fop.LK, reply)
            self._granted(remote, reply.connection, frame, request)
            return answer
        except ConnectionLostError as lost:
            return await self._again(lost, True, frame, self._lk, fd, request)
        except (Exception, GeneratorExit):
            raise
        except BaseException:  # cancelled; or interrupted, in the middle of anything
            if reply is not None and reply.submitted and frame.late is not None:
                frame.adopted = True
                # The lock is not noted: nobody misses it if it goes with its connection before it is
                # given back.
                await Spawn(self._see_out(frame, fd, partial(self._answer, Fop.LK, reply)))
            raise

    async def lease(self, frame: Frame, request: locks.LeaseRequest) -> locks.LeaseReply:
        """A lease. One that went with its connection is given back without asking."""
        is_end = request.lease.cmd == LeaseCommand.UNLOCK
        if is_end and not self._leases.give_back(request):
            return locks.LeaseReply(lease=request.lease)
        try:
            reply = self._request(Fop.LEASE, frame, request)
            answer: locks.LeaseReply = await self._answer(Fop.LEASE, reply)
            self._leased(reply.connection, frame, request)
            return answer
        except ConnectionLostError as lost:
            if is_end:
                return locks.LeaseReply(lease=request.lease)
            return await self._again(lost, True, frame, self.lease, request)

    # -- the hot path -----------------------------------------------------------------------------

    async def readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Data:
        connection, remote = self._connection, fd.context.get(self)
        if connection is None or remote is None:
            remote = self._remote(fd)
            if connection is None:
                return await self._again(
                    self._away(), True, frame, self.readv, fd, size, offset, sink
                )
        xid = connection.next_xid()
        if frame.identity is None:
            packet = self._hot.read(xid, fd.gfid, remote.number, offset, size)
        elif frame.identity.lease_id:
            asked = ReadRequest(fd.gfid, remote.number, offset, size)
            packet = self._packed(xid, Fop.READ, frame, asked)
        else:
            packet = self._hot_for(frame).read(xid, fd.gfid, remote.number, offset, size)
        remote.unanswered.add(xid)
        if sink is None:
            reply = Reply(connection, xid, (packet,), None, None, remote.answered)
        else:
            reply = Reply(connection, xid, (packet,), sink[:size], _find_data, remote.answered)
        try:
            await reply
        except ConnectionLostError as lost:
            return await self._again(lost, True, frame, self.readv, fd, size, offset, sink)
        except BaseException:
            if not reply.submitted:  # interrupted just before that
                remote.answered(reply)
            raise
        record = reply.record
        if sink is None:
            read = hot.usual_read(record)
            if read is not None and len(read) <= size:
                return _data((read, None, False))
        try:
            op_ret, op_errno, data = hot.read_reply(
                record,
                REPLY_HEADER_SIZE,
                len(record) + reply.received if sink is not None else None,
            )
        except RemoteProtocolError as error:
            await Disconnect(connection, error)
            raise connection.blame(error) from None
        if op_ret < 0:
            raise fs_error(op_errno)
        if op_ret > size:
            raise await self._broken(f"{op_ret} bytes read, {size} asked for")
        if sink is not None:
            if reply.received != op_ret:  # a reply whose data was not where it should be
                sink[:op_ret] = memoryview(record)[data:]
            return Data(sink[:op_ret], None, op_errno == 2)
        # A short record is bytes, of which a copy costs less than a view.
        found = record[data:] if type(record) is bytes else memoryview(record)[data:]
        return Data(found, None, op_errno == 2)

    async def writev(self, frame: Frame, fd: Fd, data: Buffer, offset: int) -> Written:
        connection, remote = self._connection, fd.context.get(self)
        if connection is None or remote is None:
            remote = self._remote(fd)
            if connection is None:
                return await self._again(self._away(), False, frame, self.writev, fd, data, offset)
        xid = connection.next_xid()
        size = len(data)
        if frame.identity is None:
            head = self._hot.write(xid, fd.gfid, remote.number, offset, size, frame.stamp)
        elif frame.identity.lease_id:
            message = WriteRequest(fd.gfid, remote.number, offset, size)
            head = self._packed(xid, Fop.WRITE, frame, message, size)
        else:
            hot_path = self._hot_for(frame)
            head = hot_path.write(xid, fd.gfid, remote.number, offset, size, frame.stamp)
        remote.unanswered.add(xid)
        remote.unsynced = True
        packet = (head, data) if size else (head,)
        reply = Reply(connection, xid, packet, None, None, remote.answered)
        try:
            await reply
        except ConnectionLostError as lost:
            return await self._again(lost, False, frame, self.writev, fd, data, offset)
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            if reply.submitted and frame.late is not None:
                frame.adopted = True
                await Spawn(self._see_out(frame, fd, partial(self._wrote, reply, size)))
            raise
        if hot.usual_write(reply.record, size):
            return _written((size, None, None))
        return await self._unusual_write(reply, size)

    async def _wrote(self, reply: Reply, size: int) -> None:
        """Wait for the answer to a WRITE.

        Raises:
            OSError: it has failed, or not all is written.
        """
        answer = await self._answer(Fop.WRITE, reply)
        if answer.op_ret < size:
            raise fs_error(errno.EIO)

    async def _unusual_write(self, reply: Reply, size: int) -> Written:
        """Tell what an answer to a WRITE says that is not the usual one."""
        connection = reply.connection
        try:
            op_ret, op_errno = hot.write_reply(reply.record, REPLY_HEADER_SIZE)
        except RemoteProtocolError as error:
            await Disconnect(connection, error)
            raise connection.blame(error) from None
        if op_ret < 0:
            raise fs_error(op_errno)
        if op_ret > size:
            raise await self._broken(f"{op_ret} bytes written, {size} sent")
        return Written(op_ret)

    def writev_now(
        self,
        frame: Frame,
        fd: Fd,
        data: Buffer,
        offset: int,
        answered: Callable[[Rest | None], None],
    ) -> Reply | None:
        connection, remote = self._connection, fd.context.get(self)
        if connection is None or remote is None or frame.identity is not None:
            return None
        xid = connection.next_xid()
        size = len(data)
        head = self._hot.write(xid, fd.gfid, remote.number, offset, size, frame.stamp)
        remote.unanswered.add(xid)
        remote.unsynced = True

        def settled(reply: Reply) -> None:
            remote.answered(reply)
            if reply.error is None and hot.usual_write(reply.record, size):
                answered(None)
            else:
                answered(partial(self._after_write, reply, frame, fd, data, offset))

        return Reply(connection, xid, (head, data), None, None, settled)

    async def _after_write(
        self, reply: Reply, frame: Frame, fd: Fd, data: Buffer, offset: int
    ) -> Written:
        """Do what :meth:`writev` does when it has come to an answer that is not the usual one."""
        try:
            await reply
        except ConnectionLostError as lost:
            return await self._again(lost, False, frame, self.writev, fd, data, offset)
        return await self._unusual_write(reply, len(data))

    async def lookup(self, frame: Frame, request: names.LookupRequest) -> names.LookupReply:
        """Of the dictionary nothing is told to who asked for nothing, and of the directory nothing."""
        gfid, parent, _, name, xdata = request
        asked = NULL_DICT if xdata is None else dictionary.encode(xdata)
        try:
            connection = self._connected()
            xid = connection.next_xid()
            packet = self._hot_for(frame).lookup(
                xid, parent, name.encode("utf-8", "surrogateescape"), asked, gfid
            )
            reply = Reply(connection, xid, (packet,))
            await reply
        except ConnectionLostError as lost:
            return await self._again(lost, True, frame, self.lookup, request)
        record = reply.record
        found: dictionary.Dict | None = None
        try:
            op_ret, op_errno, stat, at = hot.lookup_reply(record, REPLY_HEADER_SIZE)
            if xdata is not None and op_ret >= 0:
                view = record if type(record) is bytes else memoryview(record)
                found = dictionary.decode(view, at)[0]
        except RemoteProtocolError as error:
            await Disconnect(connection, error)
            raise connection.blame(error) from None
        if op_ret < 0:
            raise fs_error(op_errno)
        return names.LookupReply(op_ret, op_errno, found, stat)

    async def unlink(self, frame: Frame, request: names.UnlinkRequest) -> names.RemovedEntryReply:
        parent, name, xflags, xdata = request
        if xflags or xdata is not None or _is_leased(frame):
            return await self._plain(frame, Fop.UNLINK, request)  # type: ignore[no-any-return]
        try:
            connection = self._connected()
            xid = connection.next_xid()
            packet = self._hot_for(frame).unlink(
                xid, parent, name.encode("utf-8", "surrogateescape"), frame.stamp
            )
            reply = Reply(connection, xid, (packet,))
            await reply
        except ConnectionLostError as lost:
            return await self._again(lost, False, frame, self.unlink, request)
        try:
            op_ret, op_errno = hot.write_reply(reply.record, REPLY_HEADER_SIZE)
        except RemoteProtocolError as error:
            await Disconnect(connection, error)
            raise connection.blame(error) from None
        if op_ret < 0:
            raise fs_error(op_errno)
        return _REMOVED

    async def readlink(self, frame: Frame, request: names.ReadlinkRequest) -> names.ReadlinkReply:
        reply: names.ReadlinkReply = await self._plain(frame, Fop.READLINK, request)
        if len(reply.target) > request.size:  # whoever follows it walks through every name in it
            raise await self._broken("a symbolic link longer than was asked for")
        return reply

    async def fstat(
        self, frame: Frame, fd: Fd, request: attributes.FstatRequest
    ) -> attributes.StatReply:
        return await self._on_fd(frame, Fop.FSTAT, fd, request)  # type: ignore[no-any-return]

    async def fsync(self, frame: Frame, fd: Fd, request: files.FsyncRequest) -> files.ChangedReply:
        """Bring a file to the disk.

        Raises:
            ConnectionLostError: what was written before the brick's end, and not synced, may be gone.
                That is said once; what has been written since is on the disk.
        """
        remote = self._remote(fd)
        was_unsynced, remote.unsynced = remote.unsynced, False
        remote.syncing += was_unsynced
        try:
            answer: files.ChangedReply = await self._on_fd(frame, Fop.FSYNC, fd, request)
        except BaseException:
            remote.unsynced = remote.unsynced or was_unsynced
            raise
        finally:
            remote.syncing -= was_unsynced
        if remote.doubtful:
            remote.doubtful = False
            raise ConnectionLostError(
                f"{self.name}: the brick has ended and come back: what had been written before, and not"
                " synced, may be gone"
            )
        return answer

    async def copy_file_range(
        self, frame: Frame, fd_in: Fd, fd_out: Fd, request: data.CopyFileRangeRequest
    ) -> names.NewEntryReply:
        """Have the brick copy, if it lets go of the target afterwards.

        A GlusterFS brick does not: it keeps a reference to the target's fd, so that neither a RELEASE
        nor a disconnect closes the file (xlators/protocol/server/src/server-resolve.c,
        ``server_resolve_fd`` takes ``state->fd_out``; server-helpers.c, ``free_state`` gives only
        ``state->fd`` back; so in 10.3, and in 11.1). No such request is sent to one.
        """
        if not self._copies:
            raise fs_error(errno.EOPNOTSUPP)
        source, target = self._remote(fd_in), self._remote(fd_out)
        target.unsynced = True
        message = request._replace(
            gfid_in=fd_in.gfid, fd_in=source.number, gfid_out=fd_out.gfid, fd_out=target.number
        )
        try:
            reply = self._request(Fop.COPY_FILE_RANGE, frame, message, source)
            if target is not source:
                target.unanswered.add(reply.xid)

                def answered(reply: Reply) -> None:
                    source.answered(reply)
                    target.answered(reply)

                reply.settled = answered
            return await self._answer(Fop.COPY_FILE_RANGE, reply)  # type: ignore[no-any-return]
        except ConnectionLostError as lost:
            return await self._again(
                lost, False, frame, self.copy_file_range, fd_in, fd_out, request
            )

    def _hot_for(self, frame: Frame) -> hot.HotPath:
        if frame.identity is None:
            return self._hot
        return hot.hot_path(encode_v3(frame.identity))

    async def _broken(self, what: str) -> RemoteProtocolError:
        connection = self._connected()
        error = RemoteProtocolError(f"{connection.name}: {what}")
        await Disconnect(connection, error)
        return error


#: What a brick answers that has done as it was told, and has nothing to tell: no extra data, or, as
#: GlusterFS's bricks, empty extra data.
_DONE: Final = (encode(files.CommonReply(xdata={})), encode(files.CommonReply()))


def _is_leased(frame: Frame) -> bool:
    return frame.identity is not None and bool(frame.identity.lease_id)


#: Nobody asks for the directory's attributes.
_REMOVED: Final = names.RemovedEntryReply()


def _find_data(view: memoryview) -> int | None:
    """Find where the data of a READ's reply begins, if it brings any."""
    return hot.read_data(view, REPLY_HEADER_SIZE)


#: The fops that concern no fd, and those that do, by the translator's method. Each is one request and
#: one reply, and needs no code of its own.
_PLAIN_FOPS = (
    Fop.MKNOD, Fop.MKDIR, Fop.SYMLINK, Fop.LINK, Fop.RMDIR, Fop.RENAME,
    Fop.STAT, Fop.SETATTR, Fop.ACCESS, Fop.STATFS, Fop.TRUNCATE,
    Fop.SETXATTR, Fop.GETXATTR, Fop.REMOVEXATTR, Fop.XATTROP,
    Fop.INODELK, Fop.ENTRYLK, Fop.GETACTIVELK, Fop.SETACTIVELK, Fop.IPC,
)  # fmt: skip
_FD_FOPS = (
    Fop.FSETATTR, Fop.FLUSH, Fop.READDIR, Fop.READDIRP, Fop.FSYNCDIR,
    Fop.FSETXATTR, Fop.FGETXATTR, Fop.FREMOVEXATTR, Fop.FXATTROP,
    Fop.FINODELK, Fop.FENTRYLK,
    Fop.SEEK, Fop.RCHECKSUM,
)  # fmt: skip
#: Those on an fd that change the file's contents: until an FSYNC these may be lost with the brick.
_CHANGING_FOPS = (Fop.FTRUNCATE, Fop.FALLOCATE, Fop.DISCARD, Fop.ZEROFILL)


def _add_plain(fop: Fop) -> None:
    def method(self: Client, frame: Frame, request: Any) -> Coro[Any]:
        return self._plain(frame, fop, request)

    setattr(Client, fop.name.lower(), method)


def _add_on_fd(fop: Fop) -> None:
    def method(self: Client, frame: Frame, fd: Fd, request: Any) -> Coro[Any]:
        return self._on_fd(frame, fop, fd, request)

    setattr(Client, fop.name.lower(), method)


def _add_changing(fop: Fop) -> None:
    def method(self: Client, frame: Frame, fd: Fd, request: Any) -> Coro[Any]:
        self._remote(fd).unsynced = True
        return self._on_fd(frame, fop, fd, request)

    setattr(Client, fop.name.lower(), method)


for _fop in _PLAIN_FOPS:
    _add_plain(_fop)
for _fop in _FD_FOPS:
    _add_on_fd(_fop)
for _fop in _CHANGING_FOPS:
    _add_changing(_fop)
