"""Graph switches on a volume of a real GlusterFS: under load, and many of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import glusterio
from tests.api.drivers import DRIVERS
from tests.bench.callers import User, start_all
from tests.bench.venue import GlusterVenue, Venue
from tests.interop.real_gluster import poll

#: What is put into the volfile, and taken out of it.
KIND: Final = "performance/write-behind"
OPTION: Final = "performance.write-behind"

CALLERS: Final = 4
CREATING: Final = os.O_RDWR | os.O_CREAT

#: How long anything is waited for, in seconds.
PATIENCE: Final = 60.0

#: What GlusterFS's client writes into its log.
SWITCHED: Final = "switched to graph"


def without(text: str, kind: str = KIND) -> str:
    """Take a translator with one child out of a volfile."""
    volumes = [part for part in text.split("end-volume\n") if part.strip()]
    index = next(n for n, part in enumerate(volumes) if f"type {kind}\n" in part)
    words = volumes.pop(index).split()
    name, below = words[words.index("volume") + 1], words[words.index("subvolumes") + 1]
    parts = [
        part.replace(f"subvolumes {name}\n", f"subvolumes {below}\n") + "end-volume\n"
        for part in volumes
    ]
    return "".join(parts)


def rss(pid: int) -> int:
    """A process's resident memory, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass
class UnderLoad:
    """What was found on one driver.

    Attributes:
        driver: which one.
        handles: how many were open.
        operations: how many were done while graphs were exchanged.
        failures: those that failed, by kind.
        carried: handles that went along, in all.
        left_behind: and that did not.
        seconds: how long each switch took,
        pause: for how long of that locks had to wait,
        gaps: and the longest that any caller waited for an operation meanwhile.
        gaps_before: the same, over as long a time, while nothing was exchanged.
    """

    driver: str
    handles: int
    operations: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    carried: int = 0
    left_behind: int = 0
    seconds: list[float] = field(default_factory=list)
    pause: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    gaps_before: list[float] = field(default_factory=list)


def under_load(venue: Venue, driver_name: str, handles: int, switches: int) -> UnderLoad:
    """Exchange the graph while callers are at work, back and forth."""
    found = UnderLoad(driver_name, handles)
    driver = DRIVERS[driver_name]()
    stop = threading.Event()
    try:
        volume = driver.connect(venue.url)
        core = volume._session.core
        texts = volume.volfile, without(volume.volfile)
        names = [f"{driver_name}-{number}" for number in range(handles)]
        files = [(name, driver.do(volume.open_handle, name, CREATING)) for name in names]
        users = [User(volume, files[number::CALLERS], stop) for number in range(CALLERS)]
        at_work = start_all(driver, [user.life() for user in users])
        try:
            for number in range(switches):
                for user in users:
                    user.longest = 0.0
                time.sleep(found.seconds[-1] if found.seconds else 0.5)
                found.gaps_before.append(max(user.longest for user in users))
                for user in users:
                    user.longest = 0.0
                report = driver.do(volume.reload, texts[(number + 1) % 2])
                assert poll(lambda: len(core.graphs) == 1, PATIENCE), "the old graph does not end"
                _all_have_done_something(users)
                found.seconds.append(report.seconds)
                found.pause.append(report.pause)
                found.carried += report.carried
                found.left_behind += len(report.left_behind)
                found.gaps.append(max(user.longest for user in users))
        finally:
            stop.set()
            for future in at_work:
                future.result(PATIENCE)
        for user in users:
            found.operations += user.operations
            found.failures += user.failures
        for name, file in files:
            driver.do(file.close)
            driver.do(volume.unlink, name)
    finally:
        stop.set()
        driver.finish()
    return found


def _all_have_done_something(users: list[User]) -> None:
    before = [user.operations for user in users]

    def have_all() -> bool:
        return all(user.operations > n for user, n in zip(users, before, strict=True))

    assert poll(have_all, PATIENCE), "a caller hangs"


# -- many -----------------------------------------------------------------------------------------


