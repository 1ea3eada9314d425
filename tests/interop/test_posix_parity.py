"""The same request to a GlusterFS brick and to ours, and the same answer: errors included.

The requests are raw messages, so that nothing of a client is in between. Compared is all of a reply but
what must differ: times, device and block numbers, the brick's directory and host.

Where ours is meant to differ there is no request here:

* READ of no bytes (none, not EINVAL);
* unaligned reads and writes with O_DIRECT (done, not EINVAL: ours does not pass the flag on);
* a text that is no access control list (EINVAL, not EPERM);
* what would be asked of a symbolic link's target (never followed);
* the paths of a file of several names (ours notes them with ``gfid2path`` on only).

Nor is there what kills or blocks GlusterFS 10.3: FSETATTR on a descriptor that is not open, and a
rename onto another name of the same file that asks for the link count.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from glusterio.wire.fops import attributes, data, directories, files, names, xattrs
from glusterio.wire.iatt import Iatt
from glusterio.wire.programs import ROOT_GFID, Fop, SetattrValid
from tests.brick.raw import ROOT, RawClient, new_gfid
from tests.embedded import BrickProcess, start_brick
from tests.interop import real_gluster
from tests.interop.conftest import start_or_skip
from tests.interop.real_gluster import HandBrick

CONTENT = bytes(range(256)) * 8
NOBODY = uuid.UUID(int=0xDEAD).bytes
ANONYMOUS = -2
USER = ROOT._replace(uid=1234, gid=1234)


class Tree:
    """The same files on either brick, below a directory of their own.

    Args:
        client: a connection to the brick.
        base: the brick's directory.
    """

    def __init__(self, client: RawClient, base: Path) -> None:
        self.client = client
        self.base = base
        self.name = f"parity-{uuid.uuid4().hex[:12]}"
        self.d = client.mkdir(self.name)
        made = client.create("File", self.d)
        self.f, self.fd = made.stat.gfid, made.fd
        client.write(self.f, self.fd, CONTENT)
        self.sub = client.mkdir("sub", self.d)
        client.do(Fop.LINK, names.LinkRequest(self.f, self.sub, "hard"))
        other = client.create("other", self.d)
        self.g, self.gd = other.stat.gfid, other.fd
        link = names.SymlinkRequest(self.sub, "soft", 0, "target", new_gfid())
        self.s = client.do(Fop.SYMLINK, link).stat.gfid
        fifo = names.MknodRequest(self.sub, 0, stat.S_IFIFO | 0o644, 0, "fifo", new_gfid())
        self.p = client.do(Fop.MKNOD, fifo).stat.gfid
        self.dd = client.do(Fop.OPENDIR, directories.OpendirRequest(self.d)).fd
        read_only = files.OpenRequest(self.f, os.O_RDONLY)
        self.rd = client.do(Fop.OPEN, read_only).fd
        direct = files.OpenRequest(self.f, os.O_RDWR | os.O_DIRECT)
        self.direct = client.do(Fop.OPEN, direct).fd
        appending = files.OpenRequest(self.f, os.O_WRONLY | os.O_APPEND)
        self.appending = client.do(Fop.OPEN, appending).fd

    def remove(self) -> None:
        self.client.do(Fop.RMDIR, names.RmdirRequest(ROOT_GFID, 1, self.name))

    def plain(self, value: Any) -> Any:
        """What is left of a value when all that must differ is taken away."""
        if isinstance(value, Iatt):
            if not value.mode:
                return None
            return (
                self.plain(value.gfid),
                0 if stat.S_ISDIR(value.mode) else value.size,
                oct(value.mode),
                value.nlink,
                (value.uid, value.gid, value.rdev),
            )
        if isinstance(value, bytes) and len(value) == 16:
            known = {self.d: "d", self.f: "f", self.sub: "sub", self.g: "g", self.s: "s"}
            return known.get(value, "a gfid" if value not in (bytes(16), ROOT_GFID) else value)
        if isinstance(value, uuid.UUID):
            return "a gfid"
        if isinstance(value, str):
            value = value.replace(str(self.base), "BASE").replace(self.name, "TREE")
            return value.replace(socket.gethostname(), "HOST")
        if isinstance(value, bytes):
            value = value.replace(self.name.encode(), b"TREE")
            # A file's paths come in any order.
            return b":".join(sorted(value.split(b":"))) if value[:1] == b"/" else value
        if isinstance(value, dict):
            return {key: self.plain(each) for key, each in sorted(value.items())}
        if isinstance(value, directories.DirEntry | directories.DirPlusEntry):
            fields = value._asdict()
            del fields["ino"], fields["d_off"]
            if value.name == "..":  # the root, which is not alike on both
                return (value.name, value.d_type)
            return tuple(self.plain(each) for each in fields.values())
        if isinstance(value, tuple | directories.Listing):
            return tuple(sorted((self.plain(each) for each in value), key=str))
        return value


class Step(NamedTuple):
    """A request, and what of its reply is compared: all, or not some fields."""

    fop: Fop
    request: Any
    tail: bytes = b""
    but: tuple[str, ...] = ()
    caller: Any = ROOT


def xattrop(t: Tree, op: int, value: bytes, key: str = "trusted.count", xdata: Any = None) -> Step:
    return Step(Fop.XATTROP, xattrs.XattropRequest(t.f, op, {key: value}, xdata))


def get(gfid: bytes, name: str, *but: str) -> Step:
    request = xattrs.GetxattrRequest(gfid, len(name) + 1, name)
    return Step(Fop.GETXATTR, request, but=but)


def size(name: str) -> tuple[str, ...]:
    """What differs with the length of the brick's directory."""
    return ("op_ret",) if name.endswith("pathinfo") else ()


