"""Who is calling: the credential that every call header carries.

GlusterFS has flavors of its own: version 2 for the handshake and for glusterd, version 3 for the
file operations. The server checks permissions with the user and groups given here, and it keeps
POSIX locks by the lock owner given here, whatever a request's body says.

Sources: GlusterFS rpc/xdr/src/rpc-common-xdr.x (``auth_glusterfs_parms_v2``),
rpc/xdr/src/glusterfs4-xdr.x (``auth_glusterfs_params_v3``), rpc/rpc-lib/src/auth-glusterfs.c and
rpc/rpc-lib/src/xdr-common.h (the limits), RFC 5531 section 8.2 (400 bytes).
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from glusterio.errors import LocalProtocolError, RemoteProtocolError
from glusterio.wire.programs import MAX_AUTH_BYTES, AuthFlavor
from glusterio.wire.xdr import Unpacker, pack_opaque

#: Servers refuse a credential whose groups and lock owner add up to more, a group counting as one
#: and the lock owner as its bytes.
MAX_GROUPS_AND_OWNER_V2: Final = 95
MAX_GROUPS_AND_OWNER_V3: Final = 91

#: The user and group that a call without a credential is given.
NOBODY: Final = 65534

NANOSECONDS: Final = 1_000_000_000
_EMPTY_VERIFIER: Final = bytes(8)


class Credentials(NamedTuple):
    """A caller.

    Attributes:
        pid: process id. GlusterFS's own daemons use negative ones, which skip permission checks.
        uid: user.
        gid: group.
        groups: further groups. Those for which there is no room are left out when encoding.
        lk_owner: who holds the POSIX locks that a call takes or drops.
        flags: version 3 only: which times the call changes, :class:`~glusterio.wire.programs.TimeFlag`.
        ctime: version 3 only: when the call was made by the client's clock, in ns since 1970,
            for volumes that keep times consistent across bricks; 0 is accepted.
        lease_id: in whose name leases are held, 16 bytes, or empty. It is no part of the credential:
            it travels in a request's extra data.
    """

    pid: int
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    lk_owner: bytes = b""
    flags: int = 0
    ctime: int = 0
    lease_id: bytes = b""


#: The caller of a call with AUTH_NONE.
ANONYMOUS: Final = Credentials(0, NOBODY, NOBODY)


def encode_none() -> bytes:
    """Encode the credential that names nobody, with its empty verifier."""
    return bytes(8) + _EMPTY_VERIFIER


def encode_v2(credentials: Credentials) -> bytes:
    """Encode a version 2 credential, with its empty verifier.

    Raises:
        LocalProtocolError: the lock owner is too long, or a number does not fit.
    """
    groups = _groups_that_fit(credentials, MAX_GROUPS_AND_OWNER_V2)
    try:
        head = struct.pack(">iII", credentials.pid, credentials.uid, credentials.gid)
    except struct.error as error:
        raise LocalProtocolError(f"{credentials!r} does not fit: {error}") from None
    return _framed(AuthFlavor.GLUSTERFS_V2, head + groups + pack_opaque(credentials.lk_owner))


def encode_v3(credentials: Credentials) -> bytes:
    """Encode a version 3 credential, with its empty verifier.

    Raises:
        LocalProtocolError: the lock owner is too long, or a number does not fit.
    """
    groups = _groups_that_fit(credentials, MAX_GROUPS_AND_OWNER_V3)
    seconds, nanoseconds = divmod(credentials.ctime, NANOSECONDS)
    try:
        head = struct.pack(
            ">iIIIIQ",
            credentials.pid,
            credentials.uid,
            credentials.gid,
            credentials.flags,
            nanoseconds,
            seconds,
        )
    except struct.error as error:
        raise LocalProtocolError(f"{credentials!r} does not fit: {error}") from None
    return _framed(AuthFlavor.GLUSTERFS_V3, head + groups + pack_opaque(credentials.lk_owner))


#: Where ``flags`` and ``ctime`` are in what :func:`encode_v3` gives.
STAMP: Final = struct.Struct(">IIQ")
STAMP_OFFSET: Final = 20


def stamped(credentials: bytes, flags: int, ctime: int) -> bytes:
    """Return an encoded version 3 credential with other ``flags`` and ``ctime``.

    Args:
        credentials: the credential.
        flags: a :class:`~glusterio.wire.programs.TimeFlag`.
        ctime: nanoseconds since the epoch.
    """
    seconds, nanoseconds = divmod(ctime, NANOSECONDS)
    stamp = STAMP.pack(flags, nanoseconds, seconds)
    return credentials[:STAMP_OFFSET] + stamp + credentials[STAMP_OFFSET + STAMP.size :]


def decode(flavor: int, body: memoryview | bytes) -> Credentials:
    """Decode the credential of a call header.

    Args:
        flavor: an :class:`~glusterio.wire.programs.AuthFlavor`.
        body: what follows the flavor and the length.

    Raises:
        RemoteProtocolError: an unknown or obsolete flavor, or bytes that do not decode.
    """
    unpacker = Unpacker(body)
    if flavor == AuthFlavor.GLUSTERFS_V3:
        pid, uid, gid, flags = unpacker.i32(), unpacker.u32(), unpacker.u32(), unpacker.u32()
        nanoseconds, seconds = unpacker.u32(), unpacker.u64()
        groups = _take_groups(unpacker)
        owner = unpacker.opaque(MAX_AUTH_BYTES)
        unpacker.done()
        return Credentials(pid, uid, gid, groups, owner, flags, seconds * NANOSECONDS + nanoseconds)
    if flavor == AuthFlavor.GLUSTERFS_V2:
        pid, uid, gid = unpacker.i32(), unpacker.u32(), unpacker.u32()
        groups = _take_groups(unpacker)
        owner = unpacker.opaque(MAX_AUTH_BYTES)
        unpacker.done()
        return Credentials(pid, uid, gid, groups, owner)
    if flavor == AuthFlavor.NONE:
        unpacker.done()
        return ANONYMOUS
    raise RemoteProtocolError(f"credential flavor {flavor} is not known")


def _groups_that_fit(credentials: Credentials, limit: int) -> bytes:
    room = limit - len(credentials.lk_owner)
    if room < 0:
        raise LocalProtocolError(
            f"a lock owner of {len(credentials.lk_owner)} bytes; at most {limit} fit"
        )
    groups = credentials.groups[:room]
    try:
        return struct.pack(f">I{len(groups)}I", len(groups), *groups)
    except struct.error as error:
        raise LocalProtocolError(f"{groups!r} do not fit: {error}") from None


def _take_groups(unpacker: Unpacker) -> tuple[int, ...]:
    count = unpacker.count(minimum_size=4, maximum=MAX_GROUPS_AND_OWNER_V2)
    return tuple(unpacker.u32() for _ in range(count))


def _framed(flavor: AuthFlavor, body: bytes) -> bytes:
    return struct.pack(">II", flavor, len(body)) + body + _EMPTY_VERIFIER