@dataclass
class Memory:
    """What many switches leave in a process.

    Attributes:
        files: how many files were open all the time.
        ours: glusterio's process: resident bytes by number of switches, with ``reload(text)``.
        seconds: for how long that went on.
        followed: how many switches there were by ``gluster volume set``,
        ours_followed: what glusterio's process had before and after them,
        theirs: and a FUSE mount's, by number of switches; empty where there is none.
        why_not: why there is none.
    """

    files: int
    ours: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0
    followed: int = 0
    ours_followed: tuple[int, int] = (0, 0)
    theirs: dict[int, int] = field(default_factory=dict)
    why_not: str = ""


def many(venue: GlusterVenue, place: Path, files: int, switches: int, followed: int) -> Memory:
    """Exchange the graph many times, and look at the memory."""
    found = Memory(files)
    me = os.getpid()
    marks = {10, *range(100, switches + 1, 100), switches}
    with glusterio.connect(venue.url) as volume, contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(volume.open_handle(f"many-{n}", CREATING)) for n in range(files)
        ]
        texts = volume.volfile, without(volume.volfile)
        began = time.perf_counter()
        for number in range(1, switches + 1):
            report = volume.reload(texts[number % 2])
            assert (report.carried, report.left_behind) == (files, ()), report
            _use(volume, opened, number)
            if number in marks:
                found.ours[number] = rss(me)
        found.seconds = time.perf_counter() - began
        _follow(venue, place, volume, opened, followed, found)
    with glusterio.connect(venue.url) as volume:
        for number in range(files):
            volume.unlink(f"many-{number}")
    return found


def _use(volume: Any, opened: list[Any], number: int) -> None:
    file = opened[number % len(opened)]
    data = b"%08d" % number
    file.pwrite(data, 0)
    assert file.pread(8, 0) == data
    assert volume.stat(f"many-{number % len(opened)}").st_size == 8


def _follow(
    venue: GlusterVenue, place: Path, volume: Any, opened: list[Any], times: int, found: Memory
) -> None:
    """Have a FUSE mount and glusterio follow ``gluster volume set``."""
    found.why_not = no_mount()
    if found.why_not:
        return
    me = os.getpid()
    core = volume._session.core
    volume.reload()  # as glusterd has it
    with mounted(venue, place) as (at, client, log):
        theirs = [(at / f"many-{n}").open("r+b", buffering=0) for n in range(len(opened))]
        try:
            begun, before = core.switches, rss(me)
            found.theirs[0] = rss(client)
            for number in range(1, times + 1):
                venue.set(OPTION, "off" if number % 2 else "on")
                volume.reload()
                file = theirs[number % len(theirs)]

                def has_switched(number: int = number) -> bool:
                    os.statvfs(at)  # it switches when it is asked for something
                    return log.read_text(errors="replace").count(SWITCHED) > number

                assert poll(has_switched, PATIENCE), "the mount does not switch"
                os.pwrite(file.fileno(), b"%08d" % number, 0)
                _use(volume, opened, number)
                if number in (10, times):
                    found.theirs[number] = rss(client)
            found.followed = core.switches - begun
            found.ours_followed = before, rss(me)
        finally:
            for file in theirs:
                file.close()


def no_mount() -> str:
    """Why nothing can be mounted here, or nothing."""
    if shutil.which("glusterfs") is None:
        return "glusterfs is not installed"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"no FUSE here: {error}"
    return ""


@contextmanager
def mounted(venue: GlusterVenue, place: Path) -> Iterator[tuple[Path, int, Path]]:
    """Mount a volume by GlusterFS's own client: where it is, the client's pid, and its log."""
    at, log = place / "mount", place / "mount.log"
    at.mkdir()
    command = ["glusterfs", "--no-daemon", f"--log-file={log}"]
    command += [f"--volfile-server={venue.host}", f"--volfile-id={venue.volume}", str(at)]
    client = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        assert poll(lambda: os.path.ismount(at) or client.poll() is not None), "it does not mount"
        assert client.poll() is None, log.read_text(errors="replace")[-2000:]
        os.stat(at)
        yield at, client.pid, log
    finally:
        subprocess.run(["umount", "-l", str(at)], check=False, timeout=PATIENCE)
        try:
            client.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            client.kill()
            client.wait()
        at.rmdir()
