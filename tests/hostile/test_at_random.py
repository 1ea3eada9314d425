"""Sessions whose server lies at random, and bricks whose clients do.

`make reliability` has more of them, and `make fuzz` many more.

A failure's note is the line that replays it; ``FUZZ_SEED`` is where the seeds begin.
"""

from __future__ import annotations

import gc
import os
import random
import resource
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded import BrickProcess, start_brick
from tests.hostile import against_brick, against_client, against_management

#: How many lives there are: a few in `make test`, a fifth of ``FUZZ_EXAMPLES`` where that is given.
LIVES = max(12, int(os.environ.get("FUZZ_EXAMPLES", "0")) // 5)


@pytest.fixture
def seeds() -> range:
    first = int(os.environ.get("FUZZ_SEED", random.SystemRandom().randrange(2**32)))
    print(f"FUZZ_SEED={first}")
    return range(first, first + LIVES)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrickProcess]:
    """A brick with something to be asked about."""
    directory = tmp_path_factory.mktemp("brick")
    against_client.fill(directory)
    with start_brick(directory) as brick:
        yield brick


@pytest.mark.fuzz
def test_servers_that_lie(filled: BrickProcess, tmp_path: Path, seeds: range) -> None:
    lies = failed = 0
    for seed in seeds:
        one, other = against_client.life(filled, tmp_path / "hostile.vol", seed)
        lies, failed = lies + one, failed + other
    filled.wait_for(fds=0, locks=0, pending=0)
    print(f"{len(seeds)} sessions, {lies} answers damaged, {failed} operations failed")
    assert lies
    assert failed


@pytest.mark.fuzz
def test_daemons_that_lie(filled: BrickProcess, seeds: range) -> None:
    """What the process has is no measure: the C library keeps what each thread has freed."""
    lies = failed = 0
    gc.collect()
    tracemalloc.start()
    try:
        lives = range(seeds.start, seeds.start + 2 * len(seeds))  # they are short
        for seed in lives:
            one, other = against_management.life(filled, seed)
            lies, failed = lies + one, failed + other
        filled.wait_for(fds=0, locks=0, pending=0)
        gc.collect()
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(f"{len(lives)} sessions, {lies} answers untrue, {failed} operations failed")
    print(f"{kept >> 10} KiB more than before, and {most >> 20} MiB at the most")
    assert lies
    assert failed
    assert kept < 8 << 20
    assert most < 150 << 20


@pytest.mark.fuzz
def test_clients_that_mean_ill(tmp_path: Path, seeds: range) -> None:
    directory, outside = tmp_path / "brick", tmp_path / "outside"
    directory.mkdir()
    outside.mkdir()
    (outside / "precious").write_text("precious")
    (directory / "outside").symlink_to(outside)
    before = snapshot(outside)
    requests = 0
    with start_brick(directory) as brick:
        against_brick.bounded(brick)
        for seed in seeds:
            requests += against_brick.life(brick, seed)
            found = brick.wait_for(fds=0, locks=0, pending=0)
            assert "Traceback" not in brick.log, f"{seed}: {brick.log}"
            assert found["open_files"] == 0
        memory = resident(brick.pid)
    assert snapshot(outside) == before
    assert "Traceback" not in brick.log, brick.log
    print(f"{len(seeds)} lives, {requests} requests; the brick has {memory >> 20} MiB")
    assert memory < 300 << 20


def snapshot(directory: Path) -> list[tuple[str, int, int, int, list[str]]]:
    """What must not change, not even the time of the last read."""
    return [
        (path.name, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_mode, os.listxattr(path))
        for path in sorted((directory, *directory.iterdir()))
        for stat in [path.lstat()]
    ]


def resident(pid: int) -> int:
    """The memory that a process has, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
