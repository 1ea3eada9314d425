"""The operations that dominate, packed and unpacked without the general codecs.

The bytes are the same as those of :mod:`~glusterio.wire.messages`, which the tests hold them to. A
request is filled into a copy of a template that already holds the headers and the credential. A
reply is looked at only where something is wanted; attributes and dictionaries are passed by, and
all bounds are checked. Measured with CPython 3.11, in microseconds, the general codecs in brackets:
packing READ 0.6 (1.7), LOOKUP 0.6 (2.2); taking apart READ's reply 0.3 (2.4), STAT's 0.8 (2.2).
In the interpreter's instructions, which is what counts where the caches are cold: a LOOKUP and its
reply 190 (690), CREATE 220 (1000), UNLINK 170 (620).
"""

from __future__ import annotations

import struct
import uuid
from functools import lru_cache
from typing import Final, TypeAlias

from glusterio.errors import LocalProtocolError, XdrError
from glusterio.wire.credentials import NANOSECONDS, STAMP, STAMP_OFFSET
from glusterio.wire.dictionary import HEADER_SIZE, NULL_DICT, encode
from glusterio.wire.iatt import GFID_SIZE, IATT, Iatt
from glusterio.wire.programs import FOPS, GFID_REQ, NULL_GFID, Fop
from glusterio.wire.records import (
    LAST_FRAGMENT,
    MARK_SIZE,
    MAX_RECORD,
    REPLY_HEADER_SIZE,
    encode_call,
)
from glusterio.wire.xdr import PADDING

View: TypeAlias = memoryview | bytes | bytearray

_XID: Final = struct.Struct(">I")
_XID_END: Final = MARK_SIZE + 4
#: Where a packet's credential begins: behind the record mark and the call's header.
_CREDENTIALS: Final = 28
#: READ and WRITE: gfid, descriptor, offset, size, flag.
_TRANSFER: Final = struct.Struct(">16sqQ2I")
#: FSTAT, RELEASE and RELEASEDIR: gfid, descriptor.
_FD: Final = struct.Struct(">16sq")
#: What precedes the name in a request about one, its length left out. LOOKUP: gfid, the directory's
#: gfid, flags. CREATE: the directory's gfid, flags, mode, umask. UNLINK: the directory's gfid.
_BEFORE_NAME: Final = {Fop.LOOKUP: "16s16sI", Fop.CREATE: "16s3I", Fop.UNLINK: "16s"}
#: UNLINK's flags, and its dictionary that is not there.
_UNLINK_END: Final = bytes(4) + NULL_DICT
#: The dictionary that asks for a gfid, but for the gfid.
_GFID_REQUEST: Final = encode({GFID_REQ: uuid.UUID(int=0)})[:-GFID_SIZE]

#: READ's reply: op_ret, op_errno, attributes, size, the dictionary's size, its counts.
_READ_REPLY: Final = struct.Struct(">2i148x2I8x")
#: The same from the record's begin, and where the data begins if there is no dictionary.
_READ_RECORD: Final = struct.Struct(f">{REPLY_HEADER_SIZE}x{_READ_REPLY.format[1:]}").unpack_from
_READ_DATA: Final = REPLY_HEADER_SIZE + _READ_REPLY.size
#: Other replies: op_ret, op_errno, the dictionary's size.
_RESULT: Final = struct.Struct(">2iI")
#: The same from the record's begin, and how long WRITE's record is if there is no dictionary.
_RESULT_RECORD: Final = struct.Struct(f">{REPLY_HEADER_SIZE}x{_RESULT.format[1:]}").unpack_from
_WRITE_RECORD: Final = REPLY_HEADER_SIZE + 8 + HEADER_SIZE + 2 * IATT.size
#: CREATE's reply behind the dictionary: attributes, the descriptor; the directory's are passed by.
_CREATED: Final = struct.Struct(IATT.format + "Q")
#: Where the dictionary begins in them, behind op_ret and op_errno.
_DICTIONARY: Final = 8


@lru_cache(maxsize=16)
def hot_path(credentials: bytes) -> HotPath:
    """Return a caller's packet maker; making one takes as long as sending a dozen packets."""
    return HotPath(credentials)