def fget(t: Tree, name: str) -> Step:
    return Step(Fop.FGETXATTR, xattrs.FgetxattrRequest(t.f, t.fd, len(name) + 1, name))


def set_(gfid: bytes, name: str, value: Any, flags: int = 0, caller: Any = ROOT) -> Step:
    return Step(Fop.SETXATTR, xattrs.SetxattrRequest(gfid, flags, {name: value}), caller=caller)


def fset(t: Tree, name: str, value: Any) -> Step:
    request = xattrs.FsetxattrRequest(t.f, t.fd, 0, {name: value})
    return Step(Fop.FSETXATTR, request, but=("xdata",))


def remove(gfid: bytes, name: str) -> Step:
    return Step(Fop.REMOVEXATTR, xattrs.RemovexattrRequest(gfid, name))


def lookup(t: Tree, xdata: Any, name: str = "File", parent: bytes | None = None) -> Step:
    request = names.LookupRequest(pargfid=parent or t.d, name=name, xdata=xdata)
    return Step(Fop.LOOKUP, request)


def setattr_(gfid: bytes, valid: int, caller: Any = ROOT, **values: Any) -> Step:
    request = attributes.SetattrRequest(gfid, Iatt(**values), valid)
    return Step(Fop.SETATTR, request, caller=caller)


def rchecksum(t: Tree, offset: int, length: int, xdata: Any = None, fd: int | None = None) -> Step:
    request = data.RchecksumRequest(t.f, t.fd if fd is None else fd, offset, length, 0, xdata)
    return Step(Fop.RCHECKSUM, request)


def copy(t: Tree, offset_in: int, offset_out: int, size: int, flag: int = 0, **fds: int) -> Step:
    fd_in, fd_out = fds.get("fd_in", t.fd), fds.get("fd_out", t.gd)
    to = t.f if fd_out == t.fd else t.g
    request = data.CopyFileRangeRequest(t.f, to, fd_in, fd_out, offset_in, offset_out, size, flag)
    return Step(Fop.COPY_FILE_RANGE, request)


def mknod(t: Tree, mode: int, dev: int, name: str = "node", **xdata: Any) -> Step:
    request = names.MknodRequest(t.d, dev, mode, 0o022, name, {**new_gfid(), **xdata})
    return Step(Fop.MKNOD, request)


def open_(gfid: bytes, flags: int) -> Step:
    return Step(Fop.OPEN, files.OpenRequest(gfid, flags), but=("fd",))


def array(width: str, *numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}{width}", *numbers)


MODE, UID, GID = SetattrValid.MODE, SetattrValid.UID, SetattrValid.GID
TIMES = SetattrValid.ATIME | SetattrValid.MTIME
ACL = "u::rw-,u:1234:r--,g::r--,m::r--,o::---"

VIRTUAL = [
    "glusterfs.gfid.string",
    "glusterfs.gfid",
    "trusted.gfid",
    "trusted.glusterfs.pathinfo",
    "glusterfs.pathinfo",
    "trusted.glusterfs.node-uuid",
    "glusterfs.ancestry.path",
    "glusterfs.ancestry.dentry",
    "glusterfs.get_real_filename:FILE",
    "glusterfs.get_real_filename:nothing",
    "glusterfs.gfidtopath",
    "glusterfs.gfid2path",
    "glusterfs.posix.acl",
    "glusterfs.posix.default_acl",
    "system.posix_acl_access",
    "system.posix_acl_default",
    "list-xattr",
    "glusterfs.content",
    "glusterfs.open-fd-count",
    "trusted.glusterfs.mdata",
    "trusted.gfid2path.0123456789abcdef",
    "trusted.glusterfs.volume-id",
    "trusted.glusterfs.a.xtime",
    "trusted.glusterfs.lockinfo",
    "security.selinux",
    "user.none",
    "none",
]

