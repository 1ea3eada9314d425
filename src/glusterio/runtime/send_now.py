"""Sending without letting go of the interpreter's lock.

``socket.send`` lets go of it, since a socket may block. This one does not: it takes a small request at
once, or says that it is full. Where several threads share a session, another one always waits for that
lock. So each ``send`` gave it away, woke that thread, and then had to wait for it in turn: with four
threads a read took 8.3 ``futex`` calls and 3.7 voluntary switches of threads, and takes 5.2 and 2.4
now. A thread by itself gains nothing, since the C library is called through ``ctypes``, which takes
0.3 us longer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

#: ``send(number, data, size, flags)``: the number of bytes that were sent, or -1.
SendNow = Callable[[int, bytes, int, int], int]

#: More than that is sent the usual way, in bytes: copying it would keep the others waiting.
SMALL: Final = 4096


@cache
def send_now() -> SendNow | None:
    """Return the function, if this Python can have it. Loaded when a session has a second thread."""
    try:
        import ctypes  # it takes 2 ms, and most sessions have one thread
    except ImportError:
        return None
    send = ctypes.PyDLL(None).send
    send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
    send.restype = ctypes.c_ssize_t
    return send
