"""Who may do what: the mode bits, as far as the operating system does not judge the client itself.

The brick works with its own rights for everybody, so it compares a caller's user and groups with the
mode bits of the file. Access control lists are not looked at. Exempt are the superuser, GlusterFS's
own daemons (negative process ids), and the brick itself (no identity at all).

Source: GlusterFS xlators/system/posix-acl/src/posix-acl.c (``acl_permits``).
"""

from __future__ import annotations

import errno
import os
import stat

from glusterio.errors import fs_error
from glusterio.graph.frame import Frame
from glusterio.wire.credentials import Credentials

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


def require(frame: Frame, status: os.stat_result, mask: int) -> None:
    """Make sure that the caller may read, write or execute.

    Raises:
        OSError: EACCES.
    """
    caller = restricted(frame)
    if caller is None:
        return
    if caller.uid == status.st_uid:
        granted = status.st_mode >> 6
    elif is_member(caller, status.st_gid):
        granted = status.st_mode >> 3
    else:
        granted = status.st_mode
    if mask & ~granted & 7:
        raise fs_error(errno.EACCES)


def require_owner(frame: Frame, status: os.stat_result) -> None:
    """Make sure that the file is the caller's.

    Raises:
        OSError: EPERM.
    """
    caller = restricted(frame)
    if caller is not None and caller.uid != status.st_uid:
        raise fs_error(errno.EPERM)


def require_removal(frame: Frame, parent: os.stat_result, status: os.stat_result) -> None:
    """Make sure that the caller may remove or move a name, sticky bit and all.

    Raises:
        OSError: EACCES.
    """
    require(frame, parent, WRITE | EXECUTE)
    caller = restricted(frame)
    if (
        caller is not None
        and parent.st_mode & stat.S_ISVTX
        and caller.uid not in (parent.st_uid, status.st_uid)
    ):
        raise fs_error(errno.EACCES)  # posix-acl's word; a kernel says EPERM
