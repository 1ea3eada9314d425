"""What the lines read, made once for all peers; what it is, `tests.bench.lines` says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from glusterio import aio
from tests.bench.lines import HANDLE_FILE, HANDLE_FILES, MIB, SMALL_FILE, Line

ROOT: Final = "/bench"
SHARED: Final = f"{ROOT}/shared"
TASKS: Final = 64


@dataclass
class Needs:
    """What there has to be.

    Attributes:
        size: bytes of ``data``, at least.
        names: files of ``names``.
        directories: how many entries each directory is to have.
        handles: files of ``handles``.
    """

    size: int = 0
    names: int = 0
    directories: set[int] = field(default_factory=set)
    handles: int = 0


def needs(lines: Iterable[tuple[Line, dict[str, Any]]], rounds: int) -> Needs:
    """What lines need, with the parameters that their peers are told, in so many rounds."""
    found = Needs()
    for line, told in lines:
        if line.base.startswith(("pread", "apread", "seqread")):
            found.size = max(found.size, told["size"])
        elif line.base.startswith(("stat", "small")):
            found.names = max(found.names, told["count"] * rounds)
        elif line.base.startswith("readdirp"):
            found.directories.add(told["entries"])
        elif line.base.startswith("close"):
            found.handles = max(found.handles, min(told["handles"], HANDLE_FILES))
    return found


def make(url: str, wanted: Needs) -> None:
    """Make it, on the volume of this URL."""
    asyncio.run(_make(url, wanted))


async def _make(url: str, wanted: Needs) -> None:
    async with aio.connect(url, timeout=60) as vol:
        await vol.makedirs(f"{SHARED}/names")
        await vol.makedirs(f"{SHARED}/handles")
        for entries in sorted(wanted.directories, reverse=True):
            directory = f"{SHARED}/d{entries}"
            await vol.mkdir(directory)
            await _each((f"{directory}/entry-{n:06d}" for n in range(entries)), _writer(vol, b""))
        if wanted.handles:
            paths = (f"{SHARED}/handles/f{n:03d}" for n in range(wanted.handles))
            await _each(paths, lambda path: _hole(vol, path))
        await _data(vol, max(wanted.size, MIB))  # always: some peers look whether it is there
        # Last, so that the brick has them all in mind, whoever comes first.
        if wanted.names:
            paths = (f"{SHARED}/names/f{n:06d}" for n in range(wanted.names))
            await _each(paths, _writer(vol, os.urandom(SMALL_FILE)))


def _writer(vol: aio.Volume, data: bytes) -> Callable[[str], Awaitable[object]]:
    return lambda path: vol.write_bytes(path, data)


async def _hole(vol: aio.Volume, path: str) -> None:
    async with vol.open_handle(path, os.O_RDWR | os.O_CREAT, 0o644) as file:
        await file.truncate(HANDLE_FILE)


async def _data(vol: aio.Volume, size: int) -> None:
    async with vol.open_handle(f"{SHARED}/data", os.O_RDWR | os.O_CREAT, 0o644) as file:
        for offset in range(0, size, MIB):
            await file.pwrite(os.urandom(MIB), offset)
        await file.fsync()


async def _each(paths: Iterable[str], one: Callable[[str], Awaitable[object]]) -> None:
    left = iter(paths)

    async def run() -> None:
        for path in left:
            await one(path)

    async with asyncio.TaskGroup() as group:
        for _ in range(TASKS):
            group.create_task(run())


def make_directory(vol: Any, line: str, entrant: str) -> str:
    """Make the directory that a peer has to itself at a line; return its path."""
    path = f"{ROOT}/{line}/{entrant}"
    vol.makedirs(path)
    return path
