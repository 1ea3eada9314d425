"""From annotated classes to codecs.

A message is a ``NamedTuple`` whose annotations say how each field travels, in wire order::

    class OpenRequest(NamedTuple):
        gfid: Gfid
        flags: U32
        xdata: Xdata = None

so that the class reads like the protocol's own description, and a type checker sees ``bytes``,
``int`` and a dictionary. A codec is compiled from the annotations when a class is first used;
neighbours of fixed size share one ``struct`` call. A field may itself be such a class.

Some messages are followed by raw data that is no part of their XDR, neither padded nor counted by a
length word in front of it. Such a class has a field of type :data:`TailSize`, and is decoded by
:func:`decode_with_tail`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    NamedTuple,
    Protocol,
    TypeAlias,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from glusterio.errors import LocalProtocolError, XdrError
from glusterio.wire import dictionary, plain
from glusterio.wire.iatt import GFID_SIZE, IATT, OLD_IATT, Iatt, OldIatt
from glusterio.wire.xdr import U32 as WORD
from glusterio.wire.xdr import opaque_at, pack_opaque, raw, text

View: TypeAlias = memoryview | bytes
Message = TypeVar("Message", bound="NamedTuple")

#: Takes a value off a view at an offset: the value, and where the next item begins.
Unpack: TypeAlias = Callable[[View, int], tuple[Any, int]]


class Fixed(NamedTuple):
    """Marks a field of fixed size.

    Attributes:
        format: the field's format character, as :mod:`struct` has it.
        size: the bytes that an ``s`` field must have; 0 for numbers.
        is_tail_size: the number counts the raw data behind the message.
    """

    format: str
    size: int = 0
    is_tail_size: bool = False


class Variable(NamedTuple):
    """Marks a field of variable size, and says how it travels.

    Attributes:
        pack: encodes a value.
        unpack: decodes one.
        inline: how it travels in a plain message, if it can be in one.
    """

    pack: Callable[[Any], bytes]
    unpack: Unpack
    inline: plain.Inline | None = None


class Linked(NamedTuple):
    """Marks a linked list: each element behind a word 1, and a word 0 at the end (RFC 4506, 4.19).

    Attributes:
        unpack: a quicker decoder of the whole list, where the general one is too slow.
    """

    unpack: Unpack | None = None


def _unpack_text(view: View, offset: int) -> tuple[str, int]:
    data, end = opaque_at(view, offset)
    return text(data), end


def _pack_old_dict(value: Mapping[str, dictionary.OldValue]) -> bytes:
    return pack_opaque(dictionary.encode_old(value) if value else b"")


def _unpack_old_dict(view: View, offset: int) -> tuple[dict[str, bytes], int]:
    data, end = opaque_at(view, offset)
    return dictionary.decode_old(data), end


def _unpack_iatt(view: View, offset: int) -> tuple[Iatt, int]:
    return Iatt.unpack_from(view, offset), offset + IATT.size


def _unpack_old_iatt(view: View, offset: int) -> tuple[OldIatt, int]:
    return OldIatt.unpack_from(view, offset), offset + OLD_IATT.size


U32: TypeAlias = Annotated[int, Fixed("I")]
I32: TypeAlias = Annotated[int, Fixed("i")]
U64: TypeAlias = Annotated[int, Fixed("Q")]
I64: TypeAlias = Annotated[int, Fixed("q")]
#: The number of bytes of raw data behind the message.
TailSize: TypeAlias = Annotated[int, Fixed("I", is_tail_size=True)]
#: A GlusterFS file id: 16 bytes.
Gfid: TypeAlias = Annotated[bytes, Fixed("16s", GFID_SIZE)]
#: Text. Bytes that are not UTF-8 become lone surrogates, as ``os.fsdecode`` does it.
Str: TypeAlias = Annotated[str, Variable(lambda value: pack_opaque(raw(value)), _unpack_text)]
#: Bytes with their length.
Opaque: TypeAlias = Annotated[bytes, Variable(pack_opaque, opaque_at)]
#: A gfx_dict, or ``None`` for "no dictionary".
Xdata: TypeAlias = Annotated[
    dictionary.Dict | None, Variable(dictionary.encode, dictionary.decode, plain.NO_DICTIONARY)
]
#: A dictionary of the old encoding, inside an opaque. Decoded values are bytes, and an empty
#: dictionary travels as no bytes at all.
OldDict: TypeAlias = Annotated[
    Mapping[str, dictionary.OldValue], Variable(_pack_old_dict, _unpack_old_dict)
]
IattField: TypeAlias = Annotated[Iatt, Variable(Iatt.pack, _unpack_iatt, plain.ATTRIBUTES)]
OldIattField: TypeAlias = Annotated[OldIatt, Variable(OldIatt.pack, _unpack_old_iatt)]


def encode(message: NamedTuple) -> bytes:
    """Encode a message, without the raw data that may belong behind it.

    Raises:
        LocalProtocolError: a value that does not fit its field.
    """
    codec = codec_of(type(message))
    if codec.plain is not None:
        encoded = codec.plain.pack(message)
        if encoded is not None:
            return encoded
    out = bytearray()
    codec.pack_into(message, out)
    return bytes(out)


def decode(cls: type[Message], view: View, offset: int = 0) -> Message:
    """Decode a message that is not followed by raw data.

    Args:
        cls: the message's class.
        view: the record without its mark.
        offset: where the body begins, in bytes.

    Raises:
        XdrError: the bytes end too early, go on too long, or claim what cannot be.
    """
    message, tail = decode_with_tail(cls, view, offset)
    if tail:
        raise XdrError(f"{len(tail)} bytes of raw data behind {cls.__name__}")
    return message


def decode_with_tail(cls: type[Message], view: View, offset: int = 0) -> tuple[Message, memoryview]:
    """Decode a message and the raw data behind it, which stays where it is.

    Args:
        cls: the message's class. When it has no data behind it, the tail is empty.
        view: the record without its mark.
        offset: where the body begins, in bytes.

    Raises:
        XdrError: as :func:`decode`, or the data is not as long as the message says.
    """
    codec = codec_of(cls)
    message, end = codec.unpack(view, offset)
    tail = memoryview(view)[end:]
    due = 0 if codec.tail_field is None else message[codec.tail_field]
    if len(tail) != due:
        raise XdrError(f"{len(tail)} bytes behind {cls.__name__}, {due} due")
    return message, tail


def failure(cls: type[Message], errno: int) -> Message:
    """Make the reply that a failed operation gets.

    Args:
        cls: a reply class: its first fields are ``op_ret`` and ``op_errno``, and it has defaults.
        errno: a Linux error number.
    """
    blank = cls._make(cls._field_defaults.values())
    return blank._replace(op_ret=-1, op_errno=errno)


class _Step(Protocol):
    """Encodes and decodes one field, or a run of them."""

    def pack_into(self, message: tuple[Any, ...], out: bytearray) -> None: ...

    def unpack(self, view: View, offset: int, values: list[Any]) -> int: ...


class _Run:
    """Neighbouring fields of fixed size, by one struct."""

    def __init__(self, start: int, fields: list[Fixed]) -> None:
        self._fields = slice(start, start + len(fields))
        self._layout = struct.Struct(">" + "".join(field.format for field in fields))
        self._sizes = [
            (start + position, field.size) for position, field in enumerate(fields) if field.size
        ]

    def pack_into(self, message: tuple[Any, ...], out: bytearray) -> None:
        for index, size in self._sizes:
            if len(message[index]) != size:
                raise LocalProtocolError(f"{len(message[index])} bytes where {size} are due")
        out += self._layout.pack(*message[self._fields])

    def unpack(self, view: View, offset: int, values: list[Any]) -> int:
        values += self._layout.unpack_from(view, offset)
        return offset + self._layout.size


class _Single:
    """One field of variable size."""

    def __init__(self, index: int, field: Variable) -> None:
        self._index = index
        self._pack = field.pack
        self._unpack = field.unpack

    def pack_into(self, message: tuple[Any, ...], out: bytearray) -> None:
        out += self._pack(message[self._index])

    def unpack(self, view: View, offset: int, values: list[Any]) -> int:
        value, end = self._unpack(view, offset)
        values.append(value)
        return end


class _Nested:
    """One field that is a message itself."""

    def __init__(self, index: int, codec: Codec[Any]) -> None:
        self._index = index
        self._codec = codec

    def pack_into(self, message: tuple[Any, ...], out: bytearray) -> None:
        self._codec.pack_into(message[self._index], out)

    def unpack(self, view: View, offset: int, values: list[Any]) -> int:
        value, end = self._codec.unpack(view, offset)
        values.append(value)
        return end


class _List:
    """One field that is a linked list of messages."""

    def __init__(self, index: int, element: Codec[Any], field: Linked) -> None:
        self._index = index
        self._element = element
        self._unpack = field.unpack or self._unpack_each

    def pack_into(self, message: tuple[Any, ...], out: bytearray) -> None:
        for element in message[self._index]:
            out += b"\0\0\0\1"
            self._element.pack_into(element, out)
        out += b"\0\0\0\0"

    def unpack(self, view: View, offset: int, values: list[Any]) -> int:
        value, end = self._unpack(view, offset)
        values.append(value)
        return end

    def _unpack_each(self, view: View, offset: int) -> tuple[tuple[Any, ...], int]:
        elements = []
        while is_there(*WORD.unpack_from(view, offset)):
            element, offset = self._element.unpack(view, offset + 4)
            elements.append(element)
        return tuple(elements), offset + 4


def is_there(word: int) -> bool:
    """Read the word that says whether another element of a linked list follows.

    Raises:
        XdrError: neither 0 nor 1.
    """
    if word > 1:
        raise XdrError(f"{word} where 0 or 1 says whether a list goes on")
    return word == 1


class Codec(Generic[Message]):
    """Encodes and decodes one class of message.

    Args:
        cls: the class. :func:`codec_of` keeps one codec for each.

    Raises:
        TypeError: an annotation that does not say how its field travels.
    """

    def __init__(self, cls: type[Message]) -> None:
        self._make = cls._make
        self._name = cls.__name__
        self._steps: list[_Step] = []
        #: The index of the field that counts the raw data behind the message, if there is one.
        self.tail_field: int | None = None
        #: Does it all at once, for messages that are plain; ``None`` when the class has none.
        self.plain: plain.Plain | None = None
        inlined: list[plain.Inline | None] = []
        run: list[Fixed] = []
        index = -1
        for index, hint in enumerate(get_type_hints(cls, include_extras=True).values()):
            kind = field_kind(hint)
            inlined.append(_inline(kind))
            if isinstance(kind, Fixed):
                run.append(kind)
                if kind.is_tail_size:
                    self.tail_field = index
                continue
            self._close_run(index, run)
            self._steps.append(_step(index, hint, kind))
        self._close_run(index + 1, run)
        fields = [field for field in inlined if field is not None]
        if fields and len(fields) == len(inlined):
            self.plain = plain.Plain(cls._make, fields)

    def _close_run(self, end: int, run: list[Fixed]) -> None:
        if run:
            self._steps.append(_Run(end - len(run), run))
            run.clear()

    def pack_into(self, message: Message, out: bytearray) -> None:
        """Append a message to a buffer.

        Raises:
            LocalProtocolError: a value that does not fit its field.
        """
        try:
            for step in self._steps:
                step.pack_into(message, out)
        except struct.error as error:
            raise LocalProtocolError(f"{self._name}: {error}") from None

    def unpack(self, view: View, offset: int) -> tuple[Message, int]:
        """Decode the message at ``offset`` and tell where the next item begins.

        Raises:
            XdrError: the bytes end too early or claim what cannot be.
        """
        if self.plain is not None:
            message = self.plain.unpack(view, offset)
            if message is not None:
                return message, offset + self.plain.size
        values: list[Any] = []
        try:
            for step in self._steps:
                offset = step.unpack(view, offset, values)
        except struct.error:
            raise XdrError(f"{self._name} cut off at byte {len(view)}") from None
        return self._make(values), offset


_CODECS: Final[dict[type[Any], Codec[Any]]] = {}


def codec_of(cls: type[Message]) -> Codec[Message]:
    """Give the codec of a message class, compiling it on the first call."""
    codec = _CODECS.get(cls)
    if codec is None:
        codec = _CODECS[cls] = Codec(cls)
    return codec


def field_kind(hint: Any) -> Fixed | Variable | Linked | None:
    """Tell how a field travels, by its annotation; ``None`` when it is a message itself.

    Raises:
        TypeError: the annotation does not say it.
    """
    if get_origin(hint) is Annotated:
        for extra in get_args(hint)[1:]:
            if isinstance(extra, Fixed | Variable | Linked):
                return extra
    elif isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return None
    raise TypeError(f"{hint!r} does not say how it travels")


def _inline(kind: Fixed | Variable | Linked | None) -> plain.Inline | None:
    """Tell how a field travels in a plain message; ``None`` when it cannot be in one."""
    if isinstance(kind, Fixed):
        return plain.of_fixed(kind.format, kind.size)
    return kind.inline if isinstance(kind, Variable) else None


def element_class(hint: Any) -> type[Any]:
    """Give the class of a list's elements: ``E`` of ``Annotated[tuple[E, ...], Linked()]``."""
    element: type[Any] = get_args(get_args(hint)[0])[0]
    return element


def _step(index: int, hint: Any, kind: Variable | Linked | None) -> _Step:
    if kind is None:
        return _Nested(index, codec_of(hint))
    if isinstance(kind, Variable):
        return _Single(index, kind)
    return _List(index, codec_of(element_class(hint)), kind)
