"""Whether planted defects are found, and by whom: ``python -m tests.explore.mutants``.

Each of :mod:`tests.explore.planted` is made in a process of its own, which then lives random lives:
once with the explorer's invariants, until one of them is violated, and once without, when only the
trace is looked at: by the monitor, and by following it through the specification. The third judge is
the specification itself: the configuration in which the same guard is missing has to be one that is
violated (``make verify`` shows that it is).

The table goes to ``docs/mutants.md`` with ``--write``; where only some are judged, the rows of the
others stay there as they are (:mod:`tests.explore.mutants_page`).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from tests.explore.mutants_page import Verdict, row, write
from tests.explore.planted import PLANTED, Change, Planted

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "spec"

#: Random lives, at most, before a judge gives up.
LIVES = 3000

#: How many traces are followed through the specification, which takes a hundred times as long.
FOLLOWED = 60

#: In seconds: a defect may also show in that nothing comes to an end.
PATIENCE = 240


# -- planting -------------------------------------------------------------------------------------


def source_of(module: str) -> Path:
    """Return the file of a module."""
    return ROOT / "src" / (module.replace(".", "/") + ".py")


def changed(text: str, changes: Sequence[Change]) -> str:
    """Return a module's source with its changes.

    Raises:
        ValueError: what is to be replaced is not there exactly once.
    """
    for change in changes:
        found = text.count(change.old)
        if found != 1:
            raise ValueError(f"{change.module}: found {found} times: {change.old!r}")
        text = text.replace(change.old, change.new)
    return text


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module whose source is not what its file says."""

    def __init__(self, module: str, changes: Sequence[Change]) -> None:
        super().__init__(module, str(source_of(module)))
        self.changes = changes

    def get_source(self, fullname: str) -> str:
        return changed(Path(self.path).read_text("utf-8"), self.changes)

    def get_code(self, fullname: str) -> CodeType | None:
        return compile(self.get_source(fullname), self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, planted: Planted) -> None:
        self.planted = planted

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        changes = [change for change in self.planted.changes if change.module == fullname]
        if not changes:
            return None
        loader = _Loader(fullname, changes)
        return importlib.machinery.ModuleSpec(fullname, loader, origin=loader.path)


def plant(planted: Planted) -> None:
    """Have a defect in this process, which has imported nothing of glusterio yet."""
    assert not any(name.partition(".")[0] == "glusterio" for name in sys.modules)
    sys.meta_path.insert(0, _Finder(planted))


# -- judging, in a process of its own --------------------------------------------------------------


def judge(planted: Planted, lives: int) -> Verdict:
    """Have the explorer and the trace judge a defect that is planted here."""
    logging.getLogger("glusterio").setLevel(logging.CRITICAL)
    if planted.test:
        return Verdict(test=planted.test if _fails(planted.test) else "")
    explorer, replay, count = _explored(planted, lives)
    trace, monitored = _traced(planted, lives)
    return Verdict(explorer, replay, count, trace, monitored)


def _fails(test: str) -> bool:
    """Run a test here, where the defect is planted."""
    import pytest

    with contextlib.redirect_stdout(sys.stderr):
        status = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "--timeout=100", test])
    return status == pytest.ExitCode.TESTS_FAILED


def _turns(planted: Planted, lives: int) -> Iterator[tuple[str, int]]:
    """The scenarios in turns, each with seeds of its own."""
    from tests.explore.scenarios import RANDOM

    names = planted.scenarios or RANDOM
    for number in range(lives):
        yield names[number % len(names)], number // len(names)


def _explored(planted: Planted, lives: int) -> tuple[str, str, int]:
    from tests.explore.scenarios import SCENARIOS
    from tests.explore.search import search_at_random
    from tests.explore.shrink import shrink

    for count, (name, seed) in enumerate(_turns(planted, lives), 1):
        try:
            failure = next(search_at_random(SCENARIOS[name], range(seed, seed + 1)), None)
        except Exception as error:  # the life itself could not go on
            return f"{type(error).__name__}: {error}", f"{name}, seed {seed}", count
        if failure is not None:
            shrunk = shrink(SCENARIOS[name], failure)
            return shrunk.problems[0], shrunk.line, count
    return "", "", 0


