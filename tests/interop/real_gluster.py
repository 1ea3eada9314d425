"""Start and stop a real GlusterFS on this machine, on the loopback only.

Two set-ups, because they test different things:

* a **hand brick**: ``glusterfsd`` in the foreground with a volfile written here, and no glusterd.
  The client's volfile (``client.vol``) holds no performance translator, so each call goes to the
  wire;
* a **glusterd volume**: a private glusterd, with a working directory, socket and log of its own,
  and the volume ``gv0`` of one brick behind the host name ``gluster.test``. Its clients get their
  volfile and the brick's port from glusterd, as on a cluster.

Everything lives in one directory, with a ``state.json`` that names each process by pid *and* start
time. Only those processes are ever signalled. All waits are bounded and poll the real condition.

From a shell, as root::

    python tests/interop/real_gluster.py start --dir /tmp/gluster [--only hand|volume]
    python tests/interop/real_gluster.py status --dir /tmp/gluster
    python tests/interop/real_gluster.py stop --dir /tmp/gluster

Starting what runs already, and stopping what does not run, are fine. From Python:
`start_hand_brick`, `start_volume`, `load`, `stop`, and `open_files` to count what a brick holds.

Two procedures of glusterd's handshake program, 53 and 54, must never be sent to it by a test: no
ordinary client sends them, and they are known to end the daemon.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HOST = "gluster.test"
VOLUME = "gv0"
GLUSTERD_PORT = 24007
HOSTS_FILE = Path("/etc/hosts")
HOSTS_LINE = f"127.0.0.1 {HOST} # glusterio-interop\n"
WAIT = 30.0


class SetUpError(Exception):
    """GlusterFS could not be started or stopped; the message says why, with the end of its log."""


# --------------------------------------------------------------------------------------- processes


@dataclass(frozen=True)
class Process:
    """A process, named so that a later one with the same pid is not mistaken for it."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process:
        """Take note of a running process."""
        seen = _stat(pid)
        if seen is None:
            raise SetUpError(f"process {pid} ended as soon as it was started")
        return cls(pid, seen[1])

    def alive(self) -> bool:
        """Whether any thread of it runs still. If it is our child and has ended, it is reaped."""
        seen = _stat(self.pid)
        if seen is None or seen[1] != self.started:
            return False
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] == 0
        except ChildProcessError:
            pass
        if seen[0] != "Z":
            return True
        # Nobody's child of ours. A first thread may be done while others are not.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return len(os.listdir(f"/proc/{self.pid}/task")) > 1
        return False

    def end(self) -> None:
        """Terminate it and wait until it is gone; kill it if it takes more than ten seconds."""
        for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
            if not self.alive():
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
                os.kill(self.pid, signal.SIGCONT)  # a test may have stopped it
            if poll(lambda: not self.alive(), patience):
                return
        raise SetUpError(f"process {self.pid} does not end")


