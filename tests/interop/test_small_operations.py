"""Operations that no program here uses: GlusterFS's brick and ours, asked the same."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glusterio.wire.fops import directories, files, locks
from glusterio.wire.programs import (
    EntrylkCommand,
    EntrylkType,
    Fop,
    LeaseCommand,
    LeaseType,
)
from tests.brick.inside import InsideBrick
from tests.brick.raw import RawClient
from tests.interop.real_gluster import HandBrick


@contextmanager
def client_of(brick: HandBrick | InsideBrick) -> Iterator[RawClient]:
    if isinstance(brick, InsideBrick):
        with brick.connect() as client:
            yield client
        return
    with RawClient(brick.brick_port) as client:
        assert client.setvolume("/hand").op_ret == 0
        yield client


def answer(client: RawClient, fop: Fop, request: object) -> tuple[int, int]:
    """Whether it worked, and the errno if it did not."""
    reply, _ = client.fop(fop, request)
    return (0, 0) if reply.op_ret >= 0 else (reply.op_ret, reply.op_errno)


def asked(brick: HandBrick | InsideBrick) -> dict[str, object]:
    found: dict[str, object] = {}
    with client_of(brick) as one, client_of(brick) as two:
        directory = one.mkdir(f"small-{uuid.uuid4()}")
        for name in ("a", "b", "c"):
            one.mkdir(name, directory)
        made = one.create("file", directory)
        fd = one.do(Fop.OPENDIR, directories.OpendirRequest(directory)).fd
        theirs = two.do(Fop.OPENDIR, directories.OpendirRequest(directory)).fd

        found["null"] = answer(one, Fop.NULL, files.NullRequest())
        found["ipc"] = answer(one, Fop.IPC, files.IpcRequest(77))
        found["lease"] = answer(
            one,
            Fop.LEASE,
            locks.LeaseRequest(
                made.stat.gfid, locks.Lease(LeaseCommand.SET, LeaseType.READ, bytes(range(16)))
            ),
        )
        for number in (fd, 99):
            request = directories.FsyncdirRequest(directory, number, 0)
            found[f"fsyncdir {number == fd}"] = answer(one, Fop.FSYNCDIR, request)

        lock = locks.FentrylkRequest(
            directory,
            fd,
            EntrylkCommand.LOCK_NONBLOCKING,
            EntrylkType.WRITE,
            1,
            "a",
            "domain",
        )
        found["fentrylk"] = answer(one, Fop.FENTRYLK, lock)
        found["fentrylk of another"] = answer(two, Fop.FENTRYLK, lock._replace(fd=theirs))
        found["fentrylk elsewhere"] = answer(two, Fop.FENTRYLK, lock._replace(fd=theirs, name="b"))
        unlock = lock._replace(cmd=EntrylkCommand.UNLOCK)
        found["fentrylk dropped"] = answer(one, Fop.FENTRYLK, unlock)
        found["fentrylk then"] = answer(two, Fop.FENTRYLK, lock._replace(fd=theirs))

        plain = one.do(Fop.READDIR, directories.ReaddirRequest(directory, fd, 0, 65536))
        found["readdir"] = sorted((each.name, each.d_type) for each in plain.entries)
        found["readdir's end"] = plain.op_errno
        last = one.do(Fop.READDIR, directories.ReaddirRequest(directory, fd, 1, 0))
        found["readdir of no size"] = last.op_ret >= 0
        more = one.do(Fop.READDIRP, directories.ReaddirpRequest(directory, fd, 0, 65536))
        found["readdirp"] = sorted(
            (each.name, each.d_type, each.stat.mode, each.stat.gfid == directory)
            for each in more.entries
            if each.name != ".."  # which is the brick's own, and as it was made
        )
        for fop, release in (
            (Fop.RELEASE, files.ReleaseRequest(made.stat.gfid, made.fd)),
            (Fop.RELEASE, files.ReleaseRequest(made.stat.gfid, 99)),
            (Fop.RELEASEDIR, directories.ReleasedirRequest(directory, fd)),
            (Fop.RELEASEDIR, directories.ReleasedirRequest(directory, 99)),
        ):
            found[f"{fop.name} {release.fd == 99}"] = answer(one, fop, release)
    return found


def test_answers_are_the_same(hand_brick: HandBrick, tmp_path: Path) -> None:
    with InsideBrick(tmp_path) as ours:
        mine = asked(ours)
    assert mine == asked(hand_brick)
