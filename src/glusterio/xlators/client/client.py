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

from glusterio.errors import (
    ConnectionLostError,
    RemoteProtocolError,
    fs_error,
)
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.rpc.connection import Connection
from glusterio.rpc.stream import DIRECT
from glusterio.traps import Coro, Disconnect, Event, Reply, Spawn, Wait
from glusterio.types import NULL_GFID, Buffer, Gfid
from glusterio.wire import dictionary, hot
from glusterio.wire.callbacks import decode_callback
from glusterio.wire.credentials import encode_v3, stamped
from glusterio.wire.dictionary import NULL_DICT, NewGfid
from glusterio.wire.fops import FOPS, attributes, data, directories, files, locks, names
from glusterio.wire.fops.data import ReadRequest, WriteRequest
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import ANONYMOUS_FD, GFID_REQ, LEASE_ID, RELEASES_COPIES, Fop
from glusterio.wire.programs import FOPS as FOP_PROGRAM
from glusterio.wire.records import REPLY_HEADER_SIZE, encode_call
from glusterio.xlators.base import Data, Notice, Written, Xlator
from glusterio.xlators.client.handshake import connect_to_brick

#: How long a RELEASE waits for requests about the same fd that the brick has not answered, in
#: seconds, beyond the caller's own patience. Then the connection is of no use any more.
UNANSWERED = 60.0


class RemoteFd:
    """What the client keeps for an fd.

    Attributes:
        number: the brick's number for it.
        unanswered: requests about it that the brick has not answered, by xid: so one that is told of
            twice, because of an interrupt, is not counted twice.
        quiet: while a RELEASE waits for that count to fall to zero, the event that says so.
        release: the RELEASE, once it has been made: there is never a second one.
    """

    __slots__ = ("number", "quiet", "release", "unanswered")

    def __init__(self, number: int) -> None:
        self.number = number
        self.unanswered: set[int] = set()
        self.quiet: Event | None = None
        self.release: Reply | None = None

    def answered(self, reply: Reply) -> None:
        """The brick has answered a request about this fd, or never will."""
        self.unanswered.discard(reply.xid)
        if self.quiet is not None and not self.unanswered:
            self.quiet.set()


_ANONYMOUS = RemoteFd(ANONYMOUS_FD)

#: Makes a :class:`Data` of a tuple, without the function that a named tuple has for that; and so on.
_data: Callable[[tuple[Buffer, None, bool]], Data] = partial(tuple.__new__, Data)
_written: Callable[[tuple[int, None, None]], Written] = partial(tuple.__new__, Written)


