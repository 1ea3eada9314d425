"""Clients that mean ill, at random: ``python -m tests.hostile.against_brick SEED``.

A life is three connections to one brick that send whatever has the form of a request: any operation,
any numbers, others' descriptors and lock owners, names that are none, gfids of nothing, damaged bytes.
When they have gone the brick holds nothing of theirs, and serves.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from glusterio.wire.credentials import Credentials, encode_v3
from glusterio.wire.dictionary import UInt
from glusterio.wire.fops import FOPS as SPECS
from glusterio.wire.fops.directories import OpendirRequest
from glusterio.wire.fops.files import OpenRequest
from glusterio.wire.iatt import ZERO_IATT
from glusterio.wire.messages import Fixed, IattField, Linked, Variable, encode, field_kind
from glusterio.wire.programs import DUMP, FOPS, ROOT_GFID, DumpProc, Fop
from tests.brick.raw import RawClient, accepted
from tests.embedded import BrickProcess, start_brick
from tests.hostile.against_client import damaged, fill

_EDGES = (0, 1, 2, 3, 4, 5, 255, 4096, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
_LONG_EDGES = (*_EDGES, 2**32, 2**62, 2**63 - 1)
#: What a file of a brick may have at most, in bytes.
LARGEST = 4 << 20

NAMES = (
    "", ".", "..", "/", "../x", "a/b", "a\0b", "x" * 255, "x" * 256, "x" * 70_000, ".glusterfs",
    ".glusterfs/indices", "text", "link", "outside", "many", "f0", "f1", "new", "\udcff", "-", " ",
)  # fmt: skip
KEYS = (
    "user.a", "trusted.gfid", "trusted.glusterfs.volume-id", "system.posix_acl_access",
    "security.capability", "trusted.pgfid.x", "glusterfs.content", "gfid-req", "user.",
    "glusterfs.posix.acl", "trusted.glusterfs.mdata", "virt-gfid-to-path", "glusterfs.gfidtopath",
    "trusted.glusterfs.lockinfo", "glusterfs.open-fd-count", "glusterfs.entrylk-count",
    "trusted.afr.x", "lease-id", "", "a" * 300, "gfid-hashed-path", "get-link-count",
    "glusterfs.get_real_filename:TEXT", "user.b\n", "trusted.io-stats-dump", "list-xattr",
)  # fmt: skip


def value(rng: random.Random) -> Any:
    return rng.choice(
        (
            rng.choice(_LONG_EDGES), -1, UInt(2**64 - 1), 0.5, "text", "../" * 9, b"", b"\0" * 16,
            rng.randbytes(rng.choice((1, 16, 36, 70_000))), uuid.UUID(int=1), uuid.uuid4(),
            uuid.UUID(int=0), ZERO_IATT,
        )
    )  # fmt: skip


def pairs(rng: random.Random) -> Any:
    if rng.randrange(3):
        return None if rng.randrange(3) else {"gfid-req": uuid.UUID(int=rng.getrandbits(128))}
    return {rng.choice(KEYS): value(rng) for _ in range(rng.randint(0, 4))}


class Inventor:
    """Makes up requests.

    Args:
        gfids: of things that are there.
    """

    def __init__(self, gfids: list[bytes], rng: random.Random) -> None:
        self.gfids = gfids
        self.rng = rng

    def request(self, cls: type[Any]) -> Any:
        hints = get_type_hints(cls, include_extras=True)
        return cls(*(self._field(name, hint) for name, hint in hints.items()))

    def _field(self, name: str, hint: Any) -> Any:
        rng, kind = self.rng, field_kind(hint)
        if isinstance(kind, Fixed):
            if kind.size:
                chosen = rng.choice((*self.gfids, *self.gfids, bytes(16), rng.randbytes(16)))
                return chosen[: kind.size].ljust(kind.size, b"\0")
            return self._number(name, kind.format)
        if isinstance(kind, Linked):
            return ()
        if not isinstance(kind, Variable):
            return self.request(hint)
        match get_args(hint)[0] if get_origin(hint) is Annotated else hint:
            case given if given is str:
                return rng.choice(NAMES)
            case given if given is bytes:
                return rng.randbytes(rng.choice((0, 8, 16, 200)))
            case _ if hint == IattField:
                return ZERO_IATT
        return pairs(rng)

    def _number(self, name: str, form: str) -> int:
        rng = self.rng
        if name.startswith("fd") and rng.randrange(8):
            return rng.choice((0, 1, 2, 3, 4, 5, -2))
        if name in ("size", "offset", "len", "length") and rng.randrange(2):
            return rng.choice((0, 1, 100, 4096, 1 << 20))
        if name in ("flags", "mode", "cmd", "type", "what") and rng.randrange(2):
            return rng.randrange(16)
        bits = {"I": 32, "i": 31, "Q": 64, "q": 63}[form]
        number = rng.choice((*_LONG_EDGES, rng.getrandbits(bits), 2**bits - 1))
        number %= 2**bits
        return -1 - number if form in "iq" and not rng.randrange(4) else number


def bounded(brick: BrickProcess) -> BrickProcess:
    """Let no file become large: what clients ask for would fill this machine's disk."""
    resource.prlimit(brick.pid, resource.RLIMIT_FSIZE, (LARGEST, LARGEST))
    return brick


