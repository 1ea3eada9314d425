"""Every command once, on a volume of GlusterFS's own."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from glusterio.cli.app import app
from tests.cli.conftest import Result, call_command, described, make_tree
from tests.interop.real_gluster import GlusterVolume

#: They work on a brick or a daemon of our own, or on any volume (`demo`), with tests elsewhere.
ELSEWHERE = {"serve", "volume", "statedump", "doctor", "demo", "verify"}


@pytest.fixture
def place(gluster_volume: GlusterVolume) -> Iterator[str]:
    place = f"{gluster_volume.url}/command-{os.getpid()}"
    call_command("rm", "-rf", place).check()
    call_command("mkdir", place).check()
    yield place
    call_command("rm", "-r", place).check()


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[set[str]]:
    """The commands that the test has used: all of them, when it is over."""
    monkeypatch.chdir(tmp_path)
    used: set[str] = set()
    yield used
    group = typer.main.get_command(app)
    every = set(group.commands)  # type: ignore[attr-defined]
    assert used == every - ELSEWHERE


def test_every_command(place: str, used: set[str], tmp_path: Path) -> None:
    def gl(*words: str | Path) -> Result:
        used.add(str(words[0]))
        return call_command(*words).check()

    tree = make_tree(tmp_path / "tree")
    with open(tree / "sparse", "wb") as opened:
        opened.truncate(20 * 1024 * 1024)
        os.pwrite(opened.fileno(), b"data", 10 * 1024 * 1024)

    # cp there and back, cut in between as it were
    part = f"{place}/.tree.glusterio-part"
    gl("mkdir", part)
    (tmp_path / "begun").write_bytes((tree / "big").read_bytes()[: 5 * 1024 * 1024])
    gl("cp", "begun", f"{part}/.big.glusterio-part")
    (done,) = gl("cp", "-rp", "--resume", "--verify", "--json", tree, place).records
    assert (done["resumed"], done["verified"]) == (1, done["files"])
    gl("cp", "-rp", f"{place}/tree", tmp_path / "back")
    assert described(tmp_path / "back") == described(tree)
    (sparse,) = gl("stat", "--json", f"{place}/tree/sparse").records
    assert max(sparse["allocated"], (tmp_path / "back" / "sparse").stat().st_blocks * 512) < 1 << 20
    gl("cp", "-rp", "--verify", f"{place}/tree/deep", f"{place}/deep")

    # looking
    assert gl("ls", place).text == "deep\ntree\n"
    (big,) = gl("stat", "--json", f"{place}/tree/big").records
    assert (big["type"], big["size"]) == ("file", 10 * 1024 * 1024 + 17)
    found = gl("find", place, "-name", "file", "-type", "f").text
    assert found == f"{place}/deep/er/file\n{place}/tree/deep/er/file\n"
    assert gl("tree", f"{place}/deep").text.splitlines()[1:4] == [
        "└── er",
        "    ├── file",
        "    └── still",
    ]
    (usage,) = gl("du", "-sb", "--json", f"{place}/tree").records
    assert usage["size"] >= big["size"]
    (free,) = gl("df", "--json", place).records
    assert free["size"] >= free["used"] + free["available"] > 0
    digest = hashlib.sha256((tree / "big").read_bytes()).hexdigest()
    assert gl("checksum", f"{place}/tree/big").text == f"{digest}  {place}/tree/big\n"

    # reading
    assert gl("cat", f"{place}/deep/er/file").out == b"below\n"
    assert gl("head", "-c", "3", f"{place}/deep/er/file").out == b"bel"
    assert gl("tail", "-c", "3", f"{place}/deep/er/file").out == b"ow\n"

    # changing
    gl("chmod", "-R", "u=rwX,g=,o=", f"{place}/deep")
    (file,) = gl("ls", "--json", f"{place}/deep/er/file").records
    assert file["mode"] == "0600"
    gl("chown", "1234:5678", f"{place}/deep/er/file")
    gl("touch", f"{place}/new")
    gl("truncate", "-s", "1M", f"{place}/new")
    gl("ln", f"{place}/new", f"{place}/other")
    gl("ln", "-s", "new", f"{place}/link")
    (new,) = gl("stat", "-L", "--json", f"{place}/link").records
    assert (new["size"], new["links"]) == (1024 * 1024, 2)
    gl("xattr", "set", "user.note", "written", f"{place}/new")
    assert gl("xattr", "get", "user.note", f"{place}/other").text == "written\n"
    assert gl("xattr", "list", f"{place}/new").text == "user.note\n"
    gl("xattr", "rm", "user.note", f"{place}/new")
    gl("mv", f"{place}/other", f"{place}/deep")
    gl("mv", f"{place}/deep/er", tmp_path / "moved")
    assert stat.S_IMODE((tmp_path / "moved" / "file").stat().st_mode) == 0o600
    gl("rm", f"{place}/deep/other", f"{place}/new", f"{place}/link")
    gl("rmdir", f"{place}/deep")
    gl("rm", "-r", f"{place}/tree")
    assert gl("ls", "-a", place).text == ""
