"""Operations on gfid objects: files by what they are, whatever their names mean by now.

libgfapi's ``glfs_h_*`` family, for servers that hand files out by durable handles, as NFS's do. An
object is got from a path, from a name in a directory that is an object, or from the 16 bytes of its
gfid; a brick is asked by the gfid, so each operation costs its own request and no walk.

A file that is gone is stale to its brick: ``OSError`` with ESTALE, which NFS's clients know, too. What
is done with a name in a directory raises what ``os`` would for that name.

Sources: GlusterFS api/src/glfs-handleops.c.
"""

from __future__ import annotations

import errno
import os
import stat as stat_module
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from glusterio.api import attributes, names, xattrs
from glusterio.api.closing import drop_handle
from glusterio.api.cwd import told_path
from glusterio.api.handles import TRANSFER, check_offset, open_file, open_found
from glusterio.api.path_text import PATH_MAX, text_of
from glusterio.api.path_walk import stat_of
from glusterio.api.pins import Pin
from glusterio.api.resolve import looking_again, walk_to_place
from glusterio.api.standpoint import ROOT, At, Step, keep
from glusterio.errors import GlusterError, HandleClosedError, fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle, HandleKind
from glusterio.traps import Coro
from glusterio.types import NULL_GFID, ROOT_GFID, Buffer, Gfid, StrPath
from glusterio.wire.fops.attributes import AccessRequest, StatfsReply, StatfsRequest
from glusterio.wire.fops.files import TruncateRequest
from glusterio.wire.fops.names import LinkRequest, ReadlinkRequest
from glusterio.wire.iatt import ZERO_IATT, Iatt

if TYPE_CHECKING:
    from glusterio.api.core import Core

T = TypeVar("T")

#: Names that are no name in a directory.
_NO_NAMES = ("", ".", "..")

#: How a name of a directory is spelled of which no path is known.
_NAMELESS = "?"


# -- getting one --------------------------------------------------------------------------------------


@looking_again
async def find(core: Core, frame: Frame, path: StrPath | At, follow: bool, opened_at: str) -> Pin:
    """Make an object of what a path leads to.

    Raises:
        OSError: what ``os.stat`` would raise, with the path.
    """
    place = await walk_to_place(core, frame, path, follow=follow)
    assert place.stat is not None
    steps = place.steps if place.is_directory else None
    return core.pins.take(place.stat.gfid, place.stat.mode, text_of(path), opened_at, steps)


async def recreate(core: Core, frame: Frame, gfid: Gfid, opened_at: str) -> Pin:
    """Make an object of a gfid.

    Raises:
        OSError: ESTALE: there is no such file any more; EINVAL: it can be none.
    """
    if len(gfid) != len(NULL_GFID) or gfid == NULL_GFID:
        raise fs_error(errno.EINVAL)
    found = await _stale(stat_of(core, frame, gfid))
    steps = (ROOT,) if gfid == ROOT_GFID else None
    return core.pins.take(gfid, found.mode, spelled(gfid), opened_at, steps)


async def of_entry(
    core: Core, frame: Frame, path: str, gfid: Gfid, mode: int, at: At, opened_at: str
) -> Pin:
    """Make an object of what a listing brought, or look it up where that brought no attributes."""
    if gfid == NULL_GFID or not mode:
        return await find(core, frame, at, False, opened_at)
    return core.pins.take(gfid, mode, path, opened_at)


async def copy(core: Core, frame: Frame, pin: Pin, opened_at: str) -> Pin:
    """Make a second object of the same file; no brick is asked."""
    check(core, pin)
    steps = None if pin.standpoint is None else pin.standpoint.steps
    return core.pins.take(pin.gfid, pin.kind, pin.path, opened_at, steps)


async def give_back(core: Core, frame: Frame, handle: None, taken: Any) -> None:
    """Let go of what a caller who gave up was about to get: an object, or one and its open file."""
    for each in taken if isinstance(taken, tuple) else (taken,):
        if isinstance(each, Pin):
            core.pins.drop(each)
        else:
            await drop_handle(core, each)


