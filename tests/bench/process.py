"""A peer that runs: commands to it, answers from it, and its end, whatever it does.

A peer that crashes, says something else than an answer, or says nothing in time is an error with what
it has said; and it is gone then, with the processes that it has started.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.bench.peer import Peer

#: The sources' root, where peers run.
ROOT: Final = Path(__file__).parent.parent.parent

#: How long a peer may take to go when it was told to, in seconds.
TO_QUIT: Final = 30.0


class PeerError(Exception):
    """A peer did not do what it was asked for; the text says what it did, with the end of its log."""


class PeerSkips(Exception):
    """A peer has no such line; the text says why."""


class RunningPeer:
    """A peer at one line. Use it in a ``with`` statement: at its end the process is gone.

    Attributes:
        pids: further processes whose CPU time counts as the client's.
    """

    def __init__(self, peer: Peer, line: str, parameters: Mapping[str, Any]) -> None:
        self.peer = peer
        self.pids: list[int] = []
        self._unread = b""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [*peer.command, line, json.dumps(parameters)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                cwd=ROOT,
                env={**os.environ, **peer.environment},
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise PeerError(f"it cannot be started: {error}") from error

    def tell(self, command: str) -> None:
        """Send a command, without waiting for what it answers.

        Raises:
            PeerError: it has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(command.encode() + b"\n")
        except BrokenPipeError:
            raise self._failed("it has ended") from None

    def answer(self, patience: float) -> dict[str, Any]:
        """Wait for an answer.

        Args:
            patience: how long, in seconds.

        Raises:
            PeerSkips: it does not do this line.
            PeerError: it says that it failed, has ended, says nothing in time, or no JSON object.
        """
        line = self._read_line(patience)
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._failed(f"no answer is this: {line[:200]!r}")
        if "error" in answer:
            raise self._failed(str(answer["error"]))
        if "skip" in answer:
            raise PeerSkips(str(answer["skip"]))
        self.pids += answer.get("pids", [])
        return answer

    def _read_line(self, patience: float) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + patience
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise self._failed(f"no answer in {patience:.0f} s")
                more = os.read(descriptor, 65536)
                if not more:
                    raise self._failed("it has ended")
                self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def quit(self) -> None:
        """Have it end, and see that it ends well.

        Raises:
            PeerError: it does not end, or with an exit code.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(PeerError):
            self.tell("quit")
        self._process.stdin.close()
        try:
            code = self._process.wait(TO_QUIT)
        except subprocess.TimeoutExpired:
            raise self._failed(f"told to quit, it was still there after {TO_QUIT:.0f} s") from None
        if code != 0:
            raise self._failed("told to quit, it ended badly")

    def _failed(self, what: str) -> PeerError:
        """The error, once the process is gone."""
        killed = self._kill()
        self._log.seek(0)
        log = self._log.read().decode(errors="replace").strip().splitlines()[-15:]
        code = "" if killed else f" (exit code {self._process.returncode})"
        return PeerError("\n".join([what + code, *log]))

    def _kill(self) -> bool:
        """End the process and all that it has started; say whether it had to be ended."""
        killed = False
        try:
            # It may be on its way out: an exit code is better to know than that it was killed.
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            killed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        return killed

    def __enter__(self) -> RunningPeer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(PeerError):
                self.quit()
        self._kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._log.close()
