"""What one client, and all of them together, may ask of a brick."""

from __future__ import annotations

from dataclasses import dataclass, fields

from glusterio.rpc.service import MAX_PENDING, MAX_PENDING_BYTES, MAX_QUEUED
from glusterio.rpc.stream import MAX_RECORD
from glusterio.runtime.serve import Patience


@dataclass(frozen=True)
class Limits:
    """The bounds. What goes over one is refused with an error that says so, or has to wait.

    Attributes:
        connections: accepted clients at the same time; another one's SETVOLUME is refused.
        connections_per_address: of these, from one address.
        strangers: connections that have not been accepted yet; of more, the oldest is closed.
        handshake_seconds: how long a connection may be open without being accepted.
        first_record: bytes of one request before the client has been accepted.
        record: bytes of one request afterwards. A longer one ends its connection.
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
            if getattr(self, each.name) <= 0:
                raise ValueError(f"a limit has to be positive: {each.name}")

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
