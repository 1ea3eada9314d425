"""Whole files in one call: read, and written.

A small file is read in one round trip: LOOKUP brings its content along when that is asked for, as
GlusterFS's own quick-read translator has it. Where a brick does not, since the file is too large for
that, it is asked in the usual way: OPEN and READ.

A brick gives the content without looking at the file's permissions: in GlusterFS that is the client's
affair. So it is taken only where the permission bits, and no access control list, say that this user
may read the file; in doubt the brick decides, by its answer to OPEN.

Sources: GlusterFS xlators/performance/quick-read/src/quick-read.c (``qr_lookup``),
xlators/storage/posix/src/posix-helpers.c (``_posix_xattr_get_set``).
"""

from __future__ import annotations

import errno
import io
import os
import stat as stat_module
from typing import TYPE_CHECKING, Final

from glusterio.api.closing import Opened, close_handle, drop_handle
from glusterio.api.handles import bytes_of, open_file, open_found, pread, pwrite_last
from glusterio.api.path_text import own_text
from glusterio.api.resolve import walk_asking
from glusterio.errors import fs_error
from glusterio.graph.frame import Frame
from glusterio.graph.permission import ACL, may_read
from glusterio.types import Buffer, StrPath
from glusterio.wire.dictionary import Constant

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: The largest file, in bytes, whose content comes along with a LOOKUP (as with quick-read's option
#: max-file-size).
SMALL: Final = 64 * 1024

#: How much of a file of unknown size is read at once, in bytes.
PIECE: Final = 1 << 20

#: No file is larger, whatever a brick says, in bytes.
_LARGEST: Final = 1 << 62

_CONTENT: Final = "glusterfs.content"

#: What LOOKUP is asked for.
_ASKED: Final = Constant({_CONTENT: SMALL, ACL: 0})


async def read_file(core: Core, frame: Frame, path: StrPath, opened_at: str) -> bytes:
    """Return all that is in a file.

    Raises:
        OSError: what opening it for reading would raise, with the path.
    """
    text = own_text(core, path)
    found, answer = await walk_asking(core, frame, text, _ASKED)
    if stat_module.S_ISDIR(found.mode):
        raise fs_error(errno.EISDIR, text)
    if stat_module.S_ISREG(found.mode) and ACL not in answer and may_read(core.user(frame), found):
        content = b"" if not found.size else answer.get(_CONTENT)
        if isinstance(content, bytes) and len(content) == found.size:
            return content
    handle = await open_found(core, frame, text, found, os.O_RDONLY, opened_at)
    async with Opened(core, frame, handle):
        pieces = []
        size = 0
        # One more than there is: so its end is seen at once.
        wanted = max(min(found.size, _LARGEST) + 1, PIECE)
        while piece := await pread(core, frame, handle, wanted, size):
            pieces.append(piece)
            size += len(piece)
            if len(piece) < wanted:
                break
            wanted = PIECE
        return b"".join(pieces)


async def write_file(
    core: Core, frame: Frame, path: StrPath, data: Buffer, umask: int, opened_at: str
) -> int:
    """Make a file, or empty it, and write ``data`` to it; return the number of bytes.

    Raises:
        OSError: what opening it for writing, or writing, would raise, with the path.
    """
    view = bytes_of(data)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    handle = await open_file(core, frame, path, flags, 0o666, umask, opened_at)
    try:
        written = await pwrite_last(core, frame, handle, view, 0)
    except GeneratorExit:
        raise
    except BaseException:
        await drop_handle(core, handle)
        raise
    await close_handle(core, frame, handle)  # tells of what was deferred
    return written


def decoded(data: bytes, encoding: str | None, errors: str | None, newline: str | None) -> str:
    """Return the text of a file that holds ``data``, as a text file would; UTF-8 unless said."""
    with io.TextIOWrapper(io.BytesIO(data), encoding or "utf-8", errors, newline) as text:
        return text.read()


def encoded(text: str, encoding: str | None, errors: str | None, newline: str | None) -> bytes:
    """Return what a text file holds in which ``text`` was written; UTF-8 unless said.

    Raises:
        TypeError: it is not text.
    """
    if not isinstance(text, str):
        raise TypeError(f"data must be str, not {type(text).__name__}")
    buffer = io.BytesIO()
    with io.TextIOWrapper(buffer, encoding or "utf-8", errors, newline) as file:
        file.write(text)
        file.flush()
        return buffer.getvalue()
