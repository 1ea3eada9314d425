"""Access control lists, between the kernel's form and the text in which libgfapi has them.

The text is what acl_to_any_text(3) writes with commas, abbreviated and with numbers for names:
``u::rw-,u:1000:r--,g::r--,m::r--,o::r--``. A file without a list has the one that its mode stands for.

Sources: acl(5); Linux include/uapi/linux/posix_acl_xattr.h; GlusterFS
xlators/storage/posix/src/posix-helpers.c (``posix_pacl_get``, ``posix_pacl_set``).
"""

from __future__ import annotations

import errno
import re
import stat
import struct
from collections.abc import Callable
from typing import Final

from glusterio.errors import fs_error

#: The keys by which a client asks for the text, and the attribute that holds each.
ATTRIBUTES: Final = {
    "glusterfs.posix.acl": "system.posix_acl_access",
    "glusterfs.posix.default_acl": "system.posix_acl_default",
}
DEFAULT: Final = "glusterfs.posix.default_acl"

_VERSION: Final = 2
_HEAD = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_NO_ID: Final = 0xFFFFFFFF

#: tag in the kernel's form: letter, and whether an id may follow
_TAGS: Final = {0x01: "u", 0x02: "u", 0x04: "g", 0x08: "g", 0x10: "m", 0x20: "o"}
_WITH_ID: Final = {"u": 0x02, "g": 0x08}
_WITHOUT_ID: Final = {"u": 0x01, "g": 0x04, "m": 0x10, "o": 0x20}
_TEXT = re.compile(r"(u|user|g|group|m|mask|o|other):(\d*):([r-][w-][x-])")


def _letters(bits: int) -> str:
    return "".join(c if bits & b else "-" for c, b in zip("rwx", (4, 2, 1), strict=True))


def text_of_mode(mode: int) -> str:
    """Write the list that a file's mode stands for."""
    parts = zip("ugo", (mode >> 6, mode >> 3, mode), strict=True)
    return ",".join(f"{tag}::{_letters(bits)}" for tag, bits in parts)


def text_of(value: bytes) -> str:
    """Write the kernel's form as text.

    Raises:
        OSError: EINVAL.
    """
    try:
        (version,) = _HEAD.unpack_from(value)
        if version != _VERSION:
            raise fs_error(errno.EINVAL)
        entries = list(_ENTRY.iter_unpack(value[_HEAD.size :]))
        return ",".join(
            f"{_TAGS[tag]}:{'' if number == _NO_ID else number}:{_letters(bits)}"
            for tag, bits, number in entries
        )
    except (struct.error, KeyError):
        raise fs_error(errno.EINVAL) from None


def value_of(text: str) -> bytes:
    """Read a text into the kernel's form.

    Raises:
        OSError: EINVAL.
    """
    value = _HEAD.pack(_VERSION)
    entries: list[tuple[int, int, int]] = []
    for part in re.split(r"[,\n]", text.strip()):
        found = _TEXT.fullmatch(part.strip())
        if found is None:
            raise fs_error(errno.EINVAL)
        letter, number, bits = found[1][0], found[2], found[3]
        tag = (_WITH_ID if number else _WITHOUT_ID).get(letter)
        if tag is None:
            raise fs_error(errno.EINVAL)
        mode = sum(b for c, b in zip(bits, (4, 2, 1), strict=True) if c != "-")
        entries.append((tag, mode, int(number) if number else _NO_ID))
    for entry in sorted(entries, key=lambda entry: (entry[0], entry[2])):
        value += _ENTRY.pack(*entry)
    return value


def inherited_mode(value: bytes, mode: int) -> int:
    """Return the mode of what is made in a directory with a default list.

    The list's entries bound the mode's; the umask has no say then. What the list says beyond the
    mode, the kernel hands on.

    Args:
        value: the default list in the kernel's form.
        mode: the mode that was asked for.

    Source: acl(5), "object creation and default ACLs".
    """
    bits: dict[int, int] = {tag: each for tag, each, _ in _ENTRY.iter_unpack(value[_HEAD.size :])}
    group = bits.get(_WITHOUT_ID["m"], bits.get(_WITHOUT_ID["g"], 7))
    bound = bits.get(_WITHOUT_ID["u"], 7) << 6 | group << 3 | bits.get(_WITHOUT_ID["o"], 7)
    return mode & (bound | ~0o777)


def permits(
    value: bytes, uid: int, is_owning_group: bool, is_member: Callable[[int], bool], mask: int
) -> bool:
    """Tell whether a list lets somebody who is not the owner read, write or execute.

    Args:
        value: the list in the kernel's form.
        uid: who asks.
        is_owning_group: whether the one who asks is in the file's group.
        is_member: tells of any other group.
        mask: what is asked for.

    Source: acl(5), "access check algorithm".
    """
    entries = list(_ENTRY.iter_unpack(value[_HEAD.size :]))
    bound = next((bits for tag, bits, _ in entries if tag == _WITHOUT_ID["m"]), 7)
    for tag, bits, number in entries:
        if tag == _WITH_ID["u"] and number == uid:
            return not mask & ~(bits & bound)
    groups = [
        bits
        for tag, bits, number in entries
        if (tag == _WITHOUT_ID["g"] and is_owning_group)
        or (tag == _WITH_ID["g"] and is_member(number))
    ]
    if groups:
        return any(not mask & ~(bits & bound) for bits in groups)
    return any(tag == _WITHOUT_ID["o"] and not mask & ~bits for tag, bits, _ in entries)


def is_plain(mode: int) -> bool:
    """Tell whether a file of this mode can have a list at all: a symbolic link cannot."""
    return not stat.S_ISLNK(mode)
