"""The file operations: program 1298437, version 400.

One class for each request and one for each reply serve both sides: a client encodes the first and
decodes the second, a brick the other way round. :data:`FOPS` says which class belongs to which
operation. Replies begin with ``op_ret`` and ``op_errno``; ``op_errno`` means nothing when
``op_ret`` is not negative. :func:`glusterio.wire.messages.failure` makes the reply of an operation
that failed.
"""

from typing import Any, Final, NamedTuple

from glusterio.wire.fops import attributes, data, directories, files, locks, names, xattrs
from glusterio.wire.programs import Fop


class FopSpec(NamedTuple):
    """How one operation looks on the wire.

    Attributes:
        request_class: the request.
        reply_class: the reply.
        request_tail: raw data follows the request.
        reply_tail: raw data follows the reply.
    """

    request_class: type[Any]
    reply_class: type[Any]
    request_tail: bool = False
    reply_tail: bool = False


#: Every operation but COMPOUND, which is dead.
FOPS: Final[dict[Fop, FopSpec]] = {
    Fop.NULL: FopSpec(files.NullRequest, files.NullReply),
    Fop.STAT: FopSpec(attributes.StatRequest, attributes.StatReply),
    Fop.READLINK: FopSpec(names.ReadlinkRequest, names.ReadlinkReply),
    Fop.MKNOD: FopSpec(names.MknodRequest, names.NewEntryReply),
    Fop.MKDIR: FopSpec(names.MkdirRequest, names.NewEntryReply),
    Fop.UNLINK: FopSpec(names.UnlinkRequest, names.RemovedEntryReply),
    Fop.RMDIR: FopSpec(names.RmdirRequest, names.RemovedEntryReply),
    Fop.SYMLINK: FopSpec(names.SymlinkRequest, names.NewEntryReply),
    Fop.RENAME: FopSpec(names.RenameRequest, names.RenameReply),
    Fop.LINK: FopSpec(names.LinkRequest, names.NewEntryReply),
    Fop.TRUNCATE: FopSpec(files.TruncateRequest, files.ChangedReply),
    Fop.OPEN: FopSpec(files.OpenRequest, files.OpenReply),
    Fop.READ: FopSpec(data.ReadRequest, data.ReadReply, reply_tail=True),
    Fop.WRITE: FopSpec(data.WriteRequest, files.ChangedReply, request_tail=True),
    Fop.STATFS: FopSpec(attributes.StatfsRequest, attributes.StatfsReply),
    Fop.FLUSH: FopSpec(files.FlushRequest, files.CommonReply),
    Fop.FSYNC: FopSpec(files.FsyncRequest, files.ChangedReply),
    Fop.SETXATTR: FopSpec(xattrs.SetxattrRequest, files.CommonReply),
    Fop.GETXATTR: FopSpec(xattrs.GetxattrRequest, xattrs.XattrsReply),
    Fop.REMOVEXATTR: FopSpec(xattrs.RemovexattrRequest, files.CommonReply),
    Fop.OPENDIR: FopSpec(directories.OpendirRequest, files.OpenReply),
    Fop.FSYNCDIR: FopSpec(directories.FsyncdirRequest, files.CommonReply),
    Fop.ACCESS: FopSpec(attributes.AccessRequest, files.CommonReply),
    Fop.CREATE: FopSpec(names.CreateRequest, names.CreateReply),
    Fop.FTRUNCATE: FopSpec(files.FtruncateRequest, files.ChangedReply),
    Fop.FSTAT: FopSpec(attributes.FstatRequest, attributes.StatReply),
    Fop.LK: FopSpec(locks.LkRequest, locks.LkReply),
    Fop.LOOKUP: FopSpec(names.LookupRequest, names.LookupReply),
    Fop.READDIR: FopSpec(directories.ReaddirRequest, directories.ReaddirReply),
    Fop.INODELK: FopSpec(locks.InodelkRequest, files.CommonReply),
    Fop.FINODELK: FopSpec(locks.FinodelkRequest, files.CommonReply),
    Fop.ENTRYLK: FopSpec(locks.EntrylkRequest, files.CommonReply),
    Fop.FENTRYLK: FopSpec(locks.FentrylkRequest, files.CommonReply),
    Fop.XATTROP: FopSpec(xattrs.XattropRequest, xattrs.XattrsReply),
    Fop.FXATTROP: FopSpec(xattrs.FxattropRequest, xattrs.XattrsReply),
    Fop.FGETXATTR: FopSpec(xattrs.FgetxattrRequest, xattrs.XattrsReply),
    Fop.FSETXATTR: FopSpec(xattrs.FsetxattrRequest, files.CommonReply),
    Fop.RCHECKSUM: FopSpec(data.RchecksumRequest, data.RchecksumReply),
    Fop.SETATTR: FopSpec(attributes.SetattrRequest, files.ChangedReply),
    Fop.FSETATTR: FopSpec(attributes.FsetattrRequest, files.ChangedReply),
    Fop.READDIRP: FopSpec(directories.ReaddirpRequest, directories.ReaddirpReply),
    Fop.RELEASE: FopSpec(files.ReleaseRequest, files.CommonReply),
    Fop.RELEASEDIR: FopSpec(directories.ReleasedirRequest, files.CommonReply),
    Fop.FREMOVEXATTR: FopSpec(xattrs.FremovexattrRequest, files.CommonReply),
    Fop.FALLOCATE: FopSpec(files.FallocateRequest, files.ChangedReply),
    Fop.DISCARD: FopSpec(files.DiscardRequest, files.ChangedReply),
    Fop.ZEROFILL: FopSpec(files.ZerofillRequest, files.ChangedReply),
    Fop.IPC: FopSpec(files.IpcRequest, files.CommonReply),
    Fop.SEEK: FopSpec(files.SeekRequest, files.SeekReply),
    Fop.LEASE: FopSpec(locks.LeaseRequest, locks.LeaseReply),
    Fop.GETACTIVELK: FopSpec(locks.GetactivelkRequest, locks.GetactivelkReply),
    Fop.SETACTIVELK: FopSpec(locks.SetactivelkRequest, files.CommonReply),
    Fop.ICREATE: FopSpec(names.IcreateRequest, attributes.StatReply),
    Fop.NAMELINK: FopSpec(names.NamelinkRequest, names.RemovedEntryReply),
    Fop.PUT: FopSpec(data.PutRequest, names.NewEntryReply, request_tail=True),
    Fop.COPY_FILE_RANGE: FopSpec(data.CopyFileRangeRequest, names.NewEntryReply),
}