def _stat(pid: int) -> tuple[str, int] | None:
    """A process's state letter and start time (clock ticks since boot), None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], int(fields[19])


def poll(condition: Callable[[], bool], timeout: float = WAIT) -> bool:
    """Ask until the condition holds, at most so long. Says whether it does."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _spawn(argv: list[str], output: Path) -> Process:
    """Start a daemon-to-be in a session of its own, so that a Ctrl-C here does not reach it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        argv[0],
        argv,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return Process.of(pid)


def _program(name: str) -> str:
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise SetUpError(f"{name} is not installed")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _tail(log: Path, lines: int = 12) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return f"(no {log})"


def unavailable() -> str | None:
    """Why no GlusterFS can be started here, or None if one can."""
    for name in ("glusterfsd", "glusterd", "gluster"):
        try:
            _program(name)
        except SetUpError as error:
            return f"{error} (on Debian: apt-get install glusterfs-server)"
    if os.geteuid() != 0:
        return "a GlusterFS brick needs root, for its extended attributes"
    return None


# ------------------------------------------------------------------------------- what a brick holds


def _held(brick_pid: int, data_dir: str | Path) -> list[tuple[str, os.stat_result, int]]:
    """All that a brick has open under its directory: path, stat and open flags of each."""
    root = os.path.realpath(data_dir)
    own = f"/proc/{brick_pid}"
    held = []
    for name in os.listdir(f"{own}/fd"):
        # What is closed while we look is not open. A file that is unlinked but open has its name
        # with " (deleted)" after it; a handle's link shows as the file's name or a .glusterfs path.
        with contextlib.suppress(FileNotFoundError):
            path = os.readlink(f"{own}/fd/{name}")
            if path != root and not path.startswith(root + "/"):
                continue
            status = os.stat(f"{own}/fd/{name}")
            info = Path(f"{own}/fdinfo/{name}").read_text()
            flags = next(line for line in info.splitlines() if line.startswith("flags:"))
            held.append((path, status, int(flags.split()[1], 8)))
    return held


def open_files(brick_pid: int, data_dir: str | Path, *, writable_only: bool = False) -> int:
    """Count the regular files that a brick holds open for its clients.

    Args:
        brick_pid: the brick's process.
        data_dir: the brick's directory.
        writable_only: count only what is open for writing.
    """
    return sum(
        stat.S_ISREG(status.st_mode)
        # The brick looks after its own health every half minute by writing to this file.
        and not path.endswith("/.glusterfs/health_check")
        and (not writable_only or flags & os.O_ACCMODE != os.O_RDONLY)
        for path, status, flags in _held(brick_pid, data_dir)
    )


def open_directories(brick_pid: int, data_dir: str | Path) -> int:
    """Count the directories that a brick holds open for its clients.

    A brick of its own holds its root, ``.glusterfs`` and the 256 directories in it, once each.
    GlusterFS 10 leaks one for each directory that was opened by OPEN rather than OPENDIR.
    """
    root = os.path.realpath(data_dir)
    inner = root + "/.glusterfs"
    count = 0
    roots = 0
    for path, status, _ in _held(brick_pid, data_dir):
        if not stat.S_ISDIR(status.st_mode):
            continue
        rest = path.removeprefix(inner)
        if path == root:
            roots += 1
        elif rest == path or len(rest) not in (0, 3):
            count += 1
    return count + max(0, roots - 1)


# -------------------------------------------------------------------------------------- the set-ups


@dataclass(frozen=True)
class _Brick:
    """A brick, of either set-up."""

    url: str
    brick_port: int
    brick_pid: int
    data_dir: str

    def open_files(self, *, writable_only: bool = False) -> int:
        """Count the regular files that the brick holds open for its clients."""
        return open_files(self.brick_pid, self.data_dir, writable_only=writable_only)

    def open_directories(self) -> int:
        """Count the directories that the brick holds open for its clients."""
        return open_directories(self.brick_pid, self.data_dir)

    def no_files_open(self, timeout: float = 5.0) -> bool:
        """Wait, bounded, until the brick holds no file: it hears of a disconnect a bit later."""
        return poll(lambda: self.open_files() == 0, timeout)


@dataclass(frozen=True)
class HandBrick(_Brick):
    """A brick without glusterd."""

    client_vol: str


@dataclass(frozen=True)
class GlusterVolume(_Brick):
    """A volume of one brick, managed by a glusterd of its own."""

    host: str
    volume: str
    glusterd_port: int
    glusterd_pid: int
    glusterd_sock: str

    def gluster(self, *words: str, timeout: float = 60.0) -> str:
        """Run a command of the gluster CLI on this glusterd, such as ``"volume", "info"``."""
        return _gluster(self.glusterd_sock, *words, timeout=timeout)


@dataclass
class State:
    """What a directory's ``state.json`` holds. It is written before anything depends on it."""

    directory: Path
    hand: HandBrick | None = None
    volume: GlusterVolume | None = None
    processes: dict[str, Process] = field(default_factory=dict)
    hosts_line: bool = False
    leftovers: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return self.directory / "state.json"

    @classmethod
    def read(cls, directory: str | Path) -> State:
        """Read a directory's state; without one, nothing runs there."""
        state = cls(Path(directory).resolve())
        try:
            kept: dict[str, Any] = json.loads(state.file.read_text())
        except FileNotFoundError:
            return state
        state.processes = {name: Process(**p) for name, p in kept["processes"].items()}
        state.hand = HandBrick(**kept["hand"]) if kept["hand"] else None
        state.volume = GlusterVolume(**kept["volume"]) if kept["volume"] else None
        state.hosts_line = kept["hosts_line"]
        state.leftovers = kept["leftovers"]
        return state

    def write(self) -> None:
        """Keep it, in one step."""
        self.directory.mkdir(parents=True, exist_ok=True)
        kept = asdict(self)
        del kept["directory"]
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(kept, indent=2) + "\n")
        fresh.replace(self.file)

    def alive(self, *names: str) -> bool:
        """Whether all these processes run."""
        return all(name in self.processes and self.processes[name].alive() for name in names)


