"""A faulty transport that reads along: which fops passed, in what order, and for which fd.

What it writes down is the order at the proxy. A client can know of a reply only after the proxy had
it; so a request that the proxy has before a reply was sent in ignorance of it.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import NamedTuple

from glusterio.wire.fops import FOPS
from glusterio.wire.messages import decode
from glusterio.wire.programs import FOPS as FOP_PROGRAM
from glusterio.wire.programs import Fop
from tests.faulty import CHUNK, FaultyProxy, RecordSplitter, _Connection

_CALL = struct.Struct(">9I")  # mark, xid, direction, version, program, its version, procedure, cred
_MARK = 4

#: The fops whose request names an fd behind a gfid.
ON_FD = frozenset(
    {
        Fop.READ, Fop.WRITE, Fop.FSTAT, Fop.FSYNC, Fop.FLUSH, Fop.FTRUNCATE, Fop.READDIRP,
        Fop.RELEASE, Fop.RELEASEDIR,
    }
)  # fmt: skip
#: The fops whose reply brings an fd.
OPENING = frozenset({Fop.OPEN, Fop.CREATE, Fop.OPENDIR})


class Seen(NamedTuple):
    """A request or a reply that passed."""

    kind: str  #: ``"call"`` or ``"reply"``
    fop: Fop
    xid: int
    fd: int | None  #: what it is about, or what it brings
    where: int  #: which connection, by its number


class Tap(FaultyProxy):
    """See the top of this file."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        super().__init__(upstream)
        self.log: list[Seen] = []
        self.kept: list[tuple[_Connection, bytes]] = []
        self._numbers: dict[_Connection, int] = {}
        self._requests: dict[_Connection, tuple[RecordSplitter, bytearray]] = {}
        self._replies: dict[_Connection, bytearray] = {}
        self._asked: dict[tuple[_Connection, int], Seen] = {}
        self._holding: frozenset[Fop] = frozenset()

    def __enter__(self) -> Tap:
        self.start()
        return self

    # -- for tests --------------------------------------------------------------------------------

    def hold(self, *fops: Fop) -> None:
        """Keep back the replies to these fops, until `let_go`."""
        self._do(lambda: setattr(self, "_holding", frozenset(fops)))

    def let_go(self, *then_hold: Fop) -> None:
        """Deliver what was kept back; from now on keep these back, or nothing any more."""

        def let_go() -> None:
            self._holding = frozenset(then_hold)
            kept, self.kept = self.kept, []
            for connection, record in kept:
                if connection in self._open:
                    super(Tap, self)._through_records(connection, record, True)

        self._do(let_go)

    def calls(self, *fops: Fop) -> int:
        """How many requests with these fops were seen."""
        return sum(seen.kind == "call" and seen.fop in fops for seen in list(self.log))

    def wait_for_calls(self, count: int, *fops: Fop) -> None:
        """Wait until so many requests with these fops were seen."""
        self.wait_for(lambda: self.calls(*fops) >= count)

    def opened(self) -> Counter[tuple[int, int]]:
        """The fds that the brick gave: connection and number, each with how often."""
        return Counter(
            (seen.where, seen.fd)
            for seen in list(self.log)
            if seen.kind == "reply" and seen.fop in OPENING and seen.fd is not None
        )

    def released(self) -> Counter[tuple[int, int]]:
        """The fds that were given back: connection and number, each with how often."""
        return Counter(
            (seen.where, seen.fd)
            for seen in list(self.log)
            if seen.kind == "call"
            and seen.fop in (Fop.RELEASE, Fop.RELEASEDIR)
            and seen.fd is not None
        )

    def overtaken(self) -> list[str]:
        """Releases that were sent while another request about the same fd was unanswered."""
        under_way: dict[tuple[int, int], Seen] = {}
        wrong = []
        for seen in list(self.log):
            if seen.kind == "reply":
                under_way.pop((seen.where, seen.xid), None)
            elif seen.fop in ON_FD:
                if seen.fop in (Fop.RELEASE, Fop.RELEASEDIR):
                    wrong += [
                        f"{seen.fop.name} of fd {seen.fd} before the answer to {other.fop.name}"
                        for other in under_way.values()
                        if (other.where, other.fd) == (seen.where, seen.fd)
                    ]
                under_way[seen.where, seen.xid] = seen
        return wrong

    # -- the proxy's thread -----------------------------------------------------------------------

    def _from_client(self, connection: _Connection) -> None:
        try:
            data = connection.client.recv(CHUNK)
        except BlockingIOError:
            return
        if not data:
            connection.client_ended = True
            return
        splitter, partial = self._requests.setdefault(connection, (RecordSplitter(), bytearray()))
        for piece, ends in splitter.feed(data):
            partial += piece
            if ends:
                self._note_call(connection, bytes(partial))
                partial.clear()
        if not self._black_hole and connection.server is not None:
            connection.to_server.append(data)

    def _through_records(self, connection: _Connection, piece: bytes, ends: bool) -> None:
        partial = self._replies.setdefault(connection, bytearray())
        partial += piece
        if not ends:
            return
        record = bytes(partial)
        partial.clear()
        seen = self._note_reply(connection, record)
        if seen is not None and seen.fop in self._holding:
            self.kept.append((connection, record))
        else:
            super()._through_records(connection, record, True)

    def _note_call(self, connection: _Connection, record: bytes) -> None:
        if len(record) < _CALL.size:
            return
        _, xid, _, _, program, _, procedure, _, length = _CALL.unpack_from(record)
        if program != FOP_PROGRAM.number:
            return
        where = self._numbers.setdefault(connection, len(self._numbers))
        fop = Fop(procedure)
        fd = None
        if fop in ON_FD:
            body = _CALL.size + length + 8
            (fd,) = struct.unpack_from(">q", record, body + 16)
        seen = Seen("call", fop, xid, fd, where)
        self._asked[connection, xid] = seen
        self.log.append(seen)

    def _note_reply(self, connection: _Connection, record: bytes) -> Seen | None:
        (xid,) = struct.unpack_from(">I", record, _MARK)
        asked = self._asked.pop((connection, xid), None)
        if asked is None:
            return None
        fd = asked.fd
        if asked.fop in OPENING:
            reply = decode(FOPS[asked.fop].reply_class, memoryview(record)[_MARK:], 24)
            fd = reply.fd if reply.op_ret >= 0 else None
        seen = Seen("reply", asked.fop, xid, fd, asked.where)
        self.log.append(seen)
        return seen
