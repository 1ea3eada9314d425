"""Opening files and directories, and what can be done with an open one.

The order of an open: *reserve* a handle in the session's ledger, send OPEN, and take the answer. Each
way out of that is an event of the handle (:mod:`glusterio.lifecycle.states`): opened, refused, late,
abandoned. Closing is :mod:`glusterio.api.closing`'s.
"""

from __future__ import annotations

import errno
import operator
import os
import stat as stat_module
from typing import TYPE_CHECKING, Any, Final

from glusterio.api.closing import let_go
from glusterio.api.graphs import handle_left
from glusterio.api.mode import BUFFER_SIZE
from glusterio.api.path_text import text_of
from glusterio.api.path_walk import Place
from glusterio.api.resolve import looking_again, walk_to_name, walk_to_open, walk_to_place
from glusterio.api.standpoint import At, keep
from glusterio.errors import GlusterError, SessionClosedError, fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.lifecycle.states import HandleEvent, HandleState, SessionState
from glusterio.traps import Spawn
from glusterio.types import NULL_GFID, Buffer, Gfid, StrPath
from glusterio.wire.dictionary import NewGfid
from glusterio.wire.fops.attributes import FstatRequest, StatReply
from glusterio.wire.fops.directories import FsyncdirRequest, OpendirRequest
from glusterio.wire.fops.files import FsyncRequest, FtruncateRequest, OpenRequest
from glusterio.wire.fops.names import CreateRequest
from glusterio.wire.iatt import ZERO_IATT, Iatt
from glusterio.wire.programs import GFID_REQ
from glusterio.xlators.base import Data, Xlator

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: Flags that only this process cares about; a brick does not hear of them.
_LOCAL_FLAGS = os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK | os.O_DIRECTORY | os.O_NOFOLLOW

#: Flags that ask for what GlusterFS's protocol does not have: a descriptor that is only a place, and a
#: file without a name. The latter's bits include O_DIRECTORY's.
_UNSUPPORTED_FLAGS = os.O_PATH | (os.O_TMPFILE & ~os.O_DIRECTORY)

#: The kinds of file that a brick opens.
_OPENED = (stat_module.S_IFREG, stat_module.S_IFDIR)

#: How often it is tried to make a file, or to open it, while others make and remove it.
_TRIES = 20

#: How much one READ or WRITE carries at most, in bytes; what is more takes several of them. A brick
#: sets so much memory aside for a READ, whatever the file's size.
TRANSFER = 16 << 20

#: What is looked at in every read.
_LAST_OFFSET: Final = (1 << 63) - 1
_FILE: Final = HandleKind.FILE


def gfid_request() -> dict[str, Any]:
    """Return the extra data that names the gfid of something new: a random UUID, version 4."""
    gfid = bytearray(os.urandom(16))
    gfid[6] = gfid[6] & 0x0F | 0x40
    gfid[8] = gfid[8] & 0x3F | 0x80
    return {GFID_REQ: NewGfid(gfid)}


@looking_again
async def open_file(
    core: Core,
    frame: Frame,
    path: StrPath | At,
    flags: int,
    mode: int,
    umask: int,
    opened_at: str,
) -> Handle:
    """Open, or create and open, a file; or open a directory for reading.

    Raises:
        OSError: what ``os.open`` would raise, with the path.
        SessionClosedError: the session began to close meanwhile; nothing was left open.
    """
    text = text_of(path)
    if flags & _UNSUPPORTED_FLAGS:
        raise fs_error(errno.EOPNOTSUPP, text)
    if flags & os.O_CREAT and flags & os.O_DIRECTORY:
        raise fs_error(errno.EINVAL, text)  # as Linux does since 6.4
    exclusive = flags & (os.O_CREAT | os.O_EXCL) == os.O_CREAT | os.O_EXCL
    mode &= 0o7777
    if exclusive or (flags & os.O_CREAT and core.makes_anew):
        handle = await _make(core, frame, path, flags, mode, umask, opened_at)
        if handle is not None:
            return handle
    to_read = not flags & ~(_LOCAL_FLAGS | os.O_CREAT)
    tries = _TRIES
    while True:
        place = await walk_to_open(core, frame, path, flags, to_read=to_read)
        if place.stat is not None and stat_module.S_IFMT(place.stat.mode) not in _OPENED:
            raise fs_error(
                errno.ENXIO, text
            )  # it opens something of a kernel's, through mounts only
        if flags & os.O_CREAT:
            core.makes_anew = place.stat is None
        kind = HandleKind.DIRECTORY if place.is_directory else HandleKind.FILE
        try:
            return await _open(core, frame, text, place, kind, flags, mode, umask, opened_at)
        except FileExistsError:  # made by somebody else just now
            tries -= 1
            if exclusive or not tries:
                raise