class HotPath:
    """Makes whole packets, record mark included, for one caller.

    Args:
        credentials: what :func:`glusterio.wire.credentials.encode_v3` gave for the caller.

    Every method raises :class:`~glusterio.errors.LocalProtocolError` for a value that does not fit.
    """

    __slots__ = (
        "_body", "_credentials", "_fstat", "_named", "_read", "_read_head", "_release", "_releasedir",
        "_stat", "_write", "_write_head", "_write_length", "_write_stamp",
    )  # fmt: skip

    def __init__(self, credentials: bytes) -> None:
        def template(fop: Fop, size: int, end: bytes = b"") -> bytes:
            head = encode_call(0, FOPS.number, FOPS.version, fop, credentials, size + len(end))
            return head + bytes(size) + end

        self._body = len(encode_call(0, 0, 0, 0, credentials, 0))
        # One struct for the whole of it: half of what filling a copy costs.
        read = template(Fop.READ, _TRANSFER.size, NULL_DICT)
        head = read[_XID_END : self._body]
        self._read_head = (read[:MARK_SIZE], head)
        self._read = struct.Struct(f">4sI{len(head)}s16sqQ2I{len(NULL_DICT)}s").pack
        write = template(Fop.WRITE, _TRANSFER.size, NULL_DICT)
        # As for those about a name; see _Named.
        at = min(_CREDENTIALS + STAMP_OFFSET, self._body - STAMP.size)
        self._write_head = (write[_XID_END:at], write[at + STAMP.size : self._body])
        self._write_stamp = STAMP.unpack_from(write, at)
        before, behind = self._write_head
        self._write = struct.Struct(
            f">2I{len(before)}s{STAMP.format[1:]}{len(behind)}s16sqQ2I{len(NULL_DICT)}s"
        ).pack
        self._write_length = len(write) - MARK_SIZE
        self._fstat = template(Fop.FSTAT, _FD.size, NULL_DICT)
        self._release = template(Fop.RELEASE, _FD.size, NULL_DICT)
        self._releasedir = template(Fop.RELEASEDIR, _FD.size, NULL_DICT)
        self._stat = template(Fop.STAT, GFID_SIZE, NULL_DICT)
        self._credentials = credentials
        self._named: dict[Fop, _Named] = {}  # made when it is first wanted

    def read(self, xid: int, gfid: bytes, fd: int, offset: int, size: int) -> bytes:
        """Pack a READ of ``size`` bytes at ``offset``."""
        if len(gfid) != GFID_SIZE:
            _check_gfid(gfid)
        mark, head = self._read_head
        try:
            return self._read(mark, xid, head, gfid, fd, offset, size, 0, NULL_DICT)
        except struct.error as error:
            raise LocalProtocolError(f"READ: {error}") from None

    def write(
        self,
        xid: int,
        gfid: bytes,
        fd: int,
        offset: int,
        size: int,
        stamp: tuple[int, int] | None = None,
    ) -> bytes:
        """Pack a WRITE of ``size`` bytes at ``offset``, which must be sent right behind it.

        Args:
            xid: number of the call.
            gfid: the file.
            fd: the brick's number for the descriptor.
            offset: where, in bytes.
            size: how much, in bytes.
            stamp: which times it changes, and the time in nanoseconds since the epoch.
        """
        length = self._write_length + size
        if length > MAX_RECORD:
            raise LocalProtocolError(f"a message of {length} bytes does not fit in a record")
        if len(gfid) != GFID_SIZE:
            _check_gfid(gfid)
        if stamp is None:
            flags, nanoseconds, seconds = self._write_stamp
        else:
            flags = stamp[0]
            seconds, nanoseconds = divmod(stamp[1], NANOSECONDS)
        before, behind = self._write_head
        try:
            return self._write(
                LAST_FRAGMENT | length, xid, before, flags, nanoseconds, seconds, behind,
                gfid, fd, offset, size, 0, NULL_DICT,
            )  # fmt: skip
        except struct.error as error:
            raise LocalProtocolError(f"WRITE: {error}") from None

    def fstat(self, xid: int, gfid: bytes, fd: int) -> bytearray:
        """Pack an FSTAT."""
        return self._on_fd(self._fstat, xid, gfid, fd)

    def release(self, xid: int, gfid: bytes, fd: int) -> bytearray:
        """Pack a RELEASE."""
        return self._on_fd(self._release, xid, gfid, fd)

    def releasedir(self, xid: int, gfid: bytes, fd: int) -> bytearray:
        """Pack a RELEASEDIR."""
        return self._on_fd(self._releasedir, xid, gfid, fd)

    def _on_fd(self, template: bytes, xid: int, gfid: bytes, fd: int) -> bytearray:
        packet = bytearray(template)
        _check_gfid(gfid)
        try:
            _XID.pack_into(packet, MARK_SIZE, xid)
            _FD.pack_into(packet, self._body, gfid, fd)
        except struct.error as error:
            raise LocalProtocolError(f"an operation on a descriptor: {error}") from None
        return packet

    def stat(self, xid: int, gfid: bytes) -> bytearray:
        """Pack a STAT."""
        packet = bytearray(self._stat)
        _check_gfid(gfid)
        try:
            _XID.pack_into(packet, MARK_SIZE, xid)
        except struct.error as error:
            raise LocalProtocolError(f"STAT: {error}") from None
        packet[self._body : self._body + GFID_SIZE] = gfid
        return packet

    def lookup(
        self,
        xid: int,
        parent: bytes,
        name: bytes,
        xdata: bytes = NULL_DICT,
        gfid: bytes = NULL_GFID,
    ) -> bytes:
        """Pack a LOOKUP.

        Args:
            xid: number of the call.
            parent: gfid of the directory; all zero when ``name`` is empty.
            name: the name in that directory, or nothing to look ``gfid`` up.
            xdata: an encoded dictionary that names what else is wanted.
            gfid: the file's gfid, when it is known.
        """
        if len(gfid) != GFID_SIZE:
            _check_gfid(gfid)
        named = self._named.get(_LOOKUP) or self._named_for(_LOOKUP)
        return named.pack(xid, name, xdata, None, parent, gfid, parent, 0)

    def create(
        self,
        xid: int,
        parent: bytes,
        flags: int,
        mode: int,
        umask: int,
        name: bytes,
        gfid: bytes,
        stamp: tuple[int, int] | None = None,
    ) -> bytes:
        """Pack a CREATE.

        Args:
            xid: number of the call.
            parent: gfid of the directory.
            flags: a :class:`~glusterio.wire.programs.OpenFlag`.
            mode: permission bits.
            umask: what is taken from them.
            name: the name in that directory.
            gfid: the new file's gfid.
            stamp: which times it changes, and the time; see :meth:`write`.
        """
        if len(gfid) != GFID_SIZE:
            _check_gfid(gfid)
        named = self._named.get(_CREATE) or self._named_for(_CREATE)
        end = _GFID_REQUEST + gfid
        return named.pack(xid, name, end, stamp, parent, parent, flags, mode, umask)

    def unlink(
        self, xid: int, parent: bytes, name: bytes, stamp: tuple[int, int] | None = None
    ) -> bytes:
        """Pack an UNLINK of a name in a directory; ``stamp`` as for :meth:`create`."""
        named = self._named.get(_UNLINK) or self._named_for(_UNLINK)
        return named.pack(xid, name, _UNLINK_END, stamp, parent, parent)

    def _named_for(self, fop: Fop) -> _Named:
        named = self._named[fop] = _Named(fop, self._credentials)
        return named


