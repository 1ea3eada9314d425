"""A brick behind a relay, which faults are done to, and which can be there again afterwards."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType

from glusterio.brick.stored_options import store_options
from glusterio.brick.volfiles import client_volfile, section
from glusterio.wire.programs import Fop
from tests.api.tap import Tap
from tests.embedded import start_brick
from tests.faulty import FaultyProxy, _Connection
from tests.reliability.faults.users import Users

#: What clients here wait for a silent brick, in seconds.
PING_TIMEOUT = 1

#: Of a reply: the record's mark, xid, direction, state, verifier (two words), state of acceptance;
#: then come op_ret and op_errno (rpc/xdr/src/glusterfs4-xdr.x).
_RESULT = 4 + 24

#: Where a management daemon listens that is to be found again: outside of what the system gives to
#: those who connect, so that nobody else has the port meanwhile.
_PORTS = range(20000, 30000)


def fixed_port() -> int:
    """Return a port that nobody has, and that the system gives to nobody."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.choice(_PORTS)))
            port: int = probe.getsockname()[1]
            return port


class Relay(Tap):
    """A tap that can also have writes answered by an error."""

    refuses: int = 0

    def refuse_writes(self, errno: int) -> None:
        """Answer every WRITE by this errno, from now on; 0 ends it."""
        self._do(lambda: setattr(self, "refuses", errno))

    def _through_records(self, connection: _Connection, piece: bytes, ends: bool) -> None:
        partial = self._replies.get(connection, b"")
        if ends and self.refuses:
            record = bytearray(bytes(partial) + piece)
            (xid,) = struct.unpack_from(">I", record, 4)
            asked = self._asked.get((connection, xid))
            if asked is not None and asked.fop is Fop.WRITE:
                struct.pack_into(">iI", record, _RESULT, -1, self.refuses)
            self._replies[connection] = bytearray()
            piece = bytes(record)
        super()._through_records(connection, piece, ends)


class Venue:
    """The brick, the relay, and the URL by which clients come.

    Args:
        place: a directory for all that it needs.
        small: the brick's file system has so many bytes; ``None`` for the machine's own.
        by_daemon: clients ask the management daemon for the volfile, behind either of two relays, and
            for the brick's port, where the volfile says.

    Attributes:
        users: those who use the session; set by whoever makes one.
    """

    users: Users

    def __init__(self, place: Path, small: int | None = None, by_daemon: bool = False) -> None:
        self._place = place
        self._mounted = small is not None
        self.directory = place / "brick"
        self.directory.mkdir(parents=True)
        if small is not None:
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={small}", "tmpfs", str(self.directory)],
                check=True,
                capture_output=True,
            )
        # Clients find the daemon again where the volfile says that it is.
        self._listening = ("--port", str(fixed_port())) if by_daemon else ()
        try:
            self.brick = start_brick(self.directory, "vol", *self._listening)
        except BaseException:
            self._unmount()
            raise
        self.relay = Relay(("127.0.0.1", self.brick.brick_port))
        self.relay.start()
        self.daemon = FaultyProxy(("127.0.0.1", self.brick.port))
        self.daemon.start()
        self.second_daemon = FaultyProxy(("127.0.0.1", self.brick.port))
        self.second_daemon.start()
        self.is_there = True
        volfile = place / "client.vol"
        self._text = client_volfile(
            "vol",
            "127.0.0.1",
            str(self.directory),
            port=self.relay.port,
            ping_timeout=PING_TIMEOUT,
        )
        volfile.write_text(self._text)
        self.url = f"volfile://{volfile}"
        if by_daemon:
            daemons = f"127.0.0.1:{self.daemon.port},127.0.0.1:{self.second_daemon.port}"
            self.url = f"gluster://{daemons}/vol"

    @property
    def _relays(self) -> tuple[FaultyProxy, ...]:
        return self.relay, self.daemon, self.second_daemon

    # -- what is done to it -----------------------------------------------------------------------

    def kill(self) -> None:
        """End the brick and its daemon without notice; whoever connects is refused."""
        for relay in self._relays:
            relay.refuse()
        self.brick.kill()
        for relay in self._relays:
            relay.cut()
        self.is_there = False

    def come_back(self, directory: Path | None = None, *options: str) -> None:
        """Start the brick anew, on another port; clients find it by the relay's, or by the daemon.

        Args:
            directory: what it serves now, under the same name, instead of what it served.
            options: further words for the brick's command line.
        """
        if directory is not None:
            away = self._place / "away"
            os.rename(self.directory, away)
            os.rename(directory, self.directory)
        self.brick = start_brick(self.directory, "vol", *self._listening, *options)
        self.relay.upstream = ("127.0.0.1", self.brick.brick_port)
        self.daemon.upstream = self.second_daemon.upstream = ("127.0.0.1", self.brick.port)
        for relay in self._relays:
            relay.heal()
        self.is_there = True

    def come_back_empty(self) -> None:
        """Another volume is served under the same name: none of the files is there."""
        other = self._place / "other"
        other.mkdir()
        self.come_back(other)

    def come_back_for_others(self) -> None:
        """It is there again, and would have anybody but us."""
        self.come_back(None, "--allow", "192.0.2.1")

    def come_back_read_only(self) -> None:
        """It is there again, and lets nothing be changed."""
        store_options(str(self.directory), {"features.read-only": "on"})
        self.come_back()

    def lose_daemons(self) -> None:
        """The management daemons are gone; the brick is not."""
        self.lose_daemon()
        self.second_daemon.refuse()
        self.second_daemon.cut()

    def find_daemons(self) -> None:
        """They are there again."""
        self.daemon.heal()
        self.second_daemon.heal()

    def lose_daemon(self) -> None:
        """The management daemon that is followed is gone; the other is not, nor the brick."""
        self.daemon.refuse()
        self.daemon.cut()

    def switch(self) -> None:
        """The session goes over to a graph with one translator more, and back, and again."""
        more = section("vol-quick-read", "performance/quick-read", {}, ("vol-client-0",))
        for text in (f"{self._text}\n{more}", self._text, f"{self._text}\n{more}"):
            self.users.reload(text)

    def stop(self) -> None:
        """Stop the brick, as a machine does that hangs."""
        os.kill(self.brick.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        os.kill(self.brick.pid, signal.SIGCONT)

    def no_file_beyond(self, size: int | None) -> None:
        """Have the brick's system refuse to let files grow beyond a size, with EFBIG."""
        soft = resource.RLIM_INFINITY if size is None else size
        resource.prlimit(self.brick.pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    # -- what is looked at afterwards -------------------------------------------------------------

    def held(self, patience: float) -> str:
        """Wait until no client is left on the brick; return what is held otherwise, or ``""``."""
        if not self.is_there:
            return ""
        deadline = time.monotonic() + patience
        while True:
            dumped = self.brick.dump()
            if not (dumped["clients"] or dumped["fds"] or dumped["locks"]):
                return ""
            if time.monotonic() > deadline:
                return f"{dumped['fds']} fds, {dumped['locks']} locks, {dumped['clients']}"
            time.sleep(0.01)

    def paths(self, name: str) -> list[Path]:
        """Return where a file of the volume is: what was served before, too."""
        return [place / name for place in (self.directory, self._place / "away") if place.exists()]

    def finish(self) -> None:
        """End everything."""
        for relay in self._relays:
            relay.stop()
        with contextlib.suppress(ProcessLookupError):
            self.go_on()
        self.brick.kill()
        self._unmount()

    def _unmount(self) -> None:
        if self._mounted:
            subprocess.run(["umount", str(self.directory)], check=True)
            self._mounted = False

    def __enter__(self) -> Venue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()
