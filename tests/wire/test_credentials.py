"""Credentials: there and back, and the limits that servers set."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glusterio.errors import LocalProtocolError, RemoteProtocolError, XdrError
from glusterio.wire.credentials import (
    ANONYMOUS,
    MAX_GROUPS_AND_OWNER_V2,
    MAX_GROUPS_AND_OWNER_V3,
    Credentials,
    decode,
    encode_none,
    encode_v2,
    encode_v3,
)
from glusterio.wire.programs import MAX_AUTH_BYTES, AuthFlavor

ENCODERS = [(encode_v2, MAX_GROUPS_AND_OWNER_V2), (encode_v3, MAX_GROUPS_AND_OWNER_V3)]
each_encoder = pytest.mark.parametrize(("encode", "limit"), ENCODERS)

u32 = st.integers(0, 2**32 - 1)
callers = st.builds(
    Credentials,
    pid=st.integers(-(2**31), 2**31 - 1),
    uid=u32,
    gid=u32,
    groups=st.lists(u32, max_size=20).map(tuple),
    lk_owner=st.binary(max_size=40),
    flags=u32,
    ctime=st.integers(0, 2**62),
    lease_id=st.just(b""),  # travels elsewhere
)


def split(encoded: bytes) -> tuple[int, bytes]:
    """Take flavor, body and empty verifier apart."""
    flavor, length = struct.unpack_from(">II", encoded)
    assert encoded[8 + length :] == bytes(8)
    assert length <= MAX_AUTH_BYTES
    return flavor, encoded[8 : 8 + length]


@given(callers)
def test_version_3_comes_back(caller: Credentials) -> None:
    assert decode(*split(encode_v3(caller))) == caller


@given(callers)
def test_version_2_comes_back_without_flags_and_time(caller: Credentials) -> None:
    assert decode(*split(encode_v2(caller))) == caller._replace(flags=0, ctime=0)


def test_no_credential_is_nobody_rather_than_root() -> None:
    assert decode(*split(encode_none())) == ANONYMOUS
    assert ANONYMOUS.uid != 0


@each_encoder
@pytest.mark.parametrize("owner", [b"", b"12345678", bytes(90)])
def test_groups_that_do_not_fit_are_left_out(
    encode: Callable[[Credentials], bytes], limit: int, owner: bytes
) -> None:
    caller = Credentials(1, 2, 3, tuple(range(200)), owner)
    decoded = decode(*split(encode(caller)))
    assert decoded.groups == tuple(range(limit - len(owner)))
    assert decoded.lk_owner == owner


@each_encoder
def test_a_lock_owner_that_does_not_fit_is_refused(
    encode: Callable[[Credentials], bytes], limit: int
) -> None:
    assert decode(*split(encode(Credentials(1, 2, 3, (4,), bytes(limit))))).groups == ()
    with pytest.raises(LocalProtocolError, match="lock owner"):
        encode(Credentials(1, 2, 3, (), bytes(limit + 1)))


@each_encoder
@pytest.mark.parametrize(
    "caller", [Credentials(2**31, 0, 0), Credentials(0, -1, 0), Credentials(0, 0, 0, (-1,))]
)
def test_numbers_that_do_not_fit_are_refused(
    encode: Callable[[Credentials], bytes], limit: int, caller: Credentials
) -> None:
    with pytest.raises(LocalProtocolError):
        encode(caller)


@each_encoder
def test_a_credential_cut_or_stretched_is_refused(
    encode: Callable[[Credentials], bytes], limit: int
) -> None:
    flavor, body = split(encode(Credentials(1, 2, 3, (4, 5), b"owner")))
    for end in range(len(body)):
        with pytest.raises(XdrError):
            decode(flavor, body[:end])
    with pytest.raises(XdrError):
        decode(flavor, body + bytes(4))


@pytest.mark.parametrize("count", [96, 2**31, 2**32 - 1])
def test_more_groups_than_fit_are_refused(count: int) -> None:
    body = struct.pack(">iIII", 1, 2, 3, count) + bytes(400)
    with pytest.raises(XdrError):
        decode(AuthFlavor.GLUSTERFS_V2, body)


@pytest.mark.parametrize("flavor", [1, 5, 6, 390041, 2**32 - 1])
def test_other_flavors_are_refused(flavor: int) -> None:
    with pytest.raises(RemoteProtocolError, match="flavor"):
        decode(flavor, b"")


def test_no_credential_has_no_body() -> None:
    with pytest.raises(XdrError):
        decode(AuthFlavor.NONE, bytes(4))
