"""Operations on locks and leases.

The owner of a POSIX lock is the one in the call's credential, whatever a :class:`Flock` says.

Source: GlusterFS rpc/xdr/src/glusterfs4-xdr.x, rpc/xdr/src/glusterfs3-xdr.x (``gf_proto_flock``,
``gf_proto_lease``, ``gfs3_locklist``).
"""

from typing import Annotated, NamedTuple, TypeAlias

from glusterio.wire.messages import I32, I64, U32, U64, Fixed, Gfid, Linked, Opaque, Str, Xdata

#: The 16 bytes that name a lease's holder.
LeaseId: TypeAlias = Annotated[bytes, Fixed("16s", 16)]


class Flock(NamedTuple):
    """A byte range and the lock on it.

    ``type`` is a :class:`~glusterio.wire.programs.LockType`, ``whence`` as for ``lseek``, ``start``
    and ``length`` are bytes, and length 0 goes to the end of the file.
    """

    type: U32 = 0
    whence: U32 = 0
    start: U64 = 0
    length: U64 = 0
    pid: U32 = 0
    lk_owner: Opaque = b""


class LkRequest(NamedTuple):
    """Take, drop or ask about a POSIX lock.

    ``cmd`` is a :class:`~glusterio.wire.programs.LockCommand`; ``type`` repeats the lock's.
    """

    gfid: Gfid
    fd: I64
    cmd: U32
    type: U32
    flock: Flock
    xdata: Xdata = None


class LkReply(NamedTuple):
    """The lock taken, or for GETLK the one that is in the way."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    flock: Flock = Flock()


class InodelkRequest(NamedTuple):
    """Take or drop a translator's lock on a range of an inode, in the lock domain ``domain``."""

    gfid: Gfid
    cmd: U32
    type: U32
    flock: Flock
    domain: Str
    xdata: Xdata = None


class FinodelkRequest(NamedTuple):
    """Take or drop a translator's lock on a range of an open file."""

    gfid: Gfid
    fd: I64
    cmd: U32
    type: U32
    flock: Flock
    domain: Str
    xdata: Xdata = None


class EntrylkRequest(NamedTuple):
    """Take or drop a translator's lock on a name in a directory; ``namelen`` 0 locks all names.

    ``cmd`` is an :class:`~glusterio.wire.programs.EntrylkCommand`, ``type`` an
    :class:`~glusterio.wire.programs.EntrylkType`.
    """

    gfid: Gfid
    cmd: U32
    type: U32
    namelen: U64
    name: Str
    domain: Str
    xdata: Xdata = None


class FentrylkRequest(NamedTuple):
    """Take or drop a translator's lock on a name in an open directory."""

    gfid: Gfid
    fd: I64
    cmd: U32
    type: U32
    namelen: U64
    name: Str
    domain: Str
    xdata: Xdata = None


class Lease(NamedTuple):
    """A promise to be told before others touch a file.

    ``cmd`` is a :class:`~glusterio.wire.programs.LeaseCommand`, ``type`` a
    :class:`~glusterio.wire.programs.LeaseType`.
    """

    cmd: U32 = 0
    type: U32 = 0
    id: LeaseId = bytes(16)
    flags: U32 = 0


class LeaseRequest(NamedTuple):
    """Take, drop or ask about a lease. Refused with ENOSYS unless the volume has leases on."""

    gfid: Gfid
    lease: Lease
    xdata: Xdata = None


class LeaseReply(NamedTuple):
    """The lease as it stands."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    lease: Lease = Lease()


class ActiveLock(NamedTuple):
    """A lock that a client holds."""

    flock: Flock
    client_uid: Str
    flags: U32


ActiveLocks: TypeAlias = Annotated[tuple[ActiveLock, ...], Linked()]


class GetactivelkRequest(NamedTuple):
    """Ask for all locks on a file."""

    gfid: Gfid
    xdata: Xdata = None


class GetactivelkReply(NamedTuple):
    """All locks on a file."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    xdata: Xdata = None
    locks: ActiveLocks = ()


class SetactivelkRequest(NamedTuple):
    """Put locks on a file in the name of their holders. A GlusterFS 10 brick does not survive it."""

    gfid: Gfid
    locks: ActiveLocks
    xdata: Xdata = None
