"""A volume does what ``os`` does: the same results, the same errors, and the same tree afterwards.

The tables are in ``parity_cases.py`` and ``parity_more_cases.py``, the steps in ``parity.py``. The
cases are done with ``os`` in a process whose root directory is for that alone, and on volumes by both
faces. There are thousands of them, so each volume does every so many, others for each; with
``FUZZ_EXAMPLES`` in the environment (``make fuzz``) they all do all.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio.api.attributes import stat_result
from glusterio.wire.iatt import Iatt
from tests.api import as_user, local_os
from tests.api.faces import FACES, connect_face
from tests.api.parity import Case, Runner, normal, uproot
from tests.api.parity_more_cases import MORE_GROUPS
from tests.api.path_parity import GROUPS
from tests.embedded import BrickProcess

FULLY = "FUZZ_EXAMPLES" in os.environ

#: A group of no more cases than these is done whole in any case.
FEW = 30

#: What differs from ``os``, and why it stays so; each has a test below that would tell if it did not.
DIFFERENCES = {
    "bytes paths": "TypeError: names are text on the wire, and so the API is",
    "descriptors": "TypeError: there are none in this process; an open file is taken instead",
    "link()": "follows a link by default, as documented; on Linux os does not up to Python 3.13",
    "chmod(follow_symlinks=False)": "works on what is no symbolic link",
    "access()": "goes by the effective ids, which are a session's user",
    "pipes, sockets, devices": "ENXIO when opened: what they lead to is not on the volume",
    'stat(".") when removed': "FileNotFoundError: a brick forgets a directory with its name",
    "O_PATH, O_TMPFILE": "EOPNOTSUPP: the protocol has no such thing",
    "O_CREAT | O_DIRECTORY": "EINVAL, as Linux since 6.4, whatever this kernel does",
    "os.umask": "the process's umask when the session was made, not when a file is",
    "utime's, mknod's, mkfifo's errors": "name the file; those of os do not",
    "ignore_dangling_symlinks": "where a link leads is seen from where it is, not from the cwd",
    "copytree onto its own files": "each is an error of the list; shutil's list is spoilt by them",
    "copytree into itself": "an error of the list, where shutil goes on until names are too long",
    "move onto itself": "returns the path, as any move; shutil returns None",
    "glob('missing/**')": "finds nothing, as from Python 3.13 on",
    "rmtree of a symbolic link": "the error says what is wrong; from Python 3.13 on only the path",
    "Path.glob('**/a/**')": "each path once; from Python 3.13 on some come several times",
    ".glusterfs": "cannot be made or opened in the root, nor seen: it is the brick's own",
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, tuple[Any, Any]]:
    """What comes of each case with ``os``."""
    return local_os.outcomes(
        [case for cases in GROUPS.values() for case in cases], tmp_path_factory.mktemp("root")
    )


@pytest.fixture(scope="module", params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def embedded_volume(face: str, tmp_path: Path) -> Iterator[Any]:
    with connect_face(face, f"embedded://{tmp_path}") as volume:
        yield volume
    assert volume.close().handles == []


@pytest.fixture(scope="module")
def brick_volume(face: str, brick: BrickProcess) -> Iterator[Any]:
    with connect_face(face, brick.url) as volume:
        if face == "threads":
            volume._session.driver.keep_house()  # as a test may have it do, whose thread it is not
        yield volume
        uproot(volume)
    assert volume.close().handles == []


def differing(
    volume: Any, cases: list[Case], expected: dict[Case, tuple[Any, Any]]
) -> Iterator[str]:
    """Do cases on a volume; say what came out otherwise than with ``os``."""
    runner = Runner(volume)
    for case in cases:
        found = runner.run(case)
        if found != expected[case]:
            yield f"{case}\n  os:     {expected[case]}\n  volume: {found}"


@pytest.mark.fuzz
@pytest.mark.parametrize("group", GROUPS)
def test_in_this_process(
    embedded_volume: Any, face: str, group: str, expected: dict[Case, tuple[Any, Any]]
) -> None:
    cases = GROUPS[group]
    if not FULLY and len(cases) > FEW:
        every = 6 if face == "asyncio" else 3 if len(cases) > 500 else 2
        if group in MORE_GROUPS:
            every = 8 if face == "asyncio" else 4
        cases = cases[every // 3 :: every]
    assert list(differing(embedded_volume, cases, expected)) == []


@pytest.mark.fuzz
@pytest.mark.parametrize("group", GROUPS)
def test_on_a_brick(
    brick_volume: Any,
    face: str,
    brick: BrickProcess,
    group: str,
    expected: dict[Case, tuple[Any, Any]],
) -> None:
    cases = GROUPS[group]
    if not FULLY:
        cases = cases[1::10] if face == "threads" else cases[3::14]
        if group in MORE_GROUPS:
            cases = cases[::2]
    assert list(differing(brick_volume, cases, expected)) == []
    brick.wait_for(fds=0, pending=0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can plant what is another's")
@pytest.mark.parametrize("face", FACES)
def test_as_a_user_without_rights(face: str, own_brick: BrickProcess, tmp_path: Path) -> None:
    """Who may do what: some belongs to the user, some to others, by mode bits, groups, sticky bits."""
    expected = as_user.expected(tmp_path)
    found = as_user.outcomes(face, own_brick.url)
    assert len(found) > 800
    assert [pair for pair in zip(found, expected, strict=True) if pair[0] != pair[1]] == []
    own_brick.wait_for(fds=0, pending=0)


# -- the differences --------------------------------------------------------------------------------


@pytest.fixture(params=FACES)
def volume(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "volume").mkdir()
    with connect_face(request.param, f"embedded://{tmp_path / 'volume'}") as volume:
        yield volume


def test_paths_are_text(volume: Any) -> None:
    for path in (b"f", 0, None, 1.5):
        for operation in (volume.stat, volume.listdir, volume.mkdir, volume.exists):
            with pytest.raises(TypeError):
                operation(path)


def test_paths_may_be_path_objects(volume: Any) -> None:
    volume.mkdir(Path("d"))
    volume.symlink(Path("d"), Path("l"))
    assert volume.readlink(Path("l")) == "d"
    assert volume.stat(Path("/d")).st_ino == volume.stat("l").st_ino
    with pytest.raises(FileNotFoundError) as caught:
        volume.stat(Path("missing"))
    assert caught.value.filename == "missing"
    volume.rename(Path("d"), Path("e"))
    assert volume.listdir(Path()) == volume.listdir() == volume.listdir("/")


def test_an_open_file_of_another_session_is_refused(volume: Any, tmp_path: Path) -> None:
    with (
        glusterio.connect(f"embedded://{tmp_path / 'volume'}") as other,
        other.open_handle("/") as theirs,
    ):
        for operation in (
            volume.stat,
            volume.listdir,
            volume.listxattr,
            volume.chdir,
            lambda file: volume.stat("x", dir_fd=file),
            lambda file: volume.open_handle("x", os.O_CREAT, dir_fd=file),
            lambda file: volume.rename("x", "y", dst_dir_fd=file),
        ):
            with pytest.raises(ValueError, match="another session"):
                operation(theirs)
    assert volume.listdir() == []


def test_a_closed_file_is_no_directory_to_begin_at(volume: Any) -> None:
    directory = volume.open_handle("/")
    directory.close()
    for operation in (
        lambda: volume.stat("x", dir_fd=directory),
        lambda: volume.stat(directory),
        lambda: volume.listdir(directory),
        lambda: volume.fchdir(directory),
    ):
        with pytest.raises(glusterio.HandleClosedError):
            operation()


def test_a_file_object_below_an_open_directory(volume: Any) -> None:
    volume.mkdir("d")
    with volume.open_handle("d") as directory:
        with volume.open("f", "w", dir_fd=directory) as file:
            file.write("text")
        with volume.open("f", dir_fd=directory) as file:
            assert file.read() == "text"
        with pytest.raises(IsADirectoryError) as caught:
            volume.open(".", dir_fd=directory).close()
        assert caught.value.filename == "."
    assert volume.getsize("d/f") == 4


def test_link_follows_by_default(volume: Any) -> None:
    volume.open_handle("f", os.O_CREAT).close()
    volume.symlink("f", "l")
    volume.link("l", "followed")
    volume.link("l", "itself", follow_symlinks=False)
    assert volume.samefile("followed", "f")
    assert volume.readlink("itself") == "f"
    assert volume.stat("f").st_nlink == 2


def test_chmod_without_following(volume: Any) -> None:
    volume.open_handle("f", os.O_CREAT).close()
    volume.chmod("f", 0o604, follow_symlinks=False)
    assert stat.S_IMODE(volume.stat("f").st_mode) == 0o604


def test_what_only_a_kernel_can_open_is_refused(volume: Any) -> None:
    volume.mkfifo("pipe")
    volume.mknod("socket", stat.S_IFSOCK | 0o600)
    volume.symlink("pipe", "l")
    for path in ("pipe", "socket", "l"):
        for flags in (os.O_RDONLY, os.O_RDWR | os.O_CREAT):
            with pytest.raises(OSError, match="No such device") as caught:
                volume.open_handle(path, flags)
            assert caught.value.filename == path


def test_times_that_are_none(volume: Any) -> None:
    volume.open_handle("f", os.O_CREAT).close()
    with pytest.raises(ValueError, match="NaN"):
        volume.utime("f", (float("nan"), 0))
    for wrong in ([1, 2], "12"):
        with pytest.raises(TypeError):
            volume.utime("f", wrong)
        with pytest.raises(TypeError):
            volume.utime("f", ns=wrong)


def test_owners_by_name(volume: Any) -> None:
    """Names of this machine, as ``shutil.chown`` takes them; the tests' user may not be root."""
    volume.open_handle("f", os.O_CREAT).close()
    me, mine = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    volume.chown("f", user=me, group=mine)
    volume.chown("f", user=os.geteuid(), group=os.getegid())
    assert (volume.stat("f").st_uid, volume.stat("f").st_gid) == (os.geteuid(), os.getegid())
    for nobody in ({"user": "nobody of this name"}, {"group": "nobody of this name"}):
        with pytest.raises(LookupError, match="nobody of this name"):
            volume.chown("f", **nobody)


