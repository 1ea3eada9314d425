"""A fault in the middle of many writers, again and again, with its figures.

``python -m tests.reliability.faults`` is what is asked for: a brick killed and started again under 8
writers, 20 rounds. ``--fault reset --driver asyncio --rounds 5 --activity reading`` is another cell.
It ends with status 1 when a synced byte was lost, a handle leaked, or a call hung.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from pathlib import Path

from tests.reliability.columns import COLUMNS
from tests.reliability.faults.rounds import Cell, Figures
from tests.reliability.faults.table import ACTIVITIES, FAULTS


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fault", choices=FAULTS, default="killed, restarted")
    parser.add_argument("--driver", choices=[*COLUMNS, "each"], default="each")
    parser.add_argument("--activity", choices=ACTIVITIES, default="writing")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--writers", type=int, default=8)
    options = parser.parse_args()
    drivers = list(COLUMNS) if options.driver == "each" else [options.driver]
    if "uvloop" in drivers and importlib.util.find_spec("uvloop") is None:
        print("uvloop is not installed: left out", file=sys.stderr)
        drivers.remove("uvloop")
    good = True
    for driver in drivers:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as place:
            cell = Cell(
                Path(place), FAULTS[options.fault], driver, options.activity, options.writers
            )

            def progress(figures: Figures) -> None:
                print(f"\r{figures.rounds} rounds", end="", file=sys.stderr, flush=True)

            figures = cell.run(options.rounds, progress)
        print(file=sys.stderr)
        print(
            f"{options.fault}, under {options.writers} workers ({options.activity}), {driver}:"
            f" {figures.rounds} rounds in {time.monotonic() - began:.0f} s,"
            f" {figures.calls:,} calls answered, {sum(figures.errors.values()):,} failed,"
            f" {figures.synced:,} blocks synced: {figures.lost} lost,"
            f" {figures.leaked} rounds leaked, {figures.hangs} calls hung"
        )
        for line in figures.wrong:
            print(f"  {line}")
        good = good and not figures.wrong
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
