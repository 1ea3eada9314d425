"""The volumes that one command uses: each is connected to once, and all are closed at its end."""

from __future__ import annotations

from glusterio import aio
from glusterio.cli.errors import CommandError, PartlyFailedError, cannot, complain, trying_to
from glusterio.cli.locations import Location
from glusterio.cli.sides import LocalSide, Side, VolumeSide


async def connect(url: str) -> aio.Volume:
    """Connect to a volume, and say of an error that it kept us from that."""
    with trying_to(f"connect to {url}"):
        return await aio.connect(url)


class Volumes:
    """Connected volumes, by URL. An asynchronous context manager: it closes them."""

    def __init__(self) -> None:
        self._connected: dict[str, VolumeSide] = {}

    async def volume(self, place: Location) -> VolumeSide:
        """Return the volume that a place is on."""
        side = self._connected.get(place.volume)
        if side is None:
            volume = await connect(place.volume)
            side = self._connected[place.volume] = VolumeSide(volume, place.volume)
        return side

    async def side(self, place: Location) -> Side:
        """Return the side that a place is on."""
        return await self.volume(place) if place.volume else LocalSide()

    async def __aenter__(self) -> Volumes:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        failed = False
        for url, side in self._connected.items():
            report = await side.volume.close()
            for error in report.errors:
                complain(cannot(f"close {url}", None, error))
                failed = True
        if failed and kind is None:
            raise PartlyFailedError


class Complaints:
    """Errors that do not end the command, but make it fail."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, what: str, path: str, error: Exception) -> None:
        """Print a line: ``cannot WHAT 'PATH': ...``; a line that is complete is printed as it is."""
        self.add(error if isinstance(error, CommandError) else cannot(what, path, error))

    def add(self, error: CommandError) -> None:
        """Print an error's line."""
        self.count += 1
        complain(error)

    def check(self) -> None:
        """Raise PartlyFailedError if there were any."""
        if self.count:
            raise PartlyFailedError
