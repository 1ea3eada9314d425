"""Runs one cell of the table in a process of its own, and tells what was seen.

The process reaches a brick of ours through a tap, which keeps back the answer that the call under way
waits for. When the call has come to that, the event comes; when the program has said that it has
happened, the tap lets go. Then the program goes on, or ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import glusterio
from glusterio.brick.volfiles import client_volfile
from glusterio.wire.programs import Fop
from tests.api.tap import Tap
from tests.embedded import BrickProcess
from tests.reliability.outcomes.table import LIKE, Outcome

ROOT = Path(__file__).parents[3]

#: Python 3.12 and later warn of a fork beside threads, which is what happens here on purpose.
FORKS_ANYWAY = ("-W", "ignore:This process (pid=:DeprecationWarning")

#: How long anything may take before it counts as hanging, in seconds. The machine may be busy.
PATIENCE = 30.0

#: How long a process is stopped, and its ping time-out, in seconds.
STOPPED = 2.6
PING_TIMEOUT = 2

#: Whose answers the tap keeps back, so that a call is in the middle.
HELD: dict[str, tuple[Fop, ...]] = {
    "idle": (),
    "reading": (Fop.READ,),
    "writing": (Fop.WRITE,),
    "opening": (Fop.CREATE,),
    "listing": (Fop.READDIRP, Fop.READDIR),
    "locking": (),
    "closing": (Fop.RELEASE,),
    "connecting": (),
}

SIGNALS = {
    "SIGINT": signal.SIGINT,
    "SIGTERM": signal.SIGTERM,
    "SIGKILL": signal.SIGKILL,
    "SIGUSR1": signal.SIGUSR1,
}

#: What is waited for before the call is let go, where that is not the event itself.
_AFTER = {("SIGTERM, its handler closes", "asyncio"): ("call", "waits", "closed")}

_dumping = threading.Lock()
_names = iter(range(1, 1 << 30))


@dataclass
class Found:
    """What was seen of a cell.

    Attributes:
        said: the program's words, in order.
        status: its exit status; the negative of a signal's number.
        errors: its standard error.
        seconds: from the event to the program's end, without what was spent stopped.
        held: what its clients held on the brick when it had closed its sessions and was still there;
            ``None`` if it never came to that.
        wrong: what was otherwise than the table says.
    """

    said: list[dict[str, Any]] = field(default_factory=list)
    status: int | None = None
    errors: str = ""
    seconds: float = 0.0
    held: list[dict[str, Any]] | None = None
    wrong: list[str] = field(default_factory=list)

    def word(self, word: str) -> dict[str, Any] | None:
        """Return the first thing said by that word."""
        return next((said for said in self.said if said["word"] == word), None)


class _Subject:
    """The process."""

    def __init__(self, cell: dict[str, Any], found: Found) -> None:
        self.found = found
        gate, self.gate = os.pipe()
        try:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-X", "faulthandler", "-W", "default", *FORKS_ANYWAY,
                    "-m", "tests.reliability.outcomes.subject", json.dumps({**cell, "gate": gate}),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[gate],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            )  # fmt: skip
        finally:
            os.close(gate)
        self._errors: list[bytes] = []
        self._reader = threading.Thread(target=self._read_errors)
        self._reader.start()
        self._unread = b""

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._errors.append(self.process.stderr.read())

    def hears(self, *words: str) -> bool:
        """Wait for one of these words; return whether it came before the end."""
        deadline = time.monotonic() + PATIENCE
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while True:
                while b"\n" in self._unread:
                    line, _, self._unread = self._unread.partition(b"\n")
                    said = json.loads(line)
                    self.found.said.append(said)
                    if said["word"] in words:
                        return True
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.process.send_signal(signal.SIGABRT)  # faulthandler shows where
                    self.found.wrong.append(f"it hangs, waiting for {words}")
                    return False
                more = os.read(descriptor, 65536)
                if not more:
                    return False
                self._unread += more

    def tell(self) -> None:
        """Let it go on that reads a line."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()

    def ends(self) -> None:
        """Wait for its end."""
        try:
            self.found.status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.found.status = self.process.wait(PATIENCE)
            self.found.wrong.append("it does not end")

    def __enter__(self) -> _Subject:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.gate)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self.found.errors = b"".join(self._errors).decode(errors="replace")


