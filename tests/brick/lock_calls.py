"""Short words for lock requests of a raw client, on our brick and on real ones."""

from __future__ import annotations

import os
import select
import time
import uuid
from typing import Any, NamedTuple

from glusterio.wire.callbacks import CALLBACKS
from glusterio.wire.credentials import Credentials
from glusterio.wire.fops import locks as messages
from glusterio.wire.fops.files import FlushRequest
from glusterio.wire.fops.xattrs import FgetxattrRequest
from glusterio.wire.messages import decode
from glusterio.wire.programs import (
    CALLBACK,
    CallbackProc,
    EntrylkCommand,
    EntrylkType,
    Fop,
    LockCommand,
    LockType,
)
from glusterio.wire.records import CallHeader, parse_message
from tests.brick.raw import RawClient

GETLK, SETLK, SETLKW = LockCommand
READ, WRITE, UNLOCK = LockType
WORD = 1 << 64
#: Seconds that anything may take.
PATIENCE = 15.0


def caller(owner: bytes, pid: int = 77) -> Credentials:
    """One who locks."""
    return Credentials(pid, os.geteuid(), os.getegid(), (), owner)


ONE, TWO = caller(b"owner--1"), caller(b"owner--2")


class Locker(NamedTuple):
    """A client with a file open, by its connection, the file's gfid and the descriptor's number."""

    client: RawClient
    gfid: bytes
    fd: int

    def lk(
        self,
        cmd: int = SETLK,
        kind: int = WRITE,
        start: int = 0,
        length: int = 0,
        who: Credentials = ONE,
        **more: Any,
    ) -> messages.LkReply:
        """A POSIX lock; the reply, failed or not."""
        self.post_lk(cmd, kind, start, length, who, **more)
        return self.take_lk()

    def post_lk(
        self,
        cmd: int = SETLK,
        kind: int = WRITE,
        start: int = 0,
        length: int = 0,
        who: Credentials = ONE,
        whence: int = 0,
    ) -> None:
        flock = messages.Flock(kind, whence, start % WORD, length % WORD, who.pid, b"of the body")
        request = messages.LkRequest(self.gfid, self.fd, cmd, kind, flock)
        self.client.post(Fop.LK, request, caller=who)

    def take_lk(self) -> messages.LkReply:
        reply: messages.LkReply = self.client.take(Fop.LK)[0]
        return reply

    def inodelk(
        self,
        cmd: int = SETLK,
        kind: int = WRITE,
        start: int = 0,
        length: int = 0,
        who: Credentials = ONE,
        domain: str = "domain",
        by_fd: bool = False,
    ) -> int:
        """A translator's lock on a range; the errno."""
        self.post_inodelk(cmd, kind, start, length, who, domain, by_fd)
        return self.take_inodelk(by_fd)

    def take_inodelk(self, by_fd: bool = False) -> int:
        return errno_of(self.client.take(Fop.FINODELK if by_fd else Fop.INODELK)[0])

    def post_inodelk(
        self,
        cmd: int = SETLK,
        kind: int = WRITE,
        start: int = 0,
        length: int = 0,
        who: Credentials = ONE,
        domain: str = "domain",
        by_fd: bool = False,
    ) -> None:
        flock = messages.Flock(kind, 0, start % WORD, length % WORD, who.pid)
        if by_fd:
            on_fd = messages.FinodelkRequest(self.gfid, self.fd, cmd, kind, flock, domain)
            self.client.post(Fop.FINODELK, on_fd, caller=who)
        else:
            request = messages.InodelkRequest(self.gfid, cmd, kind, flock, domain)
            self.client.post(Fop.INODELK, request, caller=who)

    def entrylk(
        self,
        cmd: int = EntrylkCommand.LOCK_NONBLOCKING,
        name: str | None = None,
        kind: int = EntrylkType.WRITE,
        who: Credentials = ONE,
        domain: str = "domain",
        by_fd: bool = False,
    ) -> int:
        """A translator's lock on a name; the errno."""
        namelen = 0 if name is None else len(name) + 1
        if by_fd:
            on_fd = messages.FentrylkRequest(
                self.gfid, self.fd, cmd, kind, namelen, name or "", domain
            )
            return errno_of(self.client.fop(Fop.FENTRYLK, on_fd, caller=who)[0])
        request = messages.EntrylkRequest(self.gfid, cmd, kind, namelen, name or "", domain)
        return errno_of(self.client.fop(Fop.ENTRYLK, request, caller=who)[0])

    def interrupt(self, start: int, length: int, who: Credentials = ONE) -> None:
        """Take back what waits for a range."""
        name = f"glusterfs.intrlk.tposix.kblocked.0,{start}-{length}"
        request = FgetxattrRequest(self.gfid, self.fd, len(name) + 1, name)
        self.client.post(Fop.FGETXATTR, request, caller=who)

    def flush(self, who: Credentials = ONE) -> int:
        """The end of a file's use by one owner; the errno."""
        reply, _ = self.client.fop(Fop.FLUSH, FlushRequest(self.gfid, self.fd), caller=who)
        return errno_of(reply)

    def active(self) -> list[tuple[int, int, int, bytes, int]]:
        """All POSIX locks on the file: type, start, length, owner and pid of each."""
        reply = self.client.do(Fop.GETACTIVELK, messages.GetactivelkRequest(self.gfid))
        assert reply.op_ret == len(reply.locks)
        return [
            (
                each.flock.type,
                each.flock.start,
                each.flock.length,
                each.flock.lk_owner,
                each.flock.pid,
            )
            for each in reply.locks
        ]

    def count(self, name: str, key: str = "glusterfs.posixlk-count") -> int:
        """How many locks there are, by a lookup of the file's name in the root."""
        found = self.client.lookup(name, xdata={key: 0}).xdata
        assert found is not None
        count = found[key]
        assert isinstance(count, int)
        return count

    def wait_for_count(self, name: str, count: int) -> None:
        """Wait until so many locks are held or waited for."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.count(name)) != count:
            assert time.monotonic() < deadline, f"{found} locks, never {count}"

    def told(self) -> tuple[Any, ...]:
        """What the brick says unasked: that another wants a lock, without the file's gfid."""
        record = self.client.record()
        header = parse_message(record)
        assert isinstance(header, CallHeader)
        assert (header.program, header.version) == CALLBACK
        message = decode(CALLBACKS[CallbackProc(header.procedure)], record, header.body)
        assert message.gfid == self.gfid
        return type(message), *message[1:]

    def is_answered(self, seconds: float = 0.0) -> bool:
        """Tell whether something has come that was not taken yet."""
        return bool(select.select([self.client.sock], [], [], seconds)[0])


def errno_of(reply: Any) -> int:
    return reply.op_errno if reply.op_ret < 0 else 0


def introduce(client: RawClient, subvolume: str) -> RawClient:
    """Become a client of a brick, as one of GlusterFS 10 does."""
    reply = client.setvolume(subvolume, process_uuid=str(uuid.uuid4()), opversion="100000")
    assert reply.op_ret == 0, reply
    return client
