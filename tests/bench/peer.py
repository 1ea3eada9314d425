"""A client that is measured, as the runner knows it. What it is to do is in `tests.bench.lines`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True)
class Peer:
    """A client that is measured.

    Attributes:
        name: one word, on the command line: ``c``, ``c-mended``, ``c-async``, ``limit``, ``gfapi``,
            ``gfapi-cffi``, ``fuse``, ``threads``, ``asyncio``, ``uvloop`` ...
        title: for people.
        command: its program and first arguments; LINE and PARAMETERS follow.
        environment: what it needs besides the runner's.
        lines: it takes part in these alone; every line if empty. (It may still answer ``skip``.)
        without: why it cannot take part on this machine; None if it can.
    """

    name: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    lines: frozenset[str] = frozenset()
    without: str | None = None

    def takes_part(self, line: str) -> bool:
        """Whether it is to be asked for a line."""
        return self.without is None and (not self.lines or line in self.lines)


#: The module ``tests.bench.peers.catalogue`` has the clients that are not glusterio::
#:
#:     def foreign_peers(place: Path) -> list[Peer]
#:
#: ``place`` is a directory to compile into; it is kept between runs, so what is there and newer than
#: its source need not be made again. What cannot be had here is in the list, too, with ``without``.
CATALOGUE: Final = "tests.bench.peers.catalogue"
