"""Running daemons: finding them by their control sockets, and asking them."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glusterio.brick.control_socket import control_paths, runtime_directory
from glusterio.cli.errors import CommandError
from glusterio.rpc.connection import Connection
from glusterio.runtime.aio import AioDriver
from glusterio.traps import Connect, Disconnect
from glusterio.wire.control import ControlReply, ControlRequest
from glusterio.wire.dictionary import OldValue
from glusterio.wire.programs import CONTROL, ControlProc
from glusterio.xlators.client.handshake import ask

#: How long a daemon may take for an answer, in seconds.
PATIENCE = 30.0


@dataclass(frozen=True)
class Choice:
    """Which daemon is meant, as the command line says.

    Attributes:
        control: the path of its control socket.
        port: its management port.
    """

    control: str | None = None
    port: int | None = None


async def question(
    path: str, procedure: ControlProc, volume: str = "", options: Mapping[str, str] | None = None
) -> Any:
    """Ask the daemon behind a control socket.

    Raises:
        CommandError: it refuses.
        OSError: there is none, or it does not answer.
    """
    driver = AioDriver(asyncio.get_running_loop())
    given: dict[str, OldValue] = dict(options or {})
    connection = Connection(f"daemon {path}")

    async def call() -> ControlReply:
        try:
            await Connect(path, connection)
            request = ControlRequest(volume, given)
            reply: ControlReply = await ask(connection, CONTROL, procedure, request, ControlReply)
            return reply
        finally:
            await Disconnect(connection)

    try:
        async with asyncio.timeout(PATIENCE):
            reply = await driver.run(call())
    finally:
        await driver.stop()
    if reply.op_ret < 0:
        raise CommandError(reply.error, volume or None, reply.op_errno)
    return json.loads(reply.answer)


async def daemons(choice: Choice) -> dict[str, Any]:
    """Return the running daemons that are meant: by the path of the socket, what each says of itself.

    Raises:
        CommandError: there is none, or the only ones take no orders from us.
    """
    paths = [choice.control] if choice.control else control_paths(choice.port)
    found: dict[str, Any] = {}
    denied: OSError | None = None
    for path in paths:
        try:
            found[path] = await question(path, ControlProc.VOLUMES)
        except PermissionError as error:
            denied = error
        except OSError as error:
            if choice.control:
                what = f"no daemon answers on {path}: {error.strerror or error}"
                raise CommandError(what, path, error.errno) from error
    if found:
        return found
    if denied is not None:
        raise CommandError("the daemon is another user's", paths[0], errno.EACCES)
    where = f" on port {choice.port}" if choice.port is not None else ""
    raise CommandError(
        f"no daemon is running{where}: none has a control socket in {runtime_directory()}",
        None,
        errno.ENOENT,
    )


async def daemon_of(choice: Choice, volume: str) -> str:
    """Return the control socket of the one daemon that serves a volume.

    Raises:
        CommandError: there is none, or there are several.
    """
    found = await daemons(choice)
    serving = [
        path
        for path, told in found.items()
        if any(each["name"] == volume for each in told["volumes"])
    ]
    if not serving:
        names = sorted({each["name"] for told in found.values() for each in told["volumes"]})
        raise CommandError(
            f"there is no volume {volume!r}; there is {', '.join(names)}", volume, errno.ENOENT
        )
    if len(serving) > 1:
        ports = ", ".join(f"--port {found[path]['daemon']['port']}" for path in serving)
        raise CommandError(f"several daemons serve a volume {volume!r}; say which: {ports}")
    return serving[0]
