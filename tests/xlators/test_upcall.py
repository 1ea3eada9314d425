"""features/upcall: who is told what, when another client changes a file."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Event
from glusterio.types import NULL_GFID, ROOT_GFID
from glusterio.wire.callbacks import CacheInvalidation
from glusterio.wire.callbacks import UpcallFlag as Changed
from glusterio.wire.fops import attributes, directories, files, names
from glusterio.wire.iatt import Iatt
from glusterio.wire.programs import CallbackProc, SetattrValid
from glusterio.xlators import upcall
from glusterio.xlators.base import Services
from glusterio.xlators.upcall import Upcall
from tests.xlators.posix_bed import PosixBed, new_gfid, posix_bed

SECOND = 10**9
NAMES = Changed.NLINK | Changed.TIMES | Changed.PARENT_TIMES


class Told:
    """A client, and what it was told."""

    def __init__(self) -> None:
        self.messages: list[CacheInvalidation] = []
        self.listens = True

    def notify(self, procedure: CallbackProc, message: CacheInvalidation) -> bool:
        assert procedure == CallbackProc.CACHE_INVALIDATION
        if self.listens:
            self.messages.append(message)
        return self.listens

    def take(self) -> list[tuple[str, int]]:
        """What was told since: gfid and flags of each."""
        found = [(one.gfid, one.flags) for one in self.messages]
        self.messages.clear()
        return found


class Bed:
    """The translator above a brick's posix, with a clock to turn, and two clients."""

    def __init__(self, below: PosixBed) -> None:
        self.below = below
        self.now = 1_700_000_000 * SECOND
        services = Services(Event, lambda: self.now)
        self.upcall = Upcall("upcall", {"cache-invalidation": "on"}, (below.posix,), services)
        self.one, self.other = Told(), Told()

    def do(self, client: Told, fop: str, *arguments: Any) -> Any:
        return self.below.run(getattr(self.upcall, fop)(Frame(client=client), *arguments))

    def create(self, client: Told, name: str) -> Fd:
        fd = Fd(NULL_GFID, os.O_RDWR)
        request = names.CreateRequest(ROOT_GFID, os.O_RDWR, 0o644, 0, name, new_gfid())
        self.do(client, "create", fd, request)
        return fd

    def use(self, client: Told, gfid: bytes) -> None:
        self.do(client, "stat", attributes.StatRequest(gfid))


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    with posix_bed(tmp_path) as below:
        yield Bed(below)


def text(gfid: bytes) -> str:
    return str(uuid.UUID(bytes=gfid))


def test_who_used_a_file_is_told_that_another_wrote_to_it(bed: Bed) -> None:
    fd = bed.create(bed.one, "f")
    bed.do(bed.other, "writev", fd, b"data", 0)
    (message,) = bed.one.messages
    assert message.gfid == text(fd.gfid)
    assert message.flags == Changed.SIZE | Changed.TIMES
    assert (message.stat.gfid, message.stat.size) == (fd.gfid, 4)
    assert (message.event_type, message.expire) == (1, upcall.TIMEOUT)
    assert bed.other.messages == []
    bed.below.release(fd)


def test_who_made_a_change_is_told_of_the_next(bed: Bed) -> None:
    fd = bed.create(bed.one, "f")
    bed.do(bed.other, "writev", fd, b"data", 0)
    bed.one.take()
    bed.do(bed.one, "ftruncate", fd, files.FtruncateRequest(fd.gfid, 0, 1))
    assert bed.one.take() == []
    assert bed.other.take() == [(text(fd.gfid), Changed.SIZE | Changed.TIMES)]
    bed.below.release(fd)


def test_attributes_and_names(bed: Bed) -> None:
    fd = bed.create(bed.one, "f")
    gfid = fd.gfid
    directory = bed.do(
        bed.other, "mkdir", names.MkdirRequest(ROOT_GFID, 0o755, 0, "d", new_gfid())
    ).stat.gfid
    assert bed.one.take() == [(text(ROOT_GFID), Changed.TIMES)]

    def told(fop: str, request: Any) -> list[tuple[str, int]]:
        bed.do(bed.other, fop, request)
        found = bed.one.take()
        bed.do(bed.one, "fstat", fd, attributes.FstatRequest(gfid, 0))
        return found

    all_attributes = 0x8 | 0x10 | 0x4 | 0x2 | 0x40
    setattr_of = attributes.SetattrRequest
    assert told("setattr", setattr_of(gfid, Iatt(mtime=5), SetattrValid.MTIME)) == [
        (text(gfid), all_attributes)
    ]
    assert told("setattr", setattr_of(gfid, Iatt(mode=0o600), SetattrValid.MODE)) == [
        (text(gfid), all_attributes | Changed.XATTR)
    ]
    assert told("link", names.LinkRequest(gfid, directory, "second")) == [(text(gfid), NAMES)]
    assert told("rename", names.RenameRequest(ROOT_GFID, directory, "f", "moved")) == [
        (text(gfid), Changed.RENAMED | Changed.PARENT_TIMES)
    ]
    assert told("unlink", names.UnlinkRequest(directory, "moved", 0)) == [(text(gfid), NAMES)]
    bed.use(bed.one, directory)
    assert told("unlink", names.UnlinkRequest(directory, "second", 0)) == [(text(gfid), NAMES)]
    bed.do(bed.other, "rmdir", names.RmdirRequest(ROOT_GFID, 0, "d"))
    assert bed.one.take() == [(text(directory), NAMES)]
    bed.below.release(fd)


