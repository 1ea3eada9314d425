"""Paths as objects: their words, what they are not, and what pathlib of this Python does not have yet.

What they do with files is compared with ``pathlib.Path`` in ``test_os_parity.py``.
"""

from __future__ import annotations

import grp
import os
import pickle
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import pytest

import glusterio
from tests.api.faces import FACES, connect_face
from tests.api.parity_cases import PATHS


@pytest.fixture(params=FACES)
def volume(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "volume").mkdir()
    with connect_face(request.param, f"embedded://{tmp_path / 'volume'}") as volume:
        yield volume
    assert volume.close().handles == []


@pytest.fixture
def other(tmp_path: Path) -> Iterator[glusterio.Volume]:
    (tmp_path / "other").mkdir()
    with glusterio.connect(f"embedded://{tmp_path / 'other'}") as volume:
        yield volume


@pytest.fixture
def vol(tmp_path: Path) -> Iterator[glusterio.Volume]:
    (tmp_path / "volume").mkdir()
    with glusterio.connect(f"embedded://{tmp_path / 'volume'}") as volume:
        yield volume


# -- words ------------------------------------------------------------------------------------------

TEXTS = (*PATHS, "a.tar.gz", ".hidden", "a/.b.c", "a.", "//a/b", "///a", "a/b/c/d.e")


def outcome(function: Any) -> Any:
    """What comes of it; paths by their words."""
    try:
        value = function()
    except (ValueError, TypeError, IndexError) as error:
        return type(error)
    if isinstance(value, PurePath | glusterio.VolumePath):
        return str(value)
    return value


@pytest.mark.parametrize(
    "name", ["parts", "drive", "root", "anchor", "name", "suffix", "suffixes", "stem", "parent"]
)
def test_parts_are_those_of_pathlib(vol: glusterio.Volume, name: str) -> None:
    for text in TEXTS:
        pure, ours = PurePosixPath(text), vol.path(text)
        assert outcome(lambda: getattr(ours, name)) == outcome(lambda: getattr(pure, name)), text  # noqa: B023


def test_methods_that_ask_nobody_are_those_of_pathlib(vol: glusterio.Volume) -> None:
    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("as_posix", ()), ("__str__", ()), ("__bytes__", ()), ("is_absolute", ()),
        ("with_name", ("x",)), ("with_name", ("",)), ("with_name", ("a/b",)), ("with_stem", ("x",)),
        ("with_suffix", (".x",)), ("with_suffix", ("x",)), ("with_suffix", ("",)), ("match", ("*",)),
        ("match", ("*.gz",)), ("match", ("/d/*",)), ("joinpath", ("x", "/y", "z")), ("joinpath", ()),
        ("relative_to", ("/",)), ("relative_to", ("d",)), ("relative_to", ("/d/",)),
        ("is_relative_to", ("d",)), ("is_relative_to", ("/",)), ("__truediv__", ("x/y",)),
        ("__truediv__", ("/x",)), ("__rtruediv__", ("x",)), ("joinpath", (Path("x"),)),
    ]  # fmt: skip
    for text in TEXTS:
        pure, ours = PurePosixPath(text), vol.path(text)
        for name, args in calls:
            found = outcome(lambda: getattr(ours, name)(*args))  # noqa: B023
            assert found == outcome(lambda: getattr(pure, name)(*args)), (text, name, args)  # noqa: B023
        assert list(map(str, ours.parents)) == list(map(str, pure.parents))
        assert len(ours.parents) == len(pure.parents)
        assert [str(one) for one in ours.parents[:2]] == [str(one) for one in pure.parents[:2]]


def test_the_way_from_one_path_to_another(vol: glusterio.Volume) -> None:
    """As Python 3.12 has it."""
    for start, end, way in (
        ("/a/b", "/a/b/c", "c"), ("/a/b", "/a/c", "../c"), ("/a/b/c", "/a", "../.."),
        ("a", "b", "../b"),
        (".", "a", "a"), ("/", "/a", "a"), ("/a", "/a", "."),
    ):  # fmt: skip
        assert str(vol.path(end).relative_to(start, walk_up=True)) == way
    for start, end in (("/a", "b"), ("a", "/b"), ("../a", "b")):
        with pytest.raises(ValueError, match="subpath"):
            vol.path(end).relative_to(start, walk_up=True)


