"""`du`, `df`, `find`, `tree`, `checksum`: what GNU's tools say of the same directory."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from pathlib import Path

import pytest

import glusterio as library
from tests.cli.conftest import Run
from tests.embedded import BrickProcess


@pytest.fixture
def root(brick: BrickProcess, root: Path) -> Path:
    """A directory with this and that in it."""
    (root / "a" / "deep" / "er").mkdir(parents=True)
    (root / "a" / "one").write_bytes(bytes(5000))
    (root / "a" / "deep" / "two.txt").write_bytes(bytes(100_000))
    (root / "a" / "deep" / "er" / "THREE.txt").write_text("3")
    (root / "a" / "empty").touch()
    (root / ".hidden").mkdir()
    (root / ".hidden" / "four.txt").write_bytes(bytes(512))
    (root / "void").mkdir(0o700)
    (root / "link").symlink_to("a/one")
    os.link(root / "a" / "one", root / "a" / "other")
    os.truncate(root / "a" / "empty", 0)
    with open(root / "sparse", "wb") as file:
        file.truncate(3 * 1024 * 1024)
    (root / "a" / "one").chmod(0o640)
    (root / "sparse").chmod(0o777)
    day = 24 * 60 * 60
    for name, days in (("a/one", 3.5), ("a/deep/two.txt", 1.5), ("sparse", 10)):
        then = time.time() - days * day
        os.utime(root / name, (then, then))
    os.mkfifo(root / "fifo")
    with library.connect(brick.url) as volume:
        for name in ("a/one", "a/other"):  # so that the brick takes them in
            volume.stat(f"{root.name}/{name}")
    return root


def gnu(*words: str | Path) -> list[str]:
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-a"],
        ["-s"],
        ["-d", "1"],
        ["-ab"],
        ["-b"],
        ["--apparent-size"],
        ["-h"],
        ["-ahc"],
        ["-sc"],
    ],
    ids=" ".join,
)
def test_du(gl: Run, place: str, root: Path, options: list[str]) -> None:
    # First, since the brick writes down what it meets, and that takes space.
    gl("du", place).check()
    found = gl("du", *options, place).check().text.splitlines()
    expected = [line.replace(str(root), place) for line in gnu("du", *options, root)]
    # Of two names of one file it is the first that is told of, and which that is differs.
    assert sorted(line.replace("/a/other", "/a/one") for line in found) == sorted(
        line.replace("/a/other", "/a/one") for line in expected
    )


def test_du_tells_what_is_below_first(gl: Run, place: str, root: Path) -> None:
    records = gl("du", "--json", place).check().records
    paths = [r["path"].removeprefix(place) for r in records]
    assert paths == ["/.hidden", "/a/deep/er", "/a/deep", "/a", "/void", ""]
    assert records[-1]["files"] == len(list(root.rglob("*")))
    (alone,) = gl("du", "--json", "-b", f"{place}/sparse").check().records
    assert alone["size"] == 3 * 1024 * 1024


def test_df(gl: Run, place: str, root: Path) -> None:
    def words(*options: str) -> list[list[str]]:
        return [line.split() for line in gl("df", *options, place).check().text.splitlines()]

    url = place.rpartition("/")[0]
    figures = os.statvfs(root)
    head, line = words()
    assert head == ["Volume", "1K-blocks", "Used", "Available", "Use%"]
    assert line[0] == url
    assert int(line[1]) == figures.f_blocks * figures.f_frsize // 1024
    head, line = words("-h")
    assert head[1] == "Size"
    assert line[1][-1] in "KMGTPE"
    head, line = words("-i")
    assert head == ["Volume", "Inodes", "IUsed", "IFree", "IUse%"]
    assert int(line[1]) == figures.f_files
    (found,) = gl("df", "--json", place).check().records
    assert (found["volume"], found["size"]) == (url, figures.f_blocks * figures.f_frsize)
    assert found["used"] + found["available"] <= found["size"]
    assert gl("df", f"{place}/nope").failed() == [
        f"cannot tell the free space of '{place}/nope': No such file or directory"
    ]


@pytest.mark.parametrize(
    "tests",
    [
        "", "-name *.txt", "-iname three*", "-path */deep/*", "-type f", "-type d", "-type f,l",
        "-type p", "-size +1k", "-size 1", "-size -2k", "-size 5000c", "-size +2M", "-mtime +2",
        "-mtime 1", "-mtime -1", "-mmin +3000", "-maxdepth 1", "-mindepth 2", "-maxdepth 0",
        "-mindepth 1 -maxdepth 1", "-empty", "-perm 640", "-perm -600", "-perm /022", "-perm -u+x",
        "-perm u=rw,g=r", "-user 0", "-user root", "-group 0", "-type f -name *.txt -size +1",
        "-type f -mtime +1 -mtime -4", "-name nothing",
    ],
)  # fmt: skip
def test_find(gl: Run, place: str, root: Path, tests: str) -> None:
    found = gl("find", place, *tests.split()).check().text.splitlines()
    expected = [line.replace(str(root), place) for line in gnu("find", root, *tests.split())]
    assert sorted(found) == sorted(expected)
    with_two_dashes = [f"-{word}" if word[:2] in _WORDS else word for word in tests.split()]
    assert gl("find", place, *with_two_dashes).check().text.splitlines() == found


_WORDS = {"-n", "-i", "-p", "-t", "-s", "-m", "-e", "-g"}


def test_find_newer(gl: Run, place: str, root: Path) -> None:
    expected = [
        line.replace(str(root), place)
        for line in gnu("find", root, "-type", "f", "-newer", root / "a" / "one")
    ]
    for reference in (f"{place}/a/one", str(root / "a" / "one")):
        found = gl("find", place, "-type", "f", "-newer", reference).check().text.splitlines()
        assert sorted(found) == sorted(expected)


def test_find_print0_and_json(gl: Run, place: str, root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/new\nline \xff")).touch()
    out = gl("find", place, "-name", "new*", "-print0").check().out
    assert out == os.fsencode(place) + b"/new\nline \xff\0"
    (found,) = gl("find", place, "-size", "+2M", "--json").check().records
    assert (found["path"], found["type"]) == (f"{place}/sparse", "file")


def test_find_delete(gl: Run, place: str, root: Path) -> None:
    gl("find", f"{place}/a", "-type", "f", "-name", "*.txt", "-delete").check()
    assert sorted(p.name for p in (root / "a").rglob("*")) == [
        "deep",
        "empty",
        "er",
        "one",
        "other",
    ]
    gl("find", f"{place}/a", "-empty", "-delete").check()
    assert sorted(p.name for p in (root / "a").rglob("*")) == ["one", "other"]
    assert gl("find", place, "-name", "a", "-delete").failed() == [
        f"cannot remove '{place}/a': Directory not empty"
    ]
    gl("find", f"{place}/a", "-delete").check()
    assert not (root / "a").exists()


def test_find_with_wrong_words(gl: Run, place: str) -> None:
    for words in (["-type", "x"], ["-size", "big"], ["-perm", "rw"], ["-user", "no such one"]):
        assert gl("find", place, *words).code == 2
    (line,) = gl("find", f"{place}/nope").failed()
    assert line == f"cannot look through '{place}/nope': No such file or directory"


@pytest.mark.usefixtures("root")
def test_tree(gl: Run, place: str) -> None:
    assert gl("tree", place).check().text == (
        f"{place}\n"
        "├── a\n"
        "│   ├── deep\n"
        "│   │   ├── er\n"
        "│   │   │   └── THREE.txt\n"
        "│   │   └── two.txt\n"
        "│   ├── empty\n"
        "│   ├── one\n"
        "│   └── other\n"
        "├── fifo\n"
        "├── link -> a/one\n"
        "├── sparse\n"
        "└── void\n"
        "\n4 directories, 8 files\n"
    )
    assert gl("tree", "-a", "-d", "-L", "2", place).check().text == (
        f"{place}\n├── .hidden\n├── a\n│   └── deep\n└── void\n\n4 directories\n"
    )
    lines = gl("tree", "--du", "-L", "1", place).check().text.splitlines()
    assert lines[1] == "├── [ 108K]  a"
    records = gl("tree", "--json", "--du", f"{place}/a/deep").check().records
    assert [(r["path"].removeprefix(place), r["depth"], r["total"]) for r in records] == [
        ("/a/deep", 0, 100_001),
        ("/a/deep/er", 1, 1),
        ("/a/deep/er/THREE.txt", 2, 1),
        ("/a/deep/two.txt", 1, 100_000),
    ]


def test_checksum(gl: Run, place: str, root: Path) -> None:
    digest = hashlib.sha256(bytes(5000)).hexdigest()
    result = gl("checksum", f"{place}/a/one", f"{place}/link").check()
    assert result.text == f"{digest}  {place}/a/one\n{digest}  {place}/link\n"
    records = gl("checksum", "-r", "-a", "md5", "--json", f"{place}/a").check().records
    assert [(r["path"].removeprefix(place), r["digest"]) for r in records] == [
        (f"/a/{name}", hashlib.md5((root / "a" / name).read_bytes()).hexdigest())
        for name in ("deep/er/THREE.txt", "deep/two.txt", "empty", "one", "other")
    ]
    assert gl("checksum", f"{place}/a").failed() == [f"cannot read '{place}/a': Is a directory"]
    assert gl("checksum", "-a", "rot13", place).code == 2


@pytest.mark.usefixtures("root")
def test_ls_long_and_human(gl: Run, place: str) -> None:
    assert " 3.0M " in gl("ls", "-lh", f"{place}/sparse").check().text
    assert gl("ls", "-d", f"{place}/a").check().text == f"{place}/a\n"
