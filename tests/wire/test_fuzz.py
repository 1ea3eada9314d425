"""The fuzz target, for a bounded number of inputs: random ones, and real ones mutated.

The seed is printed when the test fails; ``FUZZ_SEED`` runs it again. ``FUZZ_SECONDS`` goes on for
as long.
"""

from __future__ import annotations

import os
import random
import struct
import time

import pytest

from fuzz.fuzz_wire import DECODERS, fuzz_one
from glusterio.wire import messages
from glusterio.wire.credentials import Credentials, encode_v3
from glusterio.wire.dictionary import encode, encode_old
from glusterio.wire.fops.data import ReadReply
from glusterio.wire.records import encode_call, encode_reply
from tests.wire.strategies import (
    ALL_MESSAGES,
    SAMPLE_DICT,
    SAMPLE_IATT,
    SAMPLE_TAIL,
    sample,
    tail_field,
)

INPUTS = 60_000
INTERESTING = [0, 1, 2, 3, 4, 5, 16, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF]


def valid_inputs() -> list[bytes]:
    """Give bytes that decode, for each decoder that has some."""
    call = encode_call(1, 2, 3, 4, encode_v3(Credentials(1, 2, 3, (4,), b"owner")), 0)
    known = {
        "header": [call[4:], encode_reply(1, 0)[4:]],
        "credential 3": [call[36:-8]],
        "dictionary": [encode(SAMPLE_DICT), encode(None), encode({})],
        "skipped dictionary": [encode(SAMPLE_DICT)],
        "old dictionary": [encode_old({"key": "value", "other": b""})],
        "iatt": [SAMPLE_IATT.pack()],
    }
    for cls in ALL_MESSAGES:
        tail = SAMPLE_TAIL if tail_field(cls) else b""
        known[cls.__name__] = [messages.encode(sample(cls)) + tail]
    known["hot READ reply"] = [messages.encode(ReadReply(5, 2, size=5)) + SAMPLE_TAIL]
    known["hot WRITE reply"] = known["ChangedReply"]
    known["hot LOOKUP reply"] = known["LookupReply"]
    return [
        bytes([index]) + data
        for index, decoder in enumerate(DECODERS)
        for data in known.get(decoder.name, [])
    ]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Do to an input what transports and enemies do."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(1, len(changed)) if len(changed) > 1 else 0
        kind = rng.randrange(6)
        if kind == 0:
            changed[at] = rng.randrange(256) if at else changed[0]
        elif kind == 1:
            word = 1 + (at - 1) // 4 * 4
            changed[word : word + 4] = struct.pack(">I", rng.choice(INTERESTING))
        elif kind == 2:
            del changed[at:]
        elif kind == 3:
            del changed[at : at + rng.randint(1, 8)]
        elif kind == 4:
            changed[at:at] = rng.randbytes(rng.randint(1, 8))
        else:
            changed += changed[at : at + rng.randint(1, 64)]
        if not changed:
            changed = bytearray(data[:1])
    return bytes(changed)


def test_every_decoder_can_be_chosen() -> None:
    assert len(DECODERS) <= 256
    assert len({decoder.name for decoder in DECODERS}) == len(DECODERS)


@pytest.mark.parametrize("data", valid_inputs(), ids=lambda data: DECODERS[data[0]].name)
def test_what_is_valid_decodes(data: bytes) -> None:
    DECODERS[data[0]].decode(data[1:])
    fuzz_one(data)


def test_no_input_is_harmless() -> None:
    fuzz_one(b"")


@pytest.mark.timeout(0)
def test_nothing_but_a_protocol_error_escapes() -> None:
    seed = int(os.environ.get("FUZZ_SEED", random.SystemRandom().randrange(2**32)))
    rng = random.Random(seed)
    valid = valid_inputs()
    until = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", "0"))
    done = 0
    data = b""
    try:
        while done < INPUTS or time.monotonic() < until:
            data = (
                mutated(rng.choice(valid), rng) if done % 8 else rng.randbytes(rng.randint(0, 80))
            )
            fuzz_one(data)
            done += 1
    except BaseException:
        print(f"FUZZ_SEED={seed}, after {done} inputs, with {data.hex()}")
        raise
