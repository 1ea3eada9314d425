"""A byte stream cut into RPC records, with large records received where they belong.

The driver asks :meth:`RecordStream.get_buffer` where to put the next bytes and tells
:meth:`RecordStream.received` how many came. Records up to :data:`DIRECT` bytes pass through one
buffer that is used again and again. A longer one is received straight into its own place, so that a
big READ costs one copy, the kernel's. Without a place of its own it stays in the buffer where it began,
which is its taker's then, and another buffer is used: the first quarter of a megabyte, of which
nobody knew what it is before it came, is not copied either.

What a peer claims is not believed. A record over the limit is refused when its mark arrives, or goes
nowhere, where the peer is to be told; and storage for a long one grows with what has really come.
"""

from __future__ import annotations

import struct

from glusterio.errors import RecordTooLongError
from glusterio.rpc.buffers import LARGEST, Buffers
from glusterio.wire.records import record_length

#: The limit for one record, in bytes. libgfapi sends what the application gives; 64 MiB READs work.
MAX_RECORD = 128 * 1024 * 1024

#: Records longer than this are received in a place of their own.
DIRECT = 64 * 1024

#: How much of a long record must be there before its place is chosen: every header fits in it.
PEEK = 1024

#: How much is received before it is known what it is.
_BUFFER = 256 * 1024
_FIRST_PLACE = LARGEST
_MARK = struct.Struct(">I")
_NOTHING = memoryview(b"")
_TLS_ALERT = b"\x15\x03"


class RecordStream:
    """The receiving half of a connection. Subclasses say what to do with a record.

    Args:
        max_record: the longest record accepted, in bytes.
    """

    def __init__(self, max_record: int = MAX_RECORD) -> None:
        self._max_record = max_record
        # One for what comes, one for what is being consumed, and as many as a reader has ahead.
        self._buffers = Buffers(4)
        self._view = self._buffers.take(LARGEST)
        self._start = 0  # the first byte not yet consumed
        self._end = 0  # behind the last byte received
        # A long record under way: where its bytes go, how many are there, how long it is.
        self._place: memoryview | None = None
        self._filled = 0
        self._length = 0
        self._skipped = 0  # bytes still to come of a record that is too long

    # -- for subclasses ---------------------------------------------------------------------------

    def on_record(self, view: memoryview) -> None:
        """Take a whole record, without its mark. The view is gone when this returns."""
        raise NotImplementedError

    def on_long_record(self, store: memoryview) -> None:
        """Take a whole long record, without its mark. The store is the taker's."""
        raise NotImplementedError

    def on_too_long(self, length: int) -> None:
        """A record begins that is longer than the limit. Returns if :meth:`on_beginning` takes it.

        Raises:
            RecordTooLongError: the connection is of no further use.
        """
        raise RecordTooLongError(f"a record of {length} bytes; the limit is {self._max_record}")

    def on_beginning(self, view: memoryview, length: int) -> None:
        """Take the first :data:`PEEK` bytes of a record that is too long; no more of it is kept.

        Args:
            view: those bytes, or all where there are fewer. It is gone when this returns.
            length: the record's length.
        """
        raise NotImplementedError

    def place_for(self, view: memoryview, length: int) -> tuple[memoryview, int] | None:
        """Choose where a long record's tail goes.

        Args:
            view: what has come of the record, at least :data:`PEEK` bytes.
            length: the record's length.

        Returns:
            The place for the tail and the tail's offset in the record, or ``None`` to store the
            record whole. With a place, :meth:`on_tail` follows instead of :meth:`on_long_record`.
        """
        return None

    def on_tail(self) -> None:
        """The tail that :meth:`place_for` found a place for is complete."""
        raise NotImplementedError

    def holds_nothing(self) -> bool:
        """Tell whether no part of a record has come that was not handed on."""
        return not self._end and self._place is None

    def looks_like_tls(self) -> bool:
        """Tell whether what could not be read is an alert of TLS (RFC 8446, section 5.1)."""
        return bytes(self._view[self._start : self._start + 2]) == _TLS_ALERT

    # -- for drivers ------------------------------------------------------------------------------

    def get_buffer(self) -> memoryview:
        """Return where to put the next received bytes; never empty."""
        if self._place is not None:
            return self._place[self._filled :]
        if self._end >= _BUFFER:
            # Only the beginning of one record is left: it goes to the front.
            rest = self._end - self._start
            self._view[:rest] = self._view[self._start : self._end]
            self._start, self._end = 0, rest
        return self._view[self._end : _BUFFER]

    def feed(self, count: int) -> None:
        """Take ``count`` bytes that were put into the last buffer, and hand on every whole record.

        Raises:
            RemoteProtocolError: the peer broke the protocol; the connection is of no further use.
        """
        if self._place is not None:
            self._filled += count
            if self._filled == len(self._place):
                self._place_is_full()
            return
        view = self._view
        start, end = self._start, self._end + count
        while end - start >= 4:
            length = record_length(_MARK.unpack_from(view, start)[0])
            if length > self._max_record:
                self.on_too_long(length)
            have = end - start - 4
            if length > self._max_record:
                if have < min(length, PEEK):
                    break
                self.on_beginning(view[start + 4 : start + 4 + min(length, PEEK)], length)
                start += 4 + min(length, have)
                if have < length:
                    self._skip(length - have)
            elif have >= length:
                self.on_record(view[start + 4 : start + 4 + length])
                start += 4 + length
            elif length > DIRECT and have >= PEEK:
                self._begin_long(start + 4, end, length)
                start = end = 0
            else:
                break
        if start == end:
            start = end = 0
        self._start, self._end = start, end

    def _skip(self, count: int) -> None:
        self._skipped = count
        self._filled = 0
        self._place = memoryview(bytearray(min(count, DIRECT))) if count else None

    def _begin_long(self, start: int, end: int, length: int) -> None:
        view = self._view[start:end]
        placed = self.place_for(view, length)
        self._length = length
        if placed is not None:
            place, offset = placed
            self._tail_only = True
            tail = view[offset:]
            place[: len(tail)] = tail
            self._place, self._filled = place, len(tail)
            return
        self._tail_only = False
        if start + length <= LARGEST:
            store = self._view[start : start + length]
            self._view = self._buffers.take(LARGEST)
        else:
            store = self._buffers.take(min(length, _FIRST_PLACE))
            store[: len(view)] = view
        self._store = store
        self._place, self._filled = store, len(view)

    def _place_is_full(self) -> None:
        if self._skipped:
            self._skip(self._skipped - self._filled)
            return
        if self._tail_only:
            self._place = None
            self.on_tail()
            return
        self._place = None
        store = self._store
        if len(store) == self._length:
            self._store = _NOTHING
            self.on_long_record(store)
            return
        # Not extended in place: the driver may still hold a view of it.
        self._store = memoryview(bytearray(min(self._length, 2 * len(store))))
        self._store[: len(store)] = store
        self._place = self._store

    def redirect(self) -> None:
        """Receive the rest of a tail under way into nowhere: its owner does not want it any more."""
        if self._place is not None and self._tail_only:
            self._place = memoryview(bytearray(len(self._place)))

    _tail_only = False
    _store = _NOTHING
