"""A sample of the table of outcomes (``make reliability`` runs all of it): what a close at exit needs.

They run side by side, since most of each is waiting.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.embedded import BrickProcess
from tests.reliability.outcomes.judge import Found, run
from tests.reliability.outcomes.table import EVENTS

SAMPLE = [
    ("end of main", "threads", "closing"),
    ("sys.exit", "asyncio", "writing"),
    ("unhandled exception", "both", "reading"),
    ("pickle", "threads", "idle"),
    ("fork, the child uses it", "both", "writing"),
    ("SIGINT", "asyncio", "closing"),
]


def test_a_sample(brick: BrickProcess, tmp_path: Path) -> None:
    def one(cell: tuple[str, str, str]) -> Found:
        event, driver, situation = cell
        outcome = EVENTS[event].outcome(driver, situation)
        return run(brick, tmp_path, event, driver, situation, outcome)

    with ThreadPoolExecutor(len(SAMPLE)) as pool:
        all_found = dict(zip(SAMPLE, pool.map(one, SAMPLE), strict=True))
    wrong = {cell: found.wrong for cell, found in all_found.items() if found.wrong}
    assert not wrong, wrong
    brick.wait_for(fds=0, locks=0)