def _traced(planted: Planted, lives: int) -> tuple[str, int]:
    import tests.explore.world as world_module
    from glusterio.lifecycle.monitor import Monitor
    from glusterio.verify.fitting import fit
    from glusterio.verify.traces import Line
    from tests.explore.scenarios import SCENARIOS
    from tests.explore.search import at_random
    from tests.explore.world import World

    # The trace alone: nothing else is looked at.
    for look in ("after_step", "after_end", "after_fork"):
        setattr(world_module, look, lambda _: [])
    for count, (name, seed) in enumerate(_turns(planted, lives), 1):
        world = World(SCENARIOS[name])
        with contextlib.suppress(Exception):  # what had happened until then is to be judged
            world.run(at_random(random.Random(f"{name} {seed}")))
        records = world.records
        monitor = Monitor()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for record in records:
                monitor(record)
        if monitor.wrong is not None:
            return monitor.wrong, count
        if count <= FOLLOWED:
            lines = [Line(**record._asdict()) for record in records]
            found = fit(SPEC, lines)
            if not found.accepted:
                return f"line {found.line}, {lines[found.line - 1]}: {found.why}", count
    return "", 0


def _in_child(name: str, lives: int) -> None:
    planted = {each.name: each for each in PLANTED}[name]
    plant(planted)
    print(json.dumps(judge(planted, lives)))


# -- all of them ----------------------------------------------------------------------------------


def judged(planted: Planted, lives: int) -> Verdict:
    """Judge a defect in a process of its own.

    Raises:
        RuntimeError: the process ended with an error.
    """
    if not planted.changes:
        return Verdict()
    command = [sys.executable, "-m", "tests.explore.mutants", "--judge", planted.name]
    try:
        done = subprocess.run(
            [*command, "--lives", str(lives)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Verdict(explorer="TeardownEnds: nothing comes to an end", lives=1)
    if (
        done.returncode == -signal.SIGSEGV
    ):  # coroutines that wait for each other without end: the stack
        return Verdict(explorer="TeardownEnds: the process ends by SIGSEGV", lives=1)
    if done.returncode:
        raise RuntimeError(f"{planted.name}: {done.stderr[-2000:]}")
    return Verdict(*json.loads(done.stdout.splitlines()[-1]))


def specified() -> dict[str, str]:
    """Return, by guard, what the specification without it violates."""
    expected: list[dict[str, Any]] = tomllib.loads((SPEC / "expected.toml").read_text())["check"]
    prefix = "Teardown/without-"
    return {
        each["config"].removeprefix(prefix): each["verdict"] if each["verdict"] != "holds" else ""
        for each in expected
        if each["config"].startswith(prefix)
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: whether a defect survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.explore.mutants")
    parser.add_argument("names", nargs="*", help="which; by default all")
    parser.add_argument("--lives", type=int, default=LIVES, help="how many random lives at most")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the table there")
    parser.add_argument("--judge", metavar="NAME", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.judge:
        _in_child(given.judge, given.lives)
        return 0
    chosen = [each for each in PLANTED if not given.names or each.name in given.names]
    violated = specified()
    survivors, unjudged = [], []
    rows = []
    with ThreadPoolExecutor(given.jobs) as pool:
        verdicts = pool.map(lambda each: _judged_or_why(each, given.lives), chosen)
        for planted, verdict in zip(chosen, verdicts, strict=True):
            if isinstance(verdict, RuntimeError):  # the others shall be judged all the same
                print(f"{planted.name}: NOT JUDGED\n    {verdict}", flush=True)
                unjudged.append(planted.name)
                continue
            guard = violated.get(planted.guard, "") if planted.guard else ""
            caught = [
                who
                for who, by in (
                    ("explorer", verdict.explorer),
                    ("trace", verdict.trace),
                    ("specification", guard),
                    ("a test", verdict.test),
                )
                if by
            ]
            print(f"{planted.name}: {', '.join(caught) or 'SURVIVES'}", flush=True)
            for what in (verdict.explorer, verdict.replay, verdict.trace):
                if what:
                    print(f"    {what}")
            if not caught:
                survivors.append(planted.name)
            rows.append(row(planted, verdict, guard))
    if given.write is not None:
        write(given.write, rows)
    print(
        f"{len(chosen)} planted defects, {len(rows) - len(survivors)} found"
        + (f"; by nobody: {', '.join(survivors)}" if survivors else "")
        + (f"; not judged: {', '.join(unjudged)}" if unjudged else "")
    )
    return 1 if survivors or unjudged else 0


def _judged_or_why(planted: Planted, lives: int) -> Verdict | RuntimeError:
    """Judge a defect; return the error if that cannot be done."""
    try:
        return judged(planted, lives)
    except RuntimeError as error:
        return error


if __name__ == "__main__":
    sys.exit(main())