def test_the_whole_size(volume: Any, tmp_path: Path) -> None:
    usage, true = volume.disk_usage(), shutil.disk_usage(tmp_path)
    assert usage.total == true.total
    assert 0 < usage.free <= usage.total
    assert usage.total >= usage.used + usage.free
    with volume.open_handle("/") as root:
        assert volume.disk_usage(root).total == true.total
        assert root.statvfs().f_blocks == volume.statvfs(root).f_blocks == volume.statvfs().f_blocks


def test_a_directory_to_begin_at_stays_the_same_one(volume: Any, tmp_path: Path) -> None:
    """Renamed, by this session or another one, it is still what relative paths begin at."""
    volume.makedirs("a/b/c")
    volume.open_handle("a/b/c/f", os.O_CREAT).close()
    volume.chdir("a/b/c")
    with volume.open_handle("/a/b/c") as directory:
        volume.rename("/a/b", "/moved")
        assert volume.getcwd() == "/moved/c"
        assert volume.listdir("..") == ["c"]
        assert volume.stat("../../a", dir_fd=directory).st_ino == volume.stat("/a").st_ino
        with glusterio.connect(f"embedded://{tmp_path / 'volume'}") as other:
            other.rename("moved", "a/again")
            assert volume.listdir() == ["f"]
            assert volume.lstat("f", dir_fd=directory).st_size == 0
            other.unlink("a/again/c/f")
            other.rmdir("a/again/c")
        with pytest.raises(FileNotFoundError):
            volume.getcwd()
        for operation in (
            volume.mkdir,
            volume.stat,
            lambda path: volume.open_handle(path, os.O_CREAT),
        ):
            with pytest.raises(FileNotFoundError):
                operation("new")
            with pytest.raises(FileNotFoundError):
                operation("../c/new")
    volume.chdir("/")
    assert volume.getcwd() == "/"


