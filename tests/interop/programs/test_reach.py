"""Which operations of the brick these programs use, as docs/reference/brick.md says it."""

from __future__ import annotations

import os
import random
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.embedded import BrickProcess, start_brick
from tests.interop.programs.conftest import GLUSTER_PORT
from tests.interop.programs.sides import Side, directory_on
from tests.interop.programs.test_fio import run_job
from tests.interop.programs.test_gfapi import WITH_A_VOLFILE, run_on
from tests.interop.programs.test_qemu import MODULES, SCENARIOS, run_all

PAGE_DATA = Path(__file__).parents[3] / "docs" / "reference" / "brick.toml"


def said(program: str) -> set[str]:
    reached: dict[str, list[str]] = tomllib.loads(PAGE_DATA.read_text())["reached"]
    return set(reached[program])


@pytest.fixture
def brick(tmp_path: Path) -> Iterator[BrickProcess]:
    dice = random.Random(os.getpid() + 1)
    host = ".".join(str(number) for number in (127, *(dice.randrange(2, 254) for _ in range(3))))
    (tmp_path / "brick").mkdir()
    options = ("--host", host, "--port", str(GLUSTER_PORT))
    with start_brick(tmp_path / "brick", "vol", *options) as process:
        yield process


@contextmanager
def side_of(brick: BrickProcess, tmp_path: Path) -> Iterator[Side]:
    """A directory on the brick."""
    host = brick.url.removeprefix("gluster://").partition(":")[0]
    data = Path(brick.directory)
    work = tmp_path / "work"
    work.mkdir()
    side = Side("glusterio", host, brick.port, "vol", brick.brick_port, str(data), data, work)
    with directory_on(side, "programs") as directory:
        yield replace(side, directory=directory)


def reached(brick: BrickProcess, run: Callable[[], object]) -> set[str]:
    """The operations that were done while something ran."""

    def counts() -> dict[str, int]:
        return {name: each["count"] for name, each in brick.dump()["fops"].items()}

    before = counts()
    run()
    return {name for name, count in counts().items() if count > before.get(name, 0)}


@pytest.mark.timeout(180)
def test_libgfapi(
    brick: BrickProcess, tmp_path: Path, program: Callable[[str], Path], shim: Path
) -> None:
    compiled = [program(name) for name in WITH_A_VOLFILE]
    with side_of(brick, tmp_path) as side:
        found = reached(brick, lambda: [run_on(side, each, shim) for each in compiled])
    assert said("libgfapi") <= found, sorted(found)
    print("libgfapi", sorted(found))


def test_qemu(brick: BrickProcess, tmp_path: Path, shim: Path) -> None:
    if not MODULES:
        pytest.skip("QEMU has no gluster:// (on Debian: apt-get install qemu-block-extra)")
    with side_of(brick, tmp_path) as side:
        found = reached(brick, lambda: run_all(side, SCENARIOS["data"], shim))
    assert said("qemu") <= found, sorted(found)
    print("qemu", sorted(found))


def test_fio(brick: BrickProcess, tmp_path: Path, shim: Path) -> None:
    with side_of(brick, tmp_path) as side:
        found = reached(brick, lambda: run_job(side, "gfapi", "random", shim))
    assert said("fio") <= found, sorted(found)
    print("fio", sorted(found))