async def _make(
    core: Core,
    frame: Frame,
    path: StrPath | At,
    flags: int,
    mode: int,
    umask: int,
    opened_at: str,
) -> Handle | None:
    """Make a file without looking whether something is there.

    Returns:
        Its handle; ``None`` when that did not do: something is there already, perhaps.

    Raises:
        FileExistsError: something is, and nothing may be.
    """

    async def make(place: Place) -> Handle | None:
        if not place.name or place.slash:
            return None
        return await _open(
            core, frame, text_of(path), place, HandleKind.FILE, flags, mode, umask, opened_at
        )

    try:
        return await walk_to_name(core, frame, path, make)
    except OSError as error:
        if isinstance(error, GlusterError) or (flags & os.O_EXCL and error.errno == errno.EEXIST):
            raise
        return None  # what speaks against it depends on what is there


@looking_again
async def open_directory(core: Core, frame: Frame, path: StrPath | At, opened_at: str) -> Handle:
    """Open a directory for listing.

    Raises:
        NotADirectoryError: it is none.
        OSError: what ``os.scandir`` would raise, with the path.
    """
    text = text_of(path)
    place = await walk_to_place(core, frame, path, follow=True)
    if not place.is_directory:
        raise fs_error(errno.ENOTDIR, text)
    return await _open(core, frame, text, place, HandleKind.DIRECTORY, 0, 0, 0, opened_at)


async def open_found(
    core: Core, frame: Frame, path: str, found: Iatt, flags: int, opened_at: str
) -> Handle:
    """Open a file or directory that has just been looked up, whatever its name means by now.

    Args:
        core: the session.
        frame: the operation's frame; no other open may be under way on it.
        path: its path, for messages.
        found: its attributes.
        flags: as for :func:`open_file`; neither ``O_CREAT`` nor ``O_EXCL``.
        opened_at: where in the application this is.

    Raises:
        OSError: what the brick says, with the path.
    """
    kind = HandleKind.DIRECTORY if stat_module.S_ISDIR(found.mode) else HandleKind.FILE
    place = Place(NULL_GFID, "", found)
    return await _open(core, frame, path, place, kind, flags, 0, 0, opened_at)


