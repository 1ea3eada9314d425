"""Feeds bytes to every decoder of the wire layer.

The first byte of an input chooses the decoder and the others are for it to decode. Whatever they are,
the decoder gives a value or raises :class:`~glusterio.errors.RemoteProtocolError`, and a value that
it gives can be encoded and decoded again.

Run it under atheris, when that is installed::

    python fuzz/fuzz_wire.py [directory with inputs] [options of libFuzzer]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from glusterio.errors import RemoteProtocolError
from glusterio.wire import credentials, dictionary, hot, messages, records
from glusterio.wire.callbacks import CALLBACKS
from glusterio.wire.fops import FOPS
from glusterio.wire.handshake import DUMP_CALLS, HANDSHAKE_CALLS, PORTMAP_CALLS
from glusterio.wire.iatt import Iatt, Mdata, OldIatt
from glusterio.wire.programs import AuthFlavor


class Decoder(NamedTuple):
    """One decoder, and what it should make of its own output.

    Attributes:
        name: for people.
        decode: takes bytes that may be hostile.
        encode: gives bytes for what was decoded, which must decode to the same.
    """

    name: str
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes] | None = None


def _of_message(cls: type[Any]) -> Decoder:
    def decode(data: bytes) -> tuple[Any, bytes]:
        message, tail = messages.decode_with_tail(cls, memoryview(data))
        return message, bytes(tail)

    def encode(decoded: tuple[Any, bytes]) -> bytes:
        message, tail = decoded
        return messages.encode(message) + tail

    return Decoder(cls.__name__, decode, encode)


def _message_classes() -> list[type[Any]]:
    classes: dict[type[Any], None] = {}
    for fop in FOPS.values():
        classes[fop.request_class] = None
        classes[fop.reply_class] = None
    for call in (*HANDSHAKE_CALLS.values(), *PORTMAP_CALLS.values(), *DUMP_CALLS.values()):
        classes[call.request_class] = None
        classes[call.reply_class] = None
    return [*classes, *CALLBACKS.values()]


def _header(data: bytes) -> None:
    header = records.parse_message(data)
    if not 0 < header.body <= len(data):
        raise AssertionError(f"a body at byte {header.body} of {len(data)}")
    if isinstance(header, records.CallHeader):
        header.caller()


def _mark(data: bytes) -> None:
    records.record_length(int.from_bytes(data[:4], "big"))


def _skip(data: bytes) -> None:
    if dictionary.skip(data, 0) > len(data):
        raise AssertionError("a dictionary passed by that leaves the message")


def _read_reply(data: bytes) -> None:
    op_ret, _, start = hot.read_reply(data, 0)
    if len(data) - start != max(op_ret, 0) and op_ret >= 0:
        raise AssertionError(f"{len(data) - start} bytes of data, {op_ret} read")


def _lookup_reply(data: bytes) -> None:
    *_, at = hot.lookup_reply(data, 0)
    dictionary.decode(data, at)


#: Every decoder, chosen by the first byte of an input.
DECODERS: Final[list[Decoder]] = [
    Decoder("record mark", _mark),
    Decoder("header", _header),
    Decoder("credential 2", lambda data: credentials.decode(AuthFlavor.GLUSTERFS_V2, data)),
    Decoder("credential 3", lambda data: credentials.decode(AuthFlavor.GLUSTERFS_V3, data)),
    Decoder("dictionary", lambda data: dictionary.decode(data)[0], dictionary.encode),
    Decoder("skipped dictionary", _skip),
    Decoder("old dictionary", dictionary.decode_old, dictionary.encode_old),
    Decoder("iatt", Iatt.unpack_from, Iatt.pack),
    Decoder("old iatt", OldIatt.unpack_from, OldIatt.pack),
    Decoder("mdata", Mdata.unpack_from, Mdata.pack),
    Decoder("hot READ reply", _read_reply),
    Decoder("hot WRITE reply", lambda data: hot.write_reply(data, 0)),
    Decoder("hot LOOKUP reply", _lookup_reply),
    *(_of_message(cls) for cls in _message_classes()),
]


def fuzz_one(data: bytes) -> None:
    """Try one input.

    Raises:
        Exception: anything at all means that a decoder has a defect.
    """
    if not data:
        return
    decoder = DECODERS[data[0] % len(DECODERS)]
    try:
        decoded = decoder.decode(data[1:])
    except RemoteProtocolError:
        return
    if decoder.encode is not None:
        again = decoder.decode(decoder.encode(decoded))
        if repr(again) != repr(decoded):  # not ==, for a NaN is not itself
            raise AssertionError(f"{decoder.name}: {decoded!r} became {again!r}")


def main() -> None:
    """Fuzz until stopped."""
    import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

    atheris.instrument_all()
    atheris.Setup(sys.argv, fuzz_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
