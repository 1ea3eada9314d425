"""Who may do what, which the operating system does not judge: it sees the brick, not the client.

The brick works with its own rights for everybody, so it compares a caller's user and groups with the
mode bits of the file, and with its access control list if it has one. Exempt are the superuser,
GlusterFS's own daemons (negative process ids), and the brick itself (no identity at all).

Source: GlusterFS xlators/system/posix-acl/src/posix-acl.c (``acl_permits``).
"""

from __future__ import annotations

import errno
import os
import stat

from glusterio.errors import fs_error
from glusterio.graph.frame import Frame
from glusterio.wire.credentials import Credentials
from glusterio.xlators.posix import acl

_ACCESS = "system.posix_acl_access"

READ = 4
WRITE = 2
EXECUTE = 1


def restricted(frame: Frame) -> Credentials | None:
    """Return the caller when the permissions concern it, ``None`` when it may do everything."""
    identity = frame.identity
    if identity is None or not identity.uid or identity.pid < 0:
        return None
    return identity


def is_member(caller: Credentials, gid: int) -> bool:
    """Tell whether a caller belongs to a group."""
    return gid == caller.gid or gid in caller.groups


def require(frame: Frame, status: os.stat_result, mask: int, file: int | str) -> None:
    """Make sure that the caller may read, write or execute.

    Args:
        frame: the caller's.
        status: the file's.
        mask: what is to be done.
        file: a descriptor of the file, which may be an ``O_PATH`` one, or a path to it.

    Raises:
        OSError: EACCES.
    """
    caller = restricted(frame)
    if caller is None:
        return
    if caller.uid == status.st_uid:
        granted = status.st_mode >> 6
    elif (listed := _list_of(file)) is not None:
        owning = is_member(caller, status.st_gid)
        if not acl.permits(listed, caller.uid, owning, lambda gid: is_member(caller, gid), mask):
            raise fs_error(errno.EACCES)
        return
    elif is_member(caller, status.st_gid):
        granted = status.st_mode >> 3
    else:
        granted = status.st_mode
    if mask & ~granted & 7:
        raise fs_error(errno.EACCES)


def _list_of(file: int | str) -> bytes | None:
    """Return a file's access control list. What has one has its mask for the group's mode bits."""
    path = f"/proc/self/fd/{file}" if isinstance(file, int) else file
    try:
        return os.getxattr(path, _ACCESS)
    except OSError:
        return None


def require_owner(frame: Frame, status: os.stat_result) -> None:
    """Make sure that the file is the caller's.

    Raises:
        OSError: EPERM.
    """
    caller = restricted(frame)
    if caller is not None and caller.uid != status.st_uid:
        raise fs_error(errno.EPERM)


def require_removal(
    frame: Frame, parent: os.stat_result, status: os.stat_result, directory: int
) -> None:
    """Make sure that the caller may remove or move a name, sticky bit and all.

    Args:
        frame: the caller's.
        parent: the directory's status.
        status: the file's.
        directory: the directory's descriptor.

    Raises:
        OSError: EACCES.
    """
    require(frame, parent, WRITE | EXECUTE, directory)
    caller = restricted(frame)
    if (
        caller is not None
        and parent.st_mode & stat.S_ISVTX
        and caller.uid not in (parent.st_uid, status.st_uid)
    ):
        raise fs_error(errno.EACCES)  # posix-acl's word; a kernel says EPERM
