"""features/leases: what is granted, what keeps whom out, by the rules alone."""

from __future__ import annotations

import errno
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.traps import Event, Now, Wait
from glusterio.types import NULL_GFID, ROOT_GFID
from glusterio.wire.callbacks import RecallLease
from glusterio.wire.credentials import Credentials
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops import attributes, files, locks, names
from glusterio.wire.iatt import ZERO_IATT
from glusterio.wire.programs import CallbackProc, LeaseCommand, LeaseType, SetattrValid
from glusterio.xlators.base import Services, Xlator
from glusterio.xlators.leases import Leases
from glusterio.xlators.leases.file import FileLeases
from glusterio.xlators.leases.rules import Holder, Use, keeps_out, may_coexist, permits
from tests.xlators.posix_bed import PosixBed, new_gfid, posix_bed

READ, RW = LeaseType.READ, LeaseType.READ_WRITE
ONE, TWO, THREE = (Holder("client", bytes([n]) * 16) for n in (1, 2, 3))

# -- the rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [(READ, READ, True), (READ, RW, False), (RW, READ, False), (RW, RW, False)],
)
def test_which_leases_may_coexist(one: LeaseType, other: LeaseType, together: bool) -> None:
    assert may_coexist(one, other) is together


@pytest.mark.parametrize(
    ("held", "changes", "kept_out"),
    [
        ((), False, False),
        ((), True, False),
        ((READ,), False, False),
        ((READ,), True, True),
        ((RW,), False, True),
        ((RW,), True, True),
        ((READ, RW), False, True),
    ],
)
def test_what_a_lease_keeps_others_from(
    held: tuple[LeaseType, ...], changes: bool, kept_out: bool
) -> None:
    assert keeps_out(held, changes=changes) is kept_out


@pytest.mark.parametrize(
    ("wanted", "changes", "permitted"),
    [(READ, False, True), (READ, True, False), (RW, False, False), (RW, True, False)],
)
def test_what_use_permits_a_lease(wanted: LeaseType, changes: bool, permitted: bool) -> None:
    assert permits(wanted, Use(ONE, changes)) is permitted


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["grant", "give_back", "revoke", "open", "close"]),
        st.sampled_from([ONE, TWO, THREE]),
        st.sampled_from([READ, RW]),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_no_two_leases_are_at_odds(steps: Any) -> None:
    file = FileLeases()
    for step, holder, kind in steps:
        changes = kind == RW
        if step == "grant" and file.can_grant(holder, kind):
            file.grant(holder, kind)
        elif step == "give_back" and holder in file.leases:
            file.give_back(holder, kind)
        elif step == "revoke" and holder in file.leases:
            file.revoke(holder)
        elif step == "open" and not file.in_the_way(Use(holder, changes)):
            file.uses[holder, kind] = Use(holder, changes)
        elif step == "close":
            file.uses.pop((holder, kind), None)
        for one, other in itertools.permutations(file.leases, 2):
            assert file.leases[one].types == file.leases[other].types == READ
        for holder_of_lease, lease in file.leases.items():
            assert lease.counts.total() > 0
            for use in file.uses.values():
                if use.holder != holder_of_lease:
                    assert not keeps_out(lease.counts, changes=use.changes)
    for holder in list(file.leases):
        file.revoke(holder)
    file.uses.clear()
    assert file.is_idle


def test_first_those_who_wait() -> None:
    file = FileLeases()
    file.waiting.append(Event())
    assert not file.can_grant(ONE, READ)
    file.waiting.clear()
    file.grant(ONE, READ)
    file.leases[ONE].recalled = 1.0
    assert not file.can_grant(ONE, READ)


# -- the translator -----------------------------------------------------------------------------------


class Told:
    """A client, and which files' leases it was asked for."""

    def __init__(self, name: str) -> None:
        self.name = self.uid = name
        self.recalled: list[bytes] = []
        self.gone = Event()

    def notify(self, procedure: CallbackProc, message: RecallLease) -> bool:
        assert procedure == CallbackProc.RECALL_LEASE
        assert (message.lease_type, message.lease_id) == (LeaseType.NONE, bytes(16))
        self.recalled.append(message.gfid)
        return True


MINE = b"mine" * 4
YOURS = b"yours" * 3 + b"!"