def test_each_session_has_its_own_working_directory(volume: Any, tmp_path: Path) -> None:
    volume.makedirs("a/b")
    with glusterio.connect(f"embedded://{tmp_path / 'volume'}") as other:
        volume.chdir("a")
        other.chdir("a/b")
        assert (volume.getcwd(), other.getcwd()) == ("/a", "/a/b")
        assert volume.listdir() == ["b"]
        assert other.listdir() == []


@pytest.mark.parametrize("flags", [os.O_PATH, os.O_TMPFILE | os.O_RDWR])
def test_flags_that_are_not_supported_are_refused(volume: Any, flags: int) -> None:
    with pytest.raises(OSError, match="not supported") as caught:
        volume.open_handle("/", flags)
    assert caught.value.filename == "/"


def test_to_make_a_file_that_is_a_directory_is_refused(volume: Any) -> None:
    for path in ("new", "/"):
        with pytest.raises(OSError, match="Invalid argument"):
            volume.open_handle(path, os.O_CREAT | os.O_DIRECTORY | os.O_RDWR)
    assert volume.listdir() == []


def test_the_bricks_own_directory_is_not_there(volume: Any) -> None:
    volume.mkdir("d")
    assert volume.listdir() == ["d"]
    for operation in (
        volume.mkdir,
        volume.rmdir,
        lambda path: volume.open_handle(path, os.O_CREAT),
    ):
        with pytest.raises(OSError, match=r"\.glusterfs"):
            operation(".glusterfs")
    volume.mkdir("d/.glusterfs")
    assert volume.listdir("d") == [".glusterfs"]


