"""What one client, and all of them together, may ask of a brick."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Final

from glusterio.rpc.service import MAX_PENDING, MAX_PENDING_BYTES, MAX_QUEUED
from glusterio.rpc.stream import MAX_RECORD
from glusterio.runtime.serve import Patience

#: What a limit can be at most: the kernel takes no more, or what receives records.
_MOST: Final = {
    "first_record": MAX_RECORD,
    "record": MAX_RECORD,
    "keepalive_seconds": 32767,
    "keepalive_interval": 32767,
    "keepalive_count": 127,
    "unacknowledged_seconds": 2_147_483,
}


@dataclass(frozen=True)
class Limits:
    """The bounds. What goes over one is refused with an error that says so, or has to wait.

    Attributes:
        connections: accepted clients at the same time; another one's SETVOLUME is refused.
        connections_per_address: of these, from one address.
        strangers: connections that have not been accepted yet; of more, the oldest is closed.
        handshake_seconds: how long a connection may be open without being accepted.
        first_record: bytes of one request before the client has been accepted.
        record: bytes of one request afterwards. A longer one fails with EMSGSIZE, and is
            logged. (Deferred writes are sent together, up to 128 KiB: a lower limit wants a lower
            ``performance.aggregate-size``.)
        fds: open files and directories of one client; OPEN, CREATE and OPENDIR fail with EMFILE.
        blocked_locks: requests of one client that wait for a lock; more fail with ENOLCK.
        pending: other requests of one client that are under way; more are not read.
        pending_bytes: bytes of these, likewise.
        queued_bytes: bytes of replies that one client has not taken; while there are more, its
            requests are not read.
        keepalive_seconds: silence after which a client's machine is asked whether it is still there.
        keepalive_interval: seconds between such questions.
        keepalive_count: questions without an answer that end the connection.
        unacknowledged_seconds: how long what was sent may stay unacknowledged (``TCP_USER_TIMEOUT``).

    The last four are GlusterFS's ``server.keepalive-time``, ``server.keepalive-interval``,
    ``server.keepalive-count`` and ``server.tcp-user-timeout``, with its defaults.
    """

    connections: int = 4096
    connections_per_address: int = 2048
    strangers: int = 256
    handshake_seconds: float = 30.0
    first_record: int = 64 * 1024
    record: int = MAX_RECORD
    fds: int = 65536
    blocked_locks: int = 4096
    pending: int = MAX_PENDING
    pending_bytes: int = MAX_PENDING_BYTES
    queued_bytes: int = MAX_QUEUED
    keepalive_seconds: int = 20
    keepalive_interval: int = 2
    keepalive_count: int = 9
    unacknowledged_seconds: int = 42

    def __post_init__(self) -> None:
        for each in fields(self):
            value, most = getattr(self, each.name), _MOST.get(each.name)
            if not 0 < value < math.inf:
                raise ValueError(f"a limit has to be positive: {each.name}={value}")
            if most is not None and value > most:
                raise ValueError(f"this limit can be {most:,} at most: {each.name}={value:,}")

    def changed(self, given: Iterable[str]) -> Limits:
        """Return these limits, but for some: those of a command line.

        Args:
            given: ``NAME=VALUE`` each; a name may have dashes in place of its underscores.

        Raises:
            ValueError: there is no such limit, or it cannot have that value; the message says so.
        """
        kinds = {each.name: float if each.type == "float" else int for each in fields(Limits)}
        changes: dict[str, float] = {}
        for text in given:
            name, _, value = text.partition("=")
            field = name.strip().replace("-", "_")
            if field not in kinds:
                raise ValueError(f"no such limit: {name!r}; there are {', '.join(kinds)}")
            try:
                changes[field] = kinds[field](value)
            except ValueError:
                what = "a number" if kinds[field] is float else "a whole number"
                raise ValueError(f"{field} has to be {what}: {text!r}") from None
        return replace(self, **changes)  # type: ignore[arg-type]

    def patience(self) -> Patience:
        """Return what the listening side has to know of it."""
        return Patience(
            # Those who come too late are told so in answer to their SETVOLUME.
            clients=self.connections + self.strangers,
            clients_of_one=self.connections_per_address + self.strangers,
            strangers=self.strangers,
            seconds=self.handshake_seconds,
            keepalive=(self.keepalive_seconds, self.keepalive_interval, self.keepalive_count),
            unacknowledged=self.unacknowledged_seconds,
        )


def names() -> str:
    """Return the limits' names with their defaults, for people."""
    return ", ".join(f"{each.name}={each.default}" for each in fields(Limits))