def spelled(gfid: Gfid) -> str:
    """Return how a file is named of which only the gfid is known."""
    text = gfid.hex()
    return f"<gfid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}>"


def check(core: Core, pin: Pin) -> None:
    """Make sure that an object may be used.

    Raises:
        HandleClosedError: it is closed.
        ValueError: it is another session's.
    """
    if pin.closed:
        raise HandleClosedError(f"{pin.path}: the object is closed")
    if not core.pins.holds(pin):
        raise ValueError(f"{pin.path}: an object of another session")


async def _stale(work: Coro[T]) -> T:
    """Await what asks for a file by its gfid; that it is gone is told in one way.

    Bricks say ESTALE, or ENOENT where they have found the file's handle without the file.
    """
    try:
        return await work
    except FileNotFoundError:
        raise fs_error(errno.ESTALE) from None


def found_of(pin: Pin) -> Iatt:
    """Return as attributes what is known of an object without asking: the gfid and the type."""
    return ZERO_IATT._replace(gfid=pin.gfid, mode=pin.kind)


async def _found(core: Core, frame: Frame, pin: Pin) -> Iatt:
    """Return what decides who may change the file; the superuser may without being asked."""
    if core.user(frame).uid:
        return await stat_of(core, frame, pin.gfid)
    return found_of(pin)


# -- names in a directory -----------------------------------------------------------------------------


async def in_directory(
    core: Core, frame: Frame, pin: Pin, op: Callable[..., Coro[T]], name: str, *args: Any
) -> T:
    """Run an operation on a name in a directory that is an object.

    Args:
        core: the session.
        frame: the operation's frame.
        pin: the directory.
        op: takes an :class:`At`, and ``args`` behind it.
        name: the name: one component of a path.
        args: further arguments.
    """
    return await op(core, frame, await _place(core, frame, pin, name), *args)


async def _place(core: Core, frame: Frame, pin: Pin, name: str) -> At:
    check(core, pin)
    text = text_of(name)
    if text in _NO_NAMES or "/" in text:
        raise fs_error(errno.EINVAL, text)
    if not pin.is_directory:
        raise fs_error(errno.ENOTDIR, pin.path)
    await _know_the_way(core, frame, pin)
    return At(text, pin)


async def _know_the_way(core: Core, frame: Frame, pin: Pin) -> None:
    """Learn the way to a directory from the root, which links that lead up need, and renames."""
    if pin.standpoint is not None:
        return
    steps: tuple[Step, ...] = (ROOT, Step(pin.gfid, _NAMELESS))
    try:
        told = await told_path(core, frame, pin.gfid)
        if told is not None:
            place = await walk_to_place(core, frame, told, follow=False)
            if place.stat is not None and place.stat.gfid == pin.gfid:
                steps = place.steps
    except OSError as error:
        if isinstance(error, GlusterError):
            raise
        if error.errno == errno.ENOENT:
            raise fs_error(errno.ESTALE) from None
        # A user who may not go through a directory on the way works with what he has.
    pin.keep(steps)


async def find_in(
    core: Core, frame: Frame, pin: Pin, name: str, follow: bool, opened_at: str
) -> Pin:
    """Make an object of a name in a directory."""
    return await find(core, frame, await _place(core, frame, pin, name), follow, opened_at)


async def _made(
    core: Core,
    frame: Frame,
    pin: Pin,
    opened_at: str,
    op: Callable[..., Coro[Iatt]],
    name: str,
    *args: Any,
) -> Pin:
    made = await in_directory(core, frame, pin, op, name, *args)
    steps = None
    if stat_module.S_ISDIR(made.mode) and pin.standpoint is not None:
        steps = (*pin.standpoint.steps, Step(made.gfid, name))
    return core.pins.take(made.gfid, made.mode, below(pin, name), opened_at, steps)


def below(pin: Pin, name: str) -> str:
    """Return how a name in a directory is named."""
    return os.path.join(pin.path, name)


async def mkdir(core: Core, frame: Frame, pin: Pin, name: str, mode: int, opened_at: str) -> Pin:
    """Make a directory in a directory, with these permission bits: no umask is applied."""
    return await _made(core, frame, pin, opened_at, names.mkdir, name, mode, 0)


