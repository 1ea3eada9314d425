"""Lives of a session whose server lies at random: ``python -m tests.hostile.against_client SEED``.

A life is a session on either driver, through a relay that damages some of the brick's records, and some
operations. Each ends: with a result, or with an error of glusterio's or an ``OSError``; and so does the
session, in time and with nothing left.
"""

from __future__ import annotations

import os
import random
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from glusterio.errors import GlusterError
from tests.api.drivers import DRIVERS
from tests.embedded import BrickProcess, start_brick
from tests.hostile.server import USUAL, Asked, HostileServer, Raw

#: What a length, a count or an offset may be said to be.
WORDS = (0, 1, 2, 3, 16, 255, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFE, 0xFFFFFFFF)

#: How long a life may take, in seconds; the ping clock of its session runs for a second.
LONGEST = 20.0


def damaged(record: bytes, rng: random.Random) -> bytes:
    """Change some bytes, behind the xid as a rule: else the record would answer nothing."""
    changed = bytearray(record)
    for _ in range(rng.randint(1, 3)):
        first = 0 if not rng.randrange(20) else min(24, len(changed) - 1)
        at = rng.randrange(first, len(changed))
        word = at & ~3
        match rng.randrange(7):
            case 0:
                changed[at] = rng.randrange(256)
            case 1 | 2:
                changed[word : word + 4] = struct.pack(">I", rng.choice(WORDS))
            case 3:
                changed[word : word + 8] = struct.pack(">Q", rng.getrandbits(64))
            case 4:
                del changed[word : word + 4 * rng.randint(1, 4)]
            case 5:
                changed[word:word] = rng.randbytes(4 * rng.randint(1, 4))
            case 6:
                changed += changed[word:] * rng.randint(1, 50)
        if len(changed) < 8:
            return record[:8]
    return bytes(changed)


class Liar:
    """A script that damages one record in a few, and keeps some to answer other questions with."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._kept: list[bytes] = []
        self._rate = rng.choice((2, 5, 20))
        self.lies = 0
        self.honest = 2  # so many records are not damaged: most sessions get past the handshake

    def __call__(self, asked: Asked, record: bytes) -> Iterable[bytes]:
        rng = self._rng
        self._kept.append(record)
        self.honest -= 1
        if self.honest > 0 or rng.randrange(self._rate):
            return (record,)
        self.lies += 1
        xid = struct.pack(">I", asked.header.xid)
        match rng.randrange(12):
            case 0:
                return (record, record)
            case 1:
                return (xid + rng.choice(self._kept)[4:],)
            case 2:
                return (struct.pack(">I", rng.getrandbits(32)) + record[4:], record)
            case 3:
                mark = struct.pack(">I", rng.choice(WORDS) | 0x80000000 * rng.randrange(2))
                return (Raw(mark + record),)
            case 4:
                call = struct.pack(">2I", rng.getrandbits(32), 0)
                return (call + rng.randbytes(rng.choice((0, 8, 60, 3000))), record)
            case 5:
                return (Raw(rng.randbytes(rng.randint(1, 5000))),)
            case 6:
                refused = struct.pack(">6I", asked.header.xid, 1, *rng.choices(range(6), k=4))
                return (refused + bytes(rng.choice((0, 4, 8))),)
            case _:
                return (damaged(record, rng),)


def operations(vol: Any, rng: random.Random) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Return what a session may do, without what it does with what it has opened."""
    name = f"f{rng.randrange(4)}"
    return [
        (vol.listdir, ("/",)),
        (vol.listdir, ("many",)),
        (vol.stat, ("link",)),
        (vol.readlink, ("link",)),
        (vol.read_bytes, (name,)),
        (vol.read_bytes, ("large",)),
        (vol.read_text, ("text",)),
        (vol.write_bytes, (name, bytes(rng.choice((0, 5, 200_000))))),
        (vol.listxattr, ("text",)),
        (vol.getxattr, ("text", "user.a")),
        (vol.setxattr, (name, "user.b", b"value")),
        (vol.statvfs, ("/",)),
        (vol.mkdir, (f"d{rng.randrange(99)}",)),
        (vol.rename, (name, f"f{rng.randrange(4)}")),
        (vol.unlink, (name,)),
        (vol.chmod, (name, 0o600)),
        (vol.truncate, (name, 10)),
        (vol.exists, ("many/n7/x",)),
        (vol.glob, ("many/*7",)),
        (vol.rmtree, (f"d{rng.randrange(99)}",)),
        (vol.copytree, ("many", f"d{rng.randrange(99)}")),
        (vol.read_many, (["text", name, "large"],)),
    ]


