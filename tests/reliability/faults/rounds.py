"""Runs a cell of the fault matrix: a fault, a driver, an activity, so many times."""

from __future__ import annotations

import concurrent.futures
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glusterio.errors import GlusterError
from tests.api.drivers import Driver
from tests.reliability.columns import COLUMNS
from tests.reliability.faults.table import After, Fault
from tests.reliability.faults.users import Users, call
from tests.reliability.faults.venue import Venue
from tests.reliability.faults.work import BLOCKS, Seen, Work, block, lost

#: What a call waits for a brick that is away, and what no call may take longer than, in seconds.
CALL_PATIENCE = 5.0
HANG = 20.0

WRITERS = 4


@dataclass
class Figures:
    """What came of all rounds.

    Attributes:
        rounds: how many there were.
        calls: how many calls were answered.
        errors: how many ended with an error, by its class.
        synced: blocks that were acknowledged and synced.
        lost: of those, how many were not there.
        leaked: rounds after which the brick held something.
        hangs: calls that took longer than they may.
        wrong: all that was otherwise than it should be.
    """

    rounds: int = 0
    calls: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    synced: int = 0
    lost: int = 0
    leaked: int = 0
    hangs: int = 0
    wrong: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """Return them as plain values."""
        return {
            "rounds": self.rounds, "calls": self.calls, "errors": dict(self.errors),
            "synced": self.synced, "lost": self.lost, "leaked": self.leaked, "hangs": self.hangs,
            "wrong": len(self.wrong),
        }  # fmt: skip