def clients(brick: BrickProcess, pid: int) -> list[dict[str, Any]]:
    """Return the brick's clients that a process is, and what they hold."""
    with _dumping:
        dumped = brick.dump()
    return [client for client in dumped["clients"] if f"-PID:{pid}-" in (client["process"] or "")]


@contextlib.contextmanager
def _locked(brick: BrickProcess, names: list[str]) -> Iterator[None]:
    """Hold the locks that the program wants."""
    with glusterio.connect(brick.url) as vol:
        files = [vol.open_handle(name, os.O_RDWR) for name in names]
        for file in files:
            file.lockf(os.F_LOCK, 10)
        try:
            yield
        finally:
            for file in files:
                file.close()


def run(
    brick: BrickProcess, place: Path, event: str, driver: str, situation: str, outcome: Outcome
) -> Found:
    """Run one cell.

    Args:
        brick: the brick.
        place: where a volfile can be written.
        event: what happens.
        driver: to whom, one of the table's ``DRIVERS``.
        situation: in the middle of what.
        outcome: what is to be seen.

    Returns:
        What was seen, and what of it was wrong.
    """
    name = f"/cell-{next(_names)}"
    users = 2 if driver == "both" else 1
    names = [name, name + "-too"][:users]
    for each in names:
        (brick.directory / each[1:]).write_bytes(b"0123456789")
    found = Found()
    with contextlib.ExitStack() as stack:
        tap = stack.enter_context(Tap(("127.0.0.1", brick.brick_port)))
        volfile = place / f"{name[1:]}.vol"
        volfile.write_text(
            client_volfile(
                "vol",
                "127.0.0.1",
                str(brick.directory),
                port=tap.port,
                ping_timeout=PING_TIMEOUT if event == "SIGSTOP, SIGCONT" else 42,
            )
        )
        cell = {
            "event": event, "driver": driver, "situation": situation, "name": name,
            "url": f"volfile://{volfile}",
            "direct": brick.url,
        }  # fmt: skip
        locked = stack.enter_context(contextlib.ExitStack())
        if situation == "locking":
            locked.enter_context(_locked(brick, names))
        if situation == "connecting":
            tap.pause()
        else:
            tap.hold(*HELD[situation])
        subject = stack.enter_context(_Subject(cell, found))
        if subject.hears("ready"):
            _in_the_middle(subject, tap, situation, users)
            began = time.monotonic()
            _happen(subject, event)
            if not outcome.alone:
                if event == "SIGSTOP, SIGCONT":
                    began += STOPPED
                else:
                    after = (event, LIKE.get(driver, driver))
                    subject.hears(*_AFTER.get(after, ("happened", "call", "closed")))
                _let_go(subject, tap, locked)
            if subject.hears("done"):
                found.held = clients(brick, subject.process.pid)
                subject.tell()
            subject.hears()  # all that it says until its end
            subject.ends()
            found.seconds = time.monotonic() - began
        pid = subject.process.pid
        deadline = time.monotonic() + PATIENCE
        while left := clients(brick, pid):
            if time.monotonic() > deadline:
                found.wrong.append(f"the process is gone, and the brick holds {left}")
                break
            time.sleep(0.02)
    _compare(found, outcome, brick, names, situation)
    return found


