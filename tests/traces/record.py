"""Record the corpus of traces: real sessions on a real brick.

    python -m tests.traces.record                  # all of tests/traces/corpus, anew
    python -m tests.traces.record threads-late     # these
    python -m tests.traces.record --to DIRECTORY

Every trace is followed through the specification, and one that does not fit is an error.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from glusterio.verify.fitting import fit, told
from glusterio.verify.shipped import SPEC
from glusterio.verify.traces import Line, dumped, read
from tests.api.drivers import DRIVERS
from tests.api.tap import Tap
from tests.embedded import start_brick
from tests.traces import changing, scenarios  # noqa: F401  # they fill SCENARIOS
from tests.traces.lives import lines_of
from tests.traces.running import SCENARIOS, Run

CORPUS = Path(__file__).parent / "corpus"


def names() -> list[str]:
    """What there is to record: a driver and a scenario."""
    return [f"{driver}-{name}" for name, (_, drivers) in SCENARIOS.items() for driver in drivers]


def record(name: str, place: Path) -> Iterator[tuple[str, list[Line]]]:
    """Run one scenario; yield the trace of each of its sessions, by name.

    Args:
        name: a driver and a scenario.
        place: an empty directory.
    """
    driver_name, _, scenario = name.partition("-")
    files = place / "brick"
    files.mkdir()
    driver = DRIVERS[driver_name]()
    with start_brick(files) as brick, Tap(("127.0.0.1", brick.brick_port)) as tap:
        run = Run(driver, brick, tap, place)
        try:
            SCENARIOS[scenario][0](run)
        finally:
            tap.let_go()
            driver.finish()
    for number, recorder in enumerate(run.sessions):
        further = f"-{number + 1}" if number else ""
        yield name + further, lines_of(recorder.records)
        child = place / f"child-{number}.ndjson"
        if child.exists():
            yield f"{name}{further}-child", read(child.read_text())


def main() -> int:
    """Record what was asked for; return how many traces do not fit."""
    parser = argparse.ArgumentParser(description="Record the corpus of traces.")
    parser.add_argument("only", nargs="*", help="names of what to record", default=[])
    parser.add_argument("--to", type=Path, default=CORPUS)
    arguments = parser.parse_args()
    arguments.to.mkdir(exist_ok=True)
    wrong = 0
    for asked in arguments.only or names():
        with tempfile.TemporaryDirectory(prefix="glusterio-traces-") as place:
            for name, lines in record(asked, Path(place)):
                found = fit(SPEC, lines)
                wrong += not found.accepted
                print(f"{name:<44} " + "\n".join(told(lines, found)), flush=True)
                (arguments.to / f"{name}.ndjson").write_text(dumped(lines))
    return wrong


if __name__ == "__main__":
    sys.exit(main())