async def create_in(
    core: Core,
    frame: Frame,
    path: str,
    parent: Gfid,
    name: str,
    mode: int,
    umask: int,
    opened_at: str,
) -> Handle:
    """Make a file in a known directory, where nothing of the name is, and open it for writing.

    Raises:
        FileExistsError: something of the name is there.
        OSError: what the brick says, with the path.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    place = Place(parent, name, None)
    return await _open(
        core, frame, path, place, HandleKind.FILE, flags, mode & 0o7777, umask, opened_at
    )


async def open_directory_again(core: Core, frame: Frame, handle: Handle, opened_at: str) -> Handle:
    """Open the directory behind an open handle once more, for a listing of its own."""
    if handle.state is not HandleState.OPEN:
        raise handle.why_unusable()
    if handle.kind is not HandleKind.DIRECTORY:
        raise fs_error(errno.ENOTDIR, handle.path)
    place = Place(NULL_GFID, "", ZERO_IATT._replace(gfid=handle.fd.gfid))
    return await _open(core, frame, handle.path, place, HandleKind.DIRECTORY, 0, 0, 0, opened_at)


async def _open(
    core: Core,
    frame: Frame,
    path: str,
    place: Place,
    kind: HandleKind,
    flags: int,
    mode: int,
    umask: int,
    opened_at: str,
) -> Handle:
    session = core.session
    top = core.top
    on_brick = flags & ~_LOCAL_FLAGS
    fd = Fd(place.stat.gfid if place.stat is not None else NULL_GFID, on_brick, top=top)
    if not core.house_is_kept:
        core.driver.keep_house()
        core.house_is_kept = True
    handle = session.reserve(kind, path, opened_at, frame.call)
    handle.fd = fd
    if core.through:  # a new graph is coming into use
        fd.through = True
    if kind is HandleKind.DIRECTORY and place.way:
        keep(handle, place.steps)

    async def late(_: Fd, error: Exception | None) -> None:
        # Harmless when repeated: it may be interrupted, too.
        if handle.state is HandleState.OPENING:  # the answer was there when the caller gave up
            session.move(handle, HandleEvent.ABANDON)
        if handle.state is HandleState.ABANDONED:
            if error is not None:
                _refused(core, handle)
                return
            if not core.inodes.is_held(fd.gfid, handle):
                core.inodes.ref(fd.gfid, handle)
            session.move(handle, HandleEvent.OPENED)
        await let_go(core, handle)

    frame.late = late
    try:
        session.move(handle, HandleEvent.SEND)
        if kind is HandleKind.DIRECTORY:
            await top.opendir(frame, fd, OpendirRequest(fd.gfid))
        elif place.stat is not None:
            await top.open(frame, fd, OpenRequest(fd.gfid, on_brick & ~(os.O_CREAT | os.O_EXCL)))
        else:
            # A brick that is not told O_EXCL follows a symbolic link, on its own file system
            # (posix-entry-ops.c, posix_create).
            created = await top.create(
                frame,
                fd,
                CreateRequest(
                    place.parent, on_brick | os.O_EXCL, mode, umask, place.name, gfid_request()
                ),
            )
            fd.gfid = created.stat.gfid
        core.inodes.ref(fd.gfid, handle)
        state = session.move(handle, HandleEvent.OPENED)
    except Exception as error:
        _refused(core, handle)
        if isinstance(error, OSError) and not isinstance(error, GlusterError):
            raise fs_error(error.errno or errno.EIO, path) from None
        raise
    except GeneratorExit:  # dropped, in the child of a fork for one: nothing may be done any more
        raise
    except BaseException:  # cancelled; or interrupted, in the middle of anything
        if (
            frame.adopted
        ):  # a translator has sent the request: its sub-call tells `late` how it ended
            if handle.state is HandleState.OPENING:
                session.move(handle, HandleEvent.ABANDON)
        elif any(isinstance(holder, Xlator) for holder in fd.context):  # it has ended well
            session.begin_close(handle)
            await Spawn(late(fd, None))
        elif handle.state is HandleState.OPENING:
            _refused(core, handle)
        else:
            session.drop(handle)
        raise
    finally:
        frame.opening = None
    if state is not HandleState.OPEN:
        # The gate has closed meanwhile; what the brick opened is closed at once.
        await Spawn(let_go(core, handle))
        raise SessionClosedError(f"{path}: the session was closed while the file was being opened")
    top = handle.fd.top
    if core.is_down if top is core.top else core.is_lost(top):  # since the answer was on its way
        session.lose(handle)
    return handle


def _refused(core: Core, handle: Handle) -> None:
    """No brick has opened it."""
    core.session.move(handle, HandleEvent.REFUSED)
    if handle.fd.top is not core.top:
        handle_left(core, handle.fd.top)


# -- what can be done with an open file -----------------------------------------------------------


async def pread(core: Core, frame: Frame, handle: Handle, size: int, offset: int) -> bytes:
    """Read up to ``size`` bytes at ``offset``; fewer only at the end of the file."""
    if (  # the usual case is told without a call; the rest is looked at properly
        type(size) is type(offset) is int
        and 0 < size <= TRANSFER
        and 0 <= offset <= _LAST_OFFSET
        and handle.kind is _FILE
    ):
        fd = handle.fd
        data = (await fd.top.readv(frame, fd, size, offset)).data
        return data if type(data) is bytes else bytes(data)
    if _check_transfer(handle, check_offset(size), offset, os.O_WRONLY):
        pieces = []
        while size:
            wanted = min(size, TRANSFER)
            fd = handle.fd
            piece = bytes((await fd.top.readv(frame, fd, wanted, offset)).data)
            pieces.append(piece)
            size -= wanted
            offset += wanted
            if len(piece) < wanted:
                break
        return b"".join(pieces)
    return b""


def at_hand(core: Core, handle: Handle, size: int, offset: int) -> Buffer | None:
    """Return what a read brings, if a translator has that in hand; else ``None``.

    Then nothing is begun that a close would have to wait for, so no call is admitted: that would cost
    ten times as much.
    """
    give = handle.fd.at_hand
    if (
        give is None
        or handle.state is not HandleState.OPEN
        or core.session.state is not SessionState.ACTIVE
    ):
        return None  # the usual way tells why
    return give(size, offset) if _check_transfer(handle, size, offset, os.O_WRONLY) else b""


async def read_rest(core: Core, frame: Frame, handle: Handle, offset: int) -> bytes:
    """Read all that is left from ``offset`` on.

    A file that ends within the first piece, as most do, costs one READ and nothing else.
    """
    _check_transfer(handle, BUFFER_SIZE, offset, os.O_WRONLY)
    fd = handle.fd
    found = await fd.top.readv(frame, fd, BUFFER_SIZE, offset)
    data = found.data
    if found.eof or len(data) < BUFFER_SIZE:
        return data if type(data) is bytes else bytes(data)
    pieces = [bytes(data)]
    left = (await fstat(core, frame, handle)).size - offset
    while True:
        offset += len(pieces[-1])
        left -= len(pieces[-1])
        wanted = max(left + 1, BUFFER_SIZE)  # one more than there is: so its end is seen at once
        pieces.append(await pread(core, frame, handle, wanted, offset))
        if len(pieces[-1]) < wanted:
            return b"".join(pieces)


async def read_into(core: Core, frame: Frame, handle: Handle, sink: memoryview, offset: int) -> int:
    """Read at ``offset`` into a writable buffer of bytes; return the number of bytes."""
    size = len(sink)
    if not _check_transfer(handle, size, offset, os.O_WRONLY):
        return 0
    if size <= TRANSFER:
        fd = handle.fd
        found: Data = await fd.top.readv(frame, fd, size, offset, sink)
        return len(found.data)
    count = 0
    while count < size:
        part = sink[count : count + TRANSFER]
        fd = handle.fd
        got = len((await fd.top.readv(frame, fd, len(part), offset + count, part)).data)
        count += got
        if got < len(part):
            break
    return count


async def pwrite(core: Core, frame: Frame, handle: Handle, data: Buffer, offset: int) -> int:
    """Write all of ``data`` at ``offset``; return its length."""
    if (  # the usual case is told without a call; the rest is looked at properly
        type(data) is bytes
        and type(offset) is int
        and 0 < len(data) <= TRANSFER
        and 0 <= offset <= _LAST_OFFSET
        and handle.kind is _FILE
    ):
        fd = handle.fd
        written: int = (await fd.top.writev(frame, fd, data, offset)).written
        if written == len(data):
            return written
        data, offset = memoryview(data)[written:], offset + written
        return written + await pwrite(core, frame, handle, data, offset) if written else 0
    view: Buffer = data if isinstance(data, bytes) else bytes_of(data)
    size = len(view)
    if not _check_transfer(handle, size, offset, os.O_RDONLY):
        return 0
    if size <= TRANSFER:
        fd = handle.fd
        written = (await fd.top.writev(frame, fd, view, offset)).written
    else:
        written = 0
    while written < size:  # a brick writes all or fails; a short count is answered as POSIX does
        part = memoryview(view)[written : written + TRANSFER]
        fd = handle.fd
        more = (await fd.top.writev(frame, fd, part, offset + written)).written
        if not more:
            break
        written += more
    return written


async def pwrite_last(core: Core, frame: Frame, handle: Handle, data: Buffer, offset: int) -> int:
    """Do what :func:`pwrite` does, as the last thing before a close, which would wait for it anyway.

    So it is not deferred; then there is less to do for the both of them.
    """
    frame.closing = len(data) <= TRANSFER  # what is more goes several at a time
    return await pwrite(core, frame, handle, data, offset)


def check_offset(number: int) -> int:
    """Return a size or an offset, if it is one.

    Raises:
        TypeError: no integer.
        OverflowError: more than 63 bits.
    """
    value = operator.index(number)
    if not -(1 << 63) <= value < 1 << 63:
        raise OverflowError("Python int too large to convert to a file offset")
    return value


def bytes_of(data: Any, *, writable: bool = False) -> memoryview:
    """Return a view of an object's bytes.

    Raises:
        TypeError: it holds no bytes.
        BufferError: its bytes do not lie one behind the other, or may not be written to.
    """
    view = memoryview(data)
    if writable and view.readonly:
        raise BufferError("Object is not writable.")
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    if view.ndim == 1 and view.format == "B":
        return view
    return view.cast("B") if view.nbytes else memoryview(bytearray())


def _check_transfer(handle: Handle, size: int, offset: int, refused: int) -> int:
    """Check what is to be read or written, and return its size.

    Raises:
        OSError: what ``pread`` or ``pwrite`` would raise: EINVAL for negative numbers, EISDIR, EBADF
            for a file that was opened with ``refused`` as its access mode.
    """
    if size < 0 or check_offset(offset) < 0:
        raise fs_error(errno.EINVAL)
    if handle.kind is HandleKind.DIRECTORY:
        raise fs_error(errno.EISDIR if refused == os.O_WRONLY else errno.EBADF)
    if not size and handle.fd.flags & os.O_ACCMODE == refused:
        raise fs_error(errno.EBADF)  # the brick is not asked about nothing
    return size


async def flush(core: Core, frame: Frame, handle: Handle) -> None:
    """Wait until the brick has what was written, and raise the error of what failed."""
    settle = handle.fd.settle
    if settle is not None:
        await settle()


async def fsync(core: Core, frame: Frame, handle: Handle, data_only: bool) -> None:
    """Bring the file to the brick's disk."""
    fd = handle.fd
    if handle.kind is HandleKind.DIRECTORY:
        await fd.top.fsyncdir(frame, fd, FsyncdirRequest(fd.gfid, 0, data_only))
    else:
        await fd.top.fsync(frame, fd, FsyncRequest(fd.gfid, 0, data_only))


async def fstat(core: Core, frame: Frame, handle: Handle) -> Iatt:
    """Get the open file's attributes."""
    fd = handle.fd
    found: StatReply = await fd.top.fstat(frame, fd, FstatRequest(fd.gfid, 0))
    return found.stat


async def ftruncate(core: Core, frame: Frame, handle: Handle, length: int) -> None:
    """Set the open file's length."""
    if check_offset(length) < 0 or handle.kind is HandleKind.DIRECTORY:
        raise fs_error(errno.EINVAL)
    fd = handle.fd
    await fd.top.ftruncate(frame, fd, FtruncateRequest(fd.gfid, 0, length))
