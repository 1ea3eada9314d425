"""The demo's second half: a session is closed in the middle of everything.

Nothing here waits for a time to pass. The close is called when every opening thread has opened some
files and has not stopped, and when writes are on their way, whose replies are held back until then;
both are looked at, and told.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import IO

import glusterio
from glusterio import File, SessionClosedError, TeardownReport, Volume
from glusterio.cli.errors import trying_to

HOLDERS = 8
HANDLES = 1000
#: How many of the handles are Python's text files, with a line that is in Python's buffer only.
BUFFERED = 40
OPENERS = 4
#: How often each opening thread has opened a file, at least, when the session is closed.
OPENED_BEFORE_CLOSE = 25
WRITES = 64
WRITE_SIZE = 256 * 1024
WRITE_OFFSET = 4096
#: How often they are started again, at most, if a fast brick has acknowledged all of them already.
WAVES = 20

#: How long any thread may take to end, in seconds.
PATIENCE = 15.0


@dataclass
class Storm:
    """What happened.

    Attributes:
        opens_at_close: how many files the opening threads had opened when close was called.
        opens: how many they had opened in the end.
        openers_at_close: how many of them were still opening when close was called.
        writes: how many writes were started.
        writes_at_close: how many of them were in flight when close was called.
        acknowledged: how many of the writes succeeded.
        refused: how many of the writes ended with ``SessionClosedError``.
        too_late: how many threads got ``SessionClosedError``.
        report: the teardown report.
        expected: what each file must hold: offset and bytes, acknowledged.
        failures: what was not as it should be.
    """

    opens_at_close: int = 0
    opens: int = 0
    openers_at_close: int = 0
    writes: int = 0
    writes_at_close: int = 0
    acknowledged: int = 0
    refused: int = 0
    too_late: int = 0
    report: TeardownReport = field(default_factory=TeardownReport)
    expected: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


_WRITTEN_THROUGH = {"performance.write-behind": "off"}


class StormStep:
    """One session, its threads, and everything that they leave open.

    Args:
        url: the volume.
        root: an existing directory on it, to work in.
    """

    def __init__(self, url: str, root: str) -> None:
        self.result = Storm()
        self._lock = threading.Lock()
        self._files: list[tuple[str, File]] = []
        self._texts: list[IO[str]] = []
        self._later: list[File] = []
        self._writes: list[tuple[str, bytes, Future[int]]] = []
        self._opened = [0] * OPENERS
        self._opening = [threading.Event() for _ in range(OPENERS)]
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._root = root
        with trying_to(f"connect to {url}"):
            # A write shall be under way until the brick has it: that is what is shown.
            self._volume: Volume = glusterio.connect(url, options=_WRITTEN_THROUGH)
        self._directories = [f"{root}/thread-{n}" for n in range(HOLDERS)]

    @property
    def paths(self) -> list[str]:
        """Everything that this has made."""
        return [self._root, *self._directories, *self.result.expected]

    def __enter__(self) -> StormStep:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._volume.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    # -- handles that nobody closes ---------------------------------------------------------------

    def open_handles(self) -> None:
        """Open the handles, from several threads, and leave them open."""
        self._volume.mkdir(self._root)
        for directory in self._directories:
            self._volume.mkdir(directory)
        holders = [self._start(self._hold, n) for n in range(HOLDERS)]
        self._join(holders)

    def _hold(self, thread: int) -> None:
        for number in range(thread, HANDLES, HOLDERS):
            path = f"{self._directories[thread]}/{number:04}"
            line = f"handle {number} of thread {thread}\n"
            expected = [(0, line.encode())]
            if number < HANDLES - BUFFERED:
                file = self._volume.open_handle(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
                file.pwrite(line.encode(), 0)
                with self._lock:
                    self._files.append((path, file))
                    self.result.expected[path] = expected
            else:
                text = self._volume.open(path, "x", encoding="utf-8")
                text.write(line)
                with self._lock:
                    self._texts.append(text)
                    self.result.expected[path] = expected

    # -- the middle of everything -----------------------------------------------------------------

    def close_in_the_middle(self) -> Storm:
        """Open and write without end, and close the session while that goes on."""
        result = self.result
        self._closer = threading.current_thread()
        openers = [self._start(self._keep_opening, n) for n in range(OPENERS)]
        for event in self._opening:
            if not event.wait(PATIENCE):
                result.failures.append("a thread did not get to open files")
        for wave in range(WAVES):
            self._start_writes(wave)
            result.writes_at_close = sum(not future.done() for _, _, future in self._writes)
            if result.writes_at_close:
                break
        result.openers_at_close = sum(thread.is_alive() for thread in openers)
        result.opens_at_close = sum(self._opened)
        self._closing.set()
        result.report = self._volume.close()
        self._join(openers)
        result.opens = sum(self._opened)
        self._settle_accounts()
        return result

    def _keep_opening(self, thread: int) -> None:
        mine: list[File] = []
        with self._lock:
            paths = [path for path, _ in self._files[thread::OPENERS]]
        try:
            while True:
                path = paths[len(mine) % len(paths)]
                mine.append(self._volume.open_handle(path, os.O_RDONLY))
                self._opened[thread] += 1
                if self._opened[thread] == OPENED_BEFORE_CLOSE:
                    self._opening[thread].set()
        except SessionClosedError:
            with self._lock:
                self.result.too_late += 1
        finally:
            with self._lock:
                self._later += mine

    def _start_writes(self, wave: int) -> None:
        for number in range(WRITES):
            path, file = self._files[number]
            data = f"{wave:04}{number:04}".encode() * (WRITE_SIZE // 8)
            offset = WRITE_OFFSET + wave * WRITE_SIZE
            future = file.pwrite_async(data, offset)
            future.add_done_callback(self._hold_back)
            self._writes.append((path, data, future))
            self.result.expected[path].append((offset, data))

    def _hold_back(self, future: Future[int]) -> None:
        """A write is acknowledged: have the thread that received this wait for the close.

        So it receives nothing more until then, and what is in flight stays in flight: a fast brick
        would have answered everything between the last write and the close.
        """
        if threading.current_thread() is not self._closer:
            self._closing.wait(PATIENCE)

    def _settle_accounts(self) -> None:
        """Look at every future: acknowledged, refused by the close, or something is wrong."""
        result = self.result
        result.writes = len(self._writes)
        for path, data, future in self._writes:
            if not future.done():
                result.failures.append(f"a write to {path!r} was never completed")
                acknowledged = False
            else:
                error = future.exception()
                acknowledged = error is None and future.result() == len(data)
                if isinstance(error, SessionClosedError):
                    result.refused += 1
                elif not acknowledged:
                    result.failures.append(f"a write to {path!r} ended with {error!r}")
            if acknowledged:
                result.acknowledged += 1
            else:
                expected = result.expected[path]
                result.expected[path] = [pair for pair in expected if pair[1] is not data]
        if not result.writes_at_close:
            result.failures.append("no write was in flight when the session was closed")
        if result.openers_at_close != OPENERS:
            result.failures.append("not every thread was opening files when the session was closed")
        if result.too_late != OPENERS:
            result.failures.append(f"only {result.too_late} of {OPENERS} threads were told")
        if result.report.handles_drained < HANDLES:
            result.failures.append(f"only {result.report.handles_drained} handles were drained")
        for handle in result.report.handles:
            if handle.error is not None:
                result.failures.append(f"{handle.path!r}: {handle.error!r}")
        result.failures += [f"defect: {defect}" for defect in result.report.defects]

    # -- threads ----------------------------------------------------------------------------------

    def _start(self, target: object, *args: object) -> threading.Thread:
        def run() -> None:
            try:
                target(*args)  # type: ignore[operator]
            except BaseException as error:
                with self._lock:
                    self.result.failures.append(f"a thread ended with {error!r}")

        thread = threading.Thread(target=run, name=f"demo-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _join(self, threads: list[threading.Thread]) -> None:
        for thread in threads:
            thread.join(PATIENCE)
        hung = sum(thread.is_alive() for thread in threads)
        if hung:
            self.result.failures.append(f"{hung} threads hang")