@pytest.mark.parametrize(
    ("path", "pattern", "matches"),
    [
        ("/a/b.py", "/a/*.py", True), ("/a/b.py", "*.py", False), ("/a/b.py", "/**/*.py", True),
        ("/a/b/c.py", "/**", True), ("/a", "/**/a", True), ("a/b/c", "a/**/c", True),
        ("a/c", "a/**/c", True), ("a/b/d/c", "a/**/c", True), ("a/b/c/d", "a/**/c", False),
        ("a", "**/a/**", True), ("a", "A", False), (".", "", True), ("a", "", False), (".a", "*", True),
        ("a/b", "*", False), ("a/b", "**/**", True), ("a/b/a/c", "**/a/*", True), ("/a", "a", False),
    ],
)  # fmt: skip
def test_matching_a_whole_path(
    vol: glusterio.Volume, path: str, pattern: str, matches: bool
) -> None:
    """As Python 3.13 has it."""
    assert vol.path(path).full_match(pattern) is matches
    assert vol.path(path.upper()).full_match(pattern, case_sensitive=False) is (
        matches or (path, pattern) == ("a", "A")
    )


def test_a_volume_is_where_its_paths_begin(vol: glusterio.Volume) -> None:
    path = vol / "a" / "b.txt"
    assert isinstance(path, glusterio.VolumePath)
    assert str(path) == "/a/b.txt"
    assert path == vol.path("/a", "b.txt") == vol.path("/") / "a/b.txt"
    assert path.volume is vol
    assert path.parent.volume is vol
    assert str(vol.path()) == "."
    assert repr(path).startswith("<VolumePath '/a/b.txt' on '")
    with pytest.raises(TypeError):
        vol / 1  # type: ignore[operator]


def test_paths_are_equal_and_in_order_on_one_volume(
    vol: glusterio.Volume, other: glusterio.Volume
) -> None:
    a, b = vol / "a", vol / "b"
    assert a == vol / "a"
    assert hash(a) == hash(vol / "a")
    assert {a: 1}[vol / "a"] == 1
    assert a != b
    assert a < b <= b < vol / "b" / "a"
    assert b > a >= a
    assert sorted([b, a]) == [a, b]
    assert a != other / "a"
    assert len({a, other / "a", vol / "a"}) == 2
    assert a != "/a"
    assert a != PurePosixPath("/a")
    for theirs in (other / "a", "/a", PurePosixPath("/a")):
        with pytest.raises(TypeError):
            a < theirs  # type: ignore[operator]  # noqa: B015


def test_paths_of_different_volumes_do_not_mix(
    vol: glusterio.Volume, other: glusterio.Volume
) -> None:
    ours, theirs = vol / "f", other / "f"
    ours.write_bytes(b"x")
    with pytest.raises(ValueError, match="another volume"):
        ours.joinpath(theirs)
    for call in (
        lambda: vol.stat(theirs),
        lambda: vol.open(theirs, "w"),
        lambda: ours.rename(theirs),
        lambda: vol.copyfile(ours, theirs),
        lambda: ours.samefile(theirs),
        lambda: vol.read_many([ours, theirs]),
        lambda: vol.rmtree(theirs),
    ):
        with pytest.raises(ValueError, match="another volume"):
            call()
    assert other.listdir() == []
    assert vol.listdir() == ["f"]


def test_a_path_cannot_be_taken_for_one_of_this_machine(
    vol: glusterio.Volume, tmp_path: Path
) -> None:
    """The builtin open, os and shutil refuse it, rather than do something to a local file."""
    path = vol / str(tmp_path / "precious")
    (tmp_path / "precious").write_text("here")
    assert not isinstance(path, os.PathLike)
    for call in (
        lambda: open(path),  # type: ignore[call-overload]  # noqa: SIM115
        lambda: os.fspath(path),  # type: ignore[call-overload]
        lambda: os.unlink(path),  # type: ignore[arg-type]
        lambda: shutil.copy(path, tmp_path / "copy"),  # type: ignore[call-overload]
        lambda: Path(path),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError):
            call()
    assert (tmp_path / "precious").read_text() == "here"


def test_a_path_cannot_be_pickled(vol: glusterio.Volume) -> None:
    with pytest.raises(TypeError, match="session"):
        pickle.dumps(vol / "a")


# -- files ------------------------------------------------------------------------------------------


def test_a_volumes_methods_take_paths(volume: Any) -> None:
    directory = volume / "d"
    volume.mkdir(directory)
    volume.write_bytes(directory / "f", b"data")
    assert volume.read_many([directory / "f"]) == [b"data"]
    assert volume.stat(directory / "f").st_size == 4
    with volume.open(directory / "f", "rb") as file:
        assert file.read() == b"data"
    with pytest.raises(FileNotFoundError) as caught:
        volume.stat(directory / "missing")
    assert caught.value.filename == "/d/missing"
    volume.copytree(directory, volume / "e")
    assert sorted(volume.glob("*/f", root_dir=volume / "/")) == ["d/f", "e/f"]
    volume.symlink(directory, volume / "link")
    assert volume.readlink("link") == "/d"
    volume.rmtree(directory)
    assert sorted(volume.listdir(volume / "/")) == ["e", "link"]


