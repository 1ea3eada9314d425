"""The fault matrix: each fault, on each driver, in the middle of each activity."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.api.drivers import DRIVERS
from tests.reliability.faults.rounds import Cell, Figures
from tests.reliability.faults.table import FAULTS

#: How many cells are run side by side; each starts bricks.
TOGETHER = 4

ROUNDS = int(os.environ.get("ROUNDS") or 1)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FAULTS)
def test_fault(tmp_path: Path, record: Callable[..., None], name: str) -> None:
    """All cells of a fault, some side by side: most of each is waiting."""
    fault = FAULTS[name]
    if fault.small is not None and os.geteuid() != 0:
        pytest.skip("a small file system is mounted by root alone")
    cells = [(driver, activity) for driver in sorted(DRIVERS) for activity in fault.activities]

    def one(cell: tuple[str, str]) -> Figures:
        driver, activity = cell
        return Cell(tmp_path / f"{driver}-{activity}", fault, driver, activity).run(ROUNDS)

    with ThreadPoolExecutor(TOGETHER) as pool:
        found = dict(zip(cells, pool.map(one, cells), strict=True))
    wrong = []
    for (driver, activity), figures in found.items():
        record("faults", fault=name, driver=driver, activity=activity, **figures.told())
        wrong += [f"{driver}, {activity}: {line}" for line in figures.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("driver", sorted(DRIVERS))
def test_killed_and_restarted_under_eight_writers(
    tmp_path: Path, record: Callable[..., None], driver: str
) -> None:
    """What is asked for: 20 rounds, 0 synced bytes lost, 0 handles leaked, 0 hangs."""
    rounds = 20 // len(DRIVERS)
    cell = Cell(tmp_path, FAULTS["killed, restarted"], driver, "writing", writers=8)
    figures = cell.run(rounds)
    record("restarts", driver=driver, **figures.told())
    assert not figures.wrong, "\n".join(figures.wrong)
    assert (figures.rounds, figures.lost, figures.leaked, figures.hangs) == (rounds, 0, 0, 0)
    assert figures.synced > rounds * 8