def test_what_is_better_than_shutils(volume: Any) -> None:
    volume.makedirs("d/sub")
    volume.write_bytes("d/f", b"x")
    volume.symlink("../f", "d/sub/lead")
    volume.symlink("nowhere", "d/sub/dangling")
    volume.copytree("d", "copy", ignore_dangling_symlinks=True)
    assert volume.listdir("copy/sub") == ["lead"]
    with pytest.raises(shutil.Error) as caught:
        volume.copytree("d/sub", "d/sub", dirs_exist_ok=True)
    assert [one[:2] for one in caught.value.args[0]][-1] == ("d/sub/lead", "d/sub/lead")
    assert volume.read_bytes("d/f") == b"x"
    assert volume.move("d", "d") == "d"
    assert volume.glob("missing/**", recursive=True) == []
    volume.symlink("d", "lead")
    with pytest.raises(OSError, match=r"^Cannot call rmtree on a symbolic link$"):
        volume.rmtree("lead")
    volume.makedirs("t/a/a/b")
    found = [path.as_posix() for path in volume.path("t").glob("**/a/**/b")]
    assert found == ["t/a/a/b"]


# -- what the table cannot say ----------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o077])
def test_the_umask(umask: int, tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import os, sys, glusterio
        os.umask(int(sys.argv[2], 8))
        with glusterio.connect(sys.argv[1]) as volume:
            volume.mkdir("d")
            volume.mkdir("e", 0o731)
            volume.open("f", "w").close()
            volume.open_handle("g", os.O_CREAT | os.O_WRONLY).close()
            volume.open_handle("h", os.O_CREAT | os.O_WRONLY, 0o666).close()
        """
    )
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program, f"embedded://{tmp_path}", oct(umask)],
        check=True,
    )
    modes = {"d": 0o777, "e": 0o731, "f": 0o666, "g": 0o777, "h": 0o666}
    assert {name: (tmp_path / name).stat().st_mode & 0o7777 for name in modes} == {
        name: mode & ~umask for name, mode in modes.items()
    }


def test_the_attributes_of_a_file(volume: Any, tmp_path: Path) -> None:
    with volume.open_handle("f", os.O_CREAT | os.O_RDWR) as file:
        file.pwrite(b"x" * 5000, 0)
    found, true = volume.stat("f"), (tmp_path / "volume/f").stat()
    assert normal(found)[:2] == (oct(true.st_mode), true.st_size)
    for name in ("st_atime_ns", "st_mtime_ns", "st_ctime_ns", "st_mtime", "st_blksize"):
        assert getattr(found, name) == getattr(true, name), name
    assert found.st_mtime_ns == round(found.st_mtime * 1e9, -3) or found.st_mtime_ns > 0
    assert isinstance(found[8], int)
    assert int(found.st_mtime) == found[8]


def test_what_another_session_changed_is_seen(volume: Any, tmp_path: Path) -> None:
    """A directory that was known, and was replaced: nothing of the old one is believed."""
    with glusterio.connect(f"embedded://{tmp_path / 'volume'}") as other:
        volume.mkdir("d")
        volume.mkdir("d/e")
        volume.open_handle("d/e/old", os.O_CREAT).close()
        assert volume.listdir("d/e") == ["old"]
        other.unlink("d/e/old")
        other.rmdir("d/e")
        other.rmdir("d")
        other.mkdir("d")
        other.mkdir("d/e")
        other.open_handle("d/e/new", os.O_CREAT).close()
        assert not volume.exists("d/e/old")
        assert volume.exists("d/e/new")
        assert volume.listdir("d/e") == ["new"]
        volume.open_handle("d/e/mine", os.O_CREAT).close()
        volume.mkdir("d/e/my")
        assert sorted(other.listdir("d/e")) == ["mine", "my", "new"]


def test_making_something_below_a_directory_that_another_session_replaced(
    volume: Any, tmp_path: Path
) -> None:
    makers = (
        lambda: volume.open_handle("d/new", os.O_CREAT).close(),
        lambda: volume.mkdir("d/new"),
        lambda: volume.symlink("x", "d/new"),
        lambda: volume.rename("f", "d/new"),
    )
    with glusterio.connect(f"embedded://{tmp_path / 'volume'}") as other:
        for make in makers:
            volume.open_handle("f", os.O_CREAT).close()
            volume.mkdir("d")
            assert not volume.exists("d/f")  # now d is known
            other.rmdir("d")
            other.mkdir("d")
            make()
            assert other.listdir("d") == ["new"]
            uproot(other)


@pytest.mark.parametrize(
    ("major", "minor"), [(0, 0), (1, 3), (300, 70_000), (0xFFF, 0xFF), (0x1000, 0x100)]
)
def test_numbers_of_devices(major: int, minor: int) -> None:
    assert stat_result(Iatt(rdev=major << 32 | minor)).st_rdev == os.makedev(major, minor)
    stat_result(Iatt(rdev=(1 << 64) - 1))  # whatever a brick makes up
