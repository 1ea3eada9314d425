"""Copies that are cut, and gone on with; and those that are checked."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from glusterio.cli.sides import LocalFile, LocalSide
from glusterio.cli.transfer import Manner, Transfer, VerificationError, part_of
from glusterio.cli.trees import Item
from tests.cli.conftest import COMMAND, PATIENCE, Run, described
from tests.embedded import BrickProcess, start_brick

MIB = 1024 * 1024


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files of many sizes: enough of them to be killed in the middle of."""
    root = tmp_path / "source"
    for number in range(60):
        directory = root / f"d{number % 5}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"f{number}").write_bytes(os.urandom(number * 700))
    for number in range(3):
        (root / f"big{number}").write_bytes(os.urandom(7 * MIB + number))
    (root / "link").symlink_to("big0")
    (root / "closed").mkdir()
    (root / "closed" / "inside").write_text("inside")
    (root / "closed").chmod(0o555)
    os.utime(root / "d1", ns=(10**18, 10**18))
    return root


def written(root: Path) -> int:
    """How many bytes are in a tree that grows meanwhile."""
    total = 0
    for directory, _, files in os.walk(root):
        for name in files:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size
            except FileNotFoundError:
                continue
    return total


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("to_volume", [True, False], ids=["there", "back"])
def test_killed_and_gone_on_with(
    gl: Run,
    place: str,
    root: Path,
    brick: BrickProcess,
    source: Path,
    tmp_path: Path,
    number: signal.Signals,
    to_volume: bool,
) -> None:
    if to_volume:
        words, target = [str(source), f"{place}/copy"], root / "copy"
    else:
        gl("cp", "-rp", source, f"{place}/copy").check()
        words, target = [f"{place}/copy", str(tmp_path / "back")], tmp_path / "back"
    part = target.parent / f".{target.name}.glusterio-part"
    original = described(source)
    total = written(source)
    killed = 0
    for share in (random.uniform(0.02, 0.5), random.uniform(0.5, 0.95)):
        with subprocess.Popen(
            [*COMMAND, "cp", "-rp", "--resume", *words], stderr=subprocess.PIPE
        ) as process:
            while written(part) + written(target) < share * total and process.poll() is None:
                pass
            process.send_signal(number)
            _, err = process.communicate(timeout=PATIENCE)
        assert err == b""
        brick.wait_for(fds=0)
        if process.returncode == 0:
            break
        assert process.returncode in (-number, 128 + number)
        killed += 1
        if target.exists():  # it came too late: all was done
            assert described(target) == original
            break
        for name, (mode, *kept) in described(part).items():
            assert isinstance(mode, int)
            if stat.S_ISREG(mode) and not name.endswith(b".glusterio-part"):
                assert tuple(kept) == original[name][1:], name
    assert killed > 0
    options = "-rpT" if target.exists() else "-rp"
    (done,) = gl("cp", options, "--resume", "--verify", "--json", *words).check().records
    assert done["files"] + done["skipped"] == 64
    assert done["verified"] == done["files"]
    assert described(target) == original
    assert not part.exists()
    (again,) = gl("cp", "-rpT", "--resume", "--json", *words).check().records
    assert (again["files"], again["skipped"], again["bytes"]) == (0, 64, 0)


