"""protocol/server: the file operations of a connection, wound to the top of the brick's graph.

What an operation looks like on the wire says the table of :mod:`glusterio.wire.fops`; how it is wound
says the table at the end of this file, by one of a few kinds. Everything that goes wrong in an
operation becomes its reply's ``op_errno``.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final

from glusterio.brick.connection import Connection, Procedure
from glusterio.brick.fds import OpenFd
from glusterio.errors import RemoteProtocolError, fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.rpc.service import Request
from glusterio.traps import Coro, Event, next_turn
from glusterio.types import NULL_GFID, Buffer, Gfid
from glusterio.wire.credentials import Credentials
from glusterio.wire.fops import FOPS as SPECS
from glusterio.wire.fops.data import CopyFileRangeRequest, ReadReply, ReadRequest, WriteRequest
from glusterio.wire.fops.files import ChangedReply, CommonReply, FlushRequest
from glusterio.wire.iatt import ZERO_IATT
from glusterio.wire.messages import decode_with_tail, encode, failure
from glusterio.wire.programs import (
    ANONYMOUS_FD,
    CRASHING_FOPS,
    FOPS,
    REFUSED_FOPS,
    EntrylkCommand,
    Fop,
    LockCommand,
)
from glusterio.xlators.base import Xlator

log = logging.getLogger("glusterio.brick")

#: How one kind of operation is wound: connection, frame, request and raw data in; the reply and the
#: raw data behind it out.
Winding = Callable[[Connection, Frame, Any, memoryview], Coro[tuple[Any, Buffer]]]

_NO_DATA: Final = b""

#: How many descriptors of a client that has gone are closed before others have their turn.
_CLOSED_AT_ONCE: Final = 256

#: On whose behalf a brick closes what a client left: nobody's. The empty lock owner of its FLUSH
#: stands for all owners.
_THE_BRICK: Final = Credentials(0, 0, 0)


class FopCounter:
    """How often an operation was done, and how long that took, from the last byte received.

    Attributes:
        count: how often.
        failed: how often with an error.
        seconds: how long all of them took.
        longest: how long the slowest took, in seconds.
    """

    __slots__ = ("count", "failed", "longest", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.failed = 0
        self.seconds = 0.0
        self.longest = 0.0


class FopProgram:
    """The program of the file operations.

    Args:
        top: the top of the brick's graph.
        of: the program for everybody, with which this one counts; by default, it is that.

    Attributes:
        counters: what has been done so far, by operation.
    """

    name = "GlusterFS 4.x v1"
    program = FOPS

    def __init__(self, top: Xlator, of: FopProgram | None = None) -> None:
        self.top = top
        self.counters: dict[Fop, FopCounter] = (
            of.counters if of is not None else {fop: FopCounter() for fop in sorted(SERVED)}
        )
        self._procedures: dict[int, Procedure] = {
            fop: self._procedure(fop, self._winding(fop)) for fop in SERVED
        }

    def find(self, procedure: int) -> Procedure | None:
        """Return what answers a procedure, ``None`` when nothing does."""
        return self._procedures.get(procedure)

    def failure(self, procedure: int, number: int) -> bytes | None:
        """Return the reply of a procedure that fails with an errno; ``None`` if it cannot say so."""
        if procedure not in self._procedures:
            return None
        fop = Fop(procedure)
        self.counters[fop].count += 1
        self.counters[fop].failed += 1
        return encode(failure(SPECS[fop].reply_class, number))

    def _procedure(self, fop: Fop, wind: Winding) -> Procedure:
        spec, counter = SPECS[fop], self.counters[fop]

        async def procedure(connection: Connection, request: Request) -> Sequence[Buffer]:
            if connection.client is None:
                raise RemoteProtocolError("a file operation before SETVOLUME")
            caller = connection.caller(request)
            message, tail = decode_with_tail(
                spec.request_class, memoryview(request.record), request.body
            )
            frame = Frame(identity=caller, client=connection.client)
            try:
                reply, data = await wind(connection, frame, message, tail)
                body = encode(reply)
            except OSError as error:
                body, data = encode(failure(spec.reply_class, error.errno or errno.EIO)), _NO_DATA
                counter.failed += 1
            except Exception:
                log.exception("%s: %s failed", connection.name, spec.request_class.__name__)
                body, data = encode(failure(spec.reply_class, errno.EIO)), _NO_DATA
                counter.failed += 1
            took = monotonic() - request.arrived
            counter.count += 1
            counter.seconds += took
            if took > counter.longest:
                counter.longest = took
            return (body, data) if len(data) else (body,)

        return procedure

    # -- the kinds --------------------------------------------------------------------------------

    def _winding(self, fop: Fop) -> Winding:
        special = _SPECIAL.get(fop)
        if special is not None:
            return special.__get__(self)  # type: ignore[no-any-return]
        method = getattr(self.top, fop.name.lower())
        has_fd = "fd" in SPECS[fop].request_class._fields
        wind = self._on_fd(method) if has_fd else self._on_gfid(method)
        may_block = _BLOCKING.get(fop)
        return wind if may_block is None else self._blocking(wind, may_block)

    @staticmethod
    def _blocking(wind: Winding, may_block: Callable[[Any], bool]) -> Winding:
        async def winding(
            connection: Connection, frame: Frame, message: Any, tail: memoryview
        ) -> tuple[Any, Buffer]:
            if not may_block(message):
                return await wind(connection, frame, message, tail)
            with connection.waiting_for_a_lock():
                return await wind(connection, frame, message, tail)

        return winding

    @staticmethod
    def _on_gfid(method: Callable[..., Coro[Any]]) -> Winding:
        async def wind(
            connection: Connection, frame: Frame, message: Any, tail: memoryview
        ) -> tuple[Any, Buffer]:
            return await method(frame, message), _NO_DATA

        return wind

    def _on_fd(self, method: Callable[..., Coro[Any]]) -> Winding:
        async def wind(
            connection: Connection, frame: Frame, message: Any, tail: memoryview
        ) -> tuple[Any, Buffer]:
            number, gfid = message.fd, message.gfid
            return await self._with_fd(connection, frame, number, gfid, method, message), _NO_DATA

        return wind

    async def _with_fd(
        self,
        connection: Connection,
        frame: Frame,
        number: int,
        gfid: Gfid,
        method: Callable[..., Coro[Any]],
        *arguments: Any,
    ) -> Any:
        """Wind with the fd that has a number, which lives as long as the operation."""
        if number == ANONYMOUS_FD:
            return await method(frame, Fd(gfid, anonymous=True), *arguments)
        opened = connection.fds.use(number)
        try:
            return await method(frame, opened.fd, *arguments)
        finally:
            if connection.fds.done(opened):
                await self._close(frame, opened)

    # -- what is special --------------------------------------------------------------------------

    async def _null(
        self, connection: Connection, frame: Frame, message: Any, tail: memoryview
    ) -> tuple[Any, Buffer]:
        return SPECS[Fop.NULL].reply_class(), _NO_DATA

    async def _open(
        self, connection: Connection, frame: Frame, message: Any, tail: memoryview
    ) -> tuple[Any, Buffer]:
        connection.fds.check_room()
        fd = Fd(message.gfid, message.flags)
        reply = await self.top.open(frame, fd, message)
        return reply._replace(fd=await self._number(connection, frame, fd, False)), _NO_DATA

    async def _opendir(
        self, connection: Connection, frame: Frame, message: Any, tail: memoryview
    ) -> tuple[Any, Buffer]:
        connection.fds.check_room()
        fd = Fd(message.gfid)
        reply = await self.top.opendir(frame, fd, message)
        return reply._replace(fd=await self._number(connection, frame, fd, True)), _NO_DATA

    async def _create(
        self, connection: Connection, frame: Frame, message: Any, tail: memoryview
    ) -> tuple[Any, Buffer]:
        connection.fds.check_room()
        fd = Fd(NULL_GFID, message.flags)
        reply = await self.top.create(frame, fd, message)
        return reply._replace(fd=await self._number(connection, frame, fd, False)), _NO_DATA

    async def _number(
        self, connection: Connection, frame: Frame, fd: Fd, is_directory: bool
    ) -> int:
        """Give what was opened a number, or close it.

        Raises:
            OSError: EMFILE; or EBADF, which nobody hears, as the client has gone.
        """
        try:
            number = connection.fds.add(fd, is_directory)
            if number is None:
                raise fs_error(errno.EBADF)
        except OSError:
            await self._close(frame, OpenFd(fd, is_directory))
            raise
        return number

    async def _read(
        self, connection: Connection, frame: Frame, message: ReadRequest, tail: memoryview
    ) -> tuple[Any, Buffer]:
        gfid, number, offset, size, _, frame.xdata = message
        data, stat, eof = await self._with_fd(
            connection, frame, number, gfid, self.top.readv, size, offset
        )
        reply = ReadReply(len(data), errno.ENOENT if eof else 0, stat or ZERO_IATT, len(data))
        return reply, data

    async def _write(
        self, connection: Connection, frame: Frame, message: WriteRequest, tail: memoryview
    ) -> tuple[Any, Buffer]:
        frame.xdata = message.xdata
        written, before, after = await self._with_fd(
            connection, frame, message.fd, message.gfid, self.top.writev, tail, message.offset
        )
        reply = ChangedReply(written, 0, None, before or ZERO_IATT, after or ZERO_IATT)
        return reply, _NO_DATA

    async def _copy_file_range(
        self, connection: Connection, frame: Frame, message: CopyFileRangeRequest, tail: memoryview
    ) -> tuple[Any, Buffer]:
        number, gfid = message.fd_out, message.gfid_out

        async def to_target(frame: Frame, source: Fd) -> Any:
            async def copy(frame: Frame, target: Fd) -> Any:
                return await self.top.copy_file_range(frame, source, target, message)

            return await self._with_fd(connection, frame, number, gfid, copy)

        reply = await self._with_fd(connection, frame, message.fd_in, message.gfid_in, to_target)
        return reply, _NO_DATA

    async def _release(
        self, connection: Connection, frame: Frame, message: Any, tail: memoryview
    ) -> tuple[Any, Buffer]:
        """Close a descriptor. It always works, even for one that is not open."""
        opened = connection.fds.remove(message.fd)
        if opened is not None:
            await self._close(frame, opened)
        return CommonReply(), _NO_DATA

    async def _close(self, frame: Frame, opened: OpenFd) -> None:
        if opened.is_directory:
            await self.top.releasedir(frame, opened.fd)
        else:
            await self.top.release(frame, opened.fd)

    # -- the end of a connection ------------------------------------------------------------------

    async def close_all(self, connection: Connection) -> None:
        """Give back what a client held that has gone: its locks, and descriptors that nothing uses.

        The others are closed by the operations that use them. It is called again when none of these is
        left: a lock may have been granted meanwhile.
        """
        frame = Frame(identity=_THE_BRICK, client=connection.client)
        try:
            await self.top.client_gone(frame)
        except Exception:  # the descriptors are closed all the same
            log.exception("%s: letting go of what it held", connection.name)
        if connection.client is not None:
            connection.client.gone.set()
        for count, opened in enumerate(connection.fds.remove_all(), 1):
            try:
                if not opened.is_directory:
                    await self.top.flush(frame, opened.fd, FlushRequest(opened.fd.gfid, 0))
            except OSError as error:
                log.warning("%s: flushing %r: %s", connection.name, opened.fd, error)
            await self._close(frame, opened)
            if not count % _CLOSED_AT_ONCE:
                await next_turn(Event)


#: Which requests may wait for somebody else to let go of a lock.
_BLOCKING: Final[dict[Fop, Callable[[Any], bool]]] = {
    Fop.LK: lambda request: request.cmd == LockCommand.SETLKW,
    Fop.INODELK: lambda request: request.cmd == LockCommand.SETLKW,
    Fop.FINODELK: lambda request: request.cmd == LockCommand.SETLKW,
    Fop.ENTRYLK: lambda request: request.cmd == EntrylkCommand.LOCK,
    Fop.FENTRYLK: lambda request: request.cmd == EntrylkCommand.LOCK,
}

_SPECIAL: Final[dict[Fop, Any]] = {
    Fop.NULL: FopProgram._null,
    Fop.OPEN: FopProgram._open,
    Fop.OPENDIR: FopProgram._opendir,
    Fop.CREATE: FopProgram._create,
    Fop.READ: FopProgram._read,
    Fop.WRITE: FopProgram._write,
    Fop.COPY_FILE_RANGE: FopProgram._copy_file_range,
    Fop.RELEASE: FopProgram._release,
    Fop.RELEASEDIR: FopProgram._release,
}

#: What a brick of GlusterFS 10 answers, but for what kills it.
SERVED: Final = frozenset(SPECS) - CRASHING_FOPS - REFUSED_FOPS