class _Named:
    """Packs one fop's requests about a name in a directory.

    All that precedes the name is one struct, the mark and the stamp in the credential among it.
    """

    __slots__ = ("_fop", "_head", "_length", "_pack", "_stamp", "_tail")

    def __init__(self, fop: Fop, credentials: bytes) -> None:
        layout = _BEFORE_NAME[fop]
        head = encode_call(0, FOPS.number, FOPS.version, fop, credentials, 0)
        # A credential of another version is shorter, and nobody stamps it.
        at = min(_CREDENTIALS + STAMP_OFFSET, len(head) - STAMP.size)
        self._fop = fop
        self._head, self._tail = head[_XID_END:at], head[at + STAMP.size :]
        self._stamp = STAMP.unpack_from(head, at)
        form = struct.Struct(f">2I{len(self._head)}s{STAMP.format[1:]}{len(self._tail)}s{layout}I")
        self._pack = form.pack
        self._length = form.size - MARK_SIZE

    def pack(
        self,
        xid: int,
        name: bytes,
        end: bytes,
        stamp: tuple[int, int] | None,
        parent: bytes,
        *values: int | bytes,
    ) -> bytes:
        if len(parent) != GFID_SIZE:
            _check_gfid(parent)
        if stamp is None:
            flags, nanoseconds, seconds = self._stamp
        else:
            flags = stamp[0]
            seconds, nanoseconds = divmod(stamp[1], NANOSECONDS)
        size = len(name)
        padding = PADDING[-size & 3]
        length = self._length + size + len(padding) + len(end)
        if length > MAX_RECORD:
            raise LocalProtocolError(f"a message of {length} bytes does not fit in a record")
        try:
            head = self._pack(
                LAST_FRAGMENT | length, xid, self._head, flags, nanoseconds, seconds, self._tail,
                *values, size,
            )  # fmt: skip
        except struct.error as error:
            raise LocalProtocolError(f"{self._fop.name}: {error}") from None
        return head + name + padding + end


# A name of this module costs less than an attribute of a class.
_LOOKUP: Final = Fop.LOOKUP
_CREATE: Final = Fop.CREATE
_UNLINK: Final = Fop.UNLINK


def _check_gfid(gfid: bytes) -> None:
    if len(gfid) != GFID_SIZE:
        raise LocalProtocolError(f"a gfid of {len(gfid)} bytes")


