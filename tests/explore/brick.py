"""A simulated brick: packets in, packets out, files in memory, and no decision of its own.

What a client sends waits in its connection's ``inbox``. Whoever plays the world chooses which
request is served next (:meth:`BrickConnection.serve`), in any order, as a real brick's threads may,
and what becomes of the answer. A connection's fds and locks go with it, as they do on a real brick
(GlusterFS xlators/protocol/server/src/server.c, ``server_connection_cleanup_flush_cbk``).

A number for an fd is used again as soon as it is free (libglusterfs/src/fd.c,
``gf_fd_unused_get``), so that whoever releases twice closes another's. What no client in its senses
asks for (a request about an fd that the brick does not hold, a second RELEASE) is noted in
``Brick.complaints``.
"""

from __future__ import annotations

import errno
import os
import stat as stat_module
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from glusterio.runtime.virtual import Wire
from glusterio.wire.credentials import encode_none
from glusterio.wire.fops import FOPS as FOP_TABLE
from glusterio.wire.fops import attributes, data, directories, files, locks, names, xattrs
from glusterio.wire.handshake import (
    GetspecReply,
    PingReply,
    PortByBrickReply,
    SetvolumeReply,
)
from glusterio.wire.iatt import Iatt
from glusterio.wire.messages import decode_with_tail, encode, failure
from glusterio.wire.programs import (
    ANONYMOUS_FD,
    CALLBACK,
    DUMP,
    FOPS,
    GFID_REQ,
    HANDSHAKE,
    PORTMAP,
    ROOT_GFID,
    CallbackProc,
    Fop,
    HandshakeProc,
    LeaseCommand,
    LockCommand,
    LockType,
)
from glusterio.wire.records import CallHeader, encode_call, encode_reply, parse_message

_MARK = struct.Struct(">I")

#: By this name a brick tells of a descriptor's locks, and moves them.
_LOCKINFO = "trusted.glusterfs.lockinfo"


class Node:
    """A file or directory.

    Attributes:
        label: what names it in every life alike, where its gfid is made at random: the name that it was
            made with, and how many there were before of that name.
    """

    def __init__(self, gfid: bytes, mode: int, label: str = "/") -> None:
        self.gfid = gfid
        self.label = label
        self.mode = mode
        self.data = bytearray()
        self.entries: dict[str, Node] = {}
        self.nlink = 2 if stat_module.S_ISDIR(mode) else 1

    def iatt(self) -> Iatt:
        return Iatt(
            gfid=self.gfid,
            ino=int.from_bytes(self.gfid[8:], "big") or 1,
            size=len(self.data),
            nlink=self.nlink,
            mode=self.mode,
            blksize=4096,
        )


class Descriptor(NamedTuple):
    """What a brick holds open for a client."""

    node: Node
    flags: int


class Lock(NamedTuple):
    """A POSIX lock, or one that is waited for."""

    node: Node
    fd: int
    owner: bytes
    type: int
    start: int
    length: int

    def conflicts(self, other: Lock) -> bool:
        return (
            self.node is other.node
            and self.owner != other.owner
            and LockType.WRITE in (self.type, other.type)
            and (not other.length or self.start < other.start + other.length)
            and (not self.length or other.start < self.start + self.length)
        )


class Request:
    """A call that has reached the brick.

    Attributes:
        name: what it is, for people: ``OPEN``, ``SETVOLUME``.
        fd: the descriptor's number that it is about, or ``None``.
        interrupted: another request asks for this one, which waits for a lock, to be answered.
    """

    __slots__ = ("fd", "header", "interrupted", "message", "name", "reply_class", "tail")

    def __init__(
        self, header: CallHeader, name: str, message: Any, tail: bytes, reply_class: type[Any]
    ) -> None:
        self.header = header
        self.name = name
        self.message = message
        self.tail = tail
        self.reply_class = reply_class
        self.fd: int | None = getattr(message, "fd", None)
        if self.fd == ANONYMOUS_FD:
            self.fd = None
        self.interrupted = False

    def __repr__(self) -> str:
        return self.name if self.fd is None else f"{self.name} fd {self.fd}"