#: What a file that is a symbolic link answers: GlusterFS follows the link for some of these.
OF_A_LINK = [
    name
    for name in VIRTUAL
    if not name.startswith(("glusterfs.get_real", "glusterfs.posix.", "glusterfs.gfid2path"))
]

CASES: dict[str, Callable[[Tree], list[Step]]] = {
    # -- XATTROP
    "xattrop add": lambda t: [
        xattrop(t, 0, array("i", 1, 2, -3, 0x7FFFFFFF)),
        xattrop(t, 0, array("i", 1, 2, 3, 0x7FFFFFFF)),
        xattrop(t, 1, array("q", 1, -5)),
        xattrop(t, 0, bytes(16)),
        xattrop(t, 0, array("i", 1, 1)),
        xattrop(t, 0, array("i", 1, 1, 1, 1, 5)),
        get(t.f, "trusted.count"),
    ],
    "xattrop with defaults": lambda t: [
        xattrop(t, 5, array("i", 1, 2, 10, 20)),
        xattrop(t, 5, array("i", 1, -2, 10, 20)),
        xattrop(t, 5, array("i", 1, 1, 10, 20)),
        xattrop(t, 6, array("q", 1, 100), "trusted.long"),
        xattrop(t, 6, array("q", 1, 100), "trusted.long"),
        xattrop(t, 6, bytes(16), "trusted.none"),
        get(t.f, "trusted.none"),
    ],
    "xattrop get and set": lambda t: [
        xattrop(t, 4, b"abc"),
        xattrop(t, 4, b"abcdef"),
        xattrop(t, 4, b"ab"),
        xattrop(t, 4, bytes(6)),
        get(t.f, "trusted.count"),
    ],
    "xattrop of no use": lambda t: [
        xattrop(t, 2, array("i", 1)),
        xattrop(t, 3, array("i", 1)),
        xattrop(t, 99, array("i", 1)),
        xattrop(t, 2, bytes(4)),
        xattrop(t, 0, b"\1\2\3", "user.odd"),
        xattrop(t, 0, b"\1\2\3\4\5\6\7", "user.odd"),
        xattrop(t, 0, b"", "user.empty"),
        xattrop(t, 0, array("i", 1), "none"),
        Step(Fop.XATTROP, xattrs.XattropRequest(t.f, 0, {})),
        Step(Fop.XATTROP, xattrs.XattropRequest(t.f, 0, None)),
        Step(Fop.XATTROP, xattrs.XattropRequest(NOBODY, 0, {"user.a": b"1234"})),
        Step(Fop.XATTROP, xattrs.XattropRequest(t.s, 0, {"user.a": b"1234"})),
        Step(Fop.XATTROP, xattrs.XattropRequest(t.s, 0, {"trusted.a": b"1234"})),
        Step(Fop.XATTROP, xattrs.XattropRequest(t.d, 0, {"trusted.a": b"1234"})),
    ],
    "xattrop tells more": lambda t: [
        xattrop(t, 0, array("i", 1), xdata={"glusterfs.open-fd-count": 1, "trusted.gfid": 0}),
        xattrop(t, 0, array("i", 1), xdata={}),
    ],
    "fxattrop": lambda t: [
        Step(Fop.FXATTROP, xattrs.FxattropRequest(t.f, t.fd, 0, {"trusted.a": array("i", 7)})),
        Step(Fop.FXATTROP, xattrs.FxattropRequest(t.f, t.rd, 1, {"trusted.b": array("q", 7)}, {})),
        Step(Fop.FXATTROP, xattrs.FxattropRequest(t.f, 99, 0, {"trusted.a": array("i", 7)})),
        Step(Fop.FXATTROP, xattrs.FxattropRequest(t.d, t.dd, 0, {"trusted.a": array("i", 7)})),
    ],
    # -- sums and copies
    "rchecksum": lambda t: [
        rchecksum(t, 0, len(CONTENT)),
        rchecksum(t, 100, 1000),
        rchecksum(t, 100, 1000, {"check-zero-filled": 1}),
        rchecksum(t, len(CONTENT) - 10, 1000),
        rchecksum(t, 1 << 30, 10),
        rchecksum(t, 0, 0),
        rchecksum(t, 0, 10, fd=t.rd),
        rchecksum(t, 0, 10, fd=99),
        Step(Fop.TRUNCATE, files.TruncateRequest(t.g, 5000)),
        Step(
            Fop.RCHECKSUM,
            data.RchecksumRequest(t.g, t.gd, 0, 5000, 0, {"check-zero-filled": 1}),
        ),
    ],
    "copy_file_range": lambda t: [
        copy(t, 0, 5, 50),
        copy(t, 2000, 0, 500),
        copy(t, 1 << 20, 0, 10),
        copy(t, 0, 5, 50, 1),
        copy(t, 0, 5, 50, fd_out=t.fd),
        copy(t, 0, 1024, 512, fd_out=t.fd),
        copy(t, 0, 0, 0),
        copy(t, 0, 0, 10, fd_in=99),
        Step(Fop.READ, data.ReadRequest(t.g, t.gd, 0, 4096)),
    ],
    "ipc": lambda t: [Step(Fop.IPC, files.IpcRequest(op)) for op in (0, 1, 3)],
    # -- making
    "mknod": lambda t: [
        mknod(t, 0o100666, 0, "file"),
        mknod(t, 0o666, 0, "kindless"),
        mknod(t, stat.S_IFIFO | 0o666, 0, "pipe"),
        mknod(t, stat.S_IFSOCK | 0o666, 0, "socket"),
        mknod(t, stat.S_IFCHR | 0o666, os.makedev(1, 3), "null"),
        mknod(t, stat.S_IFCHR | 0o666, os.makedev(8, 300), "large"),
        mknod(t, stat.S_IFBLK | 0o666, os.makedev(259, 70000), "disk"),
        mknod(t, stat.S_IFCHR | 0o666, 5 << 32 | 7, "iatt"),
        mknod(t, 0o100666, 0, "file"),
        lookup(t, None, "null"),
        lookup(t, None, "large"),
        Step(Fop.MKNOD, names.MknodRequest(t.d, 0, 0o100644, 0, "x")),
        Step(Fop.MKNOD, names.MknodRequest(NOBODY, 0, 0o100644, 0, "x", new_gfid())),
        mknod(t, 0o100644, 0, "x" * 256),
        mknod(t, 0o100644, 0, "given", **{"trusted.given": b"1", "user.given": b"2"}),
        lookup(t, {"trusted.given": 0, "user.given": 0}, "given"),
    ],
    "create": lambda t: (
        [
            Step(
                Fop.CREATE,
                names.CreateRequest(t.d, flags, 0o666, 0o022, name, {**new_gfid(), "user.x": b"1"}),
                but=("fd",),
            )
            for name, flags in (
                ("new", os.O_RDWR),
                ("new", os.O_RDWR),
                ("new", os.O_RDWR | os.O_CREAT | os.O_EXCL),
                ("read", os.O_RDONLY),
                ("written", os.O_WRONLY | os.O_APPEND),
                ("sub", os.O_RDWR),
                ("File", os.O_RDWR | os.O_TRUNC),
                ("x" * 256, os.O_RDWR),
            )
        ]
        + [
            Step(Fop.CREATE, names.CreateRequest(t.d, os.O_RDWR, 0o666, 0, "n"), but=("fd",)),
            Step(Fop.CREATE, names.CreateRequest(NOBODY, os.O_RDWR, 0o666, 0, "n", new_gfid())),
        ]
    ),
    "mkdir, symlink, link": lambda t: [
        Step(Fop.MKDIR, names.MkdirRequest(t.d, 0o777, 0o022, "new", new_gfid())),
        Step(Fop.MKDIR, names.MkdirRequest(t.d, 0o777, 0o022, "new", new_gfid())),
        Step(Fop.MKDIR, names.MkdirRequest(t.d, 0o2777, 0, "group", new_gfid())),
        Step(Fop.MKDIR, names.MkdirRequest(t.f, 0o777, 0, "x", new_gfid())),
        Step(Fop.MKDIR, names.MkdirRequest(t.d, 0o777, 0, "gfidless")),
        Step(Fop.SYMLINK, names.SymlinkRequest(t.d, "s", 0, "t" * 300, new_gfid())),
        Step(Fop.SYMLINK, names.SymlinkRequest(t.d, "s", 0, "t", new_gfid())),
        Step(Fop.SYMLINK, names.SymlinkRequest(t.d, "e", 0, "", new_gfid())),
        Step(Fop.SYMLINK, names.SymlinkRequest(t.d, "e", 0, "t" * 5000, new_gfid())),
        Step(Fop.LINK, names.LinkRequest(t.f, t.d, "l")),
        Step(Fop.LINK, names.LinkRequest(t.f, t.d, "l")),
        Step(Fop.LINK, names.LinkRequest(t.s, t.d, "ls")),
        Step(Fop.LINK, names.LinkRequest(t.sub, t.d, "ld")),
        Step(Fop.LINK, names.LinkRequest(NOBODY, t.d, "ln")),
    ],
    # -- removing
    "rename": lambda t: [
        Step(Fop.RENAME, names.RenameRequest(t.sub, t.d, "soft", "moved")),
        Step(Fop.RENAME, names.RenameRequest(t.d, t.sub, "File", "hard")),
        Step(Fop.RENAME, names.RenameRequest(t.d, t.sub, "other", "File")),
        get(t.g, "glusterfs.gfidtopath"),
        get(t.s, "glusterfs.gfidtopath"),
    ],
    "unlink, rename, rmdir": lambda t: [
        Step(Fop.RENAME, names.RenameRequest(t.sub, t.d, "hard", "other", {"get-link-count": 1})),
        Step(Fop.RENAME, names.RenameRequest(t.d, t.d, "nothing", "other")),
        Step(Fop.RENAME, names.RenameRequest(t.d, t.d, "File", "sub")),
        Step(Fop.RENAME, names.RenameRequest(t.d, t.d, "sub", "File")),
        Step(Fop.RENAME, names.RenameRequest(t.d, t.sub, "sub", "below")),
        Step(Fop.UNLINK, names.UnlinkRequest(t.d, "other", 0, {"get-link-count": 1})),
        Step(Fop.UNLINK, names.UnlinkRequest(t.d, "File", 0, {"get-link-count": 1})),
        Step(Fop.UNLINK, names.UnlinkRequest(t.d, "File", 0)),
        Step(Fop.UNLINK, names.UnlinkRequest(t.d, "sub", 0)),
        Step(Fop.UNLINK, names.UnlinkRequest(t.sub, "fifo", 0, {"get-link-count": 1})),
        Step(Fop.UNLINK, names.UnlinkRequest(t.sub, "soft")),
        Step(Fop.RMDIR, names.RmdirRequest(t.d, 0, "sub")),
        Step(Fop.RMDIR, names.RmdirRequest(t.d, 0, "sub")),
        Step(Fop.FSTAT, attributes.FstatRequest(t.f, t.fd)),
        Step(Fop.READ, data.ReadRequest(t.f, t.fd, 0, 10)),
    ],
    "rmdir": lambda t: [
        Step(Fop.RMDIR, names.RmdirRequest(t.d, 0, "sub")),
        Step(Fop.RMDIR, names.RmdirRequest(t.d, 0, "File")),
        Step(Fop.RMDIR, names.RmdirRequest(t.d, 1, "sub")),
    ],
    # -- attributes
    "setattr": lambda t: [
        setattr_(t.f, MODE, mode=0o100640),
        setattr_(t.f, MODE, mode=0o6755),
        setattr_(t.f, UID | GID, uid=5, gid=6),
        setattr_(t.f, UID, uid=7, gid=8),
        setattr_(t.f, 0),
        setattr_(t.f, TIMES, atime=1, mtime=2, atime_nsec=3, mtime_nsec=4),
        setattr_(t.s, UID | GID, uid=5, gid=6),
        setattr_(t.s, TIMES, atime=1, mtime=2),
        setattr_(t.d, MODE, mode=0o1777),
        setattr_(t.p, MODE, mode=0o600),
        setattr_(NOBODY, MODE, mode=0o600),
        setattr_(t.f, MODE, mode=0o777, caller=USER),
        setattr_(t.g, UID, uid=1234, caller=USER),
        Step(Fop.FSETATTR, attributes.FsetattrRequest(t.f, t.fd, Iatt(mode=0o600), MODE)),
    ],
    "stat tells more": lambda t: [
        Step(Fop.STAT, attributes.StatRequest(t.f, {"glusterfs.open-fd-count": 0})),
        set_(t.f, "trusted.more", b"1"),
        Step(Fop.STAT, attributes.StatRequest(t.f, {"trusted.more": 0, "trusted.gfid": 0})),
        Step(Fop.FSTAT, attributes.FstatRequest(t.f, t.fd, {"trusted.more": 0})),
        Step(Fop.STAT, attributes.StatRequest(t.f)),
        Step(Fop.STAT, attributes.StatRequest(NOBODY)),
        Step(Fop.FSTAT, attributes.FstatRequest(t.f, ANONYMOUS)),
    ],
    "truncate": lambda t: [
        Step(Fop.TRUNCATE, files.TruncateRequest(t.f, 100)),
        Step(Fop.TRUNCATE, files.TruncateRequest(t.f, 10000)),
        Step(Fop.TRUNCATE, files.TruncateRequest(t.d, 0)),
        Step(Fop.TRUNCATE, files.TruncateRequest(t.f, 1 << 63)),
        Step(Fop.FTRUNCATE, files.FtruncateRequest(t.f, t.fd, 7)),
        Step(Fop.FTRUNCATE, files.FtruncateRequest(t.f, t.rd, 7)),
        Step(Fop.FTRUNCATE, files.FtruncateRequest(t.f, 99, 7)),
    ],
    "access": lambda t: [
        Step(Fop.ACCESS, attributes.AccessRequest(t.f, mask)) for mask in (0, 4, 2, 6)
    ],
    # -- files
    "open": lambda t: [
        open_(t.f, os.O_RDONLY),
        open_(t.f, os.O_RDWR | os.O_TRUNC),
        open_(t.f, os.O_RDWR | os.O_APPEND | os.O_SYNC),
        open_(t.f, os.O_RDWR | os.O_DIRECT),
        open_(t.f, os.O_RDONLY | os.O_DIRECTORY),
        open_(t.d, os.O_RDONLY),
        open_(t.d, os.O_RDWR),
        open_(t.s, os.O_RDONLY),
        open_(NOBODY, os.O_RDONLY),
        Step(Fop.OPENDIR, directories.OpendirRequest(t.f), but=("fd",)),
        Step(Fop.OPENDIR, directories.OpendirRequest(NOBODY), but=("fd",)),
    ],
    "read and write": lambda t: [
        Step(Fop.READ, data.ReadRequest(t.f, t.fd, 100, 50)),
        Step(Fop.READ, data.ReadRequest(t.f, t.fd, len(CONTENT), 50)),
        Step(Fop.READ, data.ReadRequest(t.f, ANONYMOUS, 0, 50)),
        Step(Fop.READ, data.ReadRequest(t.f, 99, 0, 50)),
        Step(Fop.WRITE, data.WriteRequest(t.f, t.fd, 3000, 3), b"abc"),
        Step(Fop.WRITE, data.WriteRequest(t.f, ANONYMOUS, 10, 3), b"abc"),
        Step(Fop.WRITE, data.WriteRequest(t.f, t.rd, 10, 3), b"abc"),
        Step(Fop.READ, data.ReadRequest(t.f, t.direct, 0, 4096)),
        Step(Fop.WRITE, data.WriteRequest(t.f, t.appending, 0, 3), b"end"),
        Step(Fop.READ, data.ReadRequest(t.f, t.appending, 0, 10)),
        Step(Fop.READ, data.ReadRequest(t.f, t.fd, 3000, 10)),
        Step(Fop.FLUSH, files.FlushRequest(t.f, t.fd)),
        Step(Fop.FSYNC, files.FsyncRequest(t.f, t.fd, 0)),
        Step(Fop.FSYNC, files.FsyncRequest(t.f, 99, 0)),
    ],
    "space": lambda t: [
        Step(Fop.FALLOCATE, files.FallocateRequest(t.f, t.fd, 0, 0, 8192)),
        Step(Fop.FALLOCATE, files.FallocateRequest(t.f, t.fd, 1, 8192, 8192)),
        Step(Fop.FALLOCATE, files.FallocateRequest(t.f, t.rd, 0, 0, 8192)),
        Step(Fop.FALLOCATE, files.FallocateRequest(t.f, t.fd, 0, 0, 0)),
        Step(Fop.DISCARD, files.DiscardRequest(t.f, t.fd, 0, 4096)),
        Step(Fop.ZEROFILL, files.ZerofillRequest(t.f, t.fd, 0, 4096)),
        Step(Fop.ZEROFILL, files.ZerofillRequest(t.f, t.fd, 8192, 4096)),
        Step(Fop.SEEK, files.SeekRequest(t.f, t.fd, 0, 0), but=("offset",)),
        Step(Fop.SEEK, files.SeekRequest(t.f, t.fd, 1 << 20, 0)),
        Step(Fop.SEEK, files.SeekRequest(t.f, t.fd, 1 << 20, 1)),
        Step(Fop.SEEK, files.SeekRequest(t.f, t.fd, 0, 7)),
    ],
    # -- extended attributes
    "virtual xattrs of a directory": lambda t: [get(t.d, name, *size(name)) for name in VIRTUAL],
    "virtual xattrs of a file": lambda t: [
        get(t.g, name, *size(name)) for name in VIRTUAL if name != "trusted.glusterfs.volume-id"
    ],
    "virtual xattrs of a link": lambda t: [get(t.s, name, *size(name)) for name in OF_A_LINK],
    "virtual xattrs by fd": lambda t: [
        fget(t, name) for name in VIRTUAL if not name.endswith(("volume-id", "lockinfo"))
    ],
    "setxattr": lambda t: [
        set_(t.f, "user.a", b"1"),
        set_(t.f, "user.a", b"2", 1),
        set_(t.f, "user.b", b"2", 2),
        set_(t.f, "user.b", b"2", 3),
        set_(t.f, "user.text", "text"),
        set_(t.f, "user.number", 5),
        set_(t.f, "trusted.gfid", bytes(16)),
        set_(t.f, "trusted.glusterfs.volume-id", bytes(16)),
        set_(t.f, "glusterfs.pathinfo", b"x"),
        set_(t.f, "trusted.glusterfs.pathinfo", b"x"),
        set_(t.f, "trusted.gfid2path.x", b"x"),
        set_(t.f, "glusterfs.gfid.string", b"x"),
        set_(t.f, "none", b"x"),
        set_(t.f, "user.", b"x"),
        set_(t.f, "system.x", b"x"),
        set_(t.f, "security.x", b"x"),
        set_(t.f, "user.large", bytes(1 << 17)),
        set_(t.s, "user.a", b"x"),
        set_(t.s, "trusted.a", b"x"),
        set_(NOBODY, "user.a", b"x"),
        set_(t.f, "trusted.a", b"x", caller=USER),
        set_(t.f, "user.a", b"x", caller=USER),
        Step(Fop.SETXATTR, xattrs.SetxattrRequest(t.f, 0, {})),
        get(t.f, "user.a"),
        get(t.f, "user.text"),
        get(t.f, "user.number"),
        Step(Fop.GETXATTR, xattrs.GetxattrRequest(t.f, 0, ""), but=("op_ret",)),
        Step(
            Fop.GETXATTR, xattrs.GetxattrRequest(t.f, 0, "", {"trusted.gfid": 0}), but=("op_ret",)
        ),
    ],
    "fsetxattr": lambda t: [
        fset(t, "user.a", b"1"),
        fset(t, "glusterfs.posix.acl", ACL.encode()),
        fset(t, "trusted.gfid", bytes(16)),
        fset(t, "glusterfs.pathinfo", b"x"),
        fset(t, "trusted.gfid2path.x", b"x"),
        Step(Fop.FREMOVEXATTR, xattrs.FremovexattrRequest(t.f, t.fd, "user.a")),
        Step(Fop.FREMOVEXATTR, xattrs.FremovexattrRequest(t.f, t.fd, "user.a")),
    ],
    "removexattr": lambda t: [
        set_(t.f, "user.a", b"1"),
        remove(t.f, "user.a"),
        remove(t.f, "user.a"),
        *[
            remove(t.f, name)
            for name in (
                "trusted.gfid",
                "trusted.glusterfs.volume-id",
                "trusted.gfid2path.x",
                "glusterfs.pathinfo",
                "glusterfs.posix.acl",
                "none",
                "",
                "trusted.none",
            )
        ],
        remove(NOBODY, "user.a"),
    ],
    "access control lists": lambda t: [
        set_(t.f, "glusterfs.posix.acl", ACL.encode()),
        get(t.f, "glusterfs.posix.acl"),
        get(t.f, "system.posix_acl_access"),
        lookup(t, {"glusterfs.posix.acl": 0, "system.posix_acl_access": 0}),
        set_(t.d, "glusterfs.posix.default_acl", b"u::rwx,g::r-x,o::---"),
        get(t.d, "glusterfs.posix.default_acl"),
        get(t.d, "system.posix_acl_default"),
        remove(t.f, "system.posix_acl_access"),
        get(t.f, "glusterfs.posix.acl"),
    ],
    # -- what lookups bring along
    "lookup": lambda t: [
        lookup(t, None),
        lookup(t, {}),
        lookup(t, {"glusterfs.content": 1 << 16}),
        lookup(t, {"glusterfs.content": 100}),
        lookup(t, {"glusterfs.content": 1 << 16, "system.posix_acl_default": 0}, "sub"),
        lookup(t, {"glusterfs.content": 1 << 16}, "soft", t.sub),
        lookup(t, {"trusted.gfid": 0, "list-xattr": 0}),
        lookup(t, {"glusterfs.inodelk-count": 0, "glusterfs.posixlk-count": 0}),
        lookup(t, {"glusterfs.open-fd-count": 0, "glusterfs.entrylk-count": 0}),
        lookup(t, {"glusterfs.ancestry.path": 0}, "sub"),
        lookup(t, {"glusterfs.posix.acl": 0, "none": 0, "gfid-req": uuid.uuid4()}),
        lookup(t, None, "nothing"),
        lookup(t, None, "x" * 256),
        lookup(t, None, "x", t.f),
        lookup(t, None, "x", NOBODY),
        Step(Fop.LOOKUP, names.LookupRequest(t.f)),
        Step(Fop.LOOKUP, names.LookupRequest(NOBODY)),
        Step(Fop.READLINK, names.ReadlinkRequest(t.s, 4096)),
        Step(Fop.READLINK, names.ReadlinkRequest(t.s, 3)),
        Step(Fop.READLINK, names.ReadlinkRequest(t.f, 4096)),
    ],
    "readdir": lambda t: [
        set_(t.f, "trusted.listed", b"1"),
        *[
            Step(Fop.READDIRP, directories.ReaddirpRequest(t.d, t.dd, 0, 1 << 16, xdata))
            for xdata in (
                None,
                {},
                {"trusted.gfid": 0, "trusted.listed": 0},
                {"trusted.l*": 0, "trusted.nothing": 0},
                {"glusterfs.content": 4096, "glusterfs.open-fd-count": 0},
                {"system.posix_acl_access": 0, "glusterfs.posix.acl": 0},
            )
        ],
        Step(Fop.READDIR, directories.ReaddirRequest(t.d, t.dd, 0, 1 << 16)),
        Step(Fop.READDIRP, directories.ReaddirpRequest(t.d, 99, 0, 1 << 16)),
        Step(Fop.READDIRP, directories.ReaddirpRequest(t.f, t.fd, 0, 1 << 16)),
        Step(Fop.FSYNCDIR, directories.FsyncdirRequest(t.d, t.dd, 0)),
        Step(Fop.FSYNCDIR, directories.FsyncdirRequest(t.d, 99, 0)),
    ],
    "statfs": lambda t: [Step(Fop.STATFS, attributes.StatfsRequest(NOBODY))],
}


