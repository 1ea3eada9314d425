"""A TCP socket that connects to its own port is connected with itself.

That happens on this machine to whoever connects again and again to a port that nobody listens on, when
the kernel chooses it for his own end: both ends open at the same time (RFC 9293, 3.5). Such a client
would talk to itself, and the brick could not come back, since its port is in use. Here every socket
is bound to that port, so that it always happens.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

from glusterio.rpc.connection import Connection
from glusterio.runtime import connecting, link
from glusterio.traps import Connect, Disconnect, Tls
from tests.runtime.peer import Runner


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def port(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> int:
    """A port that nobody listens on; what connects does so from there."""
    port = free_port()
    here = ("127.0.0.1", port)
    if runner.name == "threads":
        new_socket = link.new_socket

        def bound(family: int, privileged: bool) -> socket.socket:
            sock = new_socket(family, privileged)
            sock.bind(here)
            return sock

        monkeypatch.setattr(connecting, "new_socket", bound)
    else:
        loop = runner.driver.loop
        sock_connect = loop.sock_connect

        async def from_here(sock: socket.socket, address: Any) -> None:
            sock.bind(here)
            await sock_connect(sock, address)

        monkeypatch.setattr(loop, "sock_connect", from_here)
    return port


@pytest.mark.parametrize("tls", [None, Tls(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))],
                         ids=["plain", "tls"])  # fmt: skip
def test_it_counts_as_refused(runner: Runner, port: int, tls: Tls | None) -> None:
    connection = Connection("itself")

    async def connect() -> None:
        try:
            await Connect(("127.0.0.1", port), connection, tls=tls)
        finally:
            await Disconnect(connection)

    with pytest.raises(ConnectionRefusedError, match=str(port)):
        runner.run(connect())
    socket.create_server(("127.0.0.1", port)).close()  # it is free for whoever is to have it
