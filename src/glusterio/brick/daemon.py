"""One management daemon and the volumes that it serves, from the start to the end."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from glusterio.brick.connection import Connection
from glusterio.brick.control import Control
from glusterio.brick.control_socket import (
    control_path,
    listen_for_control,
    make_runtime_directory,
)
from glusterio.brick.limits import Limits
from glusterio.brick.management import MANAGEMENT_PORT, Management
from glusterio.brick.volume import Volume, reachable
from glusterio.runtime.certificates import context_of
from glusterio.runtime.serve import Server, ServerTls
from glusterio.traps import Tls
from glusterio.wire.programs import CALLBACK, CallbackProc

log = logging.getLogger("glusterio.brick")

#: Seconds that stopping may take. What has not ended by then, a disk that does not answer for
#: instance, is left to the end of the process.
STOPPING: Final = 10.0

#: Bytes that a client may leave unread before a change of its volfile ends its connection instead of
#: being announced; it comes back, and asks anew.
_UNREAD: Final = 64 * 1024


class Daemon:
    """Serves volumes: each has a brick of its own, and all have one management daemon.

    Args:
        volumes: the volumes.
        host: the address on which the management daemon listens.
        port: its port; 0 takes any that is free.
        unix: the path of a Unix socket on which it listens, too.
        limits: what its clients may ask for.
        tls: what the management daemon's clients by TCP are secured with; ``None`` for in the clear.
            A client that comes by TLS all the same, since a volume's bricks do, is served with that
            volume's certificate.

    Raises:
        ValueError: two volumes of one name, or one directory inside another's.

    Attributes:
        volumes: the volumes by name.
        host: the management daemon's address.
        port: its port; once started, the one that it has.
    """

    def __init__(
        self,
        volumes: Sequence[Volume],
        *,
        host: str = "127.0.0.1",
        port: int = MANAGEMENT_PORT,
        unix: str | None = None,
        limits: Limits | None = None,
        tls: Tls | None = None,
    ) -> None:
        _check_apart(volumes)
        self.volumes = {volume.name: volume for volume in volumes}
        self.host = host
        self.port = port
        self._unix = unix
        self._tls = tls
        self._secure: ServerTls | None = None
        self._limits = limits or Limits()
        self._management = Management(self.volumes)
        self._server: Server | None = None
        self._control: Server | None = None

    @property
    def server(self) -> Server:
        """What serves the management daemon's clients, while it runs."""
        assert self._server is not None
        return self._server

    def url(self, name: str) -> str:
        """Return a volume's URL."""
        host = reachable(self.host)
        where = f"[{host}]" if ":" in host else host
        scheme = "gluster" if self._tls is None else "gluster+tls"
        return f"{scheme}://{where}:{self.port}/{name}"

    # -- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start every brick, then the management daemon. When one fails, nothing is left.

        Raises:
            OSError: a directory is not there or cannot be used, or a port is taken; a note says
                which volume's.
            ValueError: a volume's stored options are no good.
            TlsError: the certificates cannot be had.
        """
        try:
            for volume in self.volumes.values():
                try:
                    await volume.start()
                except Exception as error:
                    error.add_note(f"volume {volume.name}, directory {volume.path}")
                    raise
            programs = self._management.programs()
            forget, limits = self._management.forget, self._limits
            self._server = Server(
                lambda endpoint: Connection(endpoint, programs, forget, limits), limits.patience()
            )
            if self._tls is not None:
                self._secure = ServerTls(context_of(self._tls, server_side=True))
            self._server.tls = self._secure or self._borrowed_tls()
            self._management.port = self.port = await self._server.listen(self.host, self.port)
            if self._unix is not None:
                self._server.listen_unix(self._unix)
        except BaseException:
            await self.stop()
            raise

    def _borrowed_tls(self) -> ServerTls | None:
        """Return what those are secured with who come by TLS and need not.

        A client whose bricks are spoken to by TLS asks the portmapper so, too, when it meets it where
        it looked for a brick.
        """
        for volume in self.volumes.values():
            if volume.tls is not None:
                return ServerTls(volume.tls.context, required=False)
        return None

    def listen_for_control(self, path: str | None = None) -> str:
        """Take orders on a Unix socket: see :mod:`glusterio.brick.control`.

        Args:
            path: where; by default in the directory where ``glusterio volume`` looks.

        Returns:
            The path.

        Raises:
            OSError: it cannot be made.
        """
        if path is None:
            make_runtime_directory()
            path = control_path(self.host, self.port)
        if self._control is None:
            programs, limits = Control(self).programs(), self._limits
            self._control = Server(
                lambda endpoint: Connection(endpoint, programs, limits=limits), limits.patience()
            )
        listen_for_control(path, self._control.listen_unix)
        return path

    async def stop(self) -> bool:
        """Stop accepting, close every client and what it had open, and end. Harmless when repeated.

        It takes at most :data:`STOPPING` seconds.

        Returns:
            Whether everything has ended. What has not may hold up the end of the event loop, too.
        """
        servers = [self._control, self._server]
        self._control = self._server = None
        steps = [server.close() for server in servers if server is not None]
        steps += [volume.stop() for volume in self.volumes.values()]
        tasks = [asyncio.ensure_future(step) for step in steps]
        done, hanging = await asyncio.wait(tasks, timeout=STOPPING)
        if hanging:
            log.error("not everything has ended within %g seconds", STOPPING)
            for task in hanging:
                task.cancel()
            await asyncio.wait(hanging)
        for task in done:
            task.result()
        return not hanging

    async def __aenter__(self) -> Daemon:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- what is told -----------------------------------------------------------------------------

    def describe(self, name: str) -> dict[str, Any]:
        """Tell about a volume what does not change from moment to moment, as JSON can hold it."""
        volume = self.volumes[name]
        return {
            "name": name,
            "url": self.url(name),
            "directory": volume.path,
            "volume_id": str(volume.volume_id),
            "running": volume.is_running,
            "port": volume.port,
            "options": volume.options.given,
        }

    def dump(self, name: str) -> dict[str, Any]:
        """Tell what goes on in a volume: see :func:`glusterio.brick.statedump.dump`.

        ``told_of_changes`` are the addresses of those who hear when its volfile changes.
        """
        interested = [each.name for each in self._management.interested(name)]
        return {
            "volume": name,
            "url": self.url(name),
            "path": self.volumes[name].path,
            **self.volumes[name].dump(),
            "told_of_changes": interested,
        }

    # -- changes ----------------------------------------------------------------------------------

    async def change_options(self, name: str, changes: Mapping[str, str | None]) -> None:
        """Change a volume's options, and have its clients fetch their volfile if it has changed.

        Args:
            name: the volume.
            changes: values by option; ``None`` for the default.

        Raises:
            KeyError: there is no such volume.
            OptionError: an option is no good; none has changed.
            OSError: they could not be written down; none has changed.
        """
        await self.server.run(self.changing_options(name, changes))

    async def changing_options(self, name: str, changes: Mapping[str, str | None]) -> None:
        """Do the same as a coroutine of the core."""
        has_changed = await self.volumes[name].change_options(changes)
        if self._server is not None:
            self._server.tls = self._secure or self._borrowed_tls()
        if has_changed:
            self._announce(name)

    def _announce(self, name: str) -> None:
        """Have every client that has asked for a volume's volfile ask again."""
        interested = self._management.interested(name)
        for served in list(self._server.clients) if self._server is not None else ():
            session = served.session
            if not isinstance(session, Connection) or session not in interested:
                continue
            if session.connection.queued_bytes > _UNREAD:
                served.close()
            else:
                session.connection.callback(*CALLBACK, CallbackProc.FETCHSPEC, b"")


def _check_apart(volumes: Sequence[Volume]) -> None:
    """See to it that volumes do not get into each other's way.

    Raises:
        ValueError: they do.
    """
    if not volumes:
        raise ValueError("no volume to serve")
    names: set[str] = set()
    for volume in volumes:
        if volume.name in names:
            raise ValueError(
                f"two volumes of the name {volume.name!r}: give them names of their own"
            )
        names.add(volume.name)
    paths = sorted(volume.path for volume in volumes)
    for inner in paths:
        for outer in paths:
            if inner is not outer and os.path.commonpath([inner, outer]) == outer:
                raise ValueError(f"{inner} cannot be served beside {outer}, which holds it")
