"""Extended attributes: by path, or by an open handle.

What the kernel refuses before it asks a file system, the client refuses (fs/xattr.c). The attributes
with which bricks keep their own books are not shown, and no more to be had than on a FUSE mount.

Source: GlusterFS xlators/mount/fuse/src/fuse-helpers.c (``fuse_ignore_xattr_set``), xlators/storage/
posix/src/posix-helpers.c.
"""

from __future__ import annotations

import errno
import operator
import os
import stat as stat_module
from typing import TYPE_CHECKING, Any

from glusterio.api.handles import bytes_of, fstat
from glusterio.api.path_text import text_of
from glusterio.api.resolve import looking_again, named, walk
from glusterio.api.standpoint import At
from glusterio.errors import fs_error
from glusterio.graph.frame import Frame
from glusterio.graph.permission import ACL
from glusterio.lifecycle.handle import Handle
from glusterio.types import Gfid, StrPath
from glusterio.wire.credentials import Credentials
from glusterio.wire.dictionary import Value
from glusterio.wire.fops.xattrs import (
    FgetxattrRequest,
    FremovexattrRequest,
    FsetxattrRequest,
    GetxattrRequest,
    RemovexattrRequest,
    SetxattrRequest,
    XattrsReply,
)
from glusterio.wire.iatt import Iatt

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: The longest name and the longest value, in bytes (Linux: XATTR_NAME_MAX, XATTR_SIZE_MAX).
NAME_MAX = 255
SIZE_MAX = 65536

#: The attributes with which GlusterFS's bricks and translators keep their own books begin so.
INTERNAL = (
    "trusted.gfid", "trusted.glusterfs.", "trusted.afr.", "trusted.ec.", "trusted.pgfid.",
    "trusted.bit-rot.", "trusted.SGI_ACL_", "glusterfs.", "system.glusterfs.",
)  # fmt: skip

#: What speaks against an attribute of a copy, and is no reason to fail (``shutil.copystat``).
NOT_COPIED = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENODATA, errno.EINVAL, errno.EACCES})

_NAMESPACES = ("user.", "trusted.", "security.", "system.")


def name_of(attribute: Any) -> str:
    """Return an attribute's name as text, if it can be one.

    Raises:
        TypeError: neither text nor bytes.
        ValueError: it holds a null character.
        OSError: ERANGE, as Linux says to a name that is empty or too long.
    """
    name = os.fsdecode(attribute)
    if "\0" in name:
        raise ValueError("embedded null character")
    return name


def _check_name(name: str) -> None:
    if not 0 < len(os.fsencode(name)) <= NAME_MAX:
        raise fs_error(errno.ERANGE)


def new_value(value: Any) -> bytes:
    """Return the bytes of an attribute's value.

    Raises:
        TypeError: it holds none.
    """
    return bytes(bytes_of(value))


def _check_new(name: str, value: bytes, flags: int) -> None:
    if operator.index(flags) & ~(os.XATTR_CREATE | os.XATTR_REPLACE):
        raise fs_error(errno.EINVAL)
    _check_name(name)
    if len(value) > SIZE_MAX:
        raise fs_error(errno.E2BIG)
    _check_namespace(name)


def _check_namespace(name: str) -> None:
    """Refuse what has no handler in a kernel; a brick might take it for a command."""
    if not name.startswith(_NAMESPACES) or name.startswith(INTERNAL):
        raise fs_error(errno.EOPNOTSUPP)
    if name in _NAMESPACES:
        raise fs_error(errno.EINVAL)


def _check_rights(user: Credentials, found: Iatt, name: str) -> None:
    """Refuse what a kernel refuses to all but the superuser and owners (``xattr_permission``)."""
    users = name.startswith("user.")
    if users and stat_module.S_IFMT(found.mode) not in (stat_module.S_IFREG, stat_module.S_IFDIR):
        raise fs_error(errno.EPERM)
    if not user.uid:
        return
    sticky = stat_module.S_ISDIR(found.mode) and found.mode & stat_module.S_ISVTX
    if name.startswith("trusted.") or (users and sticky and user.uid != found.uid):
        raise fs_error(errno.EPERM)


def _has_changed(core: Core, gfid: Gfid, name: str) -> None:
    """An access control list says who may go through a directory: nothing below is known any more."""
    if name == ACL:
        core.inodes.invalidate(gfid)


def _is_shown(user: Credentials, name: str) -> bool:
    if user.uid and name.startswith("trusted."):
        return False
    return name.startswith(_NAMESPACES) and not name.startswith(INTERNAL)


# -- by path ----------------------------------------------------------------------------------------


@looking_again
async def getxattr(core: Core, frame: Frame, path: StrPath | At, follow: bool, name: str) -> bytes:
    """Return an attribute's value."""
    text = text_of(path)
    return await named(_getxattr(core, frame, path, follow, name), text)


async def _getxattr(core: Core, frame: Frame, path: StrPath | At, follow: bool, name: str) -> bytes:
    found = await walk(core, frame, path, follow=follow)
    return await getxattr_of(core, frame, found.gfid, name)


@looking_again
async def listxattr(core: Core, frame: Frame, path: StrPath | At, follow: bool) -> list[str]:
    """Return the names of a file's attributes."""
    found = await walk(core, frame, path, follow=follow)
    return await named(listxattr_of(core, frame, found.gfid), text_of(path))