async def mknod(
    core: Core, frame: Frame, pin: Pin, name: str, mode: int, device: int, opened_at: str
) -> Pin:
    """Make a file or a node; no umask is applied."""
    return await _made(core, frame, pin, opened_at, names.mknod, name, mode, device, 0)


async def symlink(
    core: Core, frame: Frame, pin: Pin, target: StrPath, name: str, opened_at: str
) -> Pin:
    """Make a symbolic link."""

    async def make(core: Core, frame: Frame, at: At) -> Iatt:
        return await names.symlink(core, frame, target, at)

    return await _made(core, frame, pin, opened_at, make, name)


async def create_open(
    core: Core, frame: Frame, pin: Pin, name: str, flags: int, mode: int, opened_at: str
) -> tuple[Pin, Handle]:
    """Make a file, or open the one that is there, and return it both ways; no umask is applied."""
    at = await _place(core, frame, pin, name)
    handle = await open_file(core, frame, at, flags | os.O_CREAT, mode, 0, opened_at)
    handle.path = below(pin, name)
    try:
        kind = stat_module.S_IFREG
        return core.pins.take(handle.fd.gfid, kind, handle.path, opened_at), handle
    except BaseException:
        await drop_handle(core, handle)
        raise


async def link(core: Core, frame: Frame, pin: Pin, directory: Pin, name: str) -> None:
    """Give a file another name: in a directory that is an object."""
    check(core, pin)
    if pin.is_directory:
        raise fs_error(errno.EPERM, pin.path, name)
    await _place(core, frame, directory, name)
    await _stale(core.top.link(frame, LinkRequest(pin.gfid, directory.gfid, name)))


async def rename(
    core: Core, frame: Frame, pin: Pin, name: str, directory: Pin, new_name: str
) -> None:
    """Move a name from one directory to another one."""
    old = await _place(core, frame, pin, name)
    new = await _place(core, frame, directory, new_name)
    await names.rename(core, frame, old, new)


# -- the file itself ----------------------------------------------------------------------------------


async def stat_pinned(core: Core, frame: Frame, pin: Pin) -> Iatt:
    """Get an object's attributes."""
    check(core, pin)
    return await _stale(stat_of(core, frame, pin.gfid))


async def setattr(core: Core, frame: Frame, pin: Pin, what: attributes.Change) -> None:
    """Set attributes of an object."""
    check(core, pin)
    found = await _stale(_found(core, frame, pin))
    await _stale(attributes.setattr_of(core, frame, found, what))


async def truncate(core: Core, frame: Frame, pin: Pin, length: int) -> None:
    """Set an object's length."""
    check(core, pin)
    if pin.is_directory:
        raise fs_error(errno.EISDIR, pin.path)
    if check_offset(length) < 0 or pin.kind != stat_module.S_IFREG:
        raise fs_error(errno.EINVAL, pin.path)
    await _stale(core.top.truncate(frame, TruncateRequest(pin.gfid, length)))


async def readlink(core: Core, frame: Frame, pin: Pin) -> str:
    """Return a symbolic link's target."""
    check(core, pin)
    if pin.kind != stat_module.S_IFLNK:
        raise fs_error(errno.EINVAL, pin.path)
    return (await _stale(core.top.readlink(frame, ReadlinkRequest(pin.gfid, PATH_MAX)))).target


async def access(core: Core, frame: Frame, pin: Pin, mode: int) -> bool:
    """Ask whether the caller may do what ``mode`` says; as :func:`attributes.access`."""
    check(core, pin)
    found = await _stale(stat_of(core, frame, pin.gfid))
    return await attributes.access_to(core, frame, found, mode)


async def statvfs(core: Core, frame: Frame, pin: Pin) -> StatfsReply:
    """Get the volume's figures, as seen at an object."""
    check(core, pin)
    return await _stale(core.top.statfs(frame, StatfsRequest(pin.gfid)))


async def getxattr(core: Core, frame: Frame, pin: Pin, name: str) -> bytes:
    """Return an attribute's value."""
    check(core, pin)
    return await _stale(xattrs.getxattr_of(core, frame, pin.gfid, name))


