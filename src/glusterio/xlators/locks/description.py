"""Every lock of a brick in words, for a statedump."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from glusterio.types import Gfid
from glusterio.wire.programs import LockType
from glusterio.xlators.locks.table import LockTable

_TYPES: Final = {LockType.READ: "read", LockType.WRITE: "write"}


class LockDescription(NamedTuple):
    """One lock, or one request that waits for a lock.

    Attributes:
        gfid: the file, as a UUID's text.
        kind: ``posix``, ``inode`` or ``entry``.
        state: ``granted`` or ``blocked``.
        type: ``read`` or ``write``.
        start: the first byte; ``None`` for an entry lock.
        length: the number of bytes, 0 for all that follow; ``None`` for an entry lock.
        name: what an entry lock is on, ``None`` for all names.
        domain: whose lock it is to see, among translators; empty for a POSIX lock.
        owner: the lock owner, in hexadecimal.
        pid: the client's process.
        client: the client's address.
        client_uid: the client's name for itself.
    """

    gfid: str
    kind: str
    state: str
    type: str
    start: int | None
    length: int | None
    name: str | None
    domain: str
    owner: str
    pid: int
    client: str
    client_uid: str


def describe(table: LockTable) -> Iterator[LockDescription]:
    """Describe every lock: file by file, what is granted before what is blocked."""
    for gfid, locks in table.inodes.items():
        yield from _of_queue(gfid, "posix", "", locks.posix)
        for domain, inodelks in locks.inodelks.items():
            yield from _of_queue(gfid, "inode", domain, inodelks)
        for domain, entrylks in locks.entrylks.items():
            yield from _of_queue(gfid, "entry", domain, entrylks)


def _of_queue(gfid: Gfid, kind: str, domain: str, queue: Any) -> Iterator[LockDescription]:
    for lock in queue.held:
        yield _description(gfid, kind, domain, lock, "granted")
    for waiting in queue.waiting:
        yield _description(gfid, kind, domain, waiting.lock, "blocked")


def _description(gfid: Gfid, kind: str, domain: str, lock: Any, state: str) -> LockDescription:
    bytes_locked = getattr(lock, "range", None)
    client = lock.owner.client
    return LockDescription(
        gfid=str(uuid.UUID(bytes=gfid)),
        kind=kind,
        state=state,
        type=_TYPES[lock.type],
        start=None if bytes_locked is None else bytes_locked.first,
        length=None if bytes_locked is None else bytes_locked.length,
        name=getattr(lock, "name", None),
        domain=domain,
        owner=lock.owner.lk_owner.hex(),
        pid=lock.caller,
        client=getattr(client, "name", ""),
        client_uid=getattr(lock, "client_uid", "") or getattr(client, "uid", ""),
    )
