"""How many locks there are, for requests whose extra data ask for it.

A number counts what is held and what is waited for.

Source: GlusterFS xlators/features/locks/src/posix.c (``pl_set_xdata_response``),
libglusterfs/src/glusterfs/glusterfs.h (the keys).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from glusterio.types import NULL_GFID, Gfid
from glusterio.wire.dictionary import Dict, Value
from glusterio.wire.xdr import text
from glusterio.xlators.locks.domains import DomainLocks
from glusterio.xlators.locks.table import LockTable

POSIXLK_COUNT: Final = "glusterfs.posixlk-count"
INODELK_COUNT: Final = "glusterfs.inodelk-count"
ENTRYLK_COUNT: Final = "glusterfs.entrylk-count"
#: Its value names one domain; the answer has the key of :data:`INODELK_COUNT`.
DOMAIN_COUNT: Final = "glusterfs.inodelk-dom-count"
#: Every other key with the prefix names, behind a colon, a domain to be counted.
DOMAIN_COUNTS: Final = "glusterfs.multi-dom-lk-cnt-req"
DOMAIN_PREFIX: Final = "glusterfs.inodelk-dom-prefix"
#: Whether the name that is looked up is locked in its directory: 1 or 0.
PARENT_ENTRYLK: Final = "glusterfs.parent-entrylk"

_ASKING: Final = frozenset(
    (POSIXLK_COUNT, INODELK_COUNT, ENTRYLK_COUNT, DOMAIN_COUNT, DOMAIN_COUNTS, PARENT_ENTRYLK)
)


def asks_for_counts(xdata: Dict | None) -> bool:
    """Tell whether a request wants to know how many locks there are."""
    return bool(xdata) and not _ASKING.isdisjoint(xdata)  # type: ignore[arg-type]


def without_questions(xdata: Dict | None) -> Dict:
    """Return a request's extra data without what is answered here."""
    return {
        key: value
        for key, value in (xdata or {}).items()
        if key not in _ASKING and not key.startswith(DOMAIN_PREFIX)
    }


def counts(
    table: LockTable, xdata: Dict | None, gfid: Gfid, parent: Gfid = NULL_GFID, name: str = ""
) -> dict[str, Value]:
    """Return the numbers that a request asks for.

    Args:
        table: all locks.
        xdata: the request's extra data.
        gfid: the file.
        parent: its directory, where it was found by its name.
        name: its name there.
    """
    asked = xdata or {}
    locks = table.inodes.get(gfid)
    inodelks = {} if locks is None else locks.inodelks
    entrylks = {} if locks is None else locks.entrylks
    found: dict[str, Value] = {}
    if PARENT_ENTRYLK in asked and parent != NULL_GFID and name:
        directory = table.inodes.get(parent)
        domains = {} if directory is None else directory.entrylks
        found[PARENT_ENTRYLK] = int(
            any(lock.name == name for domain in domains.values() for lock in domain.held)
        )
    if ENTRYLK_COUNT in asked:
        found[ENTRYLK_COUNT] = sum(map(len, entrylks.values()))
    if DOMAIN_COUNT in asked:
        found[INODELK_COUNT] = _in_domain(inodelks, asked[DOMAIN_COUNT])
    if INODELK_COUNT in asked:
        found[INODELK_COUNT] = sum(map(len, inodelks.values()))
    if POSIXLK_COUNT in asked:
        found[POSIXLK_COUNT] = 0 if locks is None else len(locks.posix)
    if DOMAIN_COUNTS in asked:
        for key in asked:
            _, colon, domain = key.partition(":")
            if key.startswith(DOMAIN_PREFIX) and colon:
                found[key] = _in_domain(inodelks, domain)
    return found


def _in_domain(domains: Mapping[str, DomainLocks[Any]], domain: Value) -> int:
    if isinstance(domain, bytes):
        domain = text(domain.removesuffix(b"\0"))
    return len(domains.get(str(domain), ()))
