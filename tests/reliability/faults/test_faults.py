"""The fault matrix: each fault, on each driver, in the middle of each activity."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.reliability.faults.rounds import Cell, Figures
from tests.reliability.faults.table import FAULTS

ROUNDS = int(os.environ.get("ROUNDS") or 1)

#: In sum over the drivers 20 are asked for.
RESTARTS = 10


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FAULTS)
def test_fault(tmp_path: Path, record: Callable[..., None], column: str, name: str) -> None:
    """A fault on a driver, in the middle of each activity, side by side: most of each is waiting."""
    fault = FAULTS[name]
    if fault.small is not None and os.geteuid() != 0:
        pytest.skip("a small file system is mounted by root alone")

    def one(activity: str) -> Figures:
        return Cell(tmp_path / activity, fault, column, activity).run(ROUNDS)

    with ThreadPoolExecutor(len(fault.activities)) as pool:
        found = dict(zip(fault.activities, pool.map(one, fault.activities), strict=True))
    wrong = []
    for activity, figures in found.items():
        record("faults", fault=name, driver=column, activity=activity, **figures.told())
        wrong += [f"{activity}: {line}" for line in figures.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(300)
def test_killed_and_restarted_under_eight_writers(
    tmp_path: Path, record: Callable[..., None], column: str
) -> None:
    """What is asked for: 0 synced bytes lost, 0 handles leaked, 0 hangs."""
    cell = Cell(tmp_path, FAULTS["killed, restarted"], column, "writing", writers=8)
    figures = cell.run(RESTARTS)
    record("restarts", driver=column, **figures.told())
    assert not figures.wrong, "\n".join(figures.wrong)
    assert (figures.rounds, figures.lost, figures.leaked, figures.hangs) == (RESTARTS, 0, 0, 0)
    assert figures.synced > RESTARTS * 8