def load(directory: str | Path) -> State:
    """What runs in a directory: as its state says, less what has died since."""
    state = State.read(directory)
    if not state.alive("hand"):
        state.hand = None
    if not state.alive("glusterd", "volume"):
        state.volume = None
    return state


# ----------------------------------------------------------------------------------- the hand brick

SERVER_VOL = """\
volume hand-posix
  type storage/posix
  option directory {data}
end-volume

# As on every volume: this is what applies a client's umask, and default ACLs.
volume hand-access-control
  type features/access-control
  subvolumes hand-posix
end-volume

volume hand-locks
  type features/locks
  option mandatory-locking {locking}
  subvolumes hand-access-control
end-volume

# As on every volume, where it is off, too, unless a test wants it otherwise.
volume hand-leases
  type features/leases
  option leases {leases}
  option lease-lock-recall-timeout 2
  subvolumes hand-locks
end-volume

# Likewise.
volume hand-upcall
  type features/upcall
  option cache-invalidation {leases}
  subvolumes hand-leases
end-volume

volume hand-iot
  type performance/io-threads
  subvolumes hand-upcall
end-volume

# The name below protocol/server is the one that clients ask for and the one that auth.addr allows.
volume /hand
  type debug/io-stats
  option unique-id /hand
  subvolumes hand-iot
end-volume

volume hand-server
  type protocol/server
  option transport-type tcp
  option transport.address-family inet
  option transport.socket.bind-address 127.0.0.1
  option transport.socket.listen-port {port}
  {access}
  subvolumes /hand
end-volume
"""

#: Who may use it, unless a test wants it otherwise: options of protocol/server.
ACCESS = """\
option auth.addr./hand.allow 127.0.0.1
  option rpc-auth-allow-insecure on"""

CLIENT_VOL = """\
volume hand-client-0
  type protocol/client
  option transport-type tcp
  option transport.address-family inet
  option remote-host 127.0.0.1
  option remote-port {port}
  option remote-subvolume /hand
  option ping-timeout 5
end-volume

volume hand
  type debug/io-stats
  subvolumes hand-client-0
end-volume
"""


def start_hand_brick(
    directory: str | Path, access: str = ACCESS, leases: str = "off", locking: str = "off"
) -> HandBrick:
    """Start a brick without glusterd, or find the one that runs in this directory.

    Args:
        directory: where its volfiles, data, log and state go; made if missing.
        access: who may use it: options of protocol/server, a line each.
        locking: what locks keep others from: ``mandatory-locking`` of features/locks.
        leases: whether it has leases, and tells of changes: ``on`` or ``off``.

    Raises:
        SetUpError: it did not come up.
    """
    state = load(directory)
    if state.hand is not None:
        return state.hand
    _stop_hand(state)
    program = _program("glusterfsd")
    place = state.directory / "hand"
    data = place / "data"
    data.mkdir(parents=True)
    log = place / "brick.log"
    for attempt in range(5):
        port = free_port()
        (place / "server.vol").write_text(
            SERVER_VOL.format(data=data, port=port, access=access, leases=leases, locking=locking)
        )
        (place / "client.vol").write_text(CLIENT_VOL.format(port=port))
        process = _spawn(
            [program, "-N", "-f", str(place / "server.vol"), "-l", str(log), "-L", "INFO"],
            place / "output",
        )
        state.processes["hand"] = process
        state.write()

        def settled(process: Process = process, port: int = port) -> bool:
            return not process.alive() or listening(port)

        if poll(settled) and process.alive():
            state.hand = HandBrick(
                url=f"volfile://{place / 'client.vol'}",
                brick_port=port,
                brick_pid=process.pid,
                data_dir=str(data),
                client_vol=str(place / "client.vol"),
            )
            state.write()
            return state.hand
        process.end()
        if attempt == 4 or "Address already in use" not in _tail(log, 200):
            break  # worth a retry is only a port taken between our look and the brick's bind
    text = f"the hand brick did not come up:\n{_tail(place / 'output')}\n{_tail(log)}"
    _stop_hand(state)
    raise SetUpError(text)


def _stop_hand(state: State) -> None:
    if "hand" in state.processes:
        state.processes["hand"].end()
        del state.processes["hand"]
    state.hand = None
    shutil.rmtree(state.directory / "hand", ignore_errors=True)
    _put_away(state)


