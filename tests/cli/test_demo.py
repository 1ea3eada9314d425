from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from glusterio.cli import demo, demo_storm, demo_tree
from glusterio.cli.brick_counts import Held
from glusterio.cli.output import console
from tests.cli.conftest import COMMAND, PATIENCE, Run
from tests.embedded import BrickProcess

LAST = "brick holds 0 fds, 0 locks"


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo's temporary directory is."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    return scratch


def _checked(text: str) -> None:
    lines = text.splitlines()
    assert lines[-1] == LAST
    assert "every SHA-256 digest is the original's" in text
    assert "1,000 handles from 8 threads" in text
    assert "before     brick holds 1000 fds, 0 locks" in text
    assert "4 came too late" in text
    assert "every acknowledged byte" in text
    assert "\x1b" not in text


def test_on_a_brick_of_its_own(glusterio: Run, tree: Path, scratch: Path) -> None:
    for name in (".git", ".venv"):
        (tree / name).mkdir()
        (tree / name / "of-no-interest").touch()
    result = glusterio("demo", "--src", tree).check()
    _checked(result.text)
    assert "without .git and .venv" in result.text
    assert "13 files, 6 directories, 3 symbolic links" in result.text
    assert os.listdir(scratch) == []


def test_on_a_volume(glusterio: Run, tree: Path, brick: BrickProcess) -> None:
    before = sorted(os.listdir(brick.directory))
    result = glusterio("demo", "--src", tree, "--url", brick.url).check()
    _checked(result.text)
    assert sorted(os.listdir(brick.directory)) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(
    tree: Path, brick: BrickProcess, scratch: Path, number: signal.Signals
) -> None:
    with open(tree / "huge", "wb") as file:
        file.truncate(1 << 40)
    before = sorted(os.listdir(brick.directory))
    for words in ([], ["--url", brick.url]):
        with subprocess.Popen(
            [*COMMAND, "demo", "--src", str(tree), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process:
            try:
                assert process.stdout is not None
                while not process.stdout.readline().startswith(b"A tree"):
                    pass
                process.send_signal(number)
                _, err = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        assert (process.returncode, err) == (128 + number, b"")
        assert os.listdir(scratch) == []
        assert sorted(os.listdir(brick.directory)) == before


def test_it_fails_where_there_is_nothing_to_copy(glusterio: Run, scratch: Path) -> None:
    (line,) = glusterio("demo", "--src", "nope").failed()
    assert line == "cannot copy 'nope': No such file or directory"
    assert os.listdir(scratch) == []


def test_a_lost_byte_is_seen(brick: BrickProcess, capsys: pytest.CaptureFixture[str]) -> None:
    """The judge is judged: bytes that are not there, an fd that somebody holds."""
    import asyncio

    import glusterio

    with glusterio.connect(brick.url) as volume:
        volume.mkdir("judged")
        with volume.open("judged/f", "w") as file:
            file.write("there")
        storm = demo_storm.Storm(expected={"judged/f": [(0, b"there"), (5, b"not")]})
        assert len(asyncio.run(demo._lost(brick.url, storm))) == 1
        held_open = volume.open_handle("judged/f", os.O_RDWR)  # this the brick does hold
        assert asyncio.run(demo._ask(brick.url, ["judged", "judged/f"])) == Held(1, 0)
        held_open.close()
        step = demo_tree.TreeStep(
            console(), lambda what, text: None, str(brick.directory), brick.url, "none"
        )
        with pytest.raises(FileNotFoundError):
            asyncio.run(demo._ask(brick.url, ["none"]))
        assert step.failures == []