def test_a_change_that_fails_is_not_told(bed: Bed) -> None:
    fd = bed.create(bed.one, "f")
    for fop, request in (
        ("unlink", names.UnlinkRequest(ROOT_GFID, "none", 0)),
        ("rmdir", names.RmdirRequest(ROOT_GFID, 0, "f")),
        ("truncate", files.TruncateRequest(fd.gfid, (1 << 64) - 1)),
    ):
        with pytest.raises(OSError, match=r"No such|Not a dir|Invalid|too large"):
            bed.do(bed.other, fop, request)
    assert bed.one.take() == []
    bed.below.release(fd)


def test_a_lookup_and_a_listing_count_as_use(bed: Bed) -> None:
    gfid = bed.below.make("f", b"data")
    bed.do(bed.one, "lookup", names.LookupRequest(NULL_GFID, ROOT_GFID, 0, "f"))
    bed.do(bed.other, "truncate", files.TruncateRequest(gfid, 1))
    assert len(bed.one.take()) == 1
    third = Told()
    fd = bed.below.opendir()
    bed.do(third, "readdirp", fd, directories.ReaddirpRequest(ROOT_GFID, 0, 0, 65536))
    bed.do(bed.other, "truncate", files.TruncateRequest(gfid, 0))
    assert third.take() == [(text(gfid), Changed.SIZE | Changed.TIMES)]
    bed.below.releasedir(fd)


def test_nobody_is_told_for_ever(bed: Bed) -> None:
    gfid = bed.below.make("f", b"data")
    bed.use(bed.one, gfid)
    bed.now += (upcall.TIMEOUT + 1) * SECOND
    bed.do(bed.other, "truncate", files.TruncateRequest(gfid, 1))
    assert bed.one.take() == []


def test_who_does_not_listen_is_forgotten(bed: Bed) -> None:
    gfid = bed.below.make("f", b"data")
    bed.use(bed.one, gfid)
    bed.one.listens = False
    bed.do(bed.other, "truncate", files.TruncateRequest(gfid, 1))
    bed.one.listens = True
    bed.do(bed.other, "truncate", files.TruncateRequest(gfid, 2))
    assert bed.one.take() == []


def test_who_has_gone_is_forgotten(bed: Bed) -> None:
    gfid = bed.below.make("f", b"data")
    bed.use(bed.one, gfid)
    bed.below.run(bed.upcall.client_gone(Frame(client=bed.one)))
    bed.do(bed.other, "truncate", files.TruncateRequest(gfid, 1))
    assert bed.one.take() == []


def test_what_is_no_longer_kept_in_mind_is_told(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upcall, "MOST_FILES", 2)
    gfids = [bed.below.make(f"f{n}") for n in range(3)]
    bed.use(bed.one, gfids[0])
    bed.use(bed.one, gfids[1])
    bed.use(bed.one, gfids[0])
    bed.use(bed.other, gfids[2])
    assert bed.one.take() == [(text(gfids[1]), Changed.FORGOTTEN)]
    assert bed.upcall.counts() == {"watched_files": 2}


def test_it_is_off_by_default_and_can_be_turned_off(bed: Bed) -> None:
    services = Services(Event)
    assert not Upcall("upcall", {}, (bed.below.posix,), services).is_on
    gfid = bed.below.make("f", b"data")
    bed.use(bed.one, gfid)
    bed.upcall.reconfigure({"cache-invalidation": "off"})
    assert bed.upcall.counts() == {"watched_files": 0}
    bed.do(bed.other, "truncate", files.TruncateRequest(gfid, 1))
    bed.do(bed.other, "unlink", names.UnlinkRequest(ROOT_GFID, "f", 0))
    assert bed.one.take() == []
