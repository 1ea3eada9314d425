"""Lives of a session whose management daemon lies: ``python -m tests.hostile.against_management SEED``.

A life is a session on either driver that gets its volfile, its brick's port, and notes of changed
volfiles from a daemon that damages some of them. The volfiles lead to a brick that is honest, or lies
as well, or to nobody. Each question ends: with a result, or with an error of glusterio's or an
``OSError``; and so does the session, in time and with nothing left.
"""

from __future__ import annotations

import errno
import os
import random
import struct
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from glusterio.errors import GlusterError
from glusterio.wire.handshake import GetspecReply, PortByBrickReply
from glusterio.wire.messages import encode
from glusterio.wire.programs import CALLBACK, HANDSHAKE, PORTMAP, CallbackProc, HandshakeProc
from tests.api.drivers import DRIVERS
from tests.embedded import BrickProcess, start_brick
from tests.hostile.against_client import LONGEST, WORDS, Liar, damaged, fill, operations
from tests.hostile.server import USUAL, Asked, Daemon, HostileServer, Raw, honest, reply, volfile

#: FETCHSPEC: the volfile has changed.
NOTE = struct.pack(">10I", 1, 0, 2, *CALLBACK, CallbackProc.FETCHSPEC, 0, 0, 0, 0)

#: What a volfile may have in the place of a word, or of a line.
TEXTS = (
    "", "-1", "0", "70000", "99999999999999999999", "1e999", "nan", "on", "`id`", '"', "\\", "#",
    "\x00", "volume v", "end-volume", "subvolumes v-client-0", "subvolumes v", "type storage/posix",
    "type protocol/client", "type cluster/distribute", "option remote-host localhost",
    "option transport.socket.ssl-enabled on", "option transport.socket.connect-path /dev/null",
    "option ping-timeout 0", "option strict-locks off", "option remote-subvolume /nowhere",
)  # fmt: skip


def spoiled(text: str, rng: random.Random) -> str:
    """Change a volfile here and there, or for the most part."""
    lines = text.split("\n")
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(lines))
        match rng.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(rng.randrange(len(lines)), lines[at])
            case 2:
                lines[at] = "  " + rng.choice(TEXTS)
            case 3:
                words = lines[at].split(" ")
                words[rng.randrange(len(words))] = rng.choice(TEXTS)
                lines[at] = " ".join(words)
            case 4:
                lines[at] += rng.choice(TEXTS) * rng.choice((1, 1000))
            case 5:
                first = rng.randrange(at + 1)
                lines[at:at] = lines[first:at] * rng.choice((1, 40))
        lines = lines or [""]
    return "\n".join(lines)


class LyingDaemon:
    """What a daemon answers.

    Args:
        rng: decides.
        ports: where the volfiles may lead.
        brick: the directory that is served.

    Attributes:
        port: the daemon's own.
        lies: how many answers were not true.
    """

    def __init__(self, rng: random.Random, ports: tuple[int, ...], brick: str) -> None:
        self._rng = rng
        self._ports = ports
        self._brick = brick
        self._rate = rng.choice((2, 4, 10))
        self.port = 0
        self.lies = 0
        self.honest = rng.choice((0, 1, 2, 2, 2, 3))  # most sessions come into being

    def _volfile(self) -> str:
        rng = self._rng
        port = rng.choice(self._ports) if self._lies() else self._ports[0]
        text = volfile(port, self._brick, *rng.choice(((), USUAL, USUAL[:1])))
        text = text.replace("client\n", f"client\n  option ping-timeout {rng.choice((1, 2))}\n")
        if not rng.randrange(3):  # the portmapper is to be asked
            at = text.index("  option remote-port")
            end = text.index("\n", at)
            text = f"{text[:at]}  option glusterd-port {self.port}{text[end:]}"
        return text

    def _true(self, asked: Asked) -> bytes:
        header, rng = asked.header, self._rng
        if (header.program, header.procedure) == (HANDSHAKE.number, HandshakeProc.GETSPEC):
            text = self._volfile()
            if self._lies() and rng.randrange(2):
                text = spoiled(text, rng)
            return reply(header.xid, encode(GetspecReply(len(text), 0, text)))
        if header.program == PORTMAP.number:
            port = self._ports[0]
            if self._lies():
                port = rng.choice((0, -1, 1, 70_000, 2**31 - 1, self.port, *self._ports))
            return reply(header.xid, encode(PortByBrickReply(0, 0, 0, port)))
        return struct.pack(">6I", header.xid, 1, 0, 0, 0, 1)  # no such program

    def _lies(self) -> bool:
        return self.honest < 0

    def __call__(self, asked: Asked) -> Iterable[bytes]:
        rng = self._rng
        self.honest -= 1
        record = self._true(asked)
        if self.honest >= 0 or rng.randrange(self._rate):
            return (record,)
        self.lies += 1
        xid = record[:4]
        match rng.randrange(12):
            case 0:
                return (record, record)
            case 1:
                return (struct.pack(">I", rng.getrandbits(32)) + record[4:], record)
            case 2:
                return (NOTE, record, NOTE)
            case 3:
                return [NOTE] * rng.choice((1, 2000)) + [record]
            case 4:
                mark = struct.pack(">I", rng.choice(WORDS) | 0x80000000 * rng.randrange(2))
                return (Raw(mark + record),)
            case 5:
                call = struct.pack(">2I", rng.getrandbits(32), 0)
                return (call + rng.randbytes(rng.choice((0, 8, 60, 3000))), record)
            case 6:
                return (xid + struct.pack(">5I", 1, *rng.choices(range(6), k=4)),)
            case 7:
                code = rng.choice((0, errno.ENOENT, errno.EAGAIN, 2**31 - 1, -1))
                failed = GetspecReply(-1, code, rng.choice(("", "x" * 70_000)))
                return (reply(asked.header.xid, encode(failed)),)
            case 8:
                huge = "#" * rng.choice((1 << 20, 9 << 20))
                return (reply(asked.header.xid, encode(GetspecReply(1, 0, huge))),)
            case 9:
                return () if not rng.randrange(3) else (record,)
            case _:
                return (damaged(record, rng),)


