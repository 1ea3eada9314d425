"""Open files through GlusterFS's own library and hold them: a client that we did not write.

``python gfapi_holder.py NAME CLIENT_VOL|HOST COUNT PREFIX`` creates COUNT files, writes to each,
says "ready" and waits for its standard input to end. It then leaves without a word to the library,
whose farewell takes ten seconds; the brick closes the files when the connection ends.
"""

from __future__ import annotations

import ctypes
import os
import sys


def main(name: str, place: str, count: str, prefix: str) -> None:
    """Do it."""
    api = ctypes.CDLL("libgfapi.so.0", use_errno=True)
    api.glfs_new.restype = api.glfs_creat.restype = ctypes.c_void_p
    api.glfs_write.restype = ctypes.c_ssize_t

    def must(good: bool, what: str) -> None:
        if not good:
            sys.exit(f"{what}: {os.strerror(ctypes.get_errno())}")

    fs = ctypes.c_void_p(api.glfs_new(name.encode()))
    if place.startswith("/"):
        must(api.glfs_set_volfile(fs, place.encode()) == 0, "glfs_set_volfile")
    else:
        must(api.glfs_set_volfile_server(fs, b"tcp", place.encode(), 24007) == 0, "set_server")
    api.glfs_set_logging(fs, b"/dev/null", 5)
    must(api.glfs_init(fs) == 0, "glfs_init")
    for number in range(int(count)):
        fd = api.glfs_creat(fs, f"{prefix}{number}".encode(), os.O_RDWR, 0o600)
        must(fd is not None, "glfs_creat")
        wrote = api.glfs_write(ctypes.c_void_p(fd), b"held", ctypes.c_size_t(4), 0)
        must(wrote == 4, "glfs_write")
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