class Bed:
    """The translator above a brick's posix, without any time to give a lease back, and two clients."""

    def __init__(self, below: PosixBed, timeout: str = "0") -> None:
        self.below = below
        self.options = {"leases": "on", "lease-lock-recall-timeout": timeout}
        self.leases = Leases("leases", self.options, (below.posix,), Services(Event))
        self.one, self.two = Told("one"), Told("two")

    def do(self, client: Told, fop: str, *arguments: Any, pid: int = 1) -> Any:
        frame = Frame(client=client, identity=Credentials(pid, os.geteuid(), os.getegid()))
        return self.below.run(getattr(self.leases, fop)(frame, *arguments))

    def create(self, client: Told, name: str, flags: int = os.O_RDWR, lease_id: bytes = b"") -> Fd:
        fd = Fd(NULL_GFID, flags)
        xdata = {**new_gfid(), **of(lease_id)}
        self.do(client, "create", fd, names.CreateRequest(ROOT_GFID, flags, 0o644, 0, name, xdata))
        return fd

    def open(self, client: Told, gfid: bytes, flags: int = 0, lease_id: bytes = b"") -> Fd:
        fd = Fd(gfid, flags)
        self.do(client, "open", fd, files.OpenRequest(gfid, flags, of(lease_id)))
        return fd

    def release(self, client: Told, fd: Fd) -> None:
        self.do(client, "release", fd)

    def lease(
        self,
        client: Told,
        gfid: bytes,
        kind: int,
        lease_id: bytes = MINE,
        cmd: LeaseCommand = LeaseCommand.SET,
    ) -> int:
        request = locks.LeaseRequest(gfid, locks.Lease(cmd, kind, lease_id))
        reply: locks.LeaseReply = self.do(client, "lease", request)
        return reply.lease.type

    def refused(self, client: Told, gfid: bytes, kind: int, lease_id: bytes = MINE) -> bool:
        with pytest.raises(PermissionError):
            self.lease(client, gfid, kind, lease_id)
        return True

    def held(self) -> int:
        return self.leases.counts()["leases"]


def of(lease_id: bytes) -> Dict:
    return {"lease-id": lease_id} if lease_id else {}


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    with posix_bed(tmp_path) as below:
        made = Bed(below)
        yield made
        assert made.leases.files == {}, "something is kept in mind for nothing"
        assert not made.leases.tally


@pytest.fixture
def file(bed: Bed) -> bytes:
    fd = bed.create(bed.one, "f")
    bed.release(bed.one, fd)
    return fd.gfid


def test_who_has_a_file_open_keeps_others_leases_away(bed: Bed, file: bytes) -> None:
    reader = bed.open(bed.two, file, os.O_RDONLY)
    assert bed.refused(bed.one, file, RW)
    assert bed.lease(bed.one, file, READ) == READ
    bed.lease(bed.one, file, READ, cmd=LeaseCommand.UNLOCK)
    bed.release(bed.two, reader)
    writer = bed.open(bed.two, file, os.O_WRONLY)
    assert bed.refused(bed.one, file, READ)
    bed.release(bed.two, writer)
    assert bed.lease(bed.one, file, RW) == RW
    bed.lease(bed.one, file, RW, cmd=LeaseCommand.UNLOCK)


def test_ones_own_descriptors_do_not(bed: Bed, file: bytes) -> None:
    mine = bed.open(bed.one, file, os.O_RDWR, MINE)
    assert bed.lease(bed.one, file, RW) == RW
    nameless = bed.open(bed.one, file, os.O_RDONLY)
    assert bed.one.recalled == [file], "opened in nobody's name"
    assert bed.held() == 0
    bed.release(bed.one, nameless)
    bed.release(bed.one, mine)


def test_a_lease_ends_with_the_last_descriptor_of_its_holder(bed: Bed, file: bytes) -> None:
    first, last = (bed.open(bed.one, file, os.O_RDWR, MINE) for _ in range(2))
    bed.lease(bed.one, file, RW)
    bed.release(bed.one, first)
    assert bed.held() == 1
    bed.release(bed.one, last)
    assert bed.held() == 0
    assert bed.one.recalled == []


def test_what_was_taken_twice_is_given_back_twice(bed: Bed, file: bytes) -> None:
    assert [bed.lease(bed.one, file, kind) for kind in (READ, READ, RW)] == [READ, READ, RW]
    types = [
        (bed.lease(bed.one, file, kind, cmd=LeaseCommand.UNLOCK), bed.lease(*get))
        for kind, get in [(each, (bed.two, file, 0, YOURS, LeaseCommand.GET)) for each in (1, 2, 1)]
    ]
    assert types == [(READ, READ | RW), (RW, READ), (READ, 0)]
    assert bed.lease(bed.one, file, READ, cmd=LeaseCommand.UNLOCK) == READ, "may have been revoked"


