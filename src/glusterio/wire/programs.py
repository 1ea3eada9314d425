"""The numbers of the protocol: programs, versions, procedures, states and flags.

Sources: GlusterFS rpc/rpc-lib/src/protocol-common.h (programs and procedures),
rpc/rpc-lib/src/xdr-rpc.h (credential flavors), rpc/xdr/src/glusterfs3.h (open flags),
rpc/xdr/src/glusterfs-fops.x (lock, lease and xattrop numbers), RFC 5531 section 9 (RPC).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final, NamedTuple


class Program(NamedTuple):
    """An RPC program in one of its versions."""

    number: int
    version: int


HANDSHAKE: Final = Program(14398633, 2)
PORTMAP: Final = Program(34123456, 1)
DUMP: Final = Program(123451501, 1)
FOPS: Final = Program(1298437, 400)
CALLBACK: Final = Program(52743234, 1)

#: glusterio's own, in the range that is left to users (RFC 5531 section 13.3).
CONTROL: Final = Program(0x20676C6F, 1)


class HandshakeProc(IntEnum):
    """Procedures of :data:`HANDSHAKE`, spoken to glusterd and to bricks."""

    NULL = 0
    SETVOLUME = 1
    GETSPEC = 2
    PING = 3
    SET_LK_VER = 4
    EVENT_NOTIFY = 5
    GET_VOLUME_INFO = 6
    GET_SNAPSHOT_INFO = 7


class PortmapProc(IntEnum):
    """Procedures of :data:`PORTMAP`, spoken to glusterd."""

    NULL = 0
    PORTBYBRICK = 1
    BRICKBYPORT = 2
    SIGNUP = 3
    SIGNIN = 4
    SIGNOUT = 5


class DumpProc(IntEnum):
    """Procedures of :data:`DUMP`, offered by every GlusterFS server."""

    NULL = 0
    DUMP = 1
    PING = 2


class CallbackProc(IntEnum):
    """Procedures of :data:`CALLBACK`, which servers call on their clients. None has a reply."""

    NULL = 0
    FETCHSPEC = 1
    INO_FLUSH = 2
    EVENT_NOTIFY = 3
    GET_SNAPS = 4
    CACHE_INVALIDATION = 5
    CHILD_UP = 6
    CHILD_DOWN = 7
    RECALL_LEASE = 8
    STATEDUMP = 9
    INODELK_CONTENTION = 10
    ENTRYLK_CONTENTION = 11


class ControlProc(IntEnum):
    """Procedures of :data:`CONTROL`, spoken to our own management daemon."""

    NULL = 0
    VOLUMES = 1
    GET = 2
    SET = 3
    RESET = 4
    STATEDUMP = 5


class Fop(IntEnum):
    """Procedures of :data:`FOPS`: the file operations."""

    NULL = 0
    STAT = 1
    READLINK = 2
    MKNOD = 3
    MKDIR = 4
    UNLINK = 5
    RMDIR = 6
    SYMLINK = 7
    RENAME = 8
    LINK = 9
    TRUNCATE = 10
    OPEN = 11
    READ = 12
    WRITE = 13
    STATFS = 14
    FLUSH = 15
    FSYNC = 16
    SETXATTR = 17
    GETXATTR = 18
    REMOVEXATTR = 19
    OPENDIR = 20
    FSYNCDIR = 21
    ACCESS = 22
    CREATE = 23
    FTRUNCATE = 24
    FSTAT = 25
    LK = 26
    LOOKUP = 27
    READDIR = 28
    INODELK = 29
    FINODELK = 30
    ENTRYLK = 31
    FENTRYLK = 32
    XATTROP = 33
    FXATTROP = 34
    FGETXATTR = 35
    FSETXATTR = 36
    RCHECKSUM = 37
    SETATTR = 38
    FSETATTR = 39
    READDIRP = 40
    RELEASE = 41
    RELEASEDIR = 42
    FREMOVEXATTR = 43
    FALLOCATE = 44
    DISCARD = 45
    ZEROFILL = 46
    IPC = 47
    SEEK = 48
    COMPOUND = 49
    LEASE = 50
    GETACTIVELK = 51
    SETACTIVELK = 52
    ICREATE = 53
    NAMELINK = 54
    PUT = 55
    COPY_FILE_RANGE = 56


#: Operations never to be sent to a GlusterFS brick. storage/posix implements neither of them, the
#: default winds on to a child that is not there, and a brick of version 10 crashes.
CRASHING_FOPS: Final = frozenset({Fop.NAMELINK, Fop.ICREATE})

#: Operations that have a number and no service: a GlusterFS 10 brick answers PROC_UNAVAIL.
REFUSED_FOPS: Final = frozenset({Fop.PUT, Fop.COMPOUND})


class MessageType(IntEnum):
    """Direction of an RPC message (RFC 5531 section 9, ``msg_type``)."""

    CALL = 0
    REPLY = 1


class ReplyStat(IntEnum):
    """RFC 5531 section 9, ``reply_stat``."""

    ACCEPTED = 0
    DENIED = 1


class AcceptStat(IntEnum):
    """RFC 5531 section 9, ``accept_stat``."""

    SUCCESS = 0
    PROG_UNAVAIL = 1
    PROG_MISMATCH = 2
    PROC_UNAVAIL = 3
    GARBAGE_ARGS = 4
    SYSTEM_ERR = 5


class RejectStat(IntEnum):
    """RFC 5531 section 9, ``reject_stat``."""

    RPC_MISMATCH = 0
    AUTH_ERROR = 1


class AuthFlavor(IntEnum):
    """Credential flavors: RFC 5531 section 8.2 and GlusterFS's own."""

    NONE = 0
    GLUSTERFS = 5
    GLUSTERFS_V2 = 390039
    GLUSTERFS_V3 = 390040


