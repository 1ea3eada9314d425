"""What a translator is.

A translator has a name, options, children, and one coroutine method for each file operation (fop).
What it receives and what it returns are the messages of :mod:`glusterio.wire.fops`: the graph's
arguments are the wire's requests, and the graph's answers the wire's replies, so that nothing is
translated twice. A failed operation is an ``OSError`` made by :func:`glusterio.errors.fs_error`,
without a path: paths are the API's business.

A translator that does not define a fop lets it pass to its first child, and pays nothing for it: the
method below is no coroutine, it returns the child's. A fop on an open file gets the
:class:`~glusterio.graph.fd.Fd`; the numbers ``fd`` and ``gfid`` in its request are filled in by the
translator that talks to the brick. READ and WRITE, being the hot path, take plain arguments.

A translator may keep context with an fd (``fd.context[self]``) and is told when to drop it
(``release``, ``releasedir``). It may wind to several children at once with
:class:`~glusterio.traps.Gather`, start a sub-call that outlives its caller with
:class:`~glusterio.traps.Spawn`, and tell its parents what happened with :meth:`Xlator.notify`. It has
no globals, no thread and no clock of its own.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import Enum, auto
from typing import Any, ClassVar, NamedTuple, Protocol, cast

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.rpc.connection import Connection
from glusterio.traps import Coro, Event, Reply, Tls
from glusterio.types import Buffer, Gfid, Log
from glusterio.wire.credentials import Credentials
from glusterio.wire.fops import attributes, data, directories, files, locks, names, xattrs
from glusterio.wire.iatt import Iatt


class Notice(Enum):
    """What a translator tells its parents."""

    CHILD_UP = auto()
    CHILD_DOWN = auto()
    UPCALL = auto()
    #: open files are of no use any more, while their brick is; the detail says why, by fd
    FD_LOST = auto()
    #: the session may have changed anything by another graph of its: nothing that is kept is good
    FORGET = auto()


class Data(NamedTuple):
    """What a READ brought.

    Attributes:
        data: the bytes; a part of the caller's buffer when one was given.
        stat: the file's attributes, or ``None`` where they were not looked at.
        eof: whether the data reaches the end of the file.
    """

    data: Buffer
    stat: Iatt | None = None
    eof: bool = False


class Written(NamedTuple):
    """What a WRITE did.

    Attributes:
        written: bytes written.
        prestat: the attributes before, or ``None`` where they were not looked at.
        poststat: the attributes after, likewise.
    """

    written: int
    prestat: Iatt | None = None
    poststat: Iatt | None = None


class VolfileServer(NamedTuple):
    """The management daemon that gave the volfile.

    Attributes:
        address: where it listens: ``(host, port)``, or a Unix socket's path.
        connection: the one that the volfile came by. It is open until the graph is up: the same daemon
            is asked for bricks' ports.
    """

    address: tuple[str, int] | str
    connection: Connection


class Task(Protocol):
    """A coroutine that nobody waits for."""

    @property
    def done(self) -> bool:
        """Whether it has ended."""

    @property
    def error(self) -> BaseException | None:
        """What it raised."""

    def cancel(self, cause: BaseException) -> None:
        """Make it give up. Harmless when it has ended."""


class Services(NamedTuple):
    """What the session gives its translators.

    Attributes:
        new_event: makes an event to wait for.
        wall_clock: tells the time of day, in nanoseconds since the epoch; by default it is always 1970.
        new_lock: makes a lock, which must not be held across a trap; by default it locks nothing,
            for where there is one thread.
        credentials: the session's own identity, encoded for the wire (version 3).
        identity: the same, as it is; ``None`` on a brick.
        process_uuid: unique for this session; a brick keys fds and locks to it.
        volume: the volume's name.
        ping_timeout: what to use when the volfile does not say, in seconds.
        volfile_server: who gave the volfile, or ``None`` for a volfile from disk.
        clock: the driver's clock, which never goes back, in seconds; by default it stands still.
        ssl: an ``ssl.SSLContext`` of the caller's, with which every brick is spoken to; ``None`` where
            the volfile alone says whether, and with what.
        management_tls: what management daemons are spoken to with; ``None`` for in the clear.
        log: where translators tell what nobody waits to hear.
        start_later: starts a coroutine that nobody waits for, from wherever that is called: it is not
            stepped there; with a second argument, calls that when it has ended. ``None`` where there is
            no such thing.
        post: sends requests that no coroutine waits for, together; of the answers their ``settled`` is
            told. From anywhere; it does not wait. ``None`` where there is no such thing.
        reconnect: whether a connection that is lost is made anew.
        patience: how long a call waits for a brick that is away, in seconds.
    """

    new_event: Callable[[], Event]
    wall_clock: Callable[[], int] = int
    new_lock: Callable[[], AbstractContextManager[Any]] = nullcontext
    credentials: bytes = b""
    identity: Credentials | None = None
    process_uuid: str = ""
    volume: str = ""
    ping_timeout: float = 42.0
    volfile_server: VolfileServer | None = None
    clock: Callable[[], float] = float
    log: Log = logging.getLogger("glusterio")
    ssl: Any = None
    management_tls: Tls | None = None
    start_later: Callable[..., Task] | None = None
    post: Callable[[Sequence[Reply]], None] | None = None
    reconnect: bool = False
    patience: float = 0.0


#: Makes the coroutine that goes on with an answer.
Rest = Callable[[], Coro["Written"]]


class _Nothing:
    """What is below a leaf: whatever is wound to it is not supported, in a brick's words."""

    def __getattr__(self, name: str) -> Callable[..., Coro[Any]]:
        async def unsupported(*_: object) -> Any:
            raise fs_error(errno.EOPNOTSUPP if name == "ipc" else errno.ENOSYS)

        return unsupported


