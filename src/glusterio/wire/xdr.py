"""XDR primitives (RFC 4506), written for input that may be hostile.

Everything is big-endian and takes a multiple of four bytes. A claimed length is compared with what
is left of the message before anything is read or allocated for it.
"""

from __future__ import annotations

import struct
from typing import Final

from glusterio.errors import LocalProtocolError, XdrError

U32: Final = struct.Struct(">I")
I32: Final = struct.Struct(">i")
U64: Final = struct.Struct(">Q")
I64: Final = struct.Struct(">q")
F64: Final = struct.Struct(">d")

#: Zero bytes that fill an item up to a multiple of four, by ``-length & 3``.
PADDING: Final = (b"", b"\0", b"\0\0", b"\0\0\0")

#: The longest opaque or string that a length word can announce (RFC 4506 section 4.10).
MAX_LENGTH: Final = 0xFFFFFFFF


def text(data: bytes) -> str:
    """Turn bytes from the wire into text so that :func:`raw` gives the same bytes back."""
    return data.decode("utf-8", "surrogateescape")


def raw(value: str) -> bytes:
    """Turn text into the bytes that stand for it on the wire.

    Raises:
        LocalProtocolError: a lone surrogate that did not come from :func:`text`.
    """
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"text that has no bytes: {error}") from None


def pack_opaque(data: bytes) -> bytes:
    """Encode variable-length opaque data: length, bytes, zero padding (RFC 4506 section 4.10)."""
    length = len(data)
    return U32.pack(length) + data + PADDING[-length & 3]


def opaque_at(view: memoryview | bytes, offset: int) -> tuple[bytes, int]:
    """Decode variable-length opaque data and tell where the next item begins.

    Args:
        view: the message.
        offset: where the length word is, in bytes.

    Raises:
        XdrError: the data would not lie inside the message.
    """
    try:
        (length,) = U32.unpack_from(view, offset)
    except struct.error:
        raise XdrError(f"no room for a length at byte {offset} of {len(view)}") from None
    start = offset + 4
    end = start + (length + 3 & ~3)
    if end > len(view):
        raise XdrError(f"{length} bytes claimed at byte {start} of {len(view)}")
    return bytes(view[start : start + length]), end


class Unpacker:
    """Takes XDR items off a message, one after the other.

    Args:
        view: the message.

    Every method raises :class:`~glusterio.errors.XdrError` when the item does not lie wholly inside
    the message.
    """

    __slots__ = ("offset", "view")

    def __init__(self, view: memoryview | bytes) -> None:
        self.view = memoryview(view)
        self.offset = 0

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return len(self.view) - self.offset

    def _take(self, size: int) -> int:
        start = self.offset
        if size > len(self.view) - start:
            raise XdrError(f"{size} bytes due, {len(self.view) - start} left")
        self.offset = start + size
        return start

    def u32(self) -> int:
        """Take an unsigned integer of 32 bits."""
        value: int = U32.unpack_from(self.view, self._take(4))[0]
        return value

    def i32(self) -> int:
        """Take a signed integer of 32 bits."""
        value: int = I32.unpack_from(self.view, self._take(4))[0]
        return value

    def u64(self) -> int:
        """Take an unsigned integer of 64 bits."""
        value: int = U64.unpack_from(self.view, self._take(8))[0]
        return value

    def fixed(self, size: int) -> bytes:
        """Take opaque data of a known size."""
        start = self._take(size + 3 & ~3)
        return bytes(self.view[start : start + size])

    def opaque(self, maximum: int = MAX_LENGTH) -> bytes:
        """Take opaque data of any length up to ``maximum`` bytes."""
        length = self.u32()
        if length > maximum:
            raise XdrError(f"{length} bytes where at most {maximum} are allowed")
        return self.fixed(length)

    def count(self, minimum_size: int, maximum: int = MAX_LENGTH) -> int:
        """Take the count of a list and check that the list could be there at all.

        Args:
            minimum_size: the bytes that the smallest possible element takes, at least 1.
            maximum: the largest count that is allowed.
        """
        count = self.u32()
        if count > maximum or count * minimum_size > self.remaining:
            raise XdrError(f"{count} elements claimed in {self.remaining} bytes")
        return count

    def done(self) -> None:
        """Make sure that nothing is left over.

        Raises:
            XdrError: bytes follow the last item.
        """
        if self.remaining:
            raise XdrError(f"{self.remaining} bytes left over")