class Brick:
    """One brick, and a management daemon that gives its volfile.

    Args:
        address: where it listens.
        volfile: what GETSPEC gives.

    Attributes:
        connections: those that are up.
        locks: all that are held.
        leases: all that are held: whose, on which file, by which name.
        complaints: what clients did that no client may do.
        opened: fds that were opened in all.
        accepted: connections that there were in all.
        asked: how often the volfile was asked for.
        is_up: whether anybody listens.
    """

    def __init__(self, address: tuple[str, int] | str, volfile: str = "") -> None:
        self.address = address
        self.volfile = volfile
        self.root = Node(ROOT_GFID, stat_module.S_IFDIR | 0o755)
        self.nodes: dict[bytes, Node] = {ROOT_GFID: self.root}
        self.labels: dict[bytes, str] = {ROOT_GFID: "/"}
        self.connections: list[BrickConnection] = []
        self.locks: list[Lock] = []
        self.leases: list[tuple[int, bytes, bytes]] = []
        self.complaints: list[str] = []
        self.opened = 0
        self.accepted = 0
        self.asked = 0
        self.is_up = True

    def make(
        self, name: str, content: bytes = b"", mode: int = stat_module.S_IFREG | 0o644
    ) -> Node:
        """Make a file in the root."""
        return self.new_node(
            self.root, name, (256 + len(self.nodes)).to_bytes(16, "big"), mode, content
        )

    def new_node(
        self, parent: Node, name: str, gfid: bytes, mode: int, content: bytes = b""
    ) -> Node:
        before = sum(label.startswith(f"{name}#") for label in self.labels.values())
        node = Node(gfid, mode, f"{name}#{before}")
        self.labels[gfid] = node.label
        node.data[:] = content
        parent.entries[name] = node
        self.nodes[gfid] = node
        return node

    def connect(self, wire: Wire) -> BrickConnection:
        """A client has connected."""
        connection = BrickConnection(self, wire)
        self.connections.append(connection)
        return connection

    def set_volfile(self, text: str) -> None:
        """Have another volfile, and tell whoever has asked for the one before."""
        self.volfile = text
        told = encode_call(0, *CALLBACK, CallbackProc.FETCHSPEC, encode_none(), 0)
        for connection in list(self.connections):
            if connection.follows and not connection.coming:
                connection.wire.deliver(told)

    def stop(self) -> None:
        """Die: all connections are lost. Files stay."""
        self.is_up = False
        for connection in list(self.connections):
            connection.lose()

    @property
    def fds(self) -> int:
        """How many descriptors are open."""
        return sum(len(connection.fds) for connection in self.connections)