class Xlator:
    """Base of every translator.

    Args:
        name: its name in the volfile.
        options: its options there.
        children: the translators that it winds to.
        services: what the session provides.
    """

    #: the type in a volfile, ``"protocol/client"`` for instance
    xlator_type: ClassVar[str] = ""

    def __init__(
        self,
        name: str,
        options: Mapping[str, str],
        children: Sequence[Xlator],
        services: Services,
    ) -> None:
        self.name = name
        self.options = options
        self.children = children
        self.services = services
        self.parents: list[Callable[[Notice, Xlator, object], None]] = []
        self.child = children[0] if children else cast(Xlator, _Nothing())
        for child in children:
            child.parents.append(self.on_notice)
        self.set_up()
        self.configure(options)

    def set_up(self) -> None:
        """Make what the translator holds. Called once, before all else."""

    def configure(self, options: Mapping[str, str]) -> None:
        """Read the options: at first, and when they change, while fops are under way. Must not wait.

        Raises:
            VolfileError: one of them cannot be read.
        """

    async def init(self) -> None:
        """Make ready: called once, children first. A failure here fails the connect.

        Whatever ``init`` took, :meth:`fini` gives back, also when ``init`` failed half-way.
        """

    async def fini(self) -> None:
        """Give everything back: called once, children first, when nothing is in flight any more."""

    def reconfigure(self, options: Mapping[str, str]) -> None:
        """Take changed options.

        Raises:
            VolfileError: one of them cannot be read.
        """
        self.configure(options)
        self.options = options

    async def sever(self, error: Exception | None) -> None:
        """Cut every connection below at once, since a server does not answer; nothing waits."""
        for child in self.children:
            await child.sever(error)

    async def give_leases_back(self) -> None:
        """Give back all leases, and tell their holders: as if they had been recalled."""
        for child in self.children:
            await child.give_leases_back()

    def counts(self) -> dict[str, int]:
        """Tell what is held here, for the one who looks into a brick: a number for each name."""
        return {}

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Tell in detail what is held here, for the one who looks into a brick: lists of entries with
        plain values, by name; ``lock_table`` and ``inodes``, for instance. Gfids are text, with dashes.
        """
        return {}

    def path_of(self, gfid: Gfid) -> str | None:
        """Return where in the volume a file is, if that can be told at once: for people to read."""
        return self.child.path_of(gfid) if self.children else None

    def known(self, parent: Gfid, name: str, now: float) -> Iatt | None:
        """Return what LOOKUP would find, if that is known up here and no brick need be asked.

        The graph's top translator is asked so for what can be answered at once, outside of any call.

        Args:
            parent: the directory.
            name: the name in it.
            now: the time, by the services' clock.
        """
        return None

    async def client_gone(self, frame: Frame) -> None:
        """Let go of all that ``frame.client`` held, on a brick: its connection has ended.

        Called when that happens, just before ``frame.client.gone`` is set, and once more when nothing
        of its is running any more. Its fds are released one by one: after the first call those that
        nothing uses, each of the others when the last operation that uses it has ended.
        """
        for child in self.children:
            await child.client_gone(frame)

    def notify(self, notice: Notice, detail: object = None) -> None:
        """Tell the parents what happened. Must not wait; may run on any thread."""
        for parent in self.parents:
            parent(notice, self, detail)

    def on_notice(self, notice: Notice, source: Xlator, detail: object) -> None:
        """Hear what a child tells. Passed on by default."""
        self.notify(notice, detail)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def inherit(self, fd: Fd, old: Fd) -> None:
        """An open file goes over to ``fd`` from an fd of another graph, with what is known of that."""
        for child in self.children:
            child.inherit(fd, old)

    async def prove(self, fd: Fd) -> None:
        """Look whether an fd that was opened by gfid is of that file. The bricks themselves are asked.

        Raises:
            RemoteProtocolError: it is another's: the brick's connection has been ended.
            OSError: that cannot be told.
        """
        for child in self.children:
            await child.prove(fd)

    def drop(self, fd: Fd) -> bool:
        """Let go of an fd at once, if no brick has ever heard of it and nothing uses it any more.

        Returns:
            Whether that is so. If not, nothing has happened, and ``release`` must follow.
        """
        passes = self.children and type(self).release is Xlator.release
        return self.child.drop(fd) if passes else False

    def release_now(self, fd: Fd, done: Callable[[bool], None]) -> Reply | None:
        """Let go of a file's fd if nothing has to be waited for: return the request that closes it.

        What ``release`` does is the same, in a coroutine for each fd; where a thousand are closed,
        that is more than half of the work.

        Args:
            fd: the fd, which nothing uses any more.
            done: called once, with whether all is well, when the brick has answered, or is gone. If
                not, ``release`` must follow, and will tell why. It is called in the middle of
                receiving: it must not wait.

        Returns:
            The request, to be sent by the caller; ``None`` if ``release`` must do it.
        """
        passes = self.children and type(self).release is Xlator.release
        return self.child.release_now(fd, done) if passes else None

    def writev_now(
        self,
        frame: Frame,
        fd: Fd,
        data: Buffer,
        offset: int,
        answered: Callable[[Rest | None], None],
    ) -> Reply | None:
        """Write, if nothing has to be waited for before it is sent: return the request that does it.

        What ``writev`` does is the same, in a coroutine; for a deferred write, which nobody waits for,
        that and its fiber are a fifth of what the write costs.

        Args:
            frame: the request's own; what is in it stays as it is until that is answered.
            fd: the open file.
            data: what to write, at least one byte.
            offset: where.
            answered: called when the brick has answered, or is gone: with ``None`` when all is written.
                Else with what makes the rest of ``writev``, a coroutine that takes the answer and
                raises or returns what it comes to, and perhaps sends the request once more. It is
                called in the middle of receiving: it must not wait. After an interrupt it may be
                called again.

        Returns:
            The request, to be sent by the caller; ``None`` if ``writev`` must do it.
        """
        passes = self.children and type(self).writev is Xlator.writev
        return self.child.writev_now(frame, fd, data, offset, answered) if passes else None

    # -- names ------------------------------------------------------------------------------------

    def lookup(self, frame: Frame, request: names.LookupRequest) -> Coro[names.LookupReply]:
        """Find a file by its directory and name, or by its gfid."""
        return self.child.lookup(frame, request)

    def mknod(self, frame: Frame, request: names.MknodRequest) -> Coro[names.NewEntryReply]:
        """Make a file or device node."""
        return self.child.mknod(frame, request)

    def mkdir(self, frame: Frame, request: names.MkdirRequest) -> Coro[names.NewEntryReply]:
        """Make a directory."""
        return self.child.mkdir(frame, request)

    def symlink(self, frame: Frame, request: names.SymlinkRequest) -> Coro[names.NewEntryReply]:
        """Make a symbolic link."""
        return self.child.symlink(frame, request)

    def link(self, frame: Frame, request: names.LinkRequest) -> Coro[names.NewEntryReply]:
        """Give a file another name."""
        return self.child.link(frame, request)

    def unlink(self, frame: Frame, request: names.UnlinkRequest) -> Coro[names.RemovedEntryReply]:
        """Remove a file's name."""
        return self.child.unlink(frame, request)

    def rmdir(self, frame: Frame, request: names.RmdirRequest) -> Coro[names.RemovedEntryReply]:
        """Remove a directory."""
        return self.child.rmdir(frame, request)

    def rename(self, frame: Frame, request: names.RenameRequest) -> Coro[names.RenameReply]:
        """Move a name."""
        return self.child.rename(frame, request)

    def readlink(self, frame: Frame, request: names.ReadlinkRequest) -> Coro[names.ReadlinkReply]:
        """Read a symbolic link's target."""
        return self.child.readlink(frame, request)

    # -- attributes -------------------------------------------------------------------------------

    def stat(self, frame: Frame, request: attributes.StatRequest) -> Coro[attributes.StatReply]:
        """Get a file's attributes."""
        return self.child.stat(frame, request)

    def fstat(
        self, frame: Frame, fd: Fd, request: attributes.FstatRequest
    ) -> Coro[attributes.StatReply]:
        """Get an open file's attributes."""
        return self.child.fstat(frame, fd, request)

    def setattr(self, frame: Frame, request: attributes.SetattrRequest) -> Coro[files.ChangedReply]:
        """Set some of a file's attributes."""
        return self.child.setattr(frame, request)

    def fsetattr(
        self, frame: Frame, fd: Fd, request: attributes.FsetattrRequest
    ) -> Coro[files.ChangedReply]:
        """Set some of an open file's attributes."""
        return self.child.fsetattr(frame, fd, request)

    def access(self, frame: Frame, request: attributes.AccessRequest) -> Coro[files.CommonReply]:
        """Check permissions."""
        return self.child.access(frame, request)

    def statfs(
        self, frame: Frame, request: attributes.StatfsRequest
    ) -> Coro[attributes.StatfsReply]:
        """Get the file system's figures."""
        return self.child.statfs(frame, request)

    def truncate(self, frame: Frame, request: files.TruncateRequest) -> Coro[files.ChangedReply]:
        """Set a file's length."""
        return self.child.truncate(frame, request)

    # -- extended attributes ----------------------------------------------------------------------

    def setxattr(self, frame: Frame, request: xattrs.SetxattrRequest) -> Coro[files.CommonReply]:
        """Set extended attributes."""
        return self.child.setxattr(frame, request)

    def getxattr(self, frame: Frame, request: xattrs.GetxattrRequest) -> Coro[xattrs.XattrsReply]:
        """Get one extended attribute, or all."""
        return self.child.getxattr(frame, request)

    def removexattr(
        self, frame: Frame, request: xattrs.RemovexattrRequest
    ) -> Coro[files.CommonReply]:
        """Remove an extended attribute."""
        return self.child.removexattr(frame, request)

    def fsetxattr(
        self, frame: Frame, fd: Fd, request: xattrs.FsetxattrRequest
    ) -> Coro[files.CommonReply]:
        """Set an open file's extended attributes."""
        return self.child.fsetxattr(frame, fd, request)

    def fgetxattr(
        self, frame: Frame, fd: Fd, request: xattrs.FgetxattrRequest
    ) -> Coro[xattrs.XattrsReply]:
        """Get one extended attribute of an open file, or all."""
        return self.child.fgetxattr(frame, fd, request)

    def fremovexattr(
        self, frame: Frame, fd: Fd, request: xattrs.FremovexattrRequest
    ) -> Coro[files.CommonReply]:
        """Remove an open file's extended attribute."""
        return self.child.fremovexattr(frame, fd, request)

    def xattrop(self, frame: Frame, request: xattrs.XattropRequest) -> Coro[xattrs.XattrsReply]:
        """Change extended attributes that are arrays of counters, in one step."""
        return self.child.xattrop(frame, request)

    def fxattrop(
        self, frame: Frame, fd: Fd, request: xattrs.FxattropRequest
    ) -> Coro[xattrs.XattrsReply]:
        """Change extended attributes of an open file that are arrays of counters, in one step."""
        return self.child.fxattrop(frame, fd, request)

    # -- locks and leases -------------------------------------------------------------------------

    def lk(self, frame: Frame, fd: Fd, request: locks.LkRequest) -> Coro[locks.LkReply]:
        """Take, drop or ask about a POSIX lock of the frame's lock owner."""
        return self.child.lk(frame, fd, request)

    def inodelk(self, frame: Frame, request: locks.InodelkRequest) -> Coro[files.CommonReply]:
        """Take or drop a translator's lock on a range of an inode."""
        return self.child.inodelk(frame, request)

    def finodelk(
        self, frame: Frame, fd: Fd, request: locks.FinodelkRequest
    ) -> Coro[files.CommonReply]:
        """Take or drop a translator's lock on a range of an open file."""
        return self.child.finodelk(frame, fd, request)

    def entrylk(self, frame: Frame, request: locks.EntrylkRequest) -> Coro[files.CommonReply]:
        """Take or drop a translator's lock on a name in a directory."""
        return self.child.entrylk(frame, request)

    def fentrylk(
        self, frame: Frame, fd: Fd, request: locks.FentrylkRequest
    ) -> Coro[files.CommonReply]:
        """Take or drop a translator's lock on a name in an open directory."""
        return self.child.fentrylk(frame, fd, request)

    def lease(self, frame: Frame, request: locks.LeaseRequest) -> Coro[locks.LeaseReply]:
        """Take, drop or ask about a lease."""
        return self.child.lease(frame, request)

    def getactivelk(
        self, frame: Frame, request: locks.GetactivelkRequest
    ) -> Coro[locks.GetactivelkReply]:
        """Ask for all POSIX locks on a file."""
        return self.child.getactivelk(frame, request)

    def setactivelk(
        self, frame: Frame, request: locks.SetactivelkRequest
    ) -> Coro[files.CommonReply]:
        """Put POSIX locks on a file in the name of their holders."""
        return self.child.setactivelk(frame, request)

    # -- open files -------------------------------------------------------------------------------

    def open(self, frame: Frame, fd: Fd, request: files.OpenRequest) -> Coro[files.OpenReply]:
        """Open a file as ``fd``."""
        return self.child.open(frame, fd, request)

    def create(self, frame: Frame, fd: Fd, request: names.CreateRequest) -> Coro[names.CreateReply]:
        """Make a file and open it as ``fd``; sets the fd's gfid."""
        return self.child.create(frame, fd, request)

    def readv(
        self, frame: Frame, fd: Fd, size: int, offset: int, sink: memoryview | None = None
    ) -> Coro[Data]:
        """Read up to ``size`` bytes at ``offset``, into ``sink`` if there is one."""
        return self.child.readv(frame, fd, size, offset, sink)

    def writev(self, frame: Frame, fd: Fd, data: Buffer, offset: int) -> Coro[Written]:
        """Write ``data`` at ``offset``."""
        return self.child.writev(frame, fd, data, offset)

    def flush(self, frame: Frame, fd: Fd, request: files.FlushRequest) -> Coro[files.CommonReply]:
        """End the writing: errors of deferred writes surface here."""
        return self.child.flush(frame, fd, request)

    def fsync(self, frame: Frame, fd: Fd, request: files.FsyncRequest) -> Coro[files.ChangedReply]:
        """Bring data, and unless ``datasync`` attributes, to the disk."""
        return self.child.fsync(frame, fd, request)

    def ftruncate(
        self, frame: Frame, fd: Fd, request: files.FtruncateRequest
    ) -> Coro[files.ChangedReply]:
        """Set an open file's length."""
        return self.child.ftruncate(frame, fd, request)

    def fallocate(
        self, frame: Frame, fd: Fd, request: files.FallocateRequest
    ) -> Coro[files.ChangedReply]:
        """Reserve space for an open file."""
        return self.child.fallocate(frame, fd, request)

    def discard(
        self, frame: Frame, fd: Fd, request: files.DiscardRequest
    ) -> Coro[files.ChangedReply]:
        """Make a hole in an open file."""
        return self.child.discard(frame, fd, request)

    def zerofill(
        self, frame: Frame, fd: Fd, request: files.ZerofillRequest
    ) -> Coro[files.ChangedReply]:
        """Write zeros to an open file."""
        return self.child.zerofill(frame, fd, request)

    def seek(self, frame: Frame, fd: Fd, request: files.SeekRequest) -> Coro[files.SeekReply]:
        """Find data, or a hole, in an open file."""
        return self.child.seek(frame, fd, request)

    def rchecksum(
        self, frame: Frame, fd: Fd, request: data.RchecksumRequest
    ) -> Coro[data.RchecksumReply]:
        """Sum up a part of an open file."""
        return self.child.rchecksum(frame, fd, request)

    def copy_file_range(
        self, frame: Frame, fd_in: Fd, fd_out: Fd, request: data.CopyFileRangeRequest
    ) -> Coro[names.NewEntryReply]:
        """Copy between two open files on the brick; ``op_ret`` is the number of bytes."""
        return self.child.copy_file_range(frame, fd_in, fd_out, request)

    def ipc(self, frame: Frame, request: files.IpcRequest) -> Coro[files.CommonReply]:
        """Say something to the brick's translators."""
        return self.child.ipc(frame, request)

    def release(self, frame: Frame, fd: Fd) -> Coro[None]:
        """Close a file's ``fd``: the last thing that ever happens to it."""
        return self.child.release(frame, fd)

    # -- open directories -------------------------------------------------------------------------

    def opendir(
        self, frame: Frame, fd: Fd, request: directories.OpendirRequest
    ) -> Coro[files.OpenReply]:
        """Open a directory as ``fd``."""
        return self.child.opendir(frame, fd, request)

    def readdir(
        self, frame: Frame, fd: Fd, request: directories.ReaddirRequest
    ) -> Coro[directories.ReaddirReply]:
        """Read names of a directory. ``op_errno`` 2 says that these are the last."""
        return self.child.readdir(frame, fd, request)

    def readdirp(
        self, frame: Frame, fd: Fd, request: directories.ReaddirpRequest
    ) -> Coro[directories.ReaddirpReply]:
        """Read names of a directory, with attributes. ``op_errno`` 2 says that these are the last."""
        return self.child.readdirp(frame, fd, request)

    def fsyncdir(
        self, frame: Frame, fd: Fd, request: directories.FsyncdirRequest
    ) -> Coro[files.CommonReply]:
        """Bring a directory to the disk."""
        return self.child.fsyncdir(frame, fd, request)

    def releasedir(self, frame: Frame, fd: Fd) -> Coro[None]:
        """Close a directory's ``fd``: the last thing that ever happens to it."""
        return self.child.releasedir(frame, fd)