RPC_VERSION: Final = 2

#: A credential's body may not be longer (RFC 5531 section 8.2).
MAX_AUTH_BYTES: Final = 400

#: Why a credential is refused (RFC 5531 section 9, ``auth_stat``).
AUTH_BAD_CREDENTIAL: Final = 1
AUTH_REJECTED_CREDENTIAL: Final = 2

#: The descriptor that means "whatever file has this gfid, without opening it".
ANONYMOUS_FD: Final = -2

NULL_GFID: Final = bytes(16)
ROOT_GFID: Final = bytes(15) + b"\x01"

#: The dictionary key that CREATE, MKDIR, MKNOD and SYMLINK must carry: the new file's gfid.
GFID_REQ: Final = "gfid-req"


#: What a brick says of itself in its answer to SETVOLUME when it closes both files of a COPY_FILE_RANGE
#: at their RELEASE. GlusterFS's own do not, and do not say so.
RELEASES_COPIES: Final = "glusterio.releases-copies"

#: What a brick that refuses a client in SETVOLUME refuses him for: ``address``, ``login`` or ``name``.
#: GlusterFS's own bricks do not say it.
REFUSED_BY: Final = "glusterio.refused-by"


#: The key of a lock's mode in LK's extra data, and the mode that keeps others from the data, too, on
#: volumes that have that turned on (libglusterfs/src/glusterfs/glusterfs.h, ``GF_LOCK_MODE``).
LOCK_MODE: Final = "glusterfs.lk.lkmode"
MANDATORY: Final = 1

#: The key of the lease id in a request's extra data (GlusterFS api/src/glfs.c).
LEASE_ID: Final = "lease-id"


class OpenFlag(IntFlag):
    """Flags of OPEN and CREATE, in GlusterFS's own numbering: Linux's on x86, on every machine."""

    RDONLY = 0o0
    WRONLY = 0o1
    RDWR = 0o2
    CREAT = 0o100
    EXCL = 0o200
    TRUNC = 0o1000
    APPEND = 0o2000
    NONBLOCK = 0o4000
    SYNC = 0o10000
    DIRECT = 0o40000
    LARGEFILE = 0o100000
    DIRECTORY = 0o200000
    NOFOLLOW = 0o400000
    NOATIME = 0o1000000
    CLOEXEC = 0o2000000
    PATH = 0o10000000


#: The bits of the open flags that tell reading from writing.
ACCMODE: Final = 0o3


class TimeFlag(IntFlag):
    """Which times of a file, and of its directory, a call changes: the credential's flags.

    A brick that keeps the times itself (``storage.ctime``) goes by them; source: GlusterFS
    libglusterfs/src/glusterfs/stack.h.
    """

    CTIME = 0x1
    MTIME = 0x2
    ATIME = 0x4
    PARENT_CTIME = 0x8
    PARENT_MTIME = 0x10
    PARENT_ATIME = 0x20


class SetattrValid(IntFlag):
    """Which fields of SETATTR's iatt are to be set (libglusterfs/src/glusterfs/xlator.h)."""

    MODE = 0x1
    UID = 0x2
    GID = 0x4
    SIZE = 0x8
    ATIME = 0x10
    MTIME = 0x20
    CTIME = 0x40
    ATIME_NOW = 0x80
    MTIME_NOW = 0x100


class LockType(IntEnum):
    """Kinds of lock in LK, INODELK and :class:`~glusterio.wire.fops.locks.Flock`."""

    READ = 0
    WRITE = 1
    UNLOCK = 2


class LockCommand(IntEnum):
    """What LK and INODELK are to do; the last answers only when the lock is had."""

    GETLK = 0
    SETLK = 1
    SETLKW = 2


class EntrylkCommand(IntEnum):
    """What ENTRYLK is to do."""

    LOCK = 0
    UNLOCK = 1
    LOCK_NONBLOCKING = 2


class EntrylkType(IntEnum):
    """Kinds of entry lock."""

    READ = 0
    WRITE = 1


class LeaseCommand(IntEnum):
    """What LEASE is to do."""

    GET = 1
    SET = 2
    UNLOCK = 3


class LeaseType(IntEnum):
    """Kinds of lease."""

    NONE = 0
    READ = 1
    READ_WRITE = 2


class XattropFlag(IntEnum):
    """What XATTROP does with the arrays it is given."""

    ADD_ARRAY = 0
    ADD_ARRAY64 = 1
    OR_ARRAY = 2
    AND_ARRAY = 3
    GET_AND_SET = 4
    ADD_ARRAY_WITH_DEFAULT = 5
    ADD_ARRAY64_WITH_DEFAULT = 6


class SeekWhat(IntEnum):
    """What SEEK looks for."""

    DATA = 0
    HOLE = 1