class BrickConnection:
    """One client's connection, on the brick's side.

    Attributes:
        number: it is the brick's so-manyth.
        inbox: requests that are not served.
        fds: the descriptors, by number.
        coming: the rest of an answer of which a part has arrived.
        follows: it has asked for the volfile, and is told when there is another one.
    """

    def __init__(self, brick: Brick, wire: Wire) -> None:
        self.brick = brick
        brick.accepted += 1
        self.number = brick.accepted
        self.wire = wire
        self.inbox: list[Request] = []
        self.fds: dict[int, Descriptor] = {}
        self.coming = b""
        self.follows = False
        self._received = b""

    # -- the peer's side (glusterio.runtime.virtual.Peer) -----------------------------------------

    def received(self, data: bytes) -> None:
        data = self._received + data
        at = 0
        while len(data) - at >= 4:
            end = at + 4 + (_MARK.unpack_from(data, at)[0] & 0x7FFFFFFF)
            if end > len(data):
                break
            self.inbox.append(parsed(memoryview(data)[at + 4 : end]))
            at = end
        self._received = data[at:]

    def closed(self) -> None:
        self.brick.connections.remove(self)
        self.inbox.clear()
        self.fds.clear()
        self._drop_locks(lambda lock: True)
        self.brick.leases = [each for each in self.brick.leases if each[0] != self.number]

    @property
    def _who(self) -> bytes:
        return self.number.to_bytes(8, "big")

    def owns(self, lock: Lock) -> bool:
        """Tell whether a lock is this client's."""
        return lock.owner[:8] == self._who

    # -- what the world decides -------------------------------------------------------------------

    def lose(self) -> None:
        """Lose the connection."""
        wire = self.wire
        self.closed()
        wire.lose()

    def can_serve(self, request: Request) -> bool:
        """Whether a request need not wait: for a lock that another has."""
        if request.name != "LK" or request.interrupted:
            return True
        message = request.message
        if message.cmd != LockCommand.SETLKW or message.type == LockType.UNLOCK:
            return True
        wanted = self._lock(request)
        return wanted is None or not any(wanted.conflicts(lock) for lock in self.brick.locks)

    def serve(self, request: Request) -> bytes:
        """Do what a request asks for, and return the answer's packet."""
        self.inbox.remove(request)
        try:
            answer = _SERVE[request.name](self, request)
        except OSError as error:
            answer = failure(request.reply_class, error.errno or errno.EIO)
        return _packed(request, answer)

    def refuse(self, request: Request, number: int) -> bytes:
        """Do nothing, and return an answer that says so."""
        self.inbox.remove(request)
        return _packed(request, failure(request.reply_class, number))

    # -- helpers ----------------------------------------------------------------------------------

    def _node(self, gfid: bytes) -> Node:
        node = self.brick.nodes.get(gfid)
        if node is None:
            raise OSError(errno.ESTALE, "")
        return node

    def _open(self, request: Request) -> Descriptor:
        number = request.message.fd
        if number == ANONYMOUS_FD:
            return Descriptor(self._node(request.message.gfid), os.O_RDWR)
        descriptor = self.fds.get(number)
        if descriptor is None:
            self.brick.complaints.append(f"{request!r}: no such fd")
            raise OSError(errno.EBADF, "")
        if descriptor.node.gfid != request.message.gfid:
            self.brick.complaints.append(f"{request!r}: the fd is another file's")
            raise OSError(errno.EBADF, "")
        return descriptor

    def _new_fd(self, node: Node, flags: int) -> int:
        number = 0
        while number in self.fds:
            number += 1
        self.fds[number] = Descriptor(node, flags)
        self.brick.opened += 1
        return number

    def _lock(self, request: Request) -> Lock | None:
        descriptor = self.fds.get(request.message.fd)
        if descriptor is None:
            return None
        flock = request.message.flock
        owner = self._who + request.header.caller().lk_owner
        return Lock(
            descriptor.node, request.message.fd, owner, flock.type, flock.start, flock.length
        )

    # -- each request -----------------------------------------------------------------------------

    def lookup(self, request: Request) -> Any:
        asked = request.message
        if not asked.name:
            return names.LookupReply(stat=self._node(asked.gfid).iatt())
        parent = self._node(asked.pargfid)
        node = parent.entries.get(asked.name)
        if node is None:
            raise OSError(errno.ENOENT, "")
        return names.LookupReply(stat=node.iatt(), postparent=parent.iatt())

    def create(self, request: Request) -> Any:
        asked = request.message
        parent = self._node(asked.pargfid)
        if asked.name in parent.entries:
            raise OSError(errno.EEXIST, "")
        gfid = asked.xdata[GFID_REQ].bytes
        node = self.brick.new_node(parent, asked.name, gfid, stat_module.S_IFREG | asked.mode)
        return names.CreateReply(stat=node.iatt(), fd=self._new_fd(node, asked.flags))

    def mkdir(self, request: Request) -> Any:
        asked = request.message
        parent = self._node(asked.pargfid)
        if asked.name in parent.entries:
            raise OSError(errno.EEXIST, "")
        gfid = asked.xdata[GFID_REQ].bytes
        node = self.brick.new_node(parent, asked.name, gfid, stat_module.S_IFDIR | asked.mode)
        return names.NewEntryReply(stat=node.iatt())

    def open(self, request: Request) -> Any:
        node = self._node(request.message.gfid)
        flags = getattr(request.message, "flags", 0)
        if flags & os.O_TRUNC:
            node.data.clear()
        return files.OpenReply(fd=self._new_fd(node, flags))

    def release(self, request: Request) -> Any:
        descriptor = self._open(request)
        number = request.message.fd
        for other in self.inbox:
            if other.fd == number and other.message.gfid == descriptor.node.gfid:
                self.brick.complaints.append(f"{request!r} overtakes {other!r}")
        del self.fds[number]
        self._drop_locks(lambda lock: lock.fd == number)
        return files.CommonReply()

    def _drop_locks(self, which: Callable[[Lock], bool]) -> None:
        who = self._who
        self.brick.locks = [
            lock for lock in self.brick.locks if lock.owner[:8] != who or not which(lock)
        ]

    def read(self, request: Request) -> Any:
        node = self._open(request).node
        asked = request.message
        piece = bytes(node.data[asked.offset : asked.offset + asked.size])
        at_end = asked.offset + len(piece) >= len(node.data)
        return data.ReadReply(
            len(piece), errno.ENOENT if at_end else 0, node.iatt(), len(piece)
        ), piece

    def write(self, request: Request) -> Any:
        descriptor = self._open(request)
        content = descriptor.node.data
        offset = len(content) if descriptor.flags & os.O_APPEND else request.message.offset
        if offset > len(content):
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(request.tail)] = request.tail
        return files.ChangedReply(len(request.tail), poststat=descriptor.node.iatt())

    def ftruncate(self, request: Request) -> Any:
        node = self._open(request).node
        length = request.message.length
        node.data[:] = node.data[:length].ljust(length, b"\0")
        return files.ChangedReply(poststat=node.iatt())

    def flush(self, request: Request) -> Any:
        self._open(request)
        owner = request.header.caller().lk_owner
        number = request.message.fd
        if owner:
            self._drop_locks(lambda lock: lock.fd == number and lock.owner[8:] == owner)
        else:
            self._interrupt(number)
        return files.CommonReply()

    def _interrupt(self, number: int) -> None:
        for other in self.inbox:
            if other.name == "LK" and other.fd == number:
                other.interrupted = not self.can_serve(other)

    def fsync(self, request: Request) -> Any:
        return files.ChangedReply(poststat=self._open(request).node.iatt())

    def fsyncdir(self, request: Request) -> Any:
        self._open(request)
        return files.CommonReply()

    def stat(self, request: Request) -> Any:
        return attributes.StatReply(stat=self._node(request.message.gfid).iatt())

    def fstat(self, request: Request) -> Any:
        return attributes.StatReply(stat=self._open(request).node.iatt())

    def unlink(self, request: Request) -> Any:
        parent = self._node(request.message.pargfid)
        node = parent.entries.pop(request.message.name, None)
        if node is None:
            raise OSError(errno.ENOENT, "")
        node.nlink = 0
        del self.brick.nodes[node.gfid]
        return names.RemovedEntryReply()

    def readdirp(self, request: Request) -> Any:
        node = self._open(request).node
        first = request.message.offset
        every = sorted(node.entries.items())
        some = every[first : first + 2]  # so that a listing takes several requests
        entries = tuple(
            directories.DirPlusEntry.of(first + at + 1, 8, name, each.iatt())
            for at, (name, each) in enumerate(some)
        )
        is_last = first + len(some) >= len(every)
        return directories.ReaddirpReply(
            len(entries), errno.ENOENT if is_last else 0, None, entries
        )

    def lk(self, request: Request) -> Any:
        self._open(request)
        if request.interrupted:
            raise OSError(errno.EINTR, "")
        wanted = self._lock(request)
        assert wanted is not None
        brick = self.brick
        cmd = request.message.cmd
        if cmd == LockCommand.GETLK:
            for lock in brick.locks:
                if lock.conflicts(wanted):
                    flock = locks.Flock(lock.type, 0, lock.start, lock.length)
                    return locks.LkReply(flock=flock)
            return locks.LkReply(flock=request.message.flock._replace(type=LockType.UNLOCK))
        if wanted.type != LockType.UNLOCK and any(map(wanted.conflicts, brick.locks)):
            raise OSError(errno.EAGAIN, "")
        # Sections are the same or apart in every scenario: nothing is split here.
        brick.locks = [lock for lock in brick.locks if not _same_section(lock, wanted)]
        if wanted.type != LockType.UNLOCK:
            brick.locks.append(wanted)
        return locks.LkReply(flock=request.message.flock)

    def fgetxattr(self, request: Request) -> Any:
        self._open(request)
        name = request.message.name
        if name == _LOCKINFO:
            where = b"%d:%d" % (self.number, request.message.fd)
            return xattrs.XattrsReply(xattrs={_LOCKINFO: where})
        if not name.startswith("glusterfs.intrlk"):
            raise OSError(errno.ENODATA, "")
        self._interrupt(request.message.fd)
        return xattrs.XattrsReply()

    def fsetxattr(self, request: Request) -> Any:
        """Let another descriptor's locks be this one's, in one step.

        Source: GlusterFS xlators/features/locks/src/posix.c (``pl_fsetxattr_handle_lockinfo``).
        """
        descriptor = self._open(request)
        whose, number = map(int, bytes(request.message.xattrs[_LOCKINFO]).split(b":"))
        old = next((each for each in self.brick.connections if each.number == whose), None)
        if old is None:
            raise OSError(errno.ESTALE, "")
        for other in (*old.inbox, *self.inbox):
            connection = old if other in old.inbox else self
            if other.name == "LK" and other.fd == (number if connection is old else request.fd):
                self.brick.complaints.append(f"{request!r} moves locks, and {other!r} is due")
        self.brick.locks = [
            lock._replace(fd=request.message.fd, owner=self._who + lock.owner[8:])
            if old.owns(lock) and lock.fd == number and lock.node is descriptor.node
            else lock
            for lock in self.brick.locks
        ]
        return files.CommonReply()

    def lease(self, request: Request) -> Any:
        asked = request.message.lease
        lease = (self.number, request.message.gfid, asked.id)
        if asked.cmd == LeaseCommand.SET:
            self.brick.leases.append(lease)
        elif lease in self.brick.leases:
            self.brick.leases.remove(lease)
        else:
            raise OSError(errno.EINVAL, "")
        return locks.LeaseReply(lease=asked)

    @staticmethod
    def setvolume(request: Request) -> Any:
        return SetvolumeReply(options={"child_up": "1"})

    def getspec(self, request: Request) -> Any:
        self.follows = True
        self.brick.asked += 1
        text = self.brick.volfile
        return GetspecReply(len(text), 0, text)

    @staticmethod
    def port_by_brick(request: Request) -> Any:
        return PortByBrickReply(port=49152)

    @staticmethod
    def ping(request: Request) -> Any:
        return PingReply()


