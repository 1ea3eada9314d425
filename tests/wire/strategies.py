"""What the annotations of a message class say about its values: samples and hypothesis strategies."""

from __future__ import annotations

import uuid
from itertools import chain
from typing import Annotated, Any, get_origin, get_type_hints

from hypothesis import strategies as st

from glusterio.wire import callbacks, messages
from glusterio.wire.dictionary import UInt, Value
from glusterio.wire.fops import FOPS
from glusterio.wire.handshake import DUMP_CALLS, HANDSHAKE_CALLS, PORTMAP_CALLS
from glusterio.wire.iatt import Iatt, Mdata, OldIatt
from glusterio.wire.messages import Fixed, Linked, Variable, element_class, field_kind
from glusterio.wire.xdr import text


def _all_messages() -> list[type[Any]]:
    classes: dict[type[Any], None] = {}
    for fop in FOPS.values():
        classes[fop.request_class] = None
        classes[fop.reply_class] = None
    for call in [*HANDSHAKE_CALLS.values(), *PORTMAP_CALLS.values(), *DUMP_CALLS.values()]:
        classes[call.request_class] = None
        classes[call.reply_class] = None
    for cls in callbacks.CALLBACKS.values():
        classes[cls] = None
    return list(classes)


#: Every class of message, once.
ALL_MESSAGES = _all_messages()

#: Those that begin with op_ret and op_errno.
ALL_REPLIES = [cls for cls in ALL_MESSAGES if cls._fields[:2] == ("op_ret", "op_errno")]

SAMPLE_IATT = Iatt._make([bytes(range(16)), *range(1, 22)])
SAMPLE_OLD_IATT = OldIatt._make([bytes(range(16)), *range(1, 17)])
SAMPLE_DICT: dict[str, Value] = {
    "gfid-req": uuid.UUID(int=0x0123456789ABCDEF0123456789ABCDEF),
    "signed": -1,
    "unsigned": UInt(2**64 - 1),
    "fraction": 0.5,
    "words": "héllo",
    "bytes": b"\0\xff\0",
    "iatt": SAMPLE_IATT,
    "times": Mdata(1, 2, 3, 4, 5, 6),
}

_RANGES = {
    "I": (0, 2**32 - 1),
    "i": (-(2**31), 2**31 - 1),
    "Q": (0, 2**64 - 1),
    "q": (-(2**63), 2**63 - 1),
}

_numbers = {form: st.integers(*bounds) for form, bounds in _RANGES.items()}
_u32, _u64, _i64 = _numbers["I"], _numbers["Q"], _numbers["q"]
_gfids = st.binary(min_size=16, max_size=16)
_texts = st.binary(max_size=40).map(text)
_keys = st.binary(max_size=20).map(lambda key: text(key.replace(b"\0", b"")))
iatts = st.builds(
    lambda gfid, *parts: Iatt._make([gfid, *chain(*parts)]),
    _gfids,
    st.tuples(*[_u64] * 8),
    st.tuples(*[_i64] * 4),
    st.tuples(*[_u32] * 9),
)
_old_iatts = st.builds(
    lambda gfid, *parts: OldIatt._make([gfid, *chain(*parts)]),
    _gfids,
    st.tuples(_u64, _u64),
    st.tuples(*[_u32] * 4),
    st.tuples(_u64, _u64, _u32, _u64),
    st.tuples(*[_u32] * 6),
)
_mdata = st.builds(Mdata, _i64, _i64, _i64, _u32, _u32, _u32)
values = st.one_of(
    _i64,
    _u64.map(UInt),
    st.floats(allow_nan=False),
    _texts,
    st.binary(max_size=40),
    st.uuids(),
    iatts,
    _mdata,
)
dicts = st.dictionaries(_keys, values, max_size=4)
old_dicts = st.dictionaries(_keys, st.binary(max_size=40), max_size=4)

_variables: list[tuple[Any, Any, st.SearchStrategy[Any]]] = [
    (messages.Str, "a name\udcff", _texts),
    (messages.Opaque, b"12345", st.binary(max_size=40)),
    (messages.Xdata, SAMPLE_DICT, st.none() | dicts),
    (messages.OldDict, {"a-key": b"a value\0", "": b""}, old_dicts),
    (messages.IattField, SAMPLE_IATT, iatts),
    (messages.OldIattField, SAMPLE_OLD_IATT, _old_iatts),
]


def _variable(hint: Any) -> tuple[Any, st.SearchStrategy[Any]]:
    for known, sample, strategy in _variables:
        if hint == known:
            return sample, strategy
    raise LookupError(f"no values known for {hint!r}")


def _hints(cls: type[Any]) -> list[Any]:
    return list(get_type_hints(cls, include_extras=True).values())


def sample(cls: type[Any]) -> Any:
    """Give one message of a class in which every field has something in it."""
    values: list[Any] = []
    for index, hint in enumerate(_hints(cls)):
        kind = field_kind(hint)
        if isinstance(kind, Fixed):
            if kind.is_tail_size:
                values.append(len(SAMPLE_TAIL))
            else:
                values.append(bytes(range(kind.size)) if kind.size else index + 1)
        elif isinstance(kind, Variable):
            values.append(_variable(hint)[0])
        elif isinstance(kind, Linked):
            values.append((sample(element_class(hint)),) * 2)
        else:
            values.append(sample(hint))
    return cls(*values)


SAMPLE_TAIL = b"data!"


def tail_field(cls: type[Any]) -> str | None:
    """Name the field that counts the raw data behind a message."""
    for name, hint in zip(cls._fields, _hints(cls), strict=True):
        if get_origin(hint) is Annotated:
            kind = field_kind(hint)
            if isinstance(kind, Fixed) and kind.is_tail_size:
                return str(name)
    return None


def messages_of(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Give a strategy for all messages of a class; tail sizes are 0."""
    fields: list[st.SearchStrategy[Any]] = []
    for hint in _hints(cls):
        kind = field_kind(hint)
        if isinstance(kind, Fixed):
            if kind.is_tail_size:
                fields.append(st.just(0))
            elif kind.size:
                fields.append(st.binary(min_size=kind.size, max_size=kind.size))
            else:
                fields.append(_numbers[kind.format])
        elif isinstance(kind, Variable):
            fields.append(_variable(hint)[1])
        elif isinstance(kind, Linked):
            fields.append(st.lists(messages_of(element_class(hint)), max_size=3).map(tuple))
        else:
            fields.append(messages_of(hint))
    return st.tuples(*fields).map(cls._make)