def test_what_is_no_lease(bed: Bed, file: bytes) -> None:
    bed.lease(bed.one, file, READ)
    for wrong, request in [
        (errno.EINVAL, (file, READ, bytes(16))),
        (errno.EINVAL, (file, 7, MINE)),
        (errno.EINVAL, (file, READ, MINE, 9)),
        (errno.EINVAL, (file, RW, MINE, LeaseCommand.UNLOCK)),
        (errno.ESTALE, (b"none" * 4, READ, MINE)),
    ]:
        with pytest.raises(OSError, match=re.escape(os.strerror(wrong))) as caught:
            bed.lease(bed.one, *request)  # type: ignore[arg-type]
        assert caught.value.errno == wrong, request
    bed.lease(bed.one, file, READ, cmd=LeaseCommand.UNLOCK)


def test_an_open_that_fails_leaves_nothing(bed: Bed) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
        bed.open(bed.one, b"none" * 4, os.O_RDWR)
    assert bed.leases.files == {}


def test_a_client_that_has_gone_gets_none(bed: Bed, file: bytes) -> None:
    bed.one.gone.set()
    with pytest.raises(OSError, match=os.strerror(errno.ENOTCONN)):
        bed.lease(bed.one, file, READ)


class Slow(Xlator):
    """Keeps a TRUNCATE under way until the test goes on with it."""

    async def truncate(self, frame: Frame, request: files.TruncateRequest) -> Any:
        await Wait(Event())
        return files.ChangedReply()


def test_a_change_under_way_keeps_a_lease_away(bed: Bed, file: bytes) -> None:
    below = Slow("slow", {}, (bed.below.posix,), Services(Event))
    bed.leases = Leases("leases", bed.options, (below,), Services(Event))
    frame = Frame(client=bed.two)
    change = bed.leases.truncate(frame, files.TruncateRequest(file, 0))
    assert isinstance(change.send(None), Wait)
    assert bed.refused(bed.one, file, READ)
    with pytest.raises(StopIteration):
        change.send(True)
    bed.lease(bed.one, file, READ)
    bed.lease(bed.one, file, READ, cmd=LeaseCommand.UNLOCK)


#: What changes a file, by the fop and its arguments but for the frame.
BY_NAME: dict[str, Any] = {
    "truncate": lambda gfid: files.TruncateRequest(gfid, 0),
    "setattr": lambda gfid: attributes.SetattrRequest(
        gfid, ZERO_IATT._replace(mode=0o600), SetattrValid.MODE
    ),
    "unlink": lambda _: names.UnlinkRequest(ROOT_GFID, "f"),
    "rename": lambda _: names.RenameRequest(ROOT_GFID, ROOT_GFID, "f", "g"),
    "link": lambda gfid: names.LinkRequest(gfid, ROOT_GFID, "g"),
}


@pytest.mark.parametrize("fop", BY_NAME)
def test_a_change_by_another_ends_a_lease(bed: Bed, file: bytes, fop: str) -> None:
    bed.lease(bed.one, file, READ)
    bed.do(bed.two, fop, BY_NAME[fop](file))
    assert bed.one.recalled == [file]
    assert bed.held() == 0, "no time to give it back"


@pytest.mark.parametrize("fop", BY_NAME)
def test_ones_own_change_ends_no_lease_of_ones_own(bed: Bed, file: bytes, fop: str) -> None:
    """libgfapi sends no lease id along with these, and nobody shall wait for himself."""
    bed.lease(bed.one, file, RW)
    bed.do(bed.one, fop, BY_NAME[fop](file))
    assert bed.one.recalled == []
    bed.lease(bed.one, file, RW, cmd=LeaseCommand.UNLOCK)


