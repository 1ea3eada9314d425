"""A brick and its management daemon, from the start to the end."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from glusterio.brick import statedump
from glusterio.brick.connection import Connection, Programs
from glusterio.brick.handshake import Access, Handshake, Offer
from glusterio.brick.limits import Limits
from glusterio.brick.management import MANAGEMENT_PORT, Management, Volume
from glusterio.brick.server import FopProgram
from glusterio.brick.volfiles import brick_volfile
from glusterio.graph.graph import Graph, build
from glusterio.graph.volfile import parse
from glusterio.runtime.serve import Server
from glusterio.traps import Event
from glusterio.xlators.base import Services, Xlator
from glusterio.xlators.locks import Locks
from glusterio.xlators.posix import Posix

log = logging.getLogger("glusterio.brick")

#: The translators of bricks.
XLATORS: Mapping[str, Callable[..., Xlator]] = {
    xlator.xlator_type: xlator for xlator in (Posix, Locks)
}


class Brick:
    """A directory served as a volume.

    Args:
        directory: the directory; it must exist.
        volume: the volume's name; by default the directory's.
        host: the address to listen on. Everybody who reaches it may use the volume, with the rights
            that he claims to have, unless ``access`` says otherwise.
        port: the management daemon's port; 0 takes any that is free.
        brick_port: the brick's port; 0 takes any that is free.
        unix: the path of a Unix socket on which the management daemon listens, too.
        access: who may use it.
        volume_id: the volume's id; by default the one that the directory is marked with.
        ping_timeout: what clients are told, in seconds.
        limits: what clients may ask for.

    ::

        async with Brick("/srv/data") as brick:
            print(brick.url)
            ...
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        volume: str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = MANAGEMENT_PORT,
        brick_port: int = 0,
        unix: str | None = None,
        access: Access | None = None,
        volume_id: uuid.UUID | None = None,
        ping_timeout: int = 42,
        limits: Limits | None = None,
    ) -> None:
        self.directory = os.path.realpath(directory)
        self.volume = volume or os.path.basename(self.directory) or "root"
        if "/" in self.volume or self.volume.split() != [self.volume]:
            raise ValueError(f"no name for a volume: {self.volume!r}")
        brick_volfile(self.volume, self.directory)  # both can be written
        self.host = host
        self.port = port
        self.brick_port = brick_port
        self._unix = unix
        self._access = access or Access()
        self._volume_id = volume_id
        self._ping_timeout = ping_timeout
        self._servers: list[Server] = []
        self._graph: Graph[Xlator] | None = None
        self._fops: FopProgram | None = None
        self._limits = limits or Limits()

    @property
    def url(self) -> str:
        """The URL of the volume."""
        host = "127.0.0.1" if self.host in ("", "0.0.0.0", "::") else self.host
        where = f"[{host}]" if ":" in host else host
        return f"gluster://{where}:{self.port}/{self.volume}"

    # -- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen, and serve from now on.

        Raises:
            OSError: the directory is not there or cannot be used, or a port is taken.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        text = brick_volfile(self.volume, self.directory, self._volume_id)
        self._graph = build(parse(text), XLATORS, Services(new_event=Event, volume=self.volume))
        self._fops = fops = FopProgram(self._graph.top)
        offer = Offer(self.directory, uuid.UUID(int=0), self._access, limits=self._limits)
        programs = Programs([fops, Handshake(offer).program()])
        limits = self._limits
        server = Server(
            lambda endpoint: Connection(endpoint, programs, fops.close_all, limits),
            limits.patience(),
        )
        self._servers.append(server)
        await server.run(self._graph.init())
        offer.volume_id = self._marked_id()
        offer.ready = True
        self.brick_port = await server.listen(self.host, self.brick_port)

        entry = Volume(
            name=self.volume,
            path=self.directory,
            host=self.host,
            volume_id=offer.volume_id,
            port=self.brick_port,
            ping_timeout=self._ping_timeout,
            login=self._access.login,
        )
        managed = Management(entry).programs()
        management = Server(
            lambda endpoint: Connection(endpoint, managed, limits=limits), limits.patience()
        )
        self._servers.append(management)
        entry.management_port = self.port = await management.listen(self.host, self.port)
        if self._unix is not None:
            management.listen_unix(self._unix)

    def _marked_id(self) -> uuid.UUID:
        assert self._graph is not None
        return next(each.volume_id for each in self._graph.leaves if isinstance(each, Posix))

    async def stop(self) -> None:
        """Stop accepting, close every client and what it had open, and end. Harmless when repeated."""
        servers, self._servers = self._servers, []
        for server in reversed(servers):
            await server.close()
        graph, self._graph = self._graph, None
        if graph is not None and servers:
            for error in await servers[0].run(graph.fini()):
                log.error("ending the brick's graph: %s", error)

    async def __aenter__(self) -> Brick:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- looking in -------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Tell what is going on.

        Returns:
            What :func:`glusterio.brick.statedump.dump` tells, and the volume's ``url``.
        """
        server = self._servers[0] if self._servers else None
        return {"url": self.url, **statedump.dump(server, self._graph, self._fops, self._limits)}