def on_file(file: Any, rng: random.Random) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Return what may be done with an open file."""
    return [
        (file.pread, (rng.choice((0, 10, 4096, 300_000, 3 << 20)), rng.choice((0, 5, 2**40)))),
        (file.pwrite, (bytes(rng.choice((1, 4096, 300_000))), rng.choice((0, 77, 2**20)))),
        (file.fstat, ()),
        (file.fsync, ()),
        (file.truncate, (5,)),
        (file.lseek, (0, os.SEEK_DATA)),
        (file.close, ()),
    ]


def fill(directory: Path) -> None:
    """Make something to be asked about."""
    (directory / "many").mkdir()
    for number in range(30):
        (directory / "many" / f"n{number}").touch()
    (directory / "text").write_text("some text")
    os.setxattr(directory / "text", "user.a", b"a value")
    (directory / "large").write_bytes(bytes(range(256)) * 4000)
    (directory / "link").symlink_to("many/../text")


def life(brick: BrickProcess, target: Path, seed: int) -> tuple[int, int]:
    """Live one life.

    Returns:
        How many answers were damaged, and how many operations failed.
    """
    rng = random.Random(seed)
    script = Liar(rng)
    if not rng.randrange(8):
        script.honest = 0
    driver = DRIVERS[rng.choice(sorted(DRIVERS))]()
    failed = 0
    begun = time.monotonic()
    try:
        with HostileServer(brick.brick_port, script) as server:
            url = server.volfile(brick.directory, target, *rng.choice(((), USUAL)))
            patched = target.read_text().replace(
                "protocol/client\n", "protocol/client\n  option ping-timeout 1\n"
            )
            target.write_text(patched)
            try:
                vol = driver.connect(url, reconnect=False)  # whose lies end it, soon
                files: list[Any] = []
                for _ in range(rng.randint(1, 25)):
                    if not rng.randrange(4):
                        todo = (vol.open_handle, (f"f{rng.randrange(4)}", os.O_RDWR | os.O_CREAT))
                    elif files and rng.randrange(2):
                        todo = rng.choice(on_file(rng.choice(files), rng))
                    else:
                        todo = rng.choice(operations(vol, rng))
                    try:
                        result = driver.do(todo[0], *todo[1])
                    except (GlusterError, OSError):
                        failed += 1
                    else:
                        if todo[0] == vol.open_handle:
                            files.append(result)
            except (GlusterError, OSError):
                failed += 1
            finally:
                driver.finish()
    except BaseException as error:
        error.add_note(f"python -m tests.hostile.against_client {seed}")
        raise
    took = time.monotonic() - begun
    assert took < LONGEST, f"{took:.1f} s: python -m tests.hostile.against_client {seed}"
    return script.lies, failed


def main(argv: list[str]) -> int:
    """Live the lives of some seeds again."""
    with tempfile.TemporaryDirectory() as directory, start_brick(directory) as brick:
        fill(Path(directory))
        for seed in map(int, argv):
            lies, failed = life(brick, Path(directory + ".vol"), seed)
            print(f"{seed}: {lies} answers damaged, {failed} operations failed")
    os.unlink(directory + ".vol")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