@pytest.fixture(scope="module")
def real_brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandBrick]:
    """A brick of GlusterFS for this module alone: some of what is asked here is unusual."""
    directory = tmp_path_factory.mktemp("real")
    try:
        yield start_or_skip(real_gluster.start_hand_brick, directory)
    finally:
        real_gluster.stop(directory)


@pytest.fixture(scope="module")
def our_brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrickProcess]:
    with start_brick(tmp_path_factory.mktemp("ours")) as brick:
        yield brick


@pytest.fixture
def trees(real_brick: HandBrick, our_brick: BrickProcess) -> Iterator[tuple[Tree, Tree]]:
    """The same files on a GlusterFS brick and on ours."""
    with (
        RawClient.of(real_brick.brick_port, "/hand") as theirs,
        RawClient.of(our_brick.brick_port, str(our_brick.directory)) as ours,
    ):
        real, own = Tree(theirs, Path(real_brick.data_dir)), Tree(ours, our_brick.directory)
        yield real, own
        real.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="makes device nodes and trusted attributes")
@pytest.mark.parametrize("case", CASES)
def test_same_answer(trees: tuple[Tree, Tree], case: str) -> None:
    answers: list[list[str]] = []
    for tree in trees:
        told = []
        for number, step in enumerate(CASES[case](tree)):
            reply, tail = tree.client.fop(step.fop, step.request, step.tail, step.caller)
            what = f"{number}: {step.fop.name} {words(step.request)}"
            if reply.op_ret < 0:
                name = errno.errorcode.get(reply.op_errno, str(reply.op_errno))
                told.append(f"{what}: {name}")
                continue
            fields = {
                key: tree.plain(value)
                for key, value in reply._asdict().items()
                if key not in ("op_errno", *step.but)
            }
            told.append(f"{what}: {fields} {tree.plain(tail)!r}")
        answers.append(told)
    theirs, ours = answers
    differing = [
        f"\n  GlusterFS {real}\n  ours      {own}"
        for real, own in zip(theirs, ours, strict=True)
        if real != own
    ]
    assert not differing, "".join(differing)


def words(request: Any) -> str:
    """A request without what differs between the bricks."""
    return " ".join(
        repr(value)[:60]
        for key, value in request._asdict().items()
        if key in ("name", "xattrs", "flags", "mode", "size", "offset", "op", "valid", "length")
    )