def test_the_brick_is_killed_and_comes_back(gl: Run, source: Path, tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    part = served / ".copy.glusterio-part"
    words = ["cp", "-rp", "--resume", "--json", str(source)]
    with (
        start_brick(served) as brick,
        subprocess.Popen(
            [*COMMAND, *words, f"{brick.url}/copy"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process,
    ):
        while written(part) < 8 * MIB and process.poll() is None:
            time.sleep(0.002)
        brick.kill()
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    # the connection was lost, or the handle with it
    assert json.loads(err.splitlines()[-1])["code"] in {"ENOTCONN", "EBADF"}
    with start_brick(served) as brick:
        gl(*words, f"{brick.url}/copy").check()
    assert described(served / "copy") == described(source)


def test_a_part_is_gone_on_with_at_its_end(gl: Run, place: str, root: Path, tmp_path: Path) -> None:
    content = os.urandom(9 * MIB + 5)
    (tmp_path / "f").write_bytes(content)
    (root / ".f.glusterio-part").write_bytes(content[: 6 * MIB])
    (done,) = gl("cp", "--resume", "--verify", "--json", "f", place).check().records
    assert (done["resumed"], done["bytes"]) == (1, 3 * MIB + 5)
    assert (root / "f").read_bytes() == content
    assert os.listdir(root) == ["f"]


def test_what_does_not_agree_is_written_anew(
    gl: Run, place: str, root: Path, tmp_path: Path
) -> None:
    content = os.urandom(9 * MIB)
    (tmp_path / "f").write_bytes(content)
    (root / ".f.glusterio-part").write_bytes(content[: 5 * MIB] + bytes(6 * MIB))
    (done,) = gl("cp", "--resume", "--json", "f", place).check().records
    assert (done["resumed"], done["bytes"]) == (1, 5 * MIB)
    assert (root / "f").read_bytes() == content
    (root / ".f.glusterio-part").write_bytes(b"x" + content)
    (tmp_path / "f").touch()
    (root / "f").write_bytes(b"old")
    (done,) = gl("cp", "--resume", "--json", "f", place).check().records
    assert (done["resumed"], done["bytes"]) == (0, 9 * MIB)
    assert (root / "f").read_bytes() == content


def test_what_a_copy_without_resume_has_left_is_gone_on_with(
    gl: Run, place: str, root: Path, tmp_path: Path
) -> None:
    content = os.urandom(2 * MIB)
    for name in ("cut", "whole", "other"):
        (tmp_path / name).write_bytes(content)
    (root / "cut").write_bytes(content[:MIB])
    (root / "whole").write_bytes(content)
    (root / "other").write_bytes(b"another thing")
    words = ["cp", "--resume", "--json", "cut", "whole", "other", place]
    (done,) = gl(*words).check().records
    assert (done["resumed"], done["skipped"], done["files"]) == (1, 1, 2)
    assert {(root / name).read_bytes() for name in os.listdir(root)} == {content}
    (done,) = gl(*words).check().records
    assert done["skipped"] == 3


def test_a_file_that_is_rotten_is_seen_with_checksum_only(
    gl: Run, place: str, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "f").write_text("as it was")
    gl("cp", "-p", "f", place).check()
    times = (root / "f").stat()
    (root / "f").write_text("as it is.")
    os.utime(root / "f", ns=(times.st_atime_ns, times.st_mtime_ns))
    (done,) = gl("cp", "--resume", "--json", "f", place).check().records
    assert done["skipped"] == 1
    (done,) = gl("cp", "--resume", "--checksum", "--json", "f", place).check().records
    assert (done["skipped"], done["files"]) == (0, 1)
    assert (root / "f").read_text() == "as it was"


def test_update(gl: Run, place: str, root: Path, tmp_path: Path) -> None:
    for name, source_time, target_time in (("a", 200, 100), ("b", 100, 200), ("c", 100, 100)):
        (tmp_path / name).write_text("new")
        (root / name).write_text("old")
        os.utime(tmp_path / name, (source_time, source_time))
        os.utime(root / name, (target_time, target_time))
    (done,) = gl("cp", "-u", "--json", "a", "b", "c", place).check().records
    assert (done["files"], done["skipped"]) == (1, 2)
    assert [(root / name).read_text() for name in "abc"] == ["new", "old", "old"]


def test_dry_run(gl: Run, place: str, root: Path, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("1234")
    (tmp_path / "d" / "l").symlink_to("f")
    assert gl("cp", "-rn", "d", place).check().text == (
        f"d -> {place}/d\nd/f -> {place}/d/f\nd/l -> {place}/d/l\n"
    )
    *told, done = gl("cp", "-rn", "--json", "d", place).check().records
    assert [(r["path"], r["type"]) for r in told] == [
        ("d", "directory"), ("d/f", "file"), ("d/l", "link"),
    ]  # fmt: skip
    assert (done["dry_run"], done["files"], done["bytes"]) == (True, 1, 0)
    assert os.listdir(root) == []


class RottenFile(LocalFile):
    async def write(self, data: bytes, offset: int) -> None:
        await super().write(data.replace(b"good", b"rotten"[:4]), offset)


class RottenSide(LocalSide):
    """A disk that does not keep what it is given."""

    def open(self, path: str, flags: int, mode: int = 0o666) -> RottenFile:
        return RottenFile(path, flags, mode)


def test_verify_notices_what_was_not_kept(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("good")
    copy = str(tmp_path / "copy")

    async def transfer(side: LocalSide) -> None:
        one = Transfer(
            LocalSide(), side, complain=lambda *_: None, manner=Manner(resume=True, verify=True)
        )
        path = str(tmp_path / "f")
        await one.file(Item("", os.stat(path)), path, copy)

    with pytest.raises(VerificationError):
        asyncio.run(transfer(RottenSide()))
    assert not os.path.exists(copy)
    asyncio.run(transfer(LocalSide()))
    assert Path(copy).read_text() == "good"
    assert not os.path.exists(part_of(copy))


def test_the_name_of_a_part() -> None:
    assert part_of("a/b/c.txt") == "a/b/.c.txt.glusterio-part"
    long = "é" * 127
    assert len(os.fsencode(part_of(long))) <= 255
    assert part_of(long) != part_of("ü" * 127)
    assert part_of("c\udcff") == ".c\udcff.glusterio-part"
