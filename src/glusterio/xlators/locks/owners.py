"""Whose lock it is: a client's, and within the client a lock owner's."""

from __future__ import annotations

import errno
from typing import NamedTuple

from glusterio.errors import fs_error
from glusterio.graph.frame import Frame


class Owner(NamedTuple):
    """The holder of a lock: its locks never stand in each other's way.

    Attributes:
        client: the client, by identity.
        lk_owner: what the call's credential says, whatever the lock's body does.
    """

    client: object
    lk_owner: bytes


def owner_of(frame: Frame) -> Owner:
    """Return in whose name a call locks.

    Raises:
        OSError: EINVAL: it names nobody. An empty owner, or one of zero bytes only, means all owners
            where locks are dropped, and cannot hold any (common.c, ``pl_is_lk_owner_valid``).
    """
    identity = frame.identity
    lk_owner = identity.lk_owner if identity is not None else b""
    if not any(lk_owner):
        raise fs_error(errno.EINVAL)
    return Owner(frame.client, lk_owner)


def pid_of(frame: Frame) -> int:
    """Return the process that calls, by the credential."""
    return frame.identity.pid if frame.identity is not None else 0