def _same_section(lock: Lock, other: Lock) -> bool:
    return (
        lock.node is other.node
        and lock.owner == other.owner
        and (lock.start, lock.length) == (other.start, other.length)
    )


def parsed(record: memoryview) -> Request:
    """Decode a request, without its mark."""
    header = parse_message(record)
    assert isinstance(header, CallHeader)
    program = header.program
    if program == FOPS.number:
        fop = Fop(header.procedure)
        spec = FOP_TABLE[fop]
        message, tail = decode_with_tail(spec.request_class, record, header.body)
        return Request(header, fop.name, message, bytes(tail), spec.reply_class)
    if program == HANDSHAKE.number:
        if header.procedure == HandshakeProc.SETVOLUME:
            return Request(header, "SETVOLUME", None, b"", SetvolumeReply)
        if header.procedure == HandshakeProc.GETSPEC:
            return Request(header, "GETSPEC", None, b"", GetspecReply)
    if program == PORTMAP.number:
        return Request(header, "PORTBYBRICK", None, b"", PortByBrickReply)
    assert program in (DUMP.number, HANDSHAKE.number), f"program {program}"
    return Request(header, "PING", None, b"", PingReply)


def _packed(request: Request, answer: Any) -> bytes:
    tail = b""
    if type(answer) is tuple:
        answer, tail = answer
    body = encode(answer) + tail
    return encode_reply(request.header.xid, len(body)) + body


