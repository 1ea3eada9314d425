"""POSIX access control lists, as objects, and the operations that get and set them.

A list is kept in an extended attribute, in the kernel's format, which bricks keep as it is; what it
grants is judged on the brick. A file without one has the list that its permission bits say.

Sources: acl(5), acl_valid(3); Linux include/uapi/linux/posix_acl_xattr.h, fs/posix_acl.c
(``posix_acl_valid``).
"""

from __future__ import annotations

import errno
import re
import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from glusterio.api.handles import fstat
from glusterio.api.objects import check, stat_pinned
from glusterio.api.path_text import text_of
from glusterio.api.pins import Pin
from glusterio.api.resolve import looking_again, named, walk
from glusterio.api.standpoint import At
from glusterio.api.xattrs import (
    fgetxattr,
    fremovexattr,
    fsetxattr,
    getxattr_of,
    removexattr_of,
    setxattr_of,
)
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.traps import Coro
from glusterio.types import StrPath
from glusterio.wire.iatt import Iatt

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: The extended attributes that hold a file's list, and the one that what is made in a directory gets.
ACCESS: Final = "system.posix_acl_access"
DEFAULT: Final = "system.posix_acl_default"

_HEADER: Final = struct.Struct("<I")
_ENTRY: Final = struct.Struct("<HHI")
_VERSION: Final = 2
_NO_ID: Final = (1 << 32) - 1
_BITS: Final = "rwx"
_ENTRY_TEXT: Final = re.compile(r"(user|group|mask|other|u|g|m|o):([0-9]*):([r-][w-][x-])")


class AclTag(IntEnum):
    """Whom an entry is about; the numbers are those of the stored format."""

    USER_OBJ = 0x01
    USER = 0x02
    GROUP_OBJ = 0x04
    GROUP = 0x08
    MASK = 0x10
    OTHER = 0x20


_WORDS: Final = {
    AclTag.USER_OBJ: "user", AclTag.USER: "user", AclTag.GROUP_OBJ: "group", AclTag.GROUP: "group",
    AclTag.MASK: "mask", AclTag.OTHER: "other",
}  # fmt: skip
_OWN: Final = {
    "u": AclTag.USER_OBJ, "g": AclTag.GROUP_OBJ, "m": AclTag.MASK, "o": AclTag.OTHER,
}  # fmt: skip
_NAMED: Final = {"u": AclTag.USER, "g": AclTag.GROUP}


class AclEntry(NamedTuple):
    """What one user, group or class may do.

    Attributes:
        tag: whom it is about.
        permissions: 4 to read, 2 to write, 1 to execute, together.
        id: the user's or group's number, for ``USER`` and ``GROUP``; else ``None``.
    """

    tag: AclTag
    permissions: int
    id: int | None = None

    def __str__(self) -> str:
        bits = "".join(
            letter if self.permissions & 4 >> at else "-" for at, letter in enumerate(_BITS)
        )
        return f"{_WORDS[self.tag]}:{'' if self.id is None else self.id}:{bits}"