class Client(Xlator):
    """One brick, over one connection.

    Options: ``remote-host``, ``remote-subvolume``, ``remote-port``, ``transport.socket.connect-path``,
    ``username``, ``password``, ``ping-timeout``, as in a volfile.
    """

    xlator_type = "protocol/client"

    def set_up(self) -> None:
        self._connection: Connection | None = None
        self._hot = hot.hot_path(self.services.credentials)
        self._up = False
        self._copies = False

    # -- life -------------------------------------------------------------------------------------

    async def init(self) -> None:
        """Find the brick, connect, and shake hands.

        Raises:
            HandshakeError: the brick, or the management daemon, would not have us.
            OSError: nobody there.
            RemoteProtocolError: not a GlusterFS brick.
        """
        self._connection, told = await connect_to_brick(
            self.name, self.options, self.services, self._lost
        )
        self._connection.on_message = self._told
        self._copies = RELEASES_COPIES in told
        self._up = True
        if self._connection.lost is not None:
            self._lost(self._connection.lost)
            raise self._connection.lost
        self.notify(Notice.CHILD_UP)

    async def fini(self) -> None:
        """Close the connection; the brick lets go of whatever it still held for us."""
        await self.sever(None)
        self._connection = None

    async def sever(self, error: Exception | None) -> None:
        """Cut the connection; what is in flight fails."""
        self._up = False
        if self._connection is not None:
            await Disconnect(self._connection, error)

    def _lost(self, error: Exception) -> None:
        if self._up:
            self._up = False
            self.notify(Notice.CHILD_DOWN, error)

    def _told(self, record: bytes) -> None:
        """The brick tells something unasked. What makes no sense is left out: nobody waits for it."""
        try:
            message = decode_callback(record)
        except RemoteProtocolError as error:
            self.services.log.warning("%s: a message that does not decode: %s", self.name, error)
            return
        if message is not None:
            self.notify(Notice.UPCALL, message)

    # -- requests ---------------------------------------------------------------------------------

    def _connected(self) -> Connection:
        connection = self._connection
        if connection is None:
            raise ConnectionLostError(f"{self.name}: not connected", may_have_happened=False)
        return connection

    def _request(
        self, fop: Fop, frame: Frame, message: Any, remote: RemoteFd | None = None
    ) -> Reply:
        """Make the request for a fop; it is sent when it is awaited."""
        connection = self._connected()
        xid = connection.next_xid()
        reply = Reply(connection, xid, (self._packed(xid, fop, frame, message),))
        if remote is not None:
            remote.unanswered.add(xid)
            reply.settled = remote.answered
        return reply

    def _packed(self, xid: int, fop: Fop, frame: Frame, message: Any, tail: int = 0) -> bytes:
        """Encode a request, in front of ``tail`` bytes of data, and say in whose lease's name it is."""
        identity = frame.identity
        if identity is not None and identity.lease_id and "xdata" in message._fields:
            message = message._replace(xdata={**(message.xdata or {}), LEASE_ID: identity.lease_id})
        body = encode(message)
        credentials = self._credentials_for(frame)
        return encode_call(xid, *FOP_PROGRAM, fop, credentials, len(body) + tail) + body

    def _credentials_for(self, frame: Frame) -> bytes:
        identity, stamp = frame.identity, frame.stamp
        credentials = self.services.credentials if identity is None else encode_v3(identity)
        return credentials if stamp is None else stamped(credentials, *stamp)

    async def _answer(self, fop: Fop, reply: Reply) -> Any:
        """Wait for a reply and decode it.

        Raises:
            OSError: the brick says that the operation failed.
            RemoteProtocolError: the reply does not decode; the connection has been ended.
            ConnectionLostError: no reply, since the connection is gone.
        """
        await reply
        try:
            if fop is Fop.CREATE:
                message: Any = _created(reply.record)
            else:
                message = decode(FOPS[fop].reply_class, memoryview(reply.record), REPLY_HEADER_SIZE)
        except RemoteProtocolError as error:
            await Disconnect(reply.connection, error)
            raise reply.connection.blame(error) from None
        if message.op_ret < 0:
            raise fs_error(message.op_errno)
        return message

    async def _plain(self, fop: Fop, frame: Frame, message: Any) -> Any:
        """Any fop that concerns no fd."""
        return await self._answer(fop, self._request(fop, frame, message))

    async def _on_fd(self, fop: Fop, frame: Frame, fd: Fd, message: Any) -> Any:
        """Any fop on an open file: the brick's number and the gfid are filled in."""
        remote = self._remote(fd)
        request = self._request(
            fop, frame, message._replace(gfid=fd.gfid, fd=remote.number), remote
        )
        return await self._answer(fop, request)

    def _remote(self, fd: Fd) -> RemoteFd:
        remote = fd.context.get(self)
        if remote is not None:
            return remote  # type: ignore[no-any-return]
        if fd.anonymous:
            return _ANONYMOUS
        raise ConnectionLostError(
            f"{self.name}: the brick does not hold this file open", may_have_happened=False
        )

    # -- opening and closing ----------------------------------------------------------------------

    async def _open(self, fop: Fop, frame: Frame, fd: Fd, reply: Reply) -> Any:
        try:
            answer = await self._answer(fop, reply)
            self._opened(fd, answer)
        except (Exception, GeneratorExit):
            raise
        except BaseException:  # cancelled; or interrupted, in the middle of anything
            if reply.submitted and frame.late is not None:
                frame.adopted = True
                await Spawn(self._release_when_it_comes(fop, reply, fd, frame))
            raise
        return answer

    def _opened(self, fd: Fd, answer: Any) -> None:
        fd.context[self] = RemoteFd(answer.fd)
        if fd.gfid == NULL_GFID:
            fd.gfid = answer.stat.gfid

    async def _release_when_it_comes(self, fop: Fop, reply: Reply, fd: Fd, frame: Frame) -> None:
        """The caller of an OPEN gave up: wait for the reply in its stead, and close what it opened."""
        error: Exception | None = None
        try:
            self._opened(fd, await self._answer(fop, reply))
        except Exception as failure:
            error = failure
        assert frame.late is not None
        await frame.late(fd, error)

    async def open(self, frame: Frame, fd: Fd, request: files.OpenRequest) -> files.OpenReply:
        reply = self._request(Fop.OPEN, frame, request)
        return await self._open(Fop.OPEN, frame, fd, reply)  # type: ignore[no-any-return]

    async def create(self, frame: Frame, fd: Fd, request: names.CreateRequest) -> names.CreateReply:
        parent, flags, mode, umask, name, xdata = request
        gfid = xdata.get(GFID_REQ) if xdata is not None and len(xdata) == 1 else None
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
        return await self._open(Fop.CREATE, frame, fd, reply)  # type: ignore[no-any-return]

    async def opendir(
        self, frame: Frame, fd: Fd, request: directories.OpendirRequest
    ) -> files.OpenReply:
        reply = self._request(Fop.OPENDIR, frame, request)
        return await self._open(Fop.OPENDIR, frame, fd, reply)  # type: ignore[no-any-return]

    async def _release(self, fd: Fd, pack: Callable[[int, Gfid, int], bytearray]) -> None:
        """Close a descriptor: once the brick has answered every request about it.

        Args:
            fd: the descriptor.
            pack: makes the packet, of its number, the gfid and the brick's number for the descriptor.
        """
        remote = fd.context.get(self)
        connection = self._connection
        if remote is None or connection is None or connection.lost is not None:
            return  # the brick has let go of it, or never had it
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
        try:
            await reply
            op_ret, op_errno = hot.common_reply(reply.record, REPLY_HEADER_SIZE)
        except ConnectionLostError:
            return  # and with the connection the brick's fd
        except RemoteProtocolError as error:
            await Disconnect(connection, error)
            raise connection.blame(error) from None
        finally:
            if reply.submitted:  # else it was interrupted before, and is called again
                fd.context.pop(self, None)
        if op_ret < 0:
            raise fs_error(op_errno)

    def release_now(self, fd: Fd, done: Callable[[bool], None]) -> Reply | None:
        remote: RemoteFd | None = fd.context.get(self)
        connection = self._connection
        if remote is None or remote.unanswered or connection is None or connection.lost is not None:
            return None
        xid = connection.next_xid()
        packet = self._hot.release(xid, fd.gfid, remote.number)
        settled = partial(self._released, fd, done)
        reply = remote.release = Reply(connection, xid, (packet,), None, None, settled)
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
        remote = self._remote(fd)
        message = request._replace(gfid=fd.gfid, fd=remote.number)
        reply = self._request(Fop.LK, frame, message, remote)
        try:
            return await self._answer(Fop.LK, reply)  # type: ignore[no-any-return]
        except (Exception, GeneratorExit):
            raise
        except BaseException:  # cancelled; or interrupted, in the middle of anything
            if reply.submitted and frame.late is not None:
                frame.adopted = True
                await Spawn(self._tell_when_it_comes(Fop.LK, reply, fd, frame))
            raise

    async def _tell_when_it_comes(
        self, fop: Fop, reply: Reply, fd: Fd, frame: Frame, size: int = 0
    ) -> None:
        error: Exception | None = None
        try:
            answer = await self._answer(fop, reply)
            if answer.op_ret < size:
                error = fs_error(errno.EIO)
        except Exception as failure:
            error = failure
        assert frame.late is not None
        await frame.late(fd, error)

    # -- the hot path -----------------------------------------------------------------------------

    async def readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Data:
        connection, remote = self._connection, fd.context.get(self)
        if connection is None or remote is None:
            connection, remote = self._connected(), self._remote(fd)
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
            if size > DIRECT:
                reply.room = size
        else:
            reply = Reply(connection, xid, (packet,), sink[:size], _find_data, remote.answered)
        try:
            await reply
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
            connection, remote = self._connected(), self._remote(fd)
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
        packet = (head, data) if size else (head,)
        reply = Reply(connection, xid, packet, None, None, remote.answered)
        try:
            await reply
        except (Exception, GeneratorExit):
            raise
        except BaseException:
            if reply.submitted and frame.late is not None:
                frame.adopted = True
                await Spawn(self._tell_when_it_comes(Fop.WRITE, reply, fd, frame, size))
            raise
        if hot.usual_write(reply.record, size):
            return _written((size, None, None))
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

    async def lookup(self, frame: Frame, request: names.LookupRequest) -> names.LookupReply:
        """Of the dictionary nothing is told to who asked for nothing, and of the directory nothing."""
        connection = self._connected()
        xid = connection.next_xid()
        gfid, parent, _, name, xdata = request
        asked = NULL_DICT if xdata is None else dictionary.encode(xdata)
        packet = self._hot_for(frame).lookup(
            xid, parent, name.encode("utf-8", "surrogateescape"), asked, gfid
        )
        reply = Reply(connection, xid, (packet,))
        await reply
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
            return await self._plain(Fop.UNLINK, frame, request)  # type: ignore[no-any-return]
        connection = self._connected()
        xid = connection.next_xid()
        packet = self._hot_for(frame).unlink(
            xid, parent, name.encode("utf-8", "surrogateescape"), frame.stamp
        )
        reply = Reply(connection, xid, (packet,))
        await reply
        try:
            op_ret, op_errno = hot.write_reply(reply.record, REPLY_HEADER_SIZE)
        except RemoteProtocolError as error:
            await Disconnect(connection, error)
            raise connection.blame(error) from None
        if op_ret < 0:
            raise fs_error(op_errno)
        return _REMOVED

    async def readlink(self, frame: Frame, request: names.ReadlinkRequest) -> names.ReadlinkReply:
        reply: names.ReadlinkReply = await self._plain(Fop.READLINK, frame, request)
        if len(reply.target) > request.size:  # whoever follows it walks through every name in it
            raise await self._broken("a symbolic link longer than was asked for")
        return reply

    async def fstat(
        self, frame: Frame, fd: Fd, request: attributes.FstatRequest
    ) -> attributes.StatReply:
        return await self._on_fd(Fop.FSTAT, frame, fd, request)  # type: ignore[no-any-return]

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
        message = request._replace(
            gfid_in=fd_in.gfid, fd_in=source.number, gfid_out=fd_out.gfid, fd_out=target.number
        )
        reply = self._request(Fop.COPY_FILE_RANGE, frame, message, source)
        if target is not source:
            target.unanswered.add(reply.xid)

            def answered(reply: Reply) -> None:
                source.answered(reply)
                target.answered(reply)

            reply.settled = answered
        return await self._answer(Fop.COPY_FILE_RANGE, reply)  # type: ignore[no-any-return]

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