def test_relative_paths_begin_at_the_working_directory(volume: Any) -> None:
    (volume / "d").mkdir()
    volume.chdir("/d")
    volume.path("f").write_text("text")
    assert (volume / "d" / "f").read_text() == "text"
    assert str(volume.path("f").absolute()) == "/d/f"
    assert str(volume.path("../d/./f").resolve()) == "/d/f"
    assert str((volume / "f").absolute()) == "/f"
    assert [str(path) for path in volume.path().iterdir()] == ["f"]


def test_walking_is_that_of_python_3_12(volume: Any, tmp_path: Path) -> None:
    for name in ("a/b/c", "a/d"):
        (volume / name).mkdir(parents=True)
    for name in ("a/f", "a/b/f", "a/b/c/f"):
        (volume / name).write_text("x")
    (volume / "a" / "to-b").symlink_to("b")
    (volume / "a" / "to-nowhere").symlink_to("nowhere")
    top = tmp_path / "volume" / "a"
    for top_down in (True, False):
        found = [
            (str(path), sorted(directories), sorted(others))
            for path, directories, others in (volume / "a").walk(top_down)
        ]
        expected = []
        for directory, directories, others in os.walk(top, topdown=top_down):
            links = [name for name in directories if os.path.islink(os.path.join(directory, name))]
            directories[:] = sorted(name for name in directories if name not in links)
            expected.append(
                ("/a" + directory[len(str(top)) :], list(directories), sorted(others + links))
            )
        assert sorted(found) == sorted(expected)
        assert (found[0][0] == "/a") == top_down
        assert (found[-1][0] == "/a") == (not top_down)
    followed = {str(path) for path, _, _ in (volume / "a").walk(follow_symlinks=True)}
    assert followed == {"/a", "/a/b", "/a/b/c", "/a/d", "/a/to-b", "/a/to-b/c"}
    pruned = []
    for path, directories, _ in (volume / "a").walk():
        pruned.append(str(path))
        directories[:] = [name for name in directories if name != "b"]
    assert sorted(pruned) == ["/a", "/a/d"]
    errors: list[OSError] = []
    assert list((volume / "missing").walk(on_error=errors.append)) == []
    assert [(type(error), error.filename) for error in errors] == [(FileNotFoundError, "/missing")]
    assert list((volume / "missing").walk()) == []


def test_owners_have_the_names_that_they_have_here(volume: Any) -> None:
    path = volume / "f"
    path.touch()
    assert path.owner() == pwd.getpwuid(os.geteuid()).pw_name
    assert path.group() == grp.getgrgid(os.getegid()).gr_name
    (volume / "link").symlink_to("nowhere")
    assert (volume / "link").owner(follow_symlinks=False) == path.owner()
    assert (volume / "link").group(follow_symlinks=False) == path.group()


def test_questions_about_a_link_itself(volume: Any) -> None:
    """As Python 3.13 has them."""
    (volume / "d").mkdir()
    link, dangling = volume / "link", volume / "dangling"
    link.symlink_to("d", target_is_directory=True)
    dangling.symlink_to("nowhere")
    assert link.is_dir()
    assert not link.is_dir(follow_symlinks=False)
    assert not dangling.exists()
    assert dangling.exists(follow_symlinks=False)
    assert not dangling.is_file(follow_symlinks=False)
    assert not link.is_junction()
    assert (volume / "nul\0").exists() is False


def test_patterns_with_options(volume: Any) -> None:
    (volume / "Dir" / "sub").mkdir(parents=True)
    (volume / "Dir" / "sub" / "File.TXT").touch()
    (volume / "link").symlink_to("Dir")
    top = volume / "/"
    assert [str(path) for path in top.glob("dir/*/*.txt", case_sensitive=False)] == [
        "/Dir/sub/File.TXT"
    ]
    assert list(top.glob("dir/*")) == []
    assert [str(path) for path in top.rglob("*.TXT")] == ["/Dir/sub/File.TXT"]
    assert sorted(str(path) for path in top.rglob("*.TXT", recurse_symlinks=True)) == [
        "/Dir/sub/File.TXT",
        "/link/sub/File.TXT",
    ]


def test_a_closed_session_is_not_a_missing_file(tmp_path: Path) -> None:
    with glusterio.connect(f"embedded://{tmp_path}") as vol:
        path = vol / "f"
    for question in (path.exists, path.is_dir, path.is_symlink):
        with pytest.raises(glusterio.SessionClosedError):
            question()