@looking_again
async def setxattr(
    core: Core,
    frame: Frame,
    path: StrPath | At,
    follow: bool,
    name: str,
    value: bytes,
    flags: int,
) -> None:
    """Set an attribute."""
    text = text_of(path)
    await named(_setxattr(core, frame, path, follow, name, value, flags), text)


async def _setxattr(
    core: Core,
    frame: Frame,
    path: StrPath | At,
    follow: bool,
    name: str,
    value: bytes,
    flags: int,
) -> None:
    found = await walk(core, frame, path, follow=follow)
    await setxattr_of(core, frame, found, name, value, flags)


@looking_again
async def removexattr(
    core: Core, frame: Frame, path: StrPath | At, follow: bool, name: str
) -> None:
    """Remove an attribute."""
    text = text_of(path)
    await named(_removexattr(core, frame, path, follow, name), text)


async def _removexattr(
    core: Core, frame: Frame, path: StrPath | At, follow: bool, name: str
) -> None:
    found = await walk(core, frame, path, follow=follow)
    await removexattr_of(core, frame, found, name)


# -- by what a file is ------------------------------------------------------------------------------


async def getxattr_of(core: Core, frame: Frame, gfid: Gfid, name: str) -> bytes:
    """Return the value of an attribute of a known file."""
    request = _asked(core.user(frame), GetxattrRequest(gfid), name)
    return _value(await core.top.getxattr(frame, request), name)


async def listxattr_of(core: Core, frame: Frame, gfid: Gfid) -> list[str]:
    """Return the names of a known file's attributes."""
    return _names(core.user(frame), await core.top.getxattr(frame, GetxattrRequest(gfid)))


async def setxattr_of(
    core: Core, frame: Frame, found: Iatt, name: str, value: bytes, flags: int
) -> None:
    """Set an attribute of a known file, whose attributes say who may."""
    _check_new(name, value, flags)
    _check_rights(core.user(frame), found, name)
    await core.top.setxattr(frame, SetxattrRequest(found.gfid, flags, {name: value}))
    _has_changed(core, found.gfid, name)


async def removexattr_of(core: Core, frame: Frame, found: Iatt, name: str) -> None:
    """Remove an attribute of a known file, whose attributes say who may."""
    _check_name(name)
    _check_namespace(name)
    _check_rights(core.user(frame), found, name)
    await core.top.removexattr(frame, RemovexattrRequest(found.gfid, name))
    _has_changed(core, found.gfid, name)


# -- by handle --------------------------------------------------------------------------------------


async def fgetxattr(core: Core, frame: Frame, handle: Handle, name: str) -> bytes:
    """Return an attribute's value."""
    fd = handle.fd
    request = _asked(core.user(frame), FgetxattrRequest(fd.gfid, 0), name)
    return _value(await fd.top.fgetxattr(frame, fd, request), name)


async def flistxattr(core: Core, frame: Frame, handle: Handle) -> list[str]:
    """Return the names of an open file's attributes."""
    fd = handle.fd
    return _names(core.user(frame), await fd.top.fgetxattr(frame, fd, FgetxattrRequest(fd.gfid, 0)))


async def fsetxattr(
    core: Core, frame: Frame, handle: Handle, name: str, value: bytes, flags: int
) -> None:
    """Set an attribute."""
    _check_new(name, value, flags)
    if core.user(frame).uid:
        _check_rights(core.user(frame), await fstat(core, frame, handle), name)
    fd = handle.fd
    request = FsetxattrRequest(fd.gfid, 0, flags, {name: value})
    await fd.top.fsetxattr(frame, fd, request)
    _has_changed(core, fd.gfid, name)


async def fremovexattr(core: Core, frame: Frame, handle: Handle, name: str) -> None:
    """Remove an attribute."""
    _check_name(name)
    _check_namespace(name)
    if core.user(frame).uid:
        _check_rights(core.user(frame), await fstat(core, frame, handle), name)
    fd = handle.fd
    await fd.top.fremovexattr(frame, fd, FremovexattrRequest(fd.gfid, 0, name))
    _has_changed(core, fd.gfid, name)


# -- either way -------------------------------------------------------------------------------------


def _asked(user: Credentials, request: Any, name: str) -> Any:
    """Complete the question for one attribute; one that clients have no business with is not put."""
    _check_name(name)
    if not name.startswith(_NAMESPACES):
        raise fs_error(errno.EOPNOTSUPP)
    if name.startswith(INTERNAL) or (user.uid and name.startswith("trusted.")):
        raise fs_error(errno.ENODATA)
    if name in _NAMESPACES:
        raise fs_error(errno.EINVAL)
    return request._replace(namelen=len(os.fsencode(name)), name=name)


def _value(reply: XattrsReply, name: str) -> bytes:
    value: Value | None = (reply.xattrs or {}).get(name)
    if isinstance(value, str):
        return os.fsencode(value)
    if not isinstance(value, bytes):
        raise fs_error(errno.ENODATA)
    return value


def shown(user: Credentials, reply: XattrsReply) -> dict[str, bytes]:
    """Return the attributes with their values that GETXATTR has brought, but for a brick's own."""
    return {name: _value(reply, name) for name in _names(user, reply)}


def _names(user: Credentials, reply: XattrsReply) -> list[str]:
    return [name for name in reply.xattrs or () if _is_shown(user, name)]