async def listxattr(core: Core, frame: Frame, pin: Pin) -> list[str]:
    """Return the names of an object's attributes."""
    check(core, pin)
    return await _stale(xattrs.listxattr_of(core, frame, pin.gfid))


async def setxattr(core: Core, frame: Frame, pin: Pin, name: str, value: bytes, flags: int) -> None:
    """Set an attribute."""
    check(core, pin)
    found = await _stale(_found(core, frame, pin))
    await _stale(xattrs.setxattr_of(core, frame, found, name, value, flags))


async def removexattr(core: Core, frame: Frame, pin: Pin, name: str) -> None:
    """Remove an attribute."""
    check(core, pin)
    found = await _stale(_found(core, frame, pin))
    await _stale(xattrs.removexattr_of(core, frame, found, name))


# -- its data -----------------------------------------------------------------------------------------


async def open_pinned(core: Core, frame: Frame, pin: Pin, flags: int, opened_at: str) -> Handle:
    """Open an object: a file with these flags, or a directory.

    Raises:
        OSError: what ``os.open`` would raise; EINVAL for ``O_CREAT`` and ``O_EXCL``.
    """
    check(core, pin)
    if flags & (os.O_CREAT | os.O_EXCL):
        raise fs_error(errno.EINVAL, pin.path)
    if pin.kind == stat_module.S_IFLNK:
        raise fs_error(errno.ELOOP, pin.path)
    if pin.is_directory and flags & (os.O_ACCMODE | os.O_TRUNC):
        raise fs_error(errno.EISDIR, pin.path)
    if flags & os.O_DIRECTORY and not pin.is_directory:
        raise fs_error(errno.ENOTDIR, pin.path)
    if not pin.is_directory and pin.kind != stat_module.S_IFREG:
        raise fs_error(errno.ENXIO, pin.path)
    if pin.is_directory:
        await _know_the_way(core, frame, pin)
    handle = await _stale(open_found(core, frame, pin.path, found_of(pin), flags, opened_at))
    if handle.kind is HandleKind.DIRECTORY and pin.standpoint is not None:
        keep(handle, pin.standpoint.steps)
    return handle


async def read(core: Core, frame: Frame, pin: Pin, size: int, offset: int) -> bytes:
    """Read without opening: up to ``size`` bytes at ``offset``, fewer only at the end of the file."""
    fd = await _anonymous(core, frame, pin, check_offset(size), offset, os.R_OK)
    pieces = []
    while size:
        wanted = min(size, TRANSFER)
        piece = bytes((await _stale(fd.top.readv(frame, fd, wanted, offset))).data)
        pieces.append(piece)
        size -= wanted
        offset += wanted
        if len(piece) < wanted:
            break
    return b"".join(pieces)


async def write(core: Core, frame: Frame, pin: Pin, view: Buffer, offset: int) -> int:
    """Write without opening: all of ``view`` at ``offset``. Returns its length.

    Nothing is deferred, since nobody could be told later: the brick has it.
    """
    size = len(view)
    fd = await _anonymous(core, frame, pin, size, offset, os.W_OK)
    written = 0
    while written < size:
        part = memoryview(view)[written : written + TRANSFER]
        more = (await _stale(fd.top.writev(frame, fd, part, offset + written))).written
        if not more:
            break
        written += more
    return written


async def _anonymous(core: Core, frame: Frame, pin: Pin, size: int, offset: int, mode: int) -> Fd:
    """Return a way to a file's data without an OPEN, which is where bricks check permissions.

    So they are asked here for whoever is not the superuser.
    """
    check(core, pin)
    if size < 0 or check_offset(offset) < 0:
        raise fs_error(errno.EINVAL, pin.path)
    if pin.is_directory:
        raise fs_error(errno.EISDIR, pin.path)
    if pin.kind != stat_module.S_IFREG:
        raise fs_error(errno.EINVAL, pin.path)
    if core.user(frame).uid:
        await _stale(core.top.access(frame, AccessRequest(pin.gfid, mode)))
    return Fd(pin.gfid, os.O_RDWR, anonymous=True, top=core.top)