class Cell:
    """One cell.

    Args:
        place: a directory for what its bricks need.
        fault: the fault.
        driver: one of ``COLUMNS``.
        activity: in the middle of what it comes.
        writers: how many readers or writers there are.
    """

    def __init__(
        self, place: Path, fault: Fault, driver: str, activity: str, writers: int = WRITERS
    ) -> None:
        self.place = place
        self.fault = fault
        self.driver_name = driver
        self.activity = activity
        self.writers = writers
        self.figures = Figures()

    def run(self, rounds: int, progress: Callable[[Figures], None] | None = None) -> Figures:
        """Run so many rounds, each with a brick and a session of its own."""
        for number in range(rounds):
            driver = COLUMNS[self.driver_name]()
            place = self.place / f"round-{number}"
            try:
                with Venue(place, self.fault.small, self.fault.by_daemon) as venue:
                    try:
                        self._round(venue, driver, number)
                    finally:
                        driver.finish()
            finally:
                self.figures.rounds += 1
            if progress is not None:
                progress(self.figures)
        return self.figures

    # -- one round --------------------------------------------------------------------------------

    def _round(self, venue: Venue, driver: Driver, number: int) -> None:
        figures, fault = self.figures, self.fault
        (venue.directory / "read").write_bytes(
            b"".join(block("read", number) for number in range(BLOCKS))
        )
        defers = self.activity == "closing" or (number % 2 == 0) == (driver.name != "asyncio")
        options: Any = {"performance.write-behind": "on" if defers else "off"}
        vol = driver.connect(venue.url, options=options, patience=CALL_PATIENCE)
        seen = Seen()
        work = Work(vol, seen, fault.errors, goes_on=fault.after is not After.GONE)
        venue.users = Users(driver, vol, work)
        getattr(self, f"_{self.activity}")(venue, driver, vol, work)
        figures.calls += seen.calls
        figures.errors += seen.errors
        figures.wrong += seen.wrong + seen.unexpected + venue.users.wrong
        if left := venue.held(HANG):
            figures.leaked += 1
            figures.wrong.append(f"the brick holds {left}")
        for name, count in seen.synced.items():
            figures.synced += count
            gone = lost(venue.paths(name), name, count)
            figures.lost += len(gone)
            if gone:
                figures.wrong.append(f"{name}: of {count} synced blocks {gone} are not there")

    def _happen(self, venue: Venue) -> None:
        self.fault.begin(venue)
        time.sleep(self.fault.seconds)  # that is how long the fault lasts
        self.fault.end(venue)

    def _close(self, driver: Driver, vol: Any) -> Any:
        """Close, in time, or see what came of it; and look at the report."""
        report = self._result(driver.start(vol.close, timeout=5.0, grace=1.0), "close")
        if report is None:
            return None
        if report.defects:
            self.figures.wrong.append(f"defects: {report.defects}")
        for error in report.errors:
            # What the report may hold: what is said of calls, and what was lost with the connection.
            name = type(error).__name__
            if name not in (*self.fault.errors, "ConnectionLostError"):
                self.figures.wrong.append(f"in the report: {name}: {error}")
        return report

    def _result(self, future: Future[Any], what: str) -> Any:
        try:
            return future.result(HANG)
        except concurrent.futures.TimeoutError:
            if future.done():
                raise
            self.figures.hangs += 1
            self.figures.wrong.append(f"{what} hangs")
            return None

    def _until(self, condition: Callable[[], bool], workers: list[Future[Any]]) -> None:
        deadline = time.monotonic() + HANG
        while not condition() and not all(worker.done() for worker in workers):
            if time.monotonic() > deadline:
                self.figures.hangs += 1
                self.figures.wrong.append("the workers do not get on")
                return
            time.sleep(0.005)

    # -- activities -------------------------------------------------------------------------------

    def _idle(self, venue: Venue, driver: Driver, vol: Any, work: Work) -> None:
        file = driver.do(vol.open_handle, "read")
        waits = driver.name != "threads"
        holders = [venue.users.start(work.hold, "read", waits) for _ in range(self.writers)]
        self._until(lambda: work.seen.calls >= len(holders), holders)
        self._happen(venue)
        self._usable(venue, file, work)
        work.seen.stop = True
        for holder in holders:
            self._result(holder, "a holder")
        self._close(driver, vol)

    def _reading(self, venue: Venue, driver: Driver, vol: Any, work: Work) -> None:
        readers = [venue.users.start(work.read, "read", number) for number in range(self.writers)]
        self._during(venue, driver, vol, work, readers)

    def _writing(self, venue: Venue, driver: Driver, vol: Any, work: Work) -> None:
        writers = [
            venue.users.start(work.write, f"write-{number}") for number in range(self.writers)
        ]
        self._during(venue, driver, vol, work, writers)

    def _during(
        self, venue: Venue, driver: Driver, vol: Any, work: Work, workers: list[Future[Any]]
    ) -> None:
        seen = work.seen
        file = driver.do(vol.open_handle, "read")
        self._until(lambda: seen.calls > 20 * len(workers), workers)
        self._happen(venue)
        before = seen.calls
        if work.goes_on:
            self._until(lambda: seen.calls > before + 20 * len(workers), workers)
        seen.stop = True
        for worker in workers:
            self._result(worker, "a worker")
        self._usable(venue, file, work)
        self._close(driver, vol)

    def _closing(self, venue: Venue, driver: Driver, vol: Any, work: Work) -> None:
        """What a file lacks that was written is named in the report."""
        names = [f"close-{number}" for number in range(8)]
        files = self._result(venue.users.start(work.open_many, names), "opening")
        work.seen.calls += 8 * 9
        if self.fault.close_in is None:
            closing = venue.users.start(work.end, 5.0, 1.0)
            self._happen(venue)
        else:
            self.fault.begin(venue)
            closing = venue.users.start(work.end, self.fault.close_in, self.fault.close_in / 2)
            time.sleep(self.fault.seconds)
            self.fault.end(venue)
        self._result(closing, "the close that it came to")
        report = self._close(driver, vol)  # what it has come to, also if nobody was left to hear it
        del files  # until here somebody had them
        if report is None:
            return
        for name in names:
            gone = lost(venue.paths(name), name, work.seen.written.get(name, 0))
            named = any(
                name in f"{error} {getattr(error, 'filename', '')}" for error in report.errors
            )
            if gone and not named:
                self.figures.wrong.append(f"{name} lacks blocks {gone}, and the report: {report}")

    def _usable(self, venue: Venue, file: Any, work: Work) -> None:
        """See what the session is good for now."""
        after = self.fault.after
        if self.activity == "idle" and self.fault.idle is not None:
            after = self.fault.idle
        vol = work.vol

        def outcome(function: Any, *args: Any) -> str:
            future = venue.users.start(call, function, *args)
            try:
                result = future.result(HANG)
            except concurrent.futures.TimeoutError:
                self.figures.hangs += 1
                return "hangs"
            except (OSError, GlusterError) as error:
                return type(error).__name__
            return (
                "result" if function != file.pread or result == block("read", 1) else "wrong bytes"
            )

        path, handle = outcome(vol.stat, "/"), outcome(file.pread, 4096, 4096)
        wanted: dict[After, tuple[tuple[str, ...], tuple[str, ...]]] = {
            After.UNHARMED: (("result",), ("result",)),
            After.OTHERS: (("result",), ("result",)),
            After.BACK: (("result",), ("result",)),
            After.READABLE: (("result",), ("result",)),
            After.STALE: (("result",), ("HandleStaleError",)),
            After.GONE: (self.fault.errors, self.fault.errors),
        }
        paths, handles = wanted[after]
        if path not in paths:
            self.figures.wrong.append(f"a call by path: {path}, not {paths}")
        if handle not in handles:
            self.figures.wrong.append(f"a call of a file: {handle}, not {handles}")
        if self.fault.by_daemon and not venue.users.follows(HANG):
            self.figures.wrong.append("no management daemon is followed any more")
