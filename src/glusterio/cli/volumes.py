"""The volumes that one command uses: each is connected to once, and all are closed at its end."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping

from glusterio import aio
from glusterio.cli.errors import CommandError, PartlyFailedError, cannot, complain, trying_to
from glusterio.cli.locations import Location, on_volume, parse
from glusterio.cli.output import tell
from glusterio.cli.sides import LocalSide, Side, VolumeSide
from glusterio.cli.trees import is_fatal


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


async def status_of(text: str) -> os.stat_result:
    """Return the attributes of what is at a place, on a volume or on this machine."""
    place = parse(text)
    async with Volumes() as volumes:
        with trying_to("stat", place.text):
            return await (await volumes.side(place)).stat(place.path, follow=True)


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


#: What is done at one place on a volume.
Work = Callable[[VolumeSide, Location, Complaints], Awaitable[None]]


async def at_each(
    targets: list[str],
    what: str,
    work: Work,
    summary: Callable[[], Mapping[str, object]] | None = None,
) -> None:
    """Do something at each of some places on volumes, one after the other.

    What fails at one place does not keep the others from being done.

    Args:
        targets: the places.
        what: what is done, for ``cannot WHAT``.
        work: does it.
        summary: what to tell in JSON when all is done.

    Raises:
        PartlyFailedError: some of it could not be done; the lines have been printed.
    """
    places = [on_volume(target) for target in targets]
    complaints = Complaints()
    async with Volumes() as volumes:
        for place in places:
            side = await volumes.volume(place)
            try:
                await work(side, place, complaints)
            except PartlyFailedError:
                continue  # it has been said why
            except Exception as error:
                if is_fatal(error) or isinstance(error, BrokenPipeError):
                    raise
                complaints(what, place.text, error)
    if summary is not None:
        tell(summary())
    complaints.check()
