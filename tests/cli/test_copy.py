from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from glusterio import aio
from tests.cli.conftest import COMMAND, PATIENCE, Run, described
from tests.embedded import BrickProcess, start_brick
from tests.faulty import FaultyProxy


def test_a_tree_there_and_back(gl: Run, place: str, tree: Path, tmp_path: Path) -> None:
    gl("cp", "-rp", tree, place).check()
    gl("cp", "-r", "-p", f"{place}/tree", tmp_path / "back").check()
    assert described(tmp_path / "back") == described(tree)
    assert (tmp_path / "back").stat().st_mtime_ns == tree.stat().st_mtime_ns


def test_from_volume_to_volume(gl: Run, place: str, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with start_brick(tmp_path / "other", "other") as brick:
        gl("cp", "-rp", tree, place).check()
        gl("cp", "-rp", f"{place}/tree", brick.url).check()
        gl("cp", "-rp", f"{brick.url}/tree", tmp_path / "back").check()
        brick.wait_for(fds=0)
    assert described(tmp_path / "back") == described(tree)


def test_within_a_volume(gl: Run, place: str, tree: Path, tmp_path: Path) -> None:
    gl("cp", "-rp", tree, place).check()
    gl("cp", "-rp", f"{place}/tree", f"{place}/twin").check()
    gl("cp", "-rp", f"{place}/twin", tmp_path / "back").check()
    assert described(tmp_path / "back") == described(tree)


MIB = 1024 * 1024


@pytest.mark.parametrize("options", [[], ["--resume", "--verify"]], ids=["plain", "verify"])
def test_holes_stay_holes(
    gl: Run, place: str, root: Path, tmp_path: Path, options: list[str]
) -> None:
    names = {"inside": (0, 8), "at the beginning": (10,), "at the end": (0,), "all": ()}
    for name, places in names.items():
        with open(tmp_path / name, "wb") as file:
            file.truncate(12 * MIB + 5)
            for at in places:
                os.pwrite(file.fileno(), os.urandom(MIB + 3), at * MIB)
    sources = list(names)
    gl("cp", *options, *sources, place).check()
    (tmp_path / "back").mkdir()
    gl("cp", *options, *(f"{place}/{name}" for name in sources), "back").check()
    for name, places in names.items():
        original = tmp_path / name
        for copy in (root / name, tmp_path / "back" / name):
            assert copy.read_bytes() == original.read_bytes()
            # a copy has what extended attributes take, and what is in a block with data
            assert copy.stat().st_blocks * 512 <= len(places) * 2 * MIB + 16384


def test_the_last_block_is_written_last(
    gl: Run, place: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a copy in place that is cut, at whatever moment, is shorter than the original."""
    (tmp_path / "f").write_bytes(os.urandom(7 * 1024 * 1024 + 1))
    under_way: set[int] = set()
    blocks: list[int] = []
    pwrite = aio.File.pwrite

    async def watched(file: aio.File, data: bytes | memoryview, offset: int) -> int:
        if offset + len(data) == 7 * 1024 * 1024 + 1:
            assert not under_way
        under_way.add(offset)
        written = await pwrite(file, data, offset)
        under_way.remove(offset)
        blocks.append(offset)
        return written

    monkeypatch.setattr(aio.File, "pwrite", watched)
    gl("cp", "f", place).check()
    assert len(blocks) == 8
    assert max(blocks) == blocks[-1]
    assert (root / "f").read_bytes() == (tmp_path / "f").read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
@pytest.mark.parametrize("how", ["cp", "mv"])
def test_owners_and_extended_attributes(
    gl: Run, place: str, root: Path, tmp_path: Path, how: str
) -> None:
    local = tmp_path / "d"
    local.mkdir()
    (local / "f").write_text("x")
    (local / "l").symlink_to("f")
    for path in (local, local / "f"):
        os.setxattr(path, "user.note", b"\0kept")
    for path, number in ((local / "l", 11), (local / "f", 12), (local, 13)):
        os.chown(path, number, number + 100, follow_symlinks=False)
    (local / "f").chmod(0o4750)
    words = ["cp", "-a"] if how == "cp" else ["mv"]
    gl(*words, "d", place).check()
    for back in (root / "d", tmp_path / "back"):
        if back.name == "back":
            gl(*words, f"{place}/d", "back").check()
        for path, number in ((back / "l", 11), (back / "f", 12), (back, 13)):
            assert (path.lstat().st_uid, path.lstat().st_gid) == (number, number + 100)
        assert (back / "f").stat().st_mode & 0o7777 == 0o4750
        assert os.getxattr(back, "user.note") == os.getxattr(back / "f", "user.note") == b"\0kept"


def test_within_a_volume_the_brick_copies(
    gl: Run,
    root: Path,
    brick: BrickProcess,
    tmp_path: Path,
    faulty_proxy: Callable[..., FaultyProxy],
) -> None:
    content = os.urandom(40 * 1024 * 1024 + 3)
    (root / "f").write_bytes(content)
    proxy = faulty_proxy(("127.0.0.1", brick.brick_port))
    host, port = proxy.address
    (tmp_path / "vol").write_text(
        f"volume c\n type protocol/client\n option remote-host {host}\n option remote-port {port}\n"
        f" option remote-subvolume {brick.directory}\nend-volume\n"
    )
    url = f"volfile://{tmp_path}/vol#/{root.name}"
    (done,) = gl("cp", "--resume", "--json", f"{url}/f", f"{url}/g").check().records
    assert done["bytes"] == len(content)
    assert proxy.to_client + proxy.to_server < 100_000
    assert (root / "g").read_bytes() == content
    (root / "g").write_bytes(content[: 9 * 1024 * 1024])
    (done,) = gl("cp", "--resume", "--verify", "--json", f"{url}/f", f"{url}/g").check().records
    assert (done["resumed"], done["verified"]) == (1, 1)
    assert (root / "g").read_bytes() == content


def test_a_file_is_not_copied_onto_itself(gl: Run, place: str, root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "f").write_text("kept")
    (root / "e" / "d").mkdir(parents=True)
    os.link(root / "d" / "f", root / "e" / "d" / "f")
    for name in ("d/f", "e/d/f"):
        gl("stat", f"{place}/{name}").check()  # so that the brick takes it in
    (line,) = gl("cp", "-r", f"{place}/d", f"{place}/e").failed()
    assert line == f"cannot copy '{place}/d/f': the copy would be the file itself"
    assert (root / "d" / "f").read_text() == "kept"


def test_without_p_the_umask_counts_and_the_time_is_now(
    gl: Run, place: str, brick: BrickProcess, tmp_path: Path
) -> None:
    (tmp_path / "f").write_text("x")
    (tmp_path / "f").chmod(0o775)
    os.utime(tmp_path / "f", (0, 0))
    before = os.umask(0o027)
    try:
        gl("cp", "f", place).check()
    finally:
        os.umask(before)
    status = _behind(brick, place, "f").stat()
    assert status.st_mode & 0o7777 == 0o750
    assert status.st_mtime > 10**9


def test_into_a_directory_or_under_a_new_name(
    gl: Run, place: str, brick: BrickProcess, tmp_path: Path
) -> None:
    (tmp_path / "f").write_text("one")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "g").write_text("two")
    gl("cp", "f", place).check()
    gl("cp", "f", f"{place}/new").check()
    gl("cp", "-r", "d", f"{place}/was not there").check()
    gl("cp", "-r", "d", f"{place}/was not there").check()
    gl("cp", "-r", "d", "f", place + "/").check()
    gl("cp", "-r", "d/.", place).check()
    root = _behind(brick, place)
    assert sorted(os.path.relpath(p, root) for p in root.rglob("*")) == [
        "d",
        "d/g",
        "f",
        "g",
        "new",
        "was not there",
        "was not there/d",
        "was not there/d/g",
        "was not there/g",
    ]
    assert (root / "new").read_text() == "one"


def test_what_is_there_is_replaced(
    gl: Run, place: str, brick: BrickProcess, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("longer than the next")
    (tmp_path / "d" / "l").symlink_to("old")
    gl("cp", "-r", "d", place).check()
    (tmp_path / "d" / "f").write_text("next")
    (tmp_path / "d" / "l").unlink()
    (tmp_path / "d" / "l").symlink_to("new")
    gl("cp", "-r", "d", place).check()
    root = _behind(brick, place)
    assert (root / "d" / "f").read_text() == "next"
    assert os.readlink(root / "d" / "l") == "new"


def test_a_link_is_followed_without_r(
    gl: Run, place: str, brick: BrickProcess, tmp_path: Path
) -> None:
    (tmp_path / "f").write_text("content")
    (tmp_path / "l").symlink_to("f")
    gl("cp", "l", f"{place}/followed").check()
    gl("cp", "-r", "l", f"{place}/kept").check()
    root = _behind(brick, place)
    assert not (root / "followed").is_symlink()
    assert (root / "followed").read_text() == "content"
    assert os.readlink(root / "kept") == "f"


def test_what_cannot_be_copied(gl: Run, place: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    (tmp_path / "d").mkdir()
    gl("cp", "f", place).check()

    def says(*words: str) -> str:
        (line,) = gl("cp", *words).failed()
        return line

    assert says("nope", place) == "cannot copy 'nope': No such file or directory"
    assert says(f"{place}/nope", ".") == f"cannot copy '{place}/nope': No such file or directory"
    assert "No such file or directory" in says("f", f"{place}/no/such")
    assert says("d", place) == "cannot copy 'd': it is a directory (-r copies those)"
    assert says("-r", "d", f"{place}/f") == f"cannot copy 'd': '{place}/f' is not a directory"
    assert says("f", "f", f"{place}/f") == f"'{place}/f' is not a directory"
    assert says("f", f"{place}/f/") == f"'{place}/f/' is not a directory"
    assert says("f", "g") == "neither 'f' nor 'g' is on a volume"
    assert says(f"{place}/f", place).endswith("is the same file")
    assert says("-r", place, f"{place}/below") == f"cannot copy '{place}' into itself"


def test_the_rest_is_copied_all_the_same(
    gl: Run, place: str, brick: BrickProcess, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("x")
    os.mkfifo(tmp_path / "d" / "fifo")
    lines = gl("cp", "-r", "nope", "d", place).failed()
    assert sorted(lines) == [
        "cannot copy 'd/fifo': it is neither a file, nor a directory, nor a symbolic link",
        "cannot copy 'nope': No such file or directory",
    ]
    assert (_behind(brick, place) / "d" / "f").read_text() == "x"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_closes_its_session(
    place: str, brick: BrickProcess, tmp_path: Path, number: signal.Signals
) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(1 << 40)
    with subprocess.Popen(
        [*COMMAND, "cp", str(tmp_path / "huge"), place], stderr=subprocess.PIPE
    ) as process:
        try:
            brick.wait_for(open_files=1)
            process.send_signal(number)
            _, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, err) == (128 + number, b"")
    brick.wait_for(fds=0, open_files=0)
    shutil.rmtree(_behind(brick, place))


def _behind(brick: BrickProcess, place: str, name: str = "") -> Path:
    """Return where the brick keeps it."""
    return brick.directory / place.removeprefix(brick.url + "/") / name
