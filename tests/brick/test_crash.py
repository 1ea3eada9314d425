"""A brick that is killed at any moment, again and again: what it acknowledged is there, and no ruins.

One client makes, writes, links, moves and removes files and directories at random, and notes what was
acknowledged; somewhere in the middle of it the brick is killed. It is started again on the same
directory, and everything is compared.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glusterio.wire.fops import files, names
from glusterio.wire.programs import ROOT_GFID, Fop
from glusterio.xlators.posix.identity import text_of
from tests.brick.raw import RawClient, new_gfid
from tests.embedded import BrickProcess, start_brick

#: How long the rounds go on, in seconds, and how many there are at least.
BUDGET = 12.0
LEAST = 6

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="reads trusted attributes")


class Model:
    """What was acknowledged.

    Attributes:
        dirs: the gfid of each directory, by path; the root's is "".
        files: gfid of each name of a file, by directory's path and name.
        kept: what was written and brought to the disk, by gfid.
        doubtful: paths that the operation under way is about: it may have happened, or not.
    """

    def __init__(self) -> None:
        self.dirs: dict[str, bytes] = {"": ROOT_GFID}
        self.files: dict[str, bytes] = {}
        self.kept: dict[bytes, bytes] = {}
        self.doubtful: set[str] = set()
        self._count = 0

    def new_name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"

    def place(self, chance: random.Random) -> str:
        return chance.choice(sorted(self.dirs))

    def some_file(self, chance: random.Random) -> str | None:
        return chance.choice(sorted(self.files)) if self.files else None


def split(path: str) -> tuple[str, str]:
    parent, _, name = path.rpartition("/")
    return parent, name


class Worker:
    """Does one thing after the other."""

    def __init__(self, client: RawClient, model: Model, chance: random.Random) -> None:
        self.client = client
        self.model = model
        self.chance = chance

    def at(self, path: str) -> tuple[bytes, str]:
        parent, name = split(path)
        return self.model.dirs[parent], name

    def step(self) -> None:
        self.model.doubtful.clear()
        makes = [self.create, self.create, self.create, self.mkdir, self.symlink, self.link]
        changes = [self.rename, self.rename, self.rename_dir, self.unlink, self.rmdir, self.append]
        self.chance.choice(self.chance.choice([makes, changes]))()
        self.model.doubtful.clear()

    def create(self) -> None:
        path = f"{self.model.place(self.chance)}/{self.model.new_name('f')}"
        self.model.doubtful.add(path)
        parent, name = self.at(path)
        made = self.client.create(name, parent)
        self.model.files[path] = made.stat.gfid
        self.model.kept[made.stat.gfid] = b""
        self.model.doubtful.clear()
        self.write(made.stat.gfid, made.fd)
        self.client.release(made.stat.gfid, made.fd)

    def write(self, gfid: bytes, fd: int) -> None:
        kept = self.model.kept[gfid]
        data = self.chance.randbytes(self.chance.randrange(1, 20000))
        self.client.write(gfid, fd, data, len(kept))
        self.client.do(Fop.FSYNC, files.FsyncRequest(gfid, fd, 0))
        self.model.kept[gfid] = kept + data

    def append(self) -> None:
        path = self.model.some_file(self.chance)
        if path is not None and self.model.files[path] in self.model.kept:
            gfid = self.model.files[path]
            fd = self.client.do(Fop.OPEN, files.OpenRequest(gfid, os.O_RDWR)).fd
            self.write(gfid, fd)
            self.client.release(gfid, fd)

    def mkdir(self) -> None:
        path = f"{self.model.place(self.chance)}/{self.model.new_name('d')}"
        self.model.doubtful.add(path)
        parent, name = self.at(path)
        self.model.dirs[path] = self.client.mkdir(name, parent)

    def symlink(self) -> None:
        path = f"{self.model.place(self.chance)}/{self.model.new_name('s')}"
        self.model.doubtful.add(path)
        parent, name = self.at(path)
        request = names.SymlinkRequest(parent, name, 0, "target", new_gfid())
        self.model.files[path] = self.client.do(Fop.SYMLINK, request).stat.gfid

    def link(self) -> None:
        source = self.model.some_file(self.chance)
        if source is None:
            return
        path = f"{self.model.place(self.chance)}/{self.model.new_name('l')}"
        self.model.doubtful.add(path)
        parent, name = self.at(path)
        gfid = self.model.files[source]
        self.client.do(Fop.LINK, names.LinkRequest(gfid, parent, name))
        self.model.files[path] = gfid

    def rename(self) -> None:
        old, victim = self.model.some_file(self.chance), self.model.some_file(self.chance)
        if old is None or victim is None:
            return
        new = victim
        if self.chance.random() < 0.7:
            new = f"{self.model.place(self.chance)}/{self.model.new_name('r')}"
        if self.model.files.get(new) == self.model.files[old]:
            return  # two names of one file: both stay
        self.model.doubtful |= {old, new}
        request = names.RenameRequest(
            self.at(old)[0], self.at(new)[0], self.at(old)[1], self.at(new)[1]
        )
        self.client.do(Fop.RENAME, request)
        self.model.files[new] = self.model.files.pop(old)

    def rename_dir(self) -> None:
        """Move a directory with all that is in it."""
        old = self.model.place(self.chance)
        into = self.model.place(self.chance)
        if not old or into == old or into.startswith(f"{old}/"):
            return
        new = f"{into}/{self.model.new_name('m')}"
        self.model.doubtful |= {old, new}
        request = names.RenameRequest(
            self.at(old)[0], self.at(new)[0], self.at(old)[1], self.at(new)[1]
        )
        self.client.do(Fop.RENAME, request)
        for paths in (self.model.dirs, self.model.files):
            for path in [each for each in paths if each == old or each.startswith(f"{old}/")]:
                paths[new + path[len(old) :]] = paths.pop(path)

    def unlink(self) -> None:
        path = self.model.some_file(self.chance)
        if path is None:
            return
        self.model.doubtful.add(path)
        parent, name = self.at(path)
        is_open = self.chance.random() < 0.3 and self.model.files[path] in self.model.kept
        if is_open:  # and stays so until the brick is killed
            self.client.do(Fop.OPEN, files.OpenRequest(self.model.files[path], os.O_RDWR))
        self.client.do(Fop.UNLINK, names.UnlinkRequest(parent, name))
        del self.model.files[path]

    def rmdir(self) -> None:
        path = self.model.place(self.chance)
        everything = (*self.model.dirs, *self.model.files)
        if not path or any(each.startswith(f"{path}/") for each in everything):
            return
        self.model.doubtful.add(path)
        parent, name = self.at(path)
        self.client.do(Fop.RMDIR, names.RmdirRequest(parent, 0, name))
        del self.model.dirs[path]


def work_until_killed(brick: BrickProcess, model: Model, chance: random.Random) -> int:
    """Work while a clock runs that kills the brick; return how much was acknowledged."""
    done = 0
    # The moment is arbitrary, and that is the point: nothing waits for it.
    killer = threading.Timer(chance.uniform(0.005, 0.15), brick.kill)
    with RawClient.of(brick.brick_port, str(brick.directory)) as client:
        worker = Worker(client, model, chance)
        killer.start()
        try:
            with contextlib.suppress(ConnectionError):
                while True:
                    worker.step()
                    done += 1
        finally:
            killer.join()
    return done


def subtree(paths: set[str]) -> Callable[[str], bool]:
    return lambda path: any(path == each or path.startswith(f"{each}/") for each in paths)


def settle_doubts(client: RawClient, model: Model) -> None:
    """See what became of what the killed operation was about, and go on from there."""
    is_doubtful = subtree(model.doubtful)
    missing: dict[bytes, str] = {}
    for paths in (model.dirs, model.files):
        for path in [each for each in paths if is_doubtful(each)]:
            missing[paths.pop(path)] = path
    ways = sorted(model.dirs.items())
    while ways:
        parent_path, parent = ways.pop()
        for name in client.entries(parent):
            path = f"{parent_path}/{name}"
            if name in (".", "..") or path in model.dirs or path in model.files:
                continue
            assert is_doubtful(path), f"{path} came from nowhere"
            stat = client.lookup(name, parent).stat
            if stat.mode & 0o170000 == 0o040000:
                model.dirs[path] = stat.gfid
                ways.append((path, stat.gfid))
            else:
                model.files[path] = stat.gfid
                if stat.mode & 0o170000 == 0o100000 and stat.gfid not in model.kept:
                    model.kept[stat.gfid] = b""  # made, but that was not acknowledged any more
    model.doubtful.clear()


def check(client: RawClient, model: Model) -> None:
    """Everything acknowledged is there, and nothing else is."""
    for path, gfid in (*model.dirs.items(), *model.files.items()):
        if path:
            parent, name = split(path)
            assert client.lookup(name, model.dirs[parent]).stat.gfid == gfid, path
    for path, gfid in model.files.items():
        if gfid in model.kept:
            kept = model.kept[gfid]
            data = client.read(gfid, -2, len(kept) + 1_000_000)
            assert data[: len(kept)] == kept, path
            model.kept[gfid] = data  # what came behind it was written, and may be there


def check_disk(directory: Path, model: Model) -> None:
    """Every handle has a name, and every name a handle."""
    handles = {path.name: path for path in directory.glob(".glusterfs/[0-9a-f][0-9a-f]/*/*")}
    wanted = {text_of(gfid) for gfid in (*model.dirs.values(), *model.files.values())}
    assert set(handles) | {text_of(ROOT_GFID)} == wanted | {text_of(ROOT_GFID)}
    for path, gfid in model.files.items():
        handle = handles[text_of(gfid)]
        assert os.path.samestat(os.lstat(handle), os.lstat(f"{directory}{path}")), path
    for path, gfid in model.dirs.items():
        if path:
            parent, name = split(path)
            above = text_of(model.dirs[parent])
            way = f"../../{above[:2]}/{above[2:4]}/{above}/{name}"
            assert os.readlink(handles[text_of(gfid)]) == way, path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    served = tmp_path / "brick"
    served.mkdir()
    return served


@needs_root
def test_killed_at_any_moment(directory: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance, model = random.Random(seed), Model()
    end = time.monotonic() + BUDGET
    rounds = acknowledged = ruins = 0
    with start_brick(directory) as brick:
        acknowledged += work_until_killed(brick, model, chance)
    while rounds < LEAST or time.monotonic() < end:
        rounds += 1
        with start_brick(directory) as brick:
            with RawClient.of(brick.brick_port, str(directory)) as client:
                settle_doubts(client, model)
                check(client, model)
                check_disk(directory, model)
            told = brick.dump()["recovered_files"]
            assert [each for each in told if each["remedy"] not in ("mended", "removed")] == []
            ruins += len(told)
            acknowledged += work_until_killed(brick, model, chance)
    with start_brick(directory) as brick:
        with RawClient.of(brick.brick_port, str(directory)) as client:
            settle_doubts(client, model)
            check(client, model)
        brick.stop()
    check_disk(directory, model)
    print(f"{rounds} rounds, {acknowledged} operations acknowledged, {ruins} ruins")
    assert acknowledged > rounds