def life(brick: BrickProcess, seed: int) -> tuple[int, int]:
    """Live one life.

    Returns:
        How many answers were not true, and how many operations failed.
    """
    rng = random.Random(seed)
    driver = DRIVERS[rng.choice(sorted(DRIVERS))]()
    failed = 0
    begun = time.monotonic()
    script = Liar(rng) if not rng.randrange(2) else honest
    try:
        with (
            HostileServer(brick.brick_port) as true,
            HostileServer(brick.brick_port, script) as false,
        ):
            answer = LyingDaemon(rng, (true.port, true.port, false.port, 1), str(brick.directory))
            with Daemon(answer) as daemon:
                answer.port = daemon.port
                try:
                    failed = _session(driver, daemon, rng)
                finally:
                    driver.finish()
    except BaseException as error:
        error.add_note(f"python -m tests.hostile.against_management {seed}")
        raise
    took = time.monotonic() - begun
    assert took < LONGEST, f"{took:.1f} s: python -m tests.hostile.against_management {seed}"
    return answer.lies, failed


def _session(driver: Any, daemon: Daemon, rng: random.Random) -> int:
    """Use a session; return how many operations failed."""
    failed = 0
    try:
        url = f"gluster://127.0.0.1:{daemon.port}/vol"
        vol = driver.connect(url, timeout=1.0, patience=rng.choice((0.0, 0.3)))
    except (GlusterError, OSError):
        return 1
    files: list[Any] = []  # those that are open at the end are closed by it
    for _ in range(rng.randint(3, 12)):
        try:
            match rng.randrange(6):
                case 0 | 5:
                    driver.do(vol.reload, timeout=0.5)
                case 1:
                    daemon.tell(rng.choice((NOTE, NOTE, NOTE[: rng.randrange(len(NOTE))])))
                case 2:
                    name = rng.choice(("text", "large"))
                    file = driver.do(vol.open_handle, name, os.O_RDWR)
                    files.append(file)
                    driver.do(file.pread, 100, 0)
                case _:
                    function, arguments = rng.choice(operations(vol, rng)[:13])
                    driver.do(function, *arguments)
        except (GlusterError, OSError):
            failed += 1
    report = driver.do(vol.close, timeout=1.0, grace=0.2)
    assert not report.defects, report
    return failed


def main(argv: list[str]) -> int:
    """Live the lives of some seeds again."""
    with tempfile.TemporaryDirectory() as directory, start_brick(directory) as brick:
        fill(Path(directory))
        for seed in map(int, argv):
            begun = time.monotonic()
            lies, failed = life(brick, seed)
            took = time.monotonic() - begun
            print(f"{seed}: {lies} answers untrue, {failed} operations failed, {took:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