def test_an_exclusive_create_that_fails_ends_no_lease(bed: Bed, file: bytes) -> None:
    bed.lease(bed.one, file, READ)
    with pytest.raises(FileExistsError):
        bed.create(bed.two, "f", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    assert bed.one.recalled == []
    there = bed.create(bed.two, "f", os.O_RDWR | os.O_CREAT)
    assert (bed.one.recalled, bed.held()) == ([file], 0)
    bed.release(bed.two, there)


def test_the_file_that_a_rename_replaces_counts(bed: Bed, file: bytes) -> None:
    other = bed.create(bed.two, "other")
    bed.lease(bed.one, file, READ)
    bed.do(bed.two, "rename", names.RenameRequest(ROOT_GFID, ROOT_GFID, "other", "f"))
    assert bed.one.recalled == [file]
    bed.release(bed.two, other)


def test_reading_ends_a_read_write_lease_only(bed: Bed, file: bytes) -> None:
    anonymous = Fd(file, anonymous=True)
    bed.lease(bed.one, file, READ)
    bed.do(bed.two, "readv", anonymous, 10, 0)
    assert bed.one.recalled == []
    bed.lease(bed.one, file, RW)
    bed.do(bed.two, "readv", anonymous, 10, 0)
    assert bed.one.recalled == [file]


def test_nothing_is_kept_of_who_waited(bed: Bed, file: bytes) -> None:
    bed.leases.reconfigure({**bed.options, "lease-lock-recall-timeout": "1000"})
    bed.lease(bed.one, file, RW)
    anonymous = Fd(file, anonymous=True)
    reading = bed.leases.readv(Frame(client=bed.two), anonymous, 10, 0)
    assert isinstance(reading.send(None), Now)
    waits = reading.send(5.0)
    assert isinstance(waits, Wait)
    assert waits.seconds == 1000
    assert bed.leases.counts()["waiting_for_leases"] == 1
    bed.lease(bed.one, file, RW, cmd=LeaseCommand.UNLOCK)
    assert waits.event.is_set
    with pytest.raises(StopIteration):
        reading.send(True)


def test_the_requests_own_lease_id_is_told_by_its_frame(bed: Bed, file: bytes) -> None:
    fd = bed.open(bed.one, file, os.O_RDWR, MINE)
    bed.lease(bed.one, file, RW)
    frame = Frame(client=bed.one)
    frame.xdata = {"lease-id": MINE}
    assert bed.below.run(bed.leases.writev(frame, fd, b"data", 0)).written == 4
    assert bytes(bed.below.run(bed.leases.readv(frame, fd, 9, 0)).data) == b"data"
    assert bed.one.recalled == []
    bed.release(bed.one, fd)


def test_daemons_pass(bed: Bed, file: bytes) -> None:
    bed.lease(bed.one, file, RW)
    bed.do(bed.two, "truncate", files.TruncateRequest(file, 0), pid=-6)
    internal: Dict = {"glusterfs-internal-fop": "yes"}
    bed.do(bed.two, "truncate", files.TruncateRequest(file, 0, internal))
    assert bed.one.recalled == []
    bed.lease(bed.one, file, RW, cmd=LeaseCommand.UNLOCK)


def test_turned_off_nobody_has_any(bed: Bed, file: bytes) -> None:
    bed.lease(bed.one, file, RW)
    bed.leases.reconfigure({})
    assert (bed.one.recalled, bed.held()) == ([file], 0)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSYS)):
        bed.lease(bed.one, file, RW)


def test_what_was_opened_before_they_were_turned_on_counts_when_it_is_used(
    bed: Bed, file: bytes
) -> None:
    bed.leases.reconfigure({})
    before = bed.open(bed.two, file, os.O_RDWR)
    bed.leases.reconfigure(bed.options)
    bed.lease(bed.one, file, READ)
    bed.do(bed.two, "writev", before, b"data", 0)
    assert bed.one.recalled == [file]
    bed.release(bed.two, before)


def test_the_clients_end(bed: Bed, file: bytes) -> None:
    bed.lease(bed.one, file, READ)
    bed.lease(bed.two, file, READ, YOURS)
    assert bed.leases.dump()["lease_table"][0]["client"] == "one"
    bed.below.run(bed.leases.client_gone(Frame(client=bed.one)))
    assert [each["client"] for each in bed.leases.dump()["lease_table"]] == ["two"]
    bed.below.run(bed.leases.client_gone(Frame(client=bed.two)))


def test_turned_off_reading_and_writing_are_the_childs_own(bed: Bed, file: bytes) -> None:
    bed.leases.reconfigure({})
    fd = Fd(file, os.O_RDWR, anonymous=True)
    made: list[Any] = [
        bed.leases.readv(Frame(), fd, 1, 0),
        bed.leases.writev(Frame(), fd, b"", 0),
    ]
    for fop in made:
        assert "xlators/posix" in fop.cr_code.co_filename
        fop.close()