def _created(record: hot.View) -> names.CreateReply:
    op_ret, op_errno, stat, fd = hot.create_reply(record, REPLY_HEADER_SIZE)
    return names.CreateReply(op_ret, op_errno, None, stat, fd)


def _find_data(view: memoryview) -> int | None:
    """Find where the data of a READ's reply begins, if it brings any."""
    return hot.read_data(view, REPLY_HEADER_SIZE)


#: The fops that concern no fd, and those that do, by the translator's method. Each is one request and
#: one reply, and needs no code of its own.
_PLAIN_FOPS = (
    Fop.MKNOD, Fop.MKDIR, Fop.SYMLINK, Fop.LINK, Fop.RMDIR, Fop.RENAME,
    Fop.STAT, Fop.SETATTR, Fop.ACCESS, Fop.STATFS, Fop.TRUNCATE,
    Fop.SETXATTR, Fop.GETXATTR, Fop.REMOVEXATTR, Fop.XATTROP,
    Fop.INODELK, Fop.ENTRYLK, Fop.LEASE, Fop.GETACTIVELK, Fop.SETACTIVELK, Fop.IPC,
)  # fmt: skip
_FD_FOPS = (
    Fop.FSETATTR, Fop.FLUSH, Fop.FSYNC, Fop.FTRUNCATE, Fop.READDIR, Fop.READDIRP, Fop.FSYNCDIR,
    Fop.FSETXATTR, Fop.FGETXATTR, Fop.FREMOVEXATTR, Fop.FXATTROP,
    Fop.FINODELK, Fop.FENTRYLK,
    Fop.FALLOCATE, Fop.DISCARD, Fop.ZEROFILL, Fop.SEEK, Fop.RCHECKSUM,
)  # fmt: skip


def _add_plain(fop: Fop) -> None:
    def method(self: Client, frame: Frame, request: Any) -> Coro[Any]:
        return self._plain(fop, frame, request)

    setattr(Client, fop.name.lower(), method)


def _add_on_fd(fop: Fop) -> None:
    def method(self: Client, frame: Frame, fd: Fd, request: Any) -> Coro[Any]:
        return self._on_fd(fop, frame, fd, request)

    setattr(Client, fop.name.lower(), method)


for _fop in _PLAIN_FOPS:
    _add_plain(_fop)
for _fop in _FD_FOPS:
    _add_on_fd(_fop)
