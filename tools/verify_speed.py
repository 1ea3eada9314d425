"""How fast our checker is beside TLC with one worker: the same models, the same counts, in turns.

    python tools/verify_speed.py                 # every line, three rounds
    python tools/verify_speed.py --rounds 9 forms
    python tools/verify_speed.py --jar tla2tools.jar

Both are programs of their own, started anew each time; their starts are in. A round runs ours and then
TLC, and gives one ratio; what is printed is the median of these, the least and the greatest. Wall time
is what counts; processor time is told, too, for it changes less where others use the machine. A line
whose counts differ (generated, distinct, depth) fails. The exit status is the number of such lines.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from verify import EXPECTED, SPEC, installed_jar, run

from glusterio.verify.checking import Checking
from glusterio.verify.explore import explore


class Line(NamedTuple):
    """What is compared.

    Attributes:
        config: the configuration that both check.
        ours: how ours looks at it: ``states`` one by one, ``forms`` from which the counts of states
            follow, or the ``quickest`` way that there is.
        says: what that means.
    """

    config: str
    ours: str
    says: str


LINES = {
    "forms": Line(
        "DrainSteps/scale-6",
        "forms",
        "six files, the counts of all states: TLC looks at each; ours looks at forms, and counts"
        " how many states each stands for",
    ),
    "states": Line("DrainSteps/scale-6", "states", "six files: both look at each state"),
    "symmetric": Line("DrainSteps/scale-6-symmetric", "quickest", "six files: both look at forms"),
    "parts": Line(
        "Teardown/two",
        "quickest",
        "glusterio's own: both look at forms, ours part by part",
    ),
}


class Took(NamedTuple):
    """A run: its counts, its wall time and its processor time in seconds."""

    counts: tuple[int | None, int | None, int | None]
    wall: float
    processor: float


def look(config: str, way: str) -> None:
    """Check a configuration in this process, and print the counts."""
    checking = Checking(SPEC, config)
    ways = {
        "states": lambda: explore(checking.compiled),
        "forms": checking.counted,
        "quickest": checking.quickest,
    }
    result = ways[way]()
    if result.verdict != "holds":
        raise SystemExit(f"{config}: {result.verdict}")
    print(json.dumps([result.generated, result.distinct, result.depth]))


def ours(line: Line) -> Took:
    """Run our checker."""
    command = [sys.executable, __file__, "--look", line.config, line.ours]
    began, before = time.monotonic(), os.times()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    counts = json.loads(done.stdout)
    return Took(tuple(counts), time.monotonic() - began, _processor(before))


def tlc(jar: Path, line: Line) -> Took:
    """Run TLC with one worker."""
    checks = tomllib.loads(EXPECTED.read_text())["check"]
    check: dict[str, Any] = next(one for one in checks if one["config"] == line.config)
    began, before = time.monotonic(), os.times()
    outcome = run(jar, {**check, "workers": 1})
    counts = (outcome.generated, outcome.distinct, outcome.depth)
    return Took(counts, time.monotonic() - began, _processor(before))


def _processor(before: os.times_result) -> float:
    now = os.times()
    return now.children_user + now.children_system - before.children_user - before.children_system


def compare(jar: Path, name: str, rounds: int) -> bool:
    """Compare one line, print it; return whether all counts are the same."""
    line = LINES[name]
    pairs = [(ours(line), tlc(jar, line)) for _ in range(rounds)]
    same = len({run.counts for pair in pairs for run in pair}) == 1
    print(f"\n{name}: {line.config}; {line.says}")
    print("    generated, distinct, depth: " + " ".join(str(n) for n in pairs[0][0].counts))
    if not same:
        others = {run.counts for pair in pairs for run in pair} - {pairs[0][0].counts}
        print(f"    NOT THE SAME: {others}")
    for what in ("wall", "processor"):
        mine, its = ([getattr(pair[i], what) for pair in pairs] for i in (0, 1))
        ratios = sorted(b / a for a, b in zip(mine, its, strict=True))
        print(
            f"    {what:<9} ours {statistics.median(mine):6.2f} s, TLC {statistics.median(its):6.2f} s:"
            f" {statistics.median(ratios):.1f}x  ({ratios[0]:.1f} to {ratios[-1]:.1f},"
            f" {rounds} rounds)",
            flush=True,
        )
    return same


def main() -> int:
    """Run what was asked for; return the number of lines whose counts are not the same."""
    parser = argparse.ArgumentParser(description="Our checker beside TLC with one worker.")
    parser.add_argument(
        "lines", nargs="*", choices=[[], *LINES], help="lines; all, if none is named"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jar", type=Path, help="another TLC")
    parser.add_argument("--look", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.look:
        look(*arguments.look)
        return 0
    jar = arguments.jar or installed_jar()
    if jar is None or shutil.which("java") is None:
        parser.error("no TLC, or no Java: make verify sets both up")
    names = arguments.lines or list(LINES)
    return sum(not compare(jar.resolve(), name, max(1, arguments.rounds)) for name in names)


if __name__ == "__main__":
    sys.exit(main())
