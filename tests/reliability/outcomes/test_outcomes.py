"""Each cell of the table: what happens, to whom, in the middle of what, and what is to be seen then.

One test is an event on a driver, in all its situations, four at a time: most of a cell is waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.embedded import BrickProcess
from tests.reliability.outcomes.judge import Found, run
from tests.reliability.outcomes.table import ELSEWHERE, EVENTS

ROOT = Path(__file__).parents[3]

TOGETHER = 4


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("event", "column"),
    [(name, driver) for name, event in EVENTS.items() for driver in event.drivers],
    indirect=["column"],
)
def test_outcome(
    brick: BrickProcess, tmp_path: Path, record: Callable[..., None], event: str, column: str
) -> None:
    about = EVENTS[event]

    def one(situation: str) -> Found:
        return run(brick, tmp_path, event, column, situation, about.outcome(column, situation))

    with ThreadPoolExecutor(TOGETHER) as pool:
        where = about.where(column)
        all_found = dict(zip(where, pool.map(one, where), strict=True))
    for situation, found in all_found.items():
        record(
            "outcomes",
            event=event,
            driver=column,
            situation=situation,
            passed=not found.wrong,
            seconds=round(found.seconds, 2),
        )
    wrong = {situation: found.wrong for situation, found in all_found.items() if found.wrong}
    assert not wrong, "\n".join(
        f"{situation}: {line}" for situation, lines in wrong.items() for line in lines
    )
    counts = brick.wait_for(fds=0, locks=0)
    assert not counts["clients"]


@pytest.mark.parametrize(("what", "path", "name"), ELSEWHERE)
def test_what_is_tested_elsewhere_is_there(what: str, path: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), what
