"""Getting the volfile: from a management daemon, from disk, or made up for a directory.

Source: GlusterFS api/src/glfs-mgmt.c, xlators/mgmt/glusterd/src/glusterd-handshake.c.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence

from glusterio.api.url import Target
from glusterio.errors import (
    HandshakeError,
    VolumeNotFoundError,
)
from glusterio.rpc.connection import Connection
from glusterio.traps import Connect, Disconnect, Offload, Tls
from glusterio.wire.handshake import GetspecReply, GetspecRequest
from glusterio.wire.programs import HANDSHAKE, HandshakeProc
from glusterio.xlators.base import VolfileServer
from glusterio.xlators.client.handshake import ask
from glusterio.xlators.client.refusals import UNEXPLAINED, why_lost

#: The range of operating versions that we claim to know: everything.
_OP_VERSIONS = {"min-op-version": "1", "max-op-version": "100000"}

_EMBEDDED = """\
volume embedded-posix
  type storage/posix
  option directory "{directory}"
end-volume
"""

#: What needs a backslash before it between a volfile's quotes.
_SPECIAL = re.compile(r'[\\"`]')


async def volfile_of(target: Target) -> tuple[str, VolfileServer | None]:
    """Return the volfile's text for a target, and the server that gave it.

    The connection to the server is the caller's, to be closed.

    Raises:
        VolumeNotFoundError: the daemons that answer know no such volume.
        OSError: no daemon can be reached, or the file cannot be read.
    """
    if target.scheme == "volfile":
        return await Offload(_read_text, target.path), None
    if target.scheme == "embedded":
        directory = _SPECIAL.sub(r"\\\g<0>", target.path)
        return _EMBEDDED.format(directory=directory), None
    return await _ask_servers(target.servers, target.volume, target.management_tls())


def _read_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


async def _ask_servers(
    servers: Sequence[tuple[str, int] | str], volume: str, tls: Tls | None
) -> tuple[str, VolfileServer]:
    """Ask each server in turn; the first volfile counts."""
    failures: list[OSError] = []
    for server in servers:
        try:
            return await ask_server(server, volume, tls)
        except OSError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    for failure in failures:
        if isinstance(failure, HandshakeError):
            raise failure
    raise OSError(
        errno.ENOTCONN,
        "no management daemon answers: " + "; ".join(str(failure) for failure in failures),
    )


async def ask_server(
    server: tuple[str, int] | str, volume: str, tls: Tls | None
) -> tuple[str, VolfileServer]:
    """Connect to one management daemon and get a volfile. The connection is the caller's, to be closed.

    Raises:
        VolumeNotFoundError: it knows no such volume.
        OSError: it cannot be reached, or would not have us.
    """
    where = server if isinstance(server, str) else f"{server[0]}:{server[1]}"
    connection = Connection(f"management daemon {where}")
    try:
        await Connect(server, connection, tls=tls)
        text = await getspec(VolfileServer(server, connection), volume)
    except GeneratorExit:
        raise
    except UNEXPLAINED as error:
        await Disconnect(connection)
        raise await why_lost(error, server, connection, tls) from error.__cause__
    except BaseException:
        await Disconnect(connection)
        raise
    return text, VolfileServer(server, connection)


async def getspec(server: VolfileServer, volume: str) -> str:
    """Ask a management daemon for a volfile.

    Raises:
        VolumeNotFoundError: it knows no such volume.
        OSError: it would not give it, or is gone.
    """
    reply = await ask(
        server.connection,
        HANDSHAKE,
        HandshakeProc.GETSPEC,
        GetspecRequest(0, volume, _OP_VERSIONS),
        GetspecReply,
    )
    if reply.op_ret < 0:
        where = server.connection.name
        if reply.op_errno == errno.ENOENT:
            raise VolumeNotFoundError(f"{where} knows no volume {volume!r}")
        raise HandshakeError(f"{where}: no volfile for {volume!r}", reply.op_errno)
    text: str = reply.spec
    return text
