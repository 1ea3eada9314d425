"""Finding a brick and being accepted by it: portmap, connect, SETVOLUME.

Source: GlusterFS xlators/protocol/client/src/client-handshake.c, xlators/protocol/server/src/
server-handshake.c.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from glusterio.errors import (
    AuthRejectedError,
    ConnectionLostError,
    HandshakeError,
    Refusal,
    RemoteProtocolError,
    VersionMismatchError,
)
from glusterio.graph.options import boolean, host, option, port
from glusterio.rpc.connection import Connection
from glusterio.traps import Connect, Disconnect, Linked, Reply, Tls, Wait
from glusterio.wire.credentials import Credentials, encode_v2
from glusterio.wire.handshake import (
    PortByBrickReply,
    PortByBrickRequest,
    SetvolumeReply,
    SetvolumeRequest,
)
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import FOPS, HANDSHAKE, PORTMAP, HandshakeProc, PortmapProc
from glusterio.wire.records import REPLY_HEADER_SIZE, encode_call
from glusterio.xlators.base import Services
from glusterio.xlators.client.refusals import UNEXPLAINED, Address, refusal_of, why_lost

#: No ping-timeout is that long, in seconds.
_LONGEST_SPAN: Final = 1e9

#: Where glusterd listens.
GLUSTERD_PORT = 24007

#: A brick that is still starting says EAGAIN: how often, and how many seconds apart, to ask again.
_STARTING_TRIES = 20
_STARTING_PAUSE = 0.25

#: What :class:`~glusterio.traps.Tls` is made of: the options of the transport, without their beginning.
_TLS_FILES: Final = {
    "certificate": "ssl-own-cert",
    "key": "ssl-private-key",
    "authorities": "ssl-ca-list",
    "ciphers": "ssl-cipher-list",
    "revoked": "ssl-crl-path",
}


async def ask(
    connection: Connection, program: tuple[int, int], procedure: int, request: Any, reply: type[Any]
) -> Any:
    """Make one call of the handshake kind and decode its reply.

    Raises:
        ConnectionLostError: the server closed the connection instead.
        RemoteProtocolError: the reply does not decode; the connection has been ended.
        AuthRejectedError: the server denied the call as such.
    """
    body = encode(request)
    credentials = _credentials(os.getpid(), os.getuid(), os.getgid())
    xid = connection.next_xid()
    head = encode_call(xid, *program, procedure, credentials, len(body))
    answer = await Reply(connection, xid, (head + body,))
    try:
        return decode(reply, memoryview(answer.record), REPLY_HEADER_SIZE)
    except RemoteProtocolError as error:
        await Disconnect(connection, error)
        raise connection.blame(error) from None


@lru_cache(maxsize=4)
def _credentials(pid: int, uid: int, gid: int) -> bytes:
    return encode_v2(Credentials(pid, uid, gid, lk_owner=bytes(8)))


def _span(text: str) -> float:
    value = float(text)
    if not 0 <= value < _LONGEST_SPAN:
        raise ValueError(f"{text!r} is no number of seconds")
    return value


def tls_for(address: Address, options: Mapping[str, str], services: Services) -> Tls | None:
    """Return what a connection to a brick, or to its portmapper, is secured with.

    A context that the session was given counts for every brick; else it is for the volfile to say. As
    in GlusterFS (socket.c, ``socket_fix_ssl_opts``), whoever listens on port 24007 is a management
    daemon.

    Raises:
        VolfileError: the volfile says neither on nor off.
    """
    if not isinstance(address, str) and address[1] == GLUSTERD_PORT:
        return services.management_tls
    if services.ssl is not None:
        return Tls(services.ssl)
    if not option(options, "transport.socket.ssl-enabled", boolean, False):
        return None
    found: dict[str, Any] = {
        field: options[f"transport.socket.{key}"]
        for field, key in _TLS_FILES.items()
        if options.get(f"transport.socket.{key}")
    }
    return Tls()._replace(**found)


async def find_brick(options: Mapping[str, str], services: Services) -> Address:
    """Return where to look for a brick: where the volfile says, or else where its glusterd says.

    Raises:
        HandshakeError: the brick is not running.
        OSError: its glusterd cannot be reached.
        VolfileError: the volfile names no machine, or no port.
    """
    path = options.get("transport.socket.connect-path")
    if path:
        return path
    where = option(options, "remote-host", host, "localhost")
    if options.get("remote-port"):
        return where, option(options, "remote-port", port, 0)
    daemon = where, option(options, "glusterd-port", port, GLUSTERD_PORT)
    return await _ask_portmap(daemon, options, services)


async def _ask_portmap(
    daemon: tuple[str, int], options: Mapping[str, str], services: Services
) -> Address:
    """Return where a brick listens, as a portmapper says.

    The daemon that gave the volfile is asked on the connection that is open to it: as a rule it is the
    brick's, too, and connecting would take longer than all of it.

    Raises:
        HandshakeError: the brick is not running.
        VersionMismatchError: there is no portmapper.
        OSError: nobody there.
    """
    host, port = daemon
    brick = options.get("remote-subvolume", "")
    server = services.volfile_server
    if server is not None and server.address == daemon and server.connection.lost is None:
        reply = await _port_of(brick, server.connection)
    else:
        connection = Connection(f"glusterd {host}:{port}")
        tls = tls_for(daemon, options, services)
        async with Linked(connection):
            try:
                await Connect(daemon, connection, tls=tls)
                reply = await _port_of(brick, connection)
            except UNEXPLAINED as error:
                raise await why_lost(error, daemon, connection, tls) from error.__cause__
    if reply.op_ret < 0 or not 0 < reply.port < 65536:
        what = f"brick {host}:{brick} is not running"
        raise HandshakeError(what, errno.ENOTCONN, Refusal.NOT_READY)
    return host, reply.port


async def _port_of(brick: str, connection: Connection) -> Any:
    return await ask(
        connection, PORTMAP, PortmapProc.PORTBYBRICK, PortByBrickRequest(brick), PortByBrickReply
    )


async def connect_to_brick(
    name: str,
    options: Mapping[str, str],
    services: Services,
    on_lost: Callable[[Exception], None],
    again: int = 0,
) -> tuple[Connection, Mapping[str, object]]:
    """Connect to a brick and have it accept us.

    The ordinary source port is tried first. A brick that takes only privileged ones
    (``server.allow-insecure off``) denies the call; then, as root, such a port is tried.

    Whoever listens on the volfile's ``remote-port`` may be a management daemon as well: it offers no
    SETVOLUME, but a portmapper that tells where the brick is (as in client_dump_version_cbk).

    Args:
        name: the client translator's name.
        options: its options.
        services: the session's services.
        on_lost: what the connection shall call when it ends.
        again: how often that has been tried before. A brick must not take us for who we were: it keeps
            fds and locks by what a client calls itself.

    Returns:
        The connection, and what the brick said of itself.

    Raises:
        HandshakeError: the brick refused; its subclasses say why.
        OSError: nobody there.
    """
    address = await find_brick(options, services)
    try:
        return await _accepted_at(address, name, options, services, on_lost, again)
    except VersionMismatchError as mismatch:
        if isinstance(address, str) or "remote-port" not in options:
            raise
        try:
            address = await _ask_portmap(address, options, services)
        except VersionMismatchError:
            raise mismatch from None
    return await _accepted_at(address, name, options, services, on_lost, again)


async def _accepted_at(
    address: Address,
    name: str,
    options: Mapping[str, str],
    services: Services,
    on_lost: Callable[[Exception], None],
    again: int,
) -> tuple[Connection, Mapping[str, object]]:
    """Connect to an address and be accepted there, from an ordinary port or from a privileged one."""
    try:
        return await _attempt(address, name, options, services, on_lost, again, privileged=False)
    except AuthRejectedError as refusal:
        if refusal.reason is not Refusal.PORT or isinstance(address, str) or os.geteuid() != 0:
            raise
        try:
            return await _attempt(address, name, options, services, on_lost, again, privileged=True)
        except ConnectionLostError:
            raise refusal from None


async def _attempt(
    address: Address,
    name: str,
    options: Mapping[str, str],
    services: Services,
    on_lost: Callable[[Exception], None],
    again: int,
    *,
    privileged: bool,
) -> tuple[Connection, Mapping[str, object]]:
    where = address if isinstance(address, str) else f"{address[0]}:{address[1]}"
    ping = option(options, "ping-timeout", _span, services.ping_timeout)
    connection = Connection(f"brick {where}", ping)
    tls = tls_for(address, options, services)
    try:
        await Connect(address, connection, privileged, tls)
        for _ in range(_STARTING_TRIES):
            reply = await ask(
                connection,
                HANDSHAKE,
                HandshakeProc.SETVOLUME,
                SetvolumeRequest(_introduction(name, options, services, again)),
                SetvolumeReply,
            )
            if reply.op_ret >= 0 or reply.op_errno != errno.EAGAIN:
                break
            await Wait(services.new_event(), _STARTING_PAUSE)
        if reply.op_ret < 0:
            raise refusal_of(reply, where, options, tls)
    except GeneratorExit:
        raise
    except UNEXPLAINED as error:
        await Disconnect(connection)
        raise await why_lost(error, address, connection, tls, again > 0) from error.__cause__
    except BaseException:
        await Disconnect(connection)
        raise
    connection.on_lost = on_lost
    return connection, reply.options


def _introduction(
    name: str, options: Mapping[str, str], services: Services, again: int
) -> dict[str, str]:
    """Who we are, as SETVOLUME's dictionary wants it."""
    introduction = {
        key: options[key]
        for key in ("remote-subvolume", "username", "password", "subdir-mount")
        if options.get(key)
    }
    introduction |= {
        "process-uuid": f"{services.process_uuid}-PC_NAME:{name}-RECON_NO:-{again}",
        "fops-version": str(FOPS.number),
        "mgmt-version": str(HANDSHAKE.number),
        "client-version": "10.3",
        "clnt-lk-version": "1",
        "opversion": "100000",
        "process-name": "glusterio",
        "volfile-key": services.volume,
    }
    return introduction
