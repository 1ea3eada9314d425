"""Write and read through GlusterFS's own library until told to stop: a client that we did not write.

``python gfapi_writer.py VOLUME PORT LOG`` writes blocks to a file that is open twice, reads each with
both handles, and looks the file up, over and over. It says "ready" after the first round. When its
standard input ends it syncs, says how many rounds there were, and leaves without a word to the library.

With the word ``patient`` at the end a connection that is lost is no failure: it says "lost", and "back"
when a block can be written and synced again.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import sys
import time

BLOCK = 4096
BLOCKS = 64


def main(volume: str, port: str, log: str, patient: str = "") -> None:
    """Do it."""
    api = ctypes.CDLL("libgfapi.so.0", use_errno=True)
    api.glfs_new.restype = api.glfs_creat.restype = api.glfs_open.restype = ctypes.c_void_p
    for name in ("glfs_pwrite", "glfs_pread"):
        getattr(api, name).restype = ctypes.c_ssize_t

    def must(good: bool, what: str) -> None:
        if not good:
            print(f"{what}: {os.strerror(ctypes.get_errno())}", flush=True)
            os._exit(1)

    fs = ctypes.c_void_p(api.glfs_new(volume.encode()))
    must(api.glfs_set_volfile_server(fs, b"tcp", b"127.0.0.1", int(port)) == 0, "set_server")
    api.glfs_set_logging(fs, log.encode(), 7)  # 7 is INFO
    must(api.glfs_init(fs) == 0, "glfs_init")
    writing = ctypes.c_void_p(api.glfs_creat(fs, b"written", os.O_RDWR, 0o600))
    must(writing.value is not None, "glfs_creat")
    reading = ctypes.c_void_p(api.glfs_open(fs, b"written", os.O_RDONLY))
    must(reading.value is not None, "glfs_open")

    size, back = ctypes.c_size_t(BLOCK), ctypes.create_string_buffer(BLOCK)
    rounds, is_lost = 0, False
    while True:
        block = rounds.to_bytes(8, "big") * (BLOCK // 8)
        offset = ctypes.c_int64(rounds % BLOCKS * BLOCK)
        wrote = api.glfs_pwrite(writing, block, size, offset, 0, None, None)
        if patient:
            if wrote == BLOCK:
                wrote = wrote if api.glfs_fsync(writing, None, None) == 0 else -1
            lost = wrote < 0 and ctypes.get_errno() == errno.ENOTCONN
            if lost is not is_lost:
                print("lost" if lost else "back", flush=True)
                is_lost = lost
            if lost:
                time.sleep(0.01)  # as a program would
                continue
        must(wrote == BLOCK, "glfs_pwrite")
        read = api.glfs_pread(writing, back, size, offset, 0, None)
        must(read == BLOCK, "glfs_pread")
        must(back.raw == block, "what was read is not what was written")
        must(api.glfs_pread(reading, back, size, offset, 0, None) == BLOCK, "glfs_pread again")
        must(api.glfs_access(fs, b"written", os.R_OK) == 0, "glfs_access")
        if rounds == 0:
            print("ready", flush=True)
        rounds += 1
        if select.select([sys.stdin], [], [], 0.001)[0]:
            break
    must(api.glfs_fsync(writing, None, None) == 0, "glfs_fsync")
    must(api.glfs_close(writing) == 0, "glfs_close")
    print(rounds, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
