"""Two handles and two names, in random order, with everything kept: no difference to ``os`` is seen."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import glusterio
from tests.embedded import BrickProcess

NAMES = ("a", "b")
#: Nothing gets too old, so all that is missed stays so.
OPTIONS = {
    "performance.quick-read": True,
    "performance.open-behind": True,
    "performance.write-behind": True,
    "performance.read-ahead": True,
    "performance.stat-prefetch": True,
    "performance.quick-read-cache-timeout": 600,
}

name = st.sampled_from(NAMES)
which = st.integers(0, 1)
data = st.binary(min_size=1, max_size=8)
length = st.integers(0, 12)
operation = st.one_of(
    st.tuples(st.just("open"), which, name, st.sampled_from([os.O_RDONLY, os.O_RDWR])),
    st.tuples(st.just("open"), which, name, st.just(os.O_RDONLY)),
    st.tuples(st.just("open"), which, name, st.just(os.O_RDWR | os.O_CREAT | os.O_TRUNC)),
    st.tuples(st.just("read"), which, length, length),
    st.tuples(st.just("write"), which, data, length),
    st.tuples(st.just("ftruncate"), which, length),
    st.tuples(st.just("fstat"), which),
    st.tuples(st.just("close"), which),
    st.tuples(st.just("replace"), name, data),
    st.tuples(st.just("truncate"), name, length),
    st.tuples(st.just("unlink"), name),
    st.tuples(st.just("rename"), name, name),
    st.tuples(st.just("link"), name, name),
    st.tuples(st.just("chmod"), name, st.sampled_from([0o600, 0o644])),
    st.tuples(st.just("content"), name),
)


class Local:
    """The same operations with ``os``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def open(self, name: str, flags: int) -> int:
        return os.open(self.directory / name, flags, 0o644)

    def act(self, handle: int, what: str, arguments: tuple[Any, ...]) -> Any:
        match what:
            case "read":
                return os.pread(handle, *arguments)
            case "write":
                return os.pwrite(handle, *arguments)
            case "ftruncate":
                return os.ftruncate(handle, *arguments)
            case "fstat":
                return os.fstat(handle).st_size, os.fstat(handle).st_nlink
            case "close":
                return os.close(handle)

    def do(self, what: str, *arguments: Any) -> Any:
        path = self.directory / arguments[0]
        match what:
            case "replace":
                path.write_bytes(arguments[1])
            case "truncate":
                os.truncate(path, arguments[1])
            case "unlink":
                path.unlink()
            case "rename":
                path.rename(self.directory / arguments[1])
            case "link":
                os.link(path, self.directory / arguments[1])
            case "chmod":
                path.chmod(arguments[1])
            case "content":
                return path.read_bytes()
        return None


class OnVolume:
    """These operations on a volume."""

    def __init__(self, volume: glusterio.Volume, place: str) -> None:
        self.volume = volume
        self.place = place

    def open(self, name: str, flags: int) -> glusterio.File:
        return self.volume.open_handle(f"{self.place}/{name}", flags, 0o644)

    def act(self, handle: glusterio.File, what: str, arguments: tuple[Any, ...]) -> Any:
        match what:
            case "read":
                return handle.pread(*arguments)
            case "write":
                return handle.pwrite(*arguments)
            case "ftruncate":
                return handle.truncate(*arguments)
            case "fstat":
                return handle.fstat().st_size, handle.fstat().st_nlink
            case "close":
                return handle.close()

    def do(self, what: str, name: str, *arguments: Any) -> Any:
        path = f"{self.place}/{name}"
        if what == "content":
            with self.volume.open(path, "rb") as file:
                return file.read()
        if what in ("rename", "link"):
            arguments = (f"{self.place}/{arguments[0]}",)
        method = {"replace": "write_bytes"}.get(what, what)
        getattr(self.volume, method)(path, *arguments)
        return None


def outcome(function: Any, *arguments: Any) -> Any:
    """What comes of a call, an error as data."""
    try:
        return function(*arguments)
    except OSError as error:
        return "error", error.errno


def run(side: Local | OnVolume, operations: list[tuple[Any, ...]]) -> list[Any]:
    """Do them all; return what came of each."""
    handles: list[Any] = [None, None]
    found: list[Any] = []
    for what, *arguments in operations:
        if what not in ("open", "read", "write", "ftruncate", "fstat", "close"):
            found.append(outcome(side.do, what, *arguments))
            continue
        index, *rest = arguments
        handle = handles[index]
        if what == "open" and handle is None:
            made = outcome(side.open, *rest)
            if isinstance(made, tuple):
                found.append(made)
            else:
                handles[index] = made
        elif what != "open" and handle is not None:
            found.append(outcome(side.act, handle, what, tuple(rest)))
            if what == "close":
                handles[index] = None
    for handle in handles:
        if handle is not None:
            side.act(handle, "close", ())
    return found


@pytest.fixture(scope="module", params=["embedded", "brick"])
def volume(
    request: pytest.FixtureRequest, brick: BrickProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[glusterio.Volume]:
    url = brick.url
    if request.param == "embedded":
        url = f"embedded://{tmp_path_factory.mktemp('volume')}"
    with glusterio.connect(url, options=OPTIONS) as volume:
        volume._session.driver.keep_house()  # as a test may have it do, whose thread it is not
        yield volume
    assert volume.close().graceful
    if request.param == "brick":
        brick.wait_for(fds=0)


@pytest.mark.fuzz
@given(operations=st.lists(operation, min_size=4, max_size=25))
@example(
    operations=[
        ("replace", "a", b"old"),
        ("open", 0, "a", os.O_RDONLY),
        ("open", 1, "a", os.O_RDWR),
        ("write", 1, b"new", 0),
        ("read", 0, 12, 0),
        ("close", 1),
        ("replace", "b", b"other"),
        ("rename", "b", "a"),
        ("read", 0, 12, 0),
        ("fstat", 0),
    ]
)
def test_nobody_can_tell(volume: glusterio.Volume, operations: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as there:
        local = run(Local(Path(there)), operations)
    place = f"place-{uuid.uuid4()}"
    volume.mkdir(place)
    try:
        assert run(OnVolume(volume, place), operations) == local
    finally:
        volume.rmtree(place)