class Acl:
    """An access control list: its entries, in the order in which the kernel keeps them.

    ``Acl.parse("u::rw-,u:1000:r--,g::r--,m::r--,o::---")`` makes one of text, ``str`` text of one.
    Lists are equal when their entries are. An empty one, which is false, is no list at all.

    Args:
        entries: in any order.

    Raises:
        ValueError: they are no list: ``USER_OBJ``, ``GROUP_OBJ`` and ``OTHER`` have to be there, and
            ``MASK`` where a user or group is named; and each only once.
    """

    __slots__ = ("entries",)

    def __init__(self, entries: Iterable[AclEntry] = ()) -> None:
        self.entries = tuple(sorted(entries, key=lambda entry: (entry.tag, entry.id or 0)))
        self._check()

    def _check(self) -> None:
        seen: set[tuple[AclTag, int | None]] = set()
        for tag, permissions, number in self.entries:
            is_named = tag in (AclTag.USER, AclTag.GROUP)
            if is_named != (number is not None) or not 0 <= (number or 0) < _NO_ID:
                raise ValueError(f"an entry for {tag.name} and {number}")
            if not 0 <= permissions <= 7:
                raise ValueError(f"permissions {permissions!r}")
            if (tag, number) in seen:
                raise ValueError(f"two entries for {tag.name} {'' if number is None else number}")
            seen.add((tag, number))
        tags = {tag for tag, _ in seen}
        needed = {AclTag.USER_OBJ, AclTag.GROUP_OBJ, AclTag.OTHER}
        if tags & {AclTag.USER, AclTag.GROUP}:
            needed.add(AclTag.MASK)
        if tags and needed - tags:
            raise ValueError(f"no entry for {', '.join(tag.name for tag in sorted(needed - tags))}")

    @classmethod
    def from_mode(cls, mode: int) -> Acl:
        """Make the list that permission bits say."""
        return cls(
            AclEntry(tag, mode >> shift & 7)
            for tag, shift in ((AclTag.USER_OBJ, 6), (AclTag.GROUP_OBJ, 3), (AclTag.OTHER, 0))
        )

    @classmethod
    def parse(cls, text: str) -> Acl:
        """Make a list of text: ``user:1000:rw-`` and the like, with commas or lines between them.

        Raises:
            ValueError: it is none; users and groups are told by their numbers.
        """
        found = []
        for part in re.split(r"[,\n]", text):
            line = part.partition("#")[0].strip()
            if not line:
                continue
            match = _ENTRY_TEXT.fullmatch(line)
            if match is None:
                raise ValueError(f"no entry of an access control list: {line!r}")
            letter, number, bits = match[1][0], match[2], match[3]
            tag = _NAMED.get(letter) if number else _OWN[letter]
            if tag is None:
                raise ValueError(f"no entry of an access control list: {line!r}")
            permissions = sum(4 >> at for at, letter in enumerate(bits) if letter != "-")
            found.append(AclEntry(tag, permissions, int(number) if number else None))
        return cls(found)

    @classmethod
    def from_bytes(cls, value: bytes) -> Acl:
        """Make a list of an extended attribute's value.

        Raises:
            ValueError: it holds none.
        """
        if len(value) < _HEADER.size or _HEADER.unpack_from(value)[0] != _VERSION:
            raise ValueError("no access control list, or one of another version")
        if (len(value) - _HEADER.size) % _ENTRY.size:
            raise ValueError("an access control list that is cut off")
        return cls(
            AclEntry(
                AclTag(tag),
                permissions,
                number if tag in (AclTag.USER, AclTag.GROUP) else None,
            )
            for tag, permissions, number in _ENTRY.iter_unpack(value[_HEADER.size :])
        )

    def __bytes__(self) -> bytes:
        return _HEADER.pack(_VERSION) + b"".join(
            _ENTRY.pack(tag, permissions, _NO_ID if number is None else number)
            for tag, permissions, number in self.entries
        )

    def __str__(self) -> str:
        return "\n".join(map(str, self.entries))

    def __repr__(self) -> str:
        return f"<Acl {','.join(map(str, self.entries))}>"

    def __iter__(self) -> Iterator[AclEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        return self.entries == other.entries if isinstance(other, Acl) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.entries)


# -- operations ---------------------------------------------------------------------------------------


@looking_again
async def getacl(core: Core, frame: Frame, path: StrPath | At, follow: bool, name: str) -> Acl:
    """Return a file's list."""
    text = text_of(path)
    found = await walk(core, frame, path, follow=follow)
    return await named(_of_found(core, frame, found, name), text)


async def _of_found(core: Core, frame: Frame, found: Iatt, name: str) -> Acl:
    return await _list(getxattr_of(core, frame, found.gfid, name)) or _without(found, name)


async def fgetacl(core: Core, frame: Frame, handle: Handle, name: str) -> Acl:
    """Return an open file's list."""
    found = await _list(fgetxattr(core, frame, handle, name))
    return found or _without(await fstat(core, frame, handle), name)


async def getacl_pinned(core: Core, frame: Frame, pin: Pin, name: str) -> Acl:
    """Return an object's list."""
    return await _of_found(core, frame, await stat_pinned(core, frame, pin), name)


async def _list(asking: Coro[bytes]) -> Acl | None:
    """Await an attribute, and make a list of it; ``None`` when the file has none."""
    try:
        return Acl.from_bytes(await asking)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        return None
    except ValueError as error:
        raise OSError(errno.EIO, f"not from the brick: {error}") from None


def _without(found: Iatt, name: str) -> Acl:
    return Acl.from_mode(found.mode) if name == ACCESS else Acl()


@looking_again
async def setacl(
    core: Core, frame: Frame, path: StrPath | At, follow: bool, name: str, value: Acl
) -> None:
    """Set a file's list; with an empty one it has none any more."""
    text = text_of(path)
    found = await walk(core, frame, path, follow=follow)
    await named(_set(core, frame, found, name, value), text)


async def _set(core: Core, frame: Frame, found: Iatt, name: str, value: Acl) -> None:
    _check_new(value)
    if value:
        await setxattr_of(core, frame, found, name, bytes(value), 0)
    else:
        await _removed(removexattr_of(core, frame, found, name))


async def fsetacl(core: Core, frame: Frame, handle: Handle, name: str, value: Acl) -> None:
    """Set an open file's list."""
    _check_new(value)
    if value:
        await fsetxattr(core, frame, handle, name, bytes(value), 0)
    else:
        await _removed(fremovexattr(core, frame, handle, name))


async def setacl_pinned(core: Core, frame: Frame, pin: Pin, name: str, value: Acl) -> None:
    """Set an object's list."""
    check(core, pin)
    await _set(core, frame, await stat_pinned(core, frame, pin), name, value)


async def _removed(removing: Coro[None]) -> None:
    try:
        await removing
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise


def _check_new(value: Acl) -> None:
    if not isinstance(value, Acl):
        raise TypeError(f"an Acl is needed, not {type(value).__name__}")


def attribute(default: bool) -> str:
    """Return which attribute holds the list that is meant."""
    return DEFAULT if default else ACCESS