def read_reply(view: View, body: int, length: int | None = None) -> tuple[int, int, int]:
    """Decode READ's reply up to the data.

    Args:
        view: the record without its mark.
        body: where the body begins, in bytes.
        length: the record's length without its mark, when ``view`` does not hold the data yet.

    Returns:
        ``op_ret`` (the bytes read), ``op_errno``, and where in the record the data begins. The data
        goes on to the end of the record.

    Raises:
        XdrError: the reply is cut off, or the data is not as long as the reply says.
    """
    try:
        op_ret, op_errno, size, dictionary_size = _READ_REPLY.unpack_from(view, body)
    except struct.error:
        raise XdrError(f"a READ reply cut off at byte {len(view)}") from None
    data: int = body + _READ_REPLY.size + dictionary_size
    end = len(view) if length is None else length
    if data > len(view) or end - data != size or (op_ret != size and op_ret >= 0):
        raise XdrError(f"{end - data} bytes read, {size} or {op_ret} due")
    return op_ret, op_errno, data


def usual_read(record: View) -> bytes | None:
    """Return what READ has read, if its reply is as almost all are.

    Args:
        record: the record without its mark, its header included.

    Returns:
        The data, which does not reach the file's end; or ``None``: ask :func:`read_reply`.
    """
    size = len(record) - _READ_DATA
    # op_ret, op_errno, the size, the dictionary's size. What comes as a view is too long to be copied.
    if size < 0 or _READ_RECORD(record) != (size, 0, size, 0) or type(record) is not bytes:
        return None
    return record[_READ_DATA:]


def read_data(view: View, body: int) -> int | None:
    """Find where the data of a READ's reply begins, before the data is there.

    Args:
        view: the beginning of the record, without its mark.
        body: where the body begins, in bytes.

    Returns:
        The offset of the data, or ``None`` when the reply brings none or is not well formed;
        :func:`read_reply` will say which.
    """
    if len(view) < body + _READ_REPLY.size:
        return None
    op_ret, _, _, dictionary_size = _READ_REPLY.unpack_from(view, body)
    data: int = body + _READ_REPLY.size + dictionary_size
    return data if op_ret > 0 and data <= len(view) else None


def write_reply(view: View, body: int) -> tuple[int, int]:
    """Decode WRITE's reply: ``op_ret`` (the bytes written) and ``op_errno``.

    The layout is also that of FSYNC, TRUNCATE, SETATTR, UNLINK, RMDIR and others.

    Raises:
        XdrError: the reply is cut off or too long.
    """
    op_ret, op_errno, end = _result(view, body)
    _check_end(view, end + 2 * IATT.size)
    return op_ret, op_errno


def usual_write(record: View, size: int) -> bool:
    """Tell whether a record, without its mark, is the usual reply to a WRITE: all is written.

    If not, :func:`write_reply` has more to say.
    """
    return len(record) == _WRITE_RECORD and _RESULT_RECORD(record) == (size, 0, 0)


def common_reply(view: View, body: int) -> tuple[int, int]:
    """Decode the reply of RELEASE and of others that have nothing to tell: ``op_ret``, ``op_errno``.

    Raises:
        XdrError: the reply is cut off or too long.
    """
    op_ret, op_errno, end = _result(view, body)
    _check_end(view, end)
    return op_ret, op_errno


def lookup_reply(view: View, body: int) -> tuple[int, int, Iatt, int]:
    """Decode LOOKUP's reply.

    Returns:
        ``op_ret``, ``op_errno``, the file's attributes, and where the dictionary begins that
        :func:`glusterio.wire.dictionary.decode` decodes.

    Raises:
        XdrError: the reply is cut off or too long.
    """
    op_ret, op_errno, start = _result(view, body)
    _check_end(view, start + 2 * IATT.size)
    return op_ret, op_errno, Iatt._make(IATT.unpack_from(view, start)), body + _DICTIONARY


def create_reply(view: View, body: int) -> tuple[int, int, Iatt, int]:
    """Decode CREATE's reply: ``op_ret``, ``op_errno``, the file's attributes and the descriptor.

    Raises:
        XdrError: the reply is cut off or too long.
    """
    op_ret, op_errno, start = _result(view, body)
    _check_end(view, start + _CREATED.size + 2 * IATT.size)
    *stat, fd = _CREATED.unpack_from(view, start)
    return op_ret, op_errno, Iatt._make(stat), fd


def _result(view: View, body: int) -> tuple[int, int, int]:
    try:
        op_ret, op_errno, size = _RESULT.unpack_from(view, body)
    except struct.error:
        raise XdrError(f"a reply cut off at byte {len(view)}") from None
    return op_ret, op_errno, body + _DICTIONARY + HEADER_SIZE + size


def _check_end(view: View, end: int) -> None:
    if end != len(view):
        raise XdrError(f"a reply of {len(view)} bytes, {end} due")
