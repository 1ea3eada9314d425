"""Who uses a brick: what frames carry, what locks are held by, and how a brick calls its clients."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from glusterio.rpc.service import ServerConnection
from glusterio.traps import Event
from glusterio.types import ROOT_GFID, Gfid
from glusterio.wire.callbacks import CALLBACKS
from glusterio.wire.messages import encode
from glusterio.wire.programs import CALLBACK, CallbackProc


class Client:
    """An accepted client: what frames carry, and what locks are held by.

    Two connections are two clients, even when they give the same ``process-uuid``.

    Args:
        uid: its ``process-uuid``.
        name: its address in full, for messages.
        address: its address without the port.
        process_name: what it calls itself.
        directory: the directory that is its root, by its path in the volume.
        root: that directory's gfid.
        connection: where to call it.

    Attributes:
        gone: set when its connection has ended; whoever waits on the client's behalf gives up then.
        waiting: what a request is in while it waits for other clients: see
            :meth:`glusterio.brick.connection.Connection.waiting_for_a_lock`.
        since: when it was accepted, in seconds since the epoch.
    """

    def __init__(
        self,
        uid: str,
        name: str,
        *,
        address: str = "",
        process_name: str = "",
        directory: str = "/",
        root: Gfid = ROOT_GFID,
        connection: ServerConnection | None = None,
    ) -> None:
        self.uid = uid
        self.name = name
        self.address = address
        self.process_name = process_name
        self.directory = directory
        self.root = root
        self.since = time.time()
        self.gone = Event()
        self.waiting: Callable[[], AbstractContextManager[None]] = nullcontext
        self._connection = connection

    def notify(self, procedure: CallbackProc, message: Any = None) -> bool:
        """Call the client. There is no reply to it, and it is not known whether it heard.

        Args:
            procedure: what to call.
            message: what to say, of the class that :data:`~glusterio.wire.callbacks.CALLBACKS` has for
                the procedure; ``None`` where it has none.

        Returns:
            Whether it will be sent: not to a client that has gone, or has too much to read already.
        """
        wanted = CALLBACKS.get(procedure)
        if (type(message) if message is not None else None) is not wanted:
            raise TypeError(f"{procedure.name} is called with {wanted}, not with {message!r}")
        connection = self._connection
        if connection is None or self.gone.is_set:
            return False
        if connection.queued_bytes >= connection.max_queued:
            return False
        body = encode(message) if message is not None else b""
        connection.callback(*CALLBACK, procedure, body)
        return True

    def __repr__(self) -> str:
        return f"<Client {self.name} {self.uid}>"


class Clients:
    """The accepted clients of a brick."""

    def __init__(self) -> None:
        self._clients: dict[Client, None] = {}
        self._at: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._clients)

    def __iter__(self) -> Iterator[Client]:
        return iter(list(self._clients))

    def at(self, address: str) -> int:
        """Return how many come from an address."""
        return self._at[address]

    def add(self, client: Client) -> None:
        """A client was accepted. It is counted until it has gone."""
        self._clients[client] = None
        self._at[client.address] += 1

        def gone() -> None:
            if self._clients.pop(client, client) is None:
                self._at[client.address] -= 1
                if not self._at[client.address]:
                    del self._at[client.address]

        client.gone.waiters.append(gone)

    def notify(self, procedure: CallbackProc, message: Any = None) -> None:
        """Call every client, as :meth:`Client.notify` does."""
        for client in self:
            client.notify(procedure, message)
