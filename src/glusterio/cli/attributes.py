"""A file's attributes, as people read them and as programs do."""

from __future__ import annotations

import grp
import os
import pwd
import stat as stat_module
import time
from datetime import UTC, datetime
from functools import cache

_KINDS = {
    stat_module.S_IFREG: "regular file",
    stat_module.S_IFDIR: "directory",
    stat_module.S_IFLNK: "symbolic link",
    stat_module.S_IFIFO: "fifo",
    stat_module.S_IFSOCK: "socket",
    stat_module.S_IFCHR: "character special file",
    stat_module.S_IFBLK: "block special file",
}

#: A file's type as JSON has it, and the letter that ``find --type`` has for it.
TYPES = {
    stat_module.S_IFREG: ("file", "f"),
    stat_module.S_IFDIR: ("directory", "d"),
    stat_module.S_IFLNK: ("link", "l"),
    stat_module.S_IFIFO: ("fifo", "p"),
    stat_module.S_IFSOCK: ("socket", "s"),
    stat_module.S_IFCHR: ("character device", "c"),
    stat_module.S_IFBLK: ("block device", "b"),
}


def kind(mode: int) -> str:
    """Say what a file is, as ``stat`` does."""
    return _KINDS.get(stat_module.S_IFMT(mode), "something else")


def letter(mode: int) -> str:
    """Return the letter that ``find --type`` has for what a file is."""
    return TYPES.get(stat_module.S_IFMT(mode), ("", "?"))[1]


def record(status: os.stat_result) -> dict[str, object]:
    """Return a file's attributes for JSON; sizes are in bytes, times in UTC and exact."""
    return {
        "type": TYPES.get(stat_module.S_IFMT(status.st_mode), ("unknown", ""))[0],
        "size": status.st_size,
        "allocated": status.st_blocks * 512,
        "mode": f"{stat_module.S_IMODE(status.st_mode):04o}",
        "uid": status.st_uid,
        "user": user(status.st_uid),
        "gid": status.st_gid,
        "group": group(status.st_gid),
        "links": status.st_nlink,
        "inode": status.st_ino,
        "accessed": universal(status.st_atime_ns),
        "modified": universal(status.st_mtime_ns),
        "changed": universal(status.st_ctime_ns),
    }


@cache
def user(number: int) -> str:
    """This machine's name for a user's number, as on a mounted volume."""
    try:
        return pwd.getpwuid(number).pw_name
    except (KeyError, OverflowError):
        return str(number)


@cache
def group(number: int) -> str:
    """This machine's name for a group's number."""
    try:
        return grp.getgrgid(number).gr_name
    except (KeyError, OverflowError):
        return str(number)


def universal(nanoseconds: int) -> str:
    """Say a time in UTC to the nanosecond, as ISO 8601 does."""
    seconds, rest = divmod(nanoseconds, 10**9)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest:09}Z"


def local(nanoseconds: int) -> str:
    """Say a time where we are, to the nanosecond, as ``stat`` does."""
    seconds, rest = divmod(nanoseconds, 10**9)
    here = time.localtime(seconds)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', here)}.{rest:09} {time.strftime('%z', here)}"


def user_number(text: str) -> int:
    """Return the number of a user: this machine's for a name, or what is given.

    Raises:
        ValueError: there is no such user here.
    """
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        return _given_number(text, "user")


def group_number(text: str) -> int:
    """Return the number of a group: this machine's for a name, or what is given.

    Raises:
        ValueError: there is no such group here.
    """
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        return _given_number(text, "group")


def _given_number(text: str, what: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32 - 1:
        raise ValueError(f"{text!r} is no {what} of this machine, and no number")
    return int(text)