def anew(directory: Path) -> None:
    """Make what is served be as at the beginning: a life needs none before it."""
    handles = [*directory.glob(".glusterfs/??/??/*")]
    for path in directory.iterdir():
        if path.name not in (".glusterfs", "outside"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for handle in handles:
        if handle.lstat().st_nlink == 1:
            handle.unlink()
    fill(directory)


def life(brick: BrickProcess, seed: int) -> int:
    """Live one life.

    Returns:
        How many requests were sent.
    """
    rng = random.Random(seed)
    sent = 0
    anew(brick.directory)
    try:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(accepted(brick)) for _ in range(3)]
            first = clients[0]
            gfids = [
                ROOT_GFID,
                *(first.lookup(name).stat.gfid for name in ("text", "link", "many")),
            ]
            inventor = Inventor(gfids, rng)
            for client in clients:
                with contextlib.suppress(ConnectionError):
                    for gfid in gfids[1:2] * 2:
                        client.do(Fop.OPEN, OpenRequest(gfid, os.O_RDWR))
                    client.do(Fop.OPENDIR, OpendirRequest(ROOT_GFID))
            for _ in range(rng.randint(1, 60)):
                sent += 1
                with contextlib.suppress(ConnectionError):
                    _send(rng.choice(clients), inventor, rng)
            for client in clients:
                _hear(client)
        return sent
    except BaseException as error:
        error.add_note(f"python -m tests.hostile.against_brick {seed}")
        raise


def _send(client: RawClient, inventor: Inventor, rng: random.Random) -> None:
    fop = rng.choice(sorted(SPECS)) if rng.randrange(40) else rng.randrange(80)
    owner = b"" if not rng.randrange(9) else b"owner%03d" % rng.randrange(3)
    caller = Credentials(rng.randrange(3), rng.choice((0, 0, 0, 99)), 0, (), owner)
    body = b""
    if fop in SPECS:
        body = encode(inventor.request(SPECS[Fop(fop)].request_class))
    if fop == Fop.WRITE:
        body += rng.randbytes(rng.choice((0, 1, 100, 5000)))
    if body and not rng.randrange(6):
        body = damaged(bytes(24) + body, rng)[24:]
    client.send(*FOPS, fop, body, encode_v3(caller))


def _hear(client: RawClient) -> None:
    """Wait until the brick has come to the end of what was sent, or has ended the connection."""
    with contextlib.suppress(ConnectionError):
        asked = client.send(*DUMP, DumpProc.PING, b"")
        while client.receive()[0].xid != asked:
            pass


def main(argv: list[str]) -> int:
    """Live the lives of some seeds again, and show what the brick has to say."""
    with tempfile.TemporaryDirectory() as directory, start_brick(directory) as brick:
        bounded(brick)
        for seed in map(int, argv):
            print(f"{seed}: {life(brick, seed)} requests")
        brick.wait_for(fds=0, locks=0, pending=0)
        brick.stop()
        print(brick.log)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
