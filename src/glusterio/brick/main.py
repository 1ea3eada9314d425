"""A brick and its management daemon, for one directory."""

from __future__ import annotations

import os
import uuid
from typing import Any

from glusterio.brick.access import Access
from glusterio.brick.daemon import Daemon
from glusterio.brick.limits import Limits
from glusterio.brick.management import MANAGEMENT_PORT
from glusterio.brick.volume import Volume
from glusterio.runtime.serve import Server
from glusterio.traps import Tls


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
        ping_timeout: what clients are told, in seconds, unless the volume's options say otherwise.
        limits: what clients may ask for.
        tls: what the management daemon's clients are secured with; for the brick's the volume's
            options say it.

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
        tls: Tls | None = None,
    ) -> None:
        self._volume = Volume(
            directory,
            volume,
            host=host,
            port=brick_port,
            access=access,
            volume_id=volume_id,
            defaults={"network.ping-timeout": str(ping_timeout)},
            limits=limits,
        )
        self.daemon = Daemon(
            [self._volume], host=host, port=port, unix=unix, limits=limits, tls=tls
        )

    @property
    def directory(self) -> str:
        """The directory that is served."""
        return self._volume.path

    @property
    def volume(self) -> str:
        """The volume's name."""
        return self._volume.name

    @property
    def host(self) -> str:
        """The address that is listened on."""
        return self.daemon.host

    @property
    def port(self) -> int:
        """The management daemon's port."""
        return self.daemon.port

    @property
    def brick_port(self) -> int:
        """The brick's port."""
        return self._volume.port

    @property
    def server(self) -> Server:
        """What serves the brick's clients, while it runs."""
        return self._volume.server

    @property
    def url(self) -> str:
        """The URL of the volume."""
        return self.daemon.url(self.volume)

    async def start(self) -> None:
        """Listen, and serve from now on.

        Raises:
            OSError: the directory is not there or cannot be used, or a port is taken.
            ValueError: the volume's stored options are no good.
        """
        await self.daemon.start()

    async def stop(self) -> None:
        """Stop accepting, close every client and what it had open, and end. Harmless when repeated."""
        await self.daemon.stop()

    async def __aenter__(self) -> Brick:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def dump(self) -> dict[str, Any]:
        """Tell what is going on.

        Returns:
            What :func:`glusterio.brick.statedump.dump` tells, and the volume's ``url``.
        """
        return {"url": self.url, **self._volume.dump()}