_SERVE: dict[str, Callable[[BrickConnection, Request], Any]] = {
    "LOOKUP": BrickConnection.lookup,
    "CREATE": BrickConnection.create,
    "MKDIR": BrickConnection.mkdir,
    "OPEN": BrickConnection.open,
    "OPENDIR": BrickConnection.open,
    "RELEASE": BrickConnection.release,
    "RELEASEDIR": BrickConnection.release,
    "READ": BrickConnection.read,
    "WRITE": BrickConnection.write,
    "FTRUNCATE": BrickConnection.ftruncate,
    "FLUSH": BrickConnection.flush,
    "FSYNC": BrickConnection.fsync,
    "FSYNCDIR": BrickConnection.fsyncdir,
    "STAT": BrickConnection.stat,
    "FSTAT": BrickConnection.fstat,
    "UNLINK": BrickConnection.unlink,
    "READDIRP": BrickConnection.readdirp,
    "LK": BrickConnection.lk,
    "LEASE": BrickConnection.lease,
    "FGETXATTR": BrickConnection.fgetxattr,
    "FSETXATTR": BrickConnection.fsetxattr,
    "SETVOLUME": lambda self, request: BrickConnection.setvolume(request),
    "GETSPEC": BrickConnection.getspec,
    "PORTBYBRICK": lambda self, request: BrickConnection.port_by_brick(request),
    "PING": lambda self, request: BrickConnection.ping(request),
}