# ----------------------------------------------------------------------------- the glusterd volume

GLUSTERD_VOL = """\
volume management
  type mgmt/glusterd
  option working-directory {place}/work
  option run-directory {place}/run
  option glusterd-sockfile {sock}
  option transport-type socket
  option transport.address-family inet
  option transport.socket.bind-address 127.0.0.1
  option transport.socket.listen-port {port}
  option transport.socket.keepalive-time 10
  option transport.socket.keepalive-interval 2
  option transport.socket.read-fail-log off
  option ping-timeout 0
  option event-threads 1
  option max-port 60999
end-volume
"""


def _gluster(sock: str, *words: str, timeout: float = 60.0) -> str:
    command = [_program("gluster"), "--mode=script", f"--glusterd-sock={sock}"]
    command += [f"--log-file={Path(sock).parent / 'cli.log'}", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise SetUpError(f"gluster {' '.join(words)}: no answer in {timeout:.0f} s") from None
    if done.returncode != 0:
        raise SetUpError(f"gluster {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _answers(sock: str) -> bool:
    try:
        _gluster(sock, "volume", "list", timeout=10.0)
    except SetUpError:
        return False
    return True


def online_brick(sock: str) -> tuple[int, int] | None:
    """The brick's pid and port, once glusterd says that it is online. XML wraps no long name."""
    try:
        tree = ElementTree.fromstring(_gluster(sock, "volume", "status", VOLUME, "--xml"))
    except SetUpError:
        return None
    node = tree.find("./volStatus/volumes/volume/node")
    if node is None or node.findtext("status") != "1":
        return None
    pid, port = node.findtext("pid", ""), node.findtext("port", "")
    return (int(pid), int(port)) if pid.isdigit() and port.isdigit() else None


def left_by(brick_pid: int) -> list[str]:
    """The files outside our directory that a glusterd's brick makes and leaves: socket and log."""
    words = Path(f"/proc/{brick_pid}/cmdline").read_text().split("\0")
    return [words[words.index(option) + 1] for option in ("-S", "-l") if option in words]


def _strays(run: Path) -> list[Process]:
    """What our glusterd started and we did not note: a brick just now, or helpers of the volume.

    Each has its pid in a file of our own run directory, and that file's name on its command line: a
    later process that happens to have the number has not.
    """
    found = []
    for file in run.rglob("*.pid"):
        with contextlib.suppress(ValueError, OSError, SetUpError):
            process = Process.of(int(file.read_text()))
            command = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
            if str(file) in command:
                found.append(process)
    return found


def _name_the_host(state: State) -> None:
    """Let ``gluster.test`` be this machine, in /etc/hosts unless it is so already."""
    try:
        if socket.gethostbyname(HOST).startswith("127."):
            return
        raise SetUpError(f"{HOST} is another machine here: {socket.gethostbyname(HOST)}")
    except OSError:
        pass
    state.hosts_line = True
    state.write()
    text = HOSTS_FILE.read_text()
    if text and not text.endswith("\n"):
        text += "\n"
    HOSTS_FILE.write_text(text + HOSTS_LINE)  # in place: in a container it is a mount of its own


def start_volume(directory: str | Path) -> GlusterVolume:
    """Start a private glusterd with the volume ``gv0``, or find the one that runs here.

    Args:
        directory: where its configuration, the brick, logs and state go; made if missing. The path
            must be short: it holds a Unix socket.

    Raises:
        SetUpError: it did not come up, or another glusterd has the port.
    """
    state = load(directory)
    if state.volume is not None:
        return state.volume
    _stop_volume(state)
    if listening(GLUSTERD_PORT):
        raise SetUpError(f"port {GLUSTERD_PORT} is taken: another glusterd runs on this machine")
    place = state.directory / "volume"
    data = place / "brick"
    sock = str(place / "glusterd.sock")
    if len(sock) > 100:
        raise SetUpError(f"the path of the socket would be too long: {sock}")
    data.mkdir(parents=True)
    (place / "run").mkdir()
    (place / "work").mkdir()
    log = place / "glusterd.log"
    (place / "glusterd.vol").write_text(
        GLUSTERD_VOL.format(place=place, sock=sock, port=GLUSTERD_PORT)
    )
    try:
        _name_the_host(state)
        glusterd = _spawn(
            [
                *(_program("glusterd"), "-N", "-f", str(place / "glusterd.vol")),
                *("-p", str(place / "glusterd.pid"), "-l", str(log), "-L", "WARNING"),
            ],
            place / "output",
        )
        state.processes["glusterd"] = glusterd
        state.write()
        if not poll(lambda: not glusterd.alive() or _answers(sock)) or not glusterd.alive():
            raise SetUpError("glusterd did not come up")
        _gluster(sock, "volume", "create", VOLUME, f"{HOST}:{data}", "force")
        _gluster(sock, "volume", "set", VOLUME, "server.allow-insecure", "on")
        _gluster(sock, "volume", "set", VOLUME, "network.ping-timeout", "5")
        _gluster(sock, "volume", "start", VOLUME)
        online: list[tuple[int, int]] = []

        def is_online() -> bool:
            brick = online_brick(sock)
            if brick is not None:
                online.append(brick)
            return bool(online)

        if not poll(is_online):
            raise SetUpError("the volume's brick is not online")
        pid, port = online[0]
        state.processes["volume"] = Process.of(pid)
        state.leftovers = left_by(pid)
        state.write()
        if not poll(lambda: listening(port)):
            raise SetUpError(f"the volume's brick does not listen on port {port}")
    except BaseException as error:
        text = f"{error}\n{_tail(place / 'output')}\n{_tail(log)}"
        _stop_volume(state)
        if isinstance(error, SetUpError):
            raise SetUpError(text) from error
        raise
    state.volume = GlusterVolume(
        url=f"gluster://{HOST}/{VOLUME}",
        brick_port=port,
        brick_pid=pid,
        data_dir=str(data),
        host=HOST,
        volume=VOLUME,
        glusterd_port=GLUSTERD_PORT,
        glusterd_pid=glusterd.pid,
        glusterd_sock=sock,
    )
    state.write()
    return state.volume


def _stop_volume(state: State) -> None:
    place = state.directory / "volume"
    sock = str(place / "glusterd.sock")
    if state.alive("glusterd"):
        # glusterd ends the brick by itself then, and puts the brick's socket away.
        with contextlib.suppress(SetUpError):
            _gluster(sock, "volume", "stop", VOLUME, "force", timeout=30.0)
    for name in ("glusterd", "volume"):
        if name in state.processes:
            state.processes[name].end()
            del state.processes[name]
    for process in _strays(place / "run"):
        process.end()
    state.volume = None
    for path in state.leftovers:
        Path(path).unlink(missing_ok=True)
    state.leftovers = []
    if state.hosts_line:
        text = HOSTS_FILE.read_text()
        HOSTS_FILE.write_text(text.replace(HOSTS_LINE, ""))
        state.hosts_line = False
    shutil.rmtree(place, ignore_errors=True)
    _put_away(state)


def _put_away(state: State) -> None:
    """Write the state, or, when nothing is left in it, take it and an empty directory away."""
    if state.processes:
        state.write()
        return
    state.file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        state.directory.rmdir()


def stop(directory: str | Path) -> None:
    """Stop all that was started in a directory, and remove what it left, data included."""
    state = State.read(directory)
    _stop_volume(state)
    _stop_hand(state)


# ------------------------------------------------------------------------------------ command line


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; see the top of this file."""
    parser = argparse.ArgumentParser(description="A real GlusterFS on the loopback, for tests.")
    parser.add_argument("action", choices=["start", "stop", "status"])
    parser.add_argument("--dir", required=True, type=Path, help="where it lives")
    parser.add_argument("--only", choices=["hand", "volume"], help="start this one alone")
    options = parser.parse_args(arguments)
    try:
        if options.action == "stop":
            stop(options.dir)
            return 0
        if options.action == "start":
            why_not = unavailable()
            if why_not is not None:
                raise SetUpError(why_not)
            if options.only in (None, "hand"):
                start_hand_brick(options.dir)
            if options.only in (None, "volume"):
                start_volume(options.dir)
    except SetUpError as error:
        print(f"real_gluster: {error}", file=sys.stderr)
        return 1
    state = load(options.dir)
    for name, brick in (("hand brick", state.hand), ("volume", state.volume)):
        if brick is None:
            print(f"{name}: not running")
        else:
            print(
                f"{name}: {brick.url}  brick pid {brick.brick_pid} on port {brick.brick_port},"
                f" {brick.open_files()} files open"
            )
    return 0 if state.hand or state.volume else 1


if __name__ == "__main__":
    sys.exit(main())