def _in_the_middle(subject: _Subject, tap: Tap, situation: str, users: int) -> None:
    """Wait until the calls have come to what they are to wait for."""
    if HELD[situation]:
        tap.wait_for(lambda: len(tap.kept) >= users, PATIENCE)
    elif situation == "locking":
        tap.wait_for_calls(users, Fop.LK)
    elif situation == "connecting":
        tap.wait_for(lambda: tap.connections >= users, PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while True:  # its first thread waits in the kernel
        called = Path(f"/proc/{subject.process.pid}/syscall").read_text().split()[0]
        if called != "running":
            return
        assert time.monotonic() < deadline, "it never waits"


def _happen(subject: _Subject, event: str) -> None:
    process = subject.process
    number = SIGNALS.get(event.partition(",")[0])
    if number is not None:
        process.send_signal(number)
    elif event == "SIGSTOP, SIGCONT":
        process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED)  # what is looked at is that this much time passes
        process.send_signal(signal.SIGCONT)
        time.sleep(0.6)  # two ticks, in which it might find its connection dead
    else:
        subject.tell()


def _let_go(subject: _Subject, tap: Tap, locked: contextlib.ExitStack) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(subject.gate, b"xx")
    locked.close()
    tap.let_go()
    tap.resume()


def _compare(
    found: Found, outcome: Outcome, brick: BrickProcess, names: list[str], situation: str
) -> None:
    """Write down what was otherwise than it should be."""

    def expect(what: str, seen: object, wanted: object) -> None:
        if seen != wanted:
            found.wrong.append(f"{what}: {seen!r}, not {wanted!r}")

    for said in found.said:
        if said["word"] in ("call", "thread") and "outcome" in said and outcome.call:
            if not set(said.get("kinds", [said["outcome"]])) & set(outcome.call.split(" or ")):
                found.wrong.append(f"{said['word']}: {said}, not {outcome.call}")
        elif said["word"] == "use":
            expect("a further call", said["outcome"], outcome.use)
        elif said["word"] == "child":
            expect("the child's status", said["status"], 0)
            if said["seconds"] > outcome.within + 5:
                found.wrong.append(f"the child took {said['seconds']:.1f} s")
        elif said["word"] == "before":
            expect("a handler before the close", said["outcome"], outcome.handler)
        elif said["word"] == "after":
            wanted = "result" if "close" in said["name"] else "SessionClosedError"
            if said["name"] in ("pread", "pwrite"):
                wanted = "HandleRevokedError"
            expect(f"{said['name']} after the close", said["outcome"], wanted)
        if "report" in said and said["report"] is not None:
            if said["report"]["defects"]:
                found.wrong.append(f"defects: {said['report']['defects']}")
            if outcome.graceful is not None:
                expect("the close was graceful", said["report"]["graceful"], outcome.graceful)
        if "handler" in said:
            expect("the handler's call", said["handler"], outcome.handler)
    # A daemon thread may be frozen by the interpreter's end before it can say what it saw.
    if outcome.call and not outcome.alone and found.word("call") is None:
        found.wrong.append(f"the call never ended; it said {found.said}")
    expect("exit status", found.status, outcome.status)
    if found.held is not None:
        holding = [client for client in found.held if client["fds"] or client["locks"]]
        expect("held after the close, by a living process", holding, [])
    if found.seconds > outcome.within:
        found.wrong.append(f"it took {found.seconds:.1f} s, not {outcome.within} s")
    _compare_errors(found, outcome)
    if outcome.kept and situation == "writing":
        for name in names:
            size = (brick.directory / name[1:]).stat().st_size
            expect("bytes in the file", size, 10 + 8 * 8192)


def _compare_errors(found: Found, outcome: Outcome) -> None:
    """Each expected text is there; and there is nothing else on standard error."""
    rest = found.errors
    for pattern in outcome.says:
        rest, count = re.subn(pattern, "", rest, flags=re.MULTILINE)
        if not count:
            found.wrong.append(f"not on standard error: {pattern}")
    if rest.strip():
        found.wrong.append(f"on standard error: {rest.strip()}")
