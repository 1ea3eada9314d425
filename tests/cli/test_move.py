"""`mv`: the rules of mv, within a volume and across."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, PATIENCE, Run, described
from tests.embedded import BrickProcess, start_brick

MIB = 1024 * 1024


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_within_a_volume_it_is_a_rename(gl: Run, place: str, root: Path) -> None:
    (root / "a").write_text("a")
    (root / "b").write_text("b")
    (root / "d" / "e").mkdir(parents=True)
    inode = (root / "a").stat().st_ino
    gl("mv", f"{place}/a", f"{place}/new").check()
    assert (root / "new").stat().st_ino == inode
    gl("mv", f"{place}/new", f"{place}/b").check()
    assert (root / "b").read_text() == "a"
    gl("mv", f"{place}/b", f"{place}/d/").check()
    (done,) = gl("mv", "--json", f"{place}/d", f"{place}/was not there").check().records
    assert done == {"renamed": 1, "copied": 0, "skipped": 0}
    assert names(root) == ["was not there", "was not there/b", "was not there/e"]


def test_several_go_into_a_directory(gl: Run, place: str, root: Path) -> None:
    for name in ("a", "b", "to/a"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(name)
    lines = gl("mv", f"{place}/a", f"{place}/nope", f"{place}/b", f"{place}/to").failed()
    assert lines == [f"cannot move '{place}/nope': No such file or directory"]
    assert names(root) == ["to", "to/a", "to/b"]
    assert (root / "to" / "a").read_text() == "a"


def test_what_is_refused(gl: Run, place: str, root: Path) -> None:
    (root / "f").write_text("f")
    (root / "d" / "f").mkdir(parents=True)

    def says(*words: str) -> str:
        (line,) = gl("mv", *words).failed()
        return line

    assert says(f"{place}/d", f"{place}/d/f") == f"cannot move '{place}/d' into itself"
    assert says(f"{place}/f", f"{place}/d").endswith(f": '{place}/d/f' is a directory")
    assert says(f"{place}/d", f"{place}/f").endswith(f": '{place}/f' is not a directory")
    assert says(f"{place}/f", f"{place}/f").endswith("is the same file")
    assert says(f"{place}/f", f"{place}/d", f"{place}/x") == f"'{place}/x' is not a directory"
    assert says(place.rpartition("/")[0], f"{place}/x").endswith("it has no name")
    assert says("here", "there") == "neither 'here' nor 'there' is on a volume"
    assert gl("mv", place).code == 2
    assert names(root) == ["d", "d/f", "f"]


def test_no_clobber(gl: Run, place: str, root: Path) -> None:
    (root / "a").write_text("a")
    (root / "b").write_text("b")
    (done,) = gl("mv", "-n", "--json", f"{place}/a", f"{place}/b").check().records
    assert done["skipped"] == 1
    assert (root / "b").read_text() == "b"
    gl("mv", "-nT", f"{place}/a", f"{place}/c").check()
    assert names(root) == ["b", "c"]


def test_a_tree_to_a_volume_and_to_another_and_back(
    gl: Run, place: str, tree: Path, tmp_path: Path
) -> None:
    original = described(tree)
    (tmp_path / "other").mkdir()
    with start_brick(tmp_path / "other", "other") as other:
        gl("mv", tree, place).check()
        assert not tree.exists()
        lines = gl("mv", "-v", f"{place}/tree", f"{other.url}/moved").check().text
        assert lines == f"{place}/tree -> {other.url}/moved\n"
        (done,) = gl("mv", "--json", f"{other.url}/moved", tmp_path / "back").check().records
        assert done["copied"] == 1
        other.wait_for(fds=0)
    assert os.listdir(tmp_path / "other") in ([], [".glusterfs"])
    assert described(tmp_path / "back") == original


def test_what_cannot_be_copied_is_left(gl: Run, place: str, root: Path, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("f")
    os.mkfifo(tmp_path / "d" / "fifo")
    first, second = gl("mv", "d", place).failed()
    assert first.startswith("cannot copy 'd/fifo': ")
    assert second == "cannot move 'd': not all of it was copied; it is left"
    assert names(tmp_path / "d") == ["f", "fifo"]
    assert names(root) == ["d", "d/f"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_killed_it_has_lost_nothing(
    gl: Run, place: str, root: Path, brick: BrickProcess, tmp_path: Path, number: signal.Signals
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for at in range(20):
        (source / f"f{at}").write_bytes(os.urandom(MIB + at))
    original = described(source)
    part = root / ".target.glusterio-part"
    with subprocess.Popen([*COMMAND, "mv", str(source), f"{place}/target"]) as process:
        while not (part.is_dir() and len(os.listdir(part)) > 3) and process.poll() is None:
            time.sleep(0.002)  # leave it the processor
        process.send_signal(number)
        process.wait(PATIENCE)
    brick.wait_for(fds=0)
    assert described(source) == original
    assert not (root / "target").exists()
    gl("mv", source, f"{place}/target").check()
    assert described(root / "target") == original
    assert names(tmp_path) == []
