"""What servers send unasked: calls of the program ``CALLBACK``, to which there is no reply.

glusterd sends FETCHSPEC (the volfile has changed) and STATEDUMP; bricks send the others, the
upcalls among them only when the volume has them turned on. Procedures that are missing in
:data:`CALLBACKS` have a body that nobody reads, as a rule an empty one.

Sources: GlusterFS rpc/xdr/src/glusterfs3-xdr.x (``gfs3_cbk_cache_invalidation_req``,
``gfs3_recall_lease_req``), rpc/xdr/src/glusterfs4-xdr.x (``gfs4_inodelk_contention_req``,
``gfs4_entrylk_contention_req``), rpc/xdr/src/rpc-common-xdr.x (``gf_statedump``).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from glusterio.wire.dictionary import OldValue
from glusterio.wire.fops.locks import Flock, LeaseId
from glusterio.wire.messages import U32, Gfid, OldDict, OldIattField, Str, decode
from glusterio.wire.programs import CALLBACK, CallbackProc
from glusterio.wire.records import CallHeader, parse_message

_EMPTY: Final[Mapping[str, OldValue]] = MappingProxyType({})


class UpcallFlag(IntFlag):
    """What of a file has changed: ``UP_`` in libglusterfs/src/glusterfs/upcall-utils.h."""

    NLINK = 0x1
    MODE = 0x2
    OWNER = 0x4
    SIZE = 0x8
    TIMES = 0x10
    PERMISSIONS = 0x40
    RENAMED = 0x80
    FORGOTTEN = 0x100
    PARENT_TIMES = 0x200
    XATTR = 0x400


class CacheInvalidation(NamedTuple):
    """Another client changed a file: forget what is cached of it.

    ``gfid`` is text here, a UUID with dashes. ``flags`` say what changed, and ``expire`` for how
    many seconds the brick goes on telling. The attributes are the file's, its directory's and, after a
    rename, those of the directory that it left.
    """

    gfid: Str
    event_type: U32
    flags: U32
    expire: U32
    stat: OldIattField
    parent_stat: OldIattField
    old_parent_stat: OldIattField
    xdata: OldDict = _EMPTY


class RecallLease(NamedTuple):
    """Give the lease back: another client wants the file."""

    gfid: Gfid
    lease_type: U32
    lease_id: LeaseId
    xdata: OldDict = _EMPTY


class InodelkContention(NamedTuple):
    """Another client waits for a range lock that this one holds."""

    gfid: Gfid
    flock: Flock
    pid: U32
    domain: Str
    xdata: OldDict = _EMPTY


class EntrylkContention(NamedTuple):
    """Another client waits for an entry lock that this one holds."""

    gfid: Gfid
    type: U32
    pid: U32
    name: Str
    domain: Str
    xdata: OldDict = _EMPTY


class Statedump(NamedTuple):
    """Write down the state of the process with this number."""

    pid: U32


def decode_callback(record: bytes) -> Any | None:
    """Decode what a server sent unasked.

    Args:
        record: the record, without its mark.

    Returns:
        The message; ``None`` for a callback without a body, and for one that nobody knows.

    Raises:
        RemoteProtocolError: it does not decode.
    """
    header = parse_message(record)
    if not isinstance(header, CallHeader) or (header.program, header.version) != CALLBACK:
        return None
    kind = _KINDS.get(header.procedure)
    return None if kind is None else decode(kind, memoryview(record), header.body)


def callback_of(record: bytes) -> int | None:
    """Return which callback a record is; ``None`` if it is none.

    Raises:
        RemoteProtocolError: it is no message.
    """
    header = parse_message(record)
    if not isinstance(header, CallHeader) or (header.program, header.version) != CALLBACK:
        return None
    return header.procedure


#: The callbacks that say something in their body.
CALLBACKS: Final[dict[CallbackProc, type[Any]]] = {
    CallbackProc.CACHE_INVALIDATION: CacheInvalidation,
    CallbackProc.RECALL_LEASE: RecallLease,
    CallbackProc.INODELK_CONTENTION: InodelkContention,
    CallbackProc.ENTRYLK_CONTENTION: EntrylkContention,
    CallbackProc.STATEDUMP: Statedump,
}

_KINDS: Final[dict[int, type[Any]]] = {int(number): kind for number, kind in CALLBACKS.items()}
