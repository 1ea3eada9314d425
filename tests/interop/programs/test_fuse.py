"""A FUSE mount by GlusterFS's own client, of either server: ordinary programs must not see which.

What is done is done on both; where a result is no matter of chance, the two are compared.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import _unavailable
from tests.interop.programs.sides import Side, on_both

PATIENCE = 20.0
SOURCES = Path(__file__).parents[3] / "src" / "glusterio" / "wire"


def unavailable() -> str | None:
    """Why nothing can be mounted here, or None if it can."""
    if shutil.which("glusterfs") is None:
        return "glusterfs is not installed (on Debian: apt-get install glusterfs-client)"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"no FUSE here: {error}"
    return None


@contextmanager
def mounted(side: Side, name: str) -> Iterator[Path]:
    """Mount a side's volume, and give the test's directory in it."""
    place = side.work / name
    place.mkdir()
    log = side.work / f"{name}.log"
    command = ["glusterfs", "--no-daemon", f"--log-file={log}", "--attribute-timeout=0"]
    command += [f"--volfile-server={side.host}", f"--volfile-id={side.volume}", str(place)]
    client = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while not os.path.ismount(place):
            if client.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"it is not mounted:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield place / side.directory.lstrip("/")
    finally:
        # Nobody uses it any more; what is left in the client goes out now.
        subprocess.run(["umount", str(place)], check=False, timeout=PATIENCE)
        try:
            client.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            client.kill()
            client.wait()
            raise
        place.rmdir()


@dataclass(frozen=True)
class Mounts:
    """One side, mounted twice."""

    side: Side
    one: Path
    other: Path


@pytest.fixture
def mounts(sides: list[Side]) -> Iterator[list[Mounts]]:
    reason = unavailable()
    if reason is not None:
        _unavailable(reason)
    with ExitStack() as stack:
        yield [
            Mounts(side, *(stack.enter_context(mounted(side, name)) for name in ("one", "other")))
            for side in sides
        ]


def same_on_both(mounts: list[Mounts], do: Callable[[Mounts], Any]) -> Any:
    """Do something on both; its result, which must be the same."""
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(do, mounts)
    assert ours == theirs
    return ours


def run(*words: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=40,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}"
    return done.stdout


def test_a_tree_and_a_repository(mounts: list[Mounts], tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(SOURCES, source, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "link").symlink_to("xdr.py")
    (source / "dangling").symlink_to("nowhere")
    os.link(source / "xdr.py", source / "second")
    (source / "empty").mkdir(0o750)
    (source / "xdr.py").chmod(0o640)

    def do(mounts: Mounts) -> tuple[str, ...]:
        run("cp", "-a", source, mounts.one / "tree", cwd=tmp_path)
        run("diff", "-r", "--no-dereference", source, mounts.one / "tree", cwd=tmp_path)
        tree = mounts.one / "tree"
        assert os.path.samefile(tree / "second", tree / "xdr.py")
        assert (tree / "xdr.py").stat().st_nlink == 2
        (tree / "second").unlink()
        (tree / "dangling").unlink()
        who = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        for kind in ("AUTHOR", "COMMITTER"):
            who |= {
                f"GIT_{kind}_NAME": "a",
                f"GIT_{kind}_EMAIL": "a@b",
                f"GIT_{kind}_DATE": "2020-01-01T00:00:00Z",
            }
        for command in ("init -q -b main", "add -A", "commit -qm one", "gc -q"):
            run("git", *command.split(), cwd=tree, **who)
        (tree / "new").write_text("new\n")
        (tree / "link").unlink()
        run("git", "mv", "xdr.py", "moved.py", cwd=tree, **who)
        run("git", "add", "-A", cwd=tree, **who)
        run("git", "commit", "-qm", "two", cwd=tree, **who)
        run("git", "checkout", "-q", "HEAD~1", cwd=tree, **who)
        assert (tree / "link").is_symlink()
        run("git", "checkout", "-q", "main", cwd=tree, **who)
        assert run("git", "status", "--short", cwd=tree, **who) == ""
        run("git", "fsck", "--strict", cwd=tree, **who)
        # The other mount sees it, too.
        return (
            run("git", "rev-parse", "HEAD", cwd=mounts.other / "tree", **who),
            run("git", "ls-files", "-s", cwd=mounts.other / "tree", **who),
        )

    head, _ = same_on_both(mounts, do)
    assert len(head) == 41


def test_data(mounts: list[Mounts]) -> None:
    """dd in several ways, sparse files, attributes, a file that has lost its name."""

    def do(mounts: Mounts) -> list[Any]:
        one = mounts.one
        (one / "in").write_bytes(random.Random(1).randbytes(3_000_001))
        for number, words in enumerate(
            ["bs=1M conv=fsync", "bs=4k oflag=sync count=50", "bs=64k iflag=direct", "bs=7k"]
        ):
            run("dd", "if=in", f"of=out-{number}", "status=none", *words.split(), cwd=one)
        run("dd", "if=in", "of=in", "bs=1k", "seek=9000", "conv=notrunc", "count=1", cwd=one)
        run("truncate", "-s", "20M", "in", cwd=one)
        run("fallocate", "-l", "1M", "room", cwd=one)
        run("fallocate", "-p", "-o", "4096", "-l", "8192", "out-0", cwd=one)
        run("cp", "--sparse=always", "in", "copy", cwd=one)
        os.setxattr(one / "in", "user.a", b"value")
        assert os.listxattr(one / "in") == ["user.a"]
        assert os.getxattr(mounts.other / "in", "user.a") == b"value"
        with open(one / "gone", "w+b") as file:
            file.write(b"nameless")
            os.unlink(one / "gone")
            file.seek(0)
            assert file.read() == b"nameless"
            assert os.fstat(file.fileno()).st_size == 8
        names = sorted(os.listdir(one))
        found = os.statvfs(one)
        assert found.f_blocks > found.f_bfree > 0
        return [
            (name, hashlib.sha256((mounts.other / name).read_bytes()).hexdigest()) for name in names
        ]

    assert len(same_on_both(mounts, do)) == 7


def storm(mounts: Mounts) -> list[str]:
    """Many names move about at once, by both mounts; none is lost, none is there twice."""
    for directory in ("a", "b"):
        (mounts.one / directory).mkdir()

    def move(number: int) -> None:
        root = mounts.one if number % 2 else mounts.other
        here, there = root / "a" / f"f{number}", root / "b" / f"f{number}"
        here.write_text(str(number))
        for _ in range(20):
            here.rename(there)
            here, there = there, here
        common = root / "common"
        for _ in range(10):
            here.rename(common)  # over another's, which is gone then
            here.write_text(str(number))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(move, range(6)))
    assert (mounts.one / "common").read_text() in "012345"
    return sorted(
        f"{path.parent.name}/{path.name}: {path.read_text()}" for path in mounts.one.glob("[ab]/*")
    )


def test_names_that_move_about(mounts: list[Mounts]) -> None:
    assert same_on_both(mounts, storm) == [f"a/f{number}: {number}" for number in range(6)]


def test_random_operations_on_a_file(mounts: list[Mounts]) -> None:
    """As fsx does it: what is in the file is at every moment what should be in it."""

    def do(mounts: Mounts) -> str:
        dice = random.Random(11)
        expected = bytearray()
        path = mounts.one / "file"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        try:
            for step in range(400):
                at, size = dice.randrange(200_000), dice.randrange(1, 40_000)
                what = dice.choice(["write", "read", "truncate", "map", "punch", "sync", "again"])
                if what == "write":
                    data = dice.randbytes(size)
                    os.pwrite(descriptor, data, at)
                    expected.extend(bytes(max(0, at + size - len(expected))))
                    expected[at : at + size] = data
                elif what == "read":
                    assert os.pread(descriptor, size, at) == expected[at : at + size], step
                elif what == "truncate":
                    os.ftruncate(descriptor, at)
                    expected = expected[:at] + bytes(max(0, at - len(expected)))
                elif what == "map" and len(expected) > at + size:
                    with mmap.mmap(descriptor, len(expected)) as memory:
                        assert memory[at : at + size] == expected[at : at + size], step
                        memory[at : at + 4] = b"mmap"
                        memory.flush()
                    expected[at : at + 4] = b"mmap"
                elif what == "punch" and len(expected) > at + size:
                    run("fallocate", "-p", f"-o{at}", f"-l{size}", path, cwd=mounts.one)
                    expected[at : at + size] = bytes(size)
                elif what == "sync":
                    os.fsync(descriptor)
                elif what == "again":
                    # Or the client answers from before its write-behind is through (flush-behind).
                    os.fsync(descriptor)
                    os.close(descriptor)
                    descriptor = os.open(path, os.O_RDWR)
                    assert os.fstat(descriptor).st_size == len(expected), step
            assert os.pread(descriptor, len(expected) + 1, 0) == expected
        finally:
            os.close(descriptor)
        assert (mounts.other / "file").read_bytes() == expected
        return hashlib.sha256(expected).hexdigest()

    same_on_both(mounts, do)


HOLD = """
import fcntl, os, sys
file = open(sys.argv[1], "r+b")
getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path, kind: str) -> Iterator[None]:
    """Another process holds a lock on a file."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate()


@pytest.mark.parametrize("kind", ["lockf", "flock"])
def test_locks_between_two_mounts(kind: str, mounts: list[Mounts]) -> None:
    lock = getattr(fcntl, kind)

    def do(mounts: Mounts) -> None:
        path = mounts.one / "locked"
        path.write_bytes(b"0123456789")
        with open(path, "r+b") as file, ThreadPoolExecutor(1) as pool:
            with held(mounts.other / "locked", kind):
                with pytest.raises(BlockingIOError):
                    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                waiting = pool.submit(lock, file, fcntl.LOCK_EX)
                with pytest.raises(TimeoutError):
                    waiting.result(0.2)  # as long as the other one has it
            waiting.result(PATIENCE)
            with open(mounts.other / "locked", "r+b") as other:
                with pytest.raises(BlockingIOError):
                    lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lock(file, fcntl.LOCK_UN)
                lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    same_on_both(mounts, do)


def test_mount_says_so(sides: list[Side]) -> None:
    """``mount -t glusterfs``, as an administrator does it, and of a directory of the volume."""
    reason = unavailable()
    if reason is not None:
        _unavailable(reason)

    def do(side: Side) -> list[str]:
        place = side.work / "mount"
        place.mkdir()
        source = f"{side.host}:/{side.volume}"
        options = f"log-file={side.work / 'mount.log'}"
        run("mount", "-t", "glusterfs", "-o", options, source, place, cwd=side.work)
        try:
            (place / side.directory.lstrip("/") / "file").write_text("by mount\n")
            kind = run("stat", "-f", "-c", "%T", place, cwd=side.work)
        finally:
            run("umount", place, cwd=side.work)
            place.rmdir()
        return [kind, (side.path / "file").read_text()]

    theirs, ours = on_both(sides, do)
    assert ours == theirs
