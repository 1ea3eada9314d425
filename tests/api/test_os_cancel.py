"""A call on names, attributes or ranges that is given up half-way leaves nothing: no count, no handle.

For each call the answer to its last request is kept back. Then its task is cancelled, or its session is
closed; in either case the call has ended at once and what it had borrowed is back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from glusterio import Acl, SessionClosedError, aio
from glusterio.lifecycle.invariants import violations
from glusterio.wire.programs import Fop
from tests.api.faces import connect_face
from tests.api.parity import uproot
from tests.api.tap import Tap
from tests.embedded import BrickProcess


async def dup_and_read(file: aio.File) -> None:
    """Read through a second handle, which is closed whatever becomes of that."""
    async with await file.dup() as second:
        await second.pread(5, 0)


#: Each call, with a volume, an open file and an open directory; and the request that it ends with.
CALLS: dict[str, tuple[Callable[[Any, Any, Any], Awaitable[Any]], Fop]] = {
    "stat": (lambda vol, f, d: vol.stat("f", dir_fd=d), Fop.LOOKUP),
    "access": (lambda vol, f, d: vol.access("f", os.R_OK), Fop.ACCESS),
    "chmod": (lambda vol, f, d: vol.chmod("f", 0o600), Fop.SETATTR),
    "chown": (lambda vol, f, d: vol.chown("f", -1, -1), Fop.SETATTR),
    "utime": (lambda vol, f, d: vol.utime("f"), Fop.SETATTR),
    "utime of a file": (lambda vol, f, d: vol.utime(f), Fop.FSETATTR),
    "link": (lambda vol, f, d: vol.link("f", "again", dst_dir_fd=d), Fop.LINK),
    "symlink": (lambda vol, f, d: vol.symlink("f", "link", dir_fd=d), Fop.SYMLINK),
    "readlink": (lambda vol, f, d: vol.readlink("l"), Fop.READLINK),
    "mknod": (lambda vol, f, d: vol.mknod("node", dir_fd=d), Fop.MKNOD),
    "makedirs": (lambda vol, f, d: vol.makedirs("a/b/c"), Fop.MKDIR),
    "removedirs": (lambda vol, f, d: vol.removedirs("empty"), Fop.RMDIR),
    "rename": (lambda vol, f, d: vol.rename("f", "g", dst_dir_fd=d), Fop.RENAME),
    "renames": (lambda vol, f, d: vol.renames("f", "x/y/g"), Fop.MKDIR),
    "truncate": (lambda vol, f, d: vol.truncate("f", 1), Fop.TRUNCATE),
    "statvfs": (lambda vol, f, d: vol.statvfs(f), Fop.STATFS),
    "getxattr": (lambda vol, f, d: vol.getxattr("f", "user.x"), Fop.GETXATTR),
    "setxattr": (lambda vol, f, d: vol.setxattr("f", "user.x", b"y"), Fop.SETXATTR),
    "removexattr": (lambda vol, f, d: f.removexattr("user.x"), Fop.FREMOVEXATTR),
    "copystat": (lambda vol, f, d: vol.copystat("f", "l"), Fop.GETXATTR),
    "chdir": (lambda vol, f, d: vol.chdir("d"), Fop.ACCESS),
    "realpath": (lambda vol, f, d: vol.realpath("l"), Fop.READLINK),
    "listdir of a directory": (lambda vol, f, d: vol.listdir(d), Fop.READDIRP),
    "posix_fallocate": (lambda vol, f, d: f.posix_fallocate(0, 10), Fop.FALLOCATE),
    "discard": (lambda vol, f, d: f.discard(0, 10), Fop.DISCARD),
    "zerofill": (lambda vol, f, d: f.zerofill(0, 10), Fop.ZEROFILL),
    "lseek": (lambda vol, f, d: f.lseek(0, os.SEEK_DATA), Fop.SEEK),
    "setattr": (lambda vol, f, d: vol.setattr("f", mode=0o600, gid=5), Fop.SETATTR),
    "statx": (lambda vol, f, d: vol.statx("f"), Fop.LOOKUP),
    "getacl": (lambda vol, f, d: vol.getacl("f"), Fop.GETXATTR),
    "setacl": (lambda vol, f, d: f.setacl(Acl.from_mode(0o640)), Fop.FSETXATTR),
    "renameat2": (lambda vol, f, d: vol.renameat2("f", "g", 1, dst_dir_fd=d), Fop.LINK),
    "preadv": (lambda vol, f, d: f.preadv([bytearray(2), bytearray(3)], 0), Fop.READ),
    "lookup": (lambda vol, f, d: vol.lookup("f"), Fop.LOOKUP),
    "dup and read": (lambda vol, f, d: dup_and_read(f), Fop.READ),
    "copy_file_range": (lambda vol, f, d: f.copy_file_range(f, 1, 0, 5), Fop.COPY_FILE_RANGE),
}


@pytest.fixture(autouse=True)
def tree(brick: BrickProcess) -> Any:
    with connect_face("threads", brick.url) as volume:
        volume.makedirs("d")
        volume.makedirs("empty")
        with volume.open_handle("f", os.O_CREAT | os.O_RDWR) as file:
            file.pwrite(b"0123456789", 0)
            file.setxattr("user.x", b"y")
        volume.symlink("f", "l")
        yield
        brick.wait_for(fds=0, pending=0)
        uproot(volume)


async def half_way(tap: Tap, call: str, vol: aio.Volume) -> tuple[asyncio.Task[Any], Any, Any]:
    """Begin a call, and go on when the brick has answered its last request."""
    begin, fop = CALLS[call]
    file = await vol.open_handle("f", os.O_RDWR)
    directory = await vol.open_handle("d")
    tap.hold(fop)
    task = asyncio.ensure_future(begin(vol, file, directory))
    await asyncio.to_thread(tap.wait_for, lambda: len(tap.kept) >= 1)
    return task, file, directory


@pytest.mark.parametrize("call", CALLS)
def test_cancelled(brick: BrickProcess, tap: Tap, url: str, call: str) -> None:
    async def attempt() -> None:
        async with aio.connect(url) as vol:
            task, file, directory = await half_way(tap, call, vol)
            session = vol._session.core.session
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert session.calls_under_way() == []
            assert [handle.refs for handle in session.handles()] == [0] * len(session.ledger)
            assert violations(session) == []
            tap.let_go()
            await vol.stat("/")
            await file.close()
            await directory.close()
            assert await vol.getcwd() == "/"
        report = await vol.close()
        assert report.graceful
        assert report.handles == []
        assert report.defects == []

    asyncio.run(attempt())
    assert tap.released() == tap.opened()
    assert tap.overtaken() == []


@pytest.mark.parametrize("call", CALLS)
def test_closed(brick: BrickProcess, tap: Tap, url: str, call: str) -> None:
    async def attempt() -> None:
        vol = await aio.connect(url)
        task, *_ = await half_way(tap, call, vol)
        closing = asyncio.ensure_future(vol.close(timeout=20, grace=0))
        with pytest.raises(SessionClosedError):
            await task
        tap.let_go()
        report = await closing
        assert len(report.calls_cancelled) == 1
        assert len(report.handles) >= 2
        assert report.defects == []

    asyncio.run(attempt())


def test_what_two_handles_lent_is_waited_for(brick: BrickProcess, tap: Tap, url: str) -> None:
    """Both files of a copy are released only when the brick has answered it, whoever gave it up."""

    async def attempt() -> None:
        async with aio.connect(url) as vol:
            source = await vol.open_handle("f")
            target = await vol.open_handle("g", os.O_RDWR | os.O_CREAT)
            tap.hold(Fop.COPY_FILE_RANGE)
            task = asyncio.ensure_future(source.copy_file_range(target, 10))
            await asyncio.to_thread(tap.wait_for, lambda: len(tap.kept) >= 1)
            session = vol._session.core.session
            assert [handle.refs for handle in session.handles()] == [1, 1]
            await target.close()
            await source.close()
            assert tap.calls(Fop.RELEASE) == 0
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await vol.stat("/")
            assert tap.calls(Fop.RELEASE) == 0
            tap.let_go()
            await asyncio.to_thread(tap.wait_for_calls, 2, Fop.RELEASE)

    asyncio.run(attempt())
    assert tap.released() == tap.opened()


def test_a_second_handle_that_is_closed_is_refused(brick: BrickProcess) -> None:
    async def attempt() -> None:
        async with aio.connect(brick.url) as vol, vol.open_handle("f") as source:
            target = await vol.open_handle("g", os.O_RDWR | os.O_CREAT)
            await target.close()
            with pytest.raises(ValueError, match="closed"):
                await source.copy_file_range(target, 10)
            async with aio.connect(brick.url) as other, other.open_handle("g", os.O_RDWR) as its:
                with pytest.raises(ValueError, match="another session"):
                    await source.copy_file_range(its, 10)
            session = vol._session.core.session
            assert [handle.refs for handle in session.handles()] == [0]
            assert violations(session) == []

    asyncio.run(attempt())
