"""The specification that is shipped, and what is expected of each of its configurations.

It travels with the package, in ``glusterio/spec``; ``expected.toml`` there names every configuration,
its verdict and its counts, which are TLC's.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glusterio.verify.checking import Checking
from glusterio.verify.explore import Result

#: The directory with the modules.
SPEC = Path(__file__).parent.parent / "spec"

#: The counterexample that this project starts from: what libgfapi leaves open.
SEED = "FdLifecycle/no-drain"

HOLDS = "holds"


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of a configuration.

    Attributes:
        config: its name: ``Teardown/one``.
        verdict: ``holds``, or what must be violated.
        counts: ``generated``, ``distinct`` and ``depth``, as far as they are pinned.
        long: whether it takes so long that it is left out unless it is asked for.
    """

    config: str
    verdict: str
    counts: Mapping[str, int]
    long: bool = False

    @property
    def cost(self) -> int:
        """The bigger, the longer it takes."""
        return self.counts.get("generated", 0)


def expected(spec: Path = SPEC) -> list[Expected]:
    """Return what is expected of every configuration, the quickest first.

    Raises:
        OSError: there is no ``expected.toml`` in that directory.
        tomllib.TOMLDecodeError: it cannot be read.
    """
    checks = tomllib.loads((spec / "expected.toml").read_text(encoding="utf-8"))["check"]
    found = [
        Expected(
            check["config"],
            check["verdict"],
            {name: check[name] for name in ("generated", "distinct", "depth") if name in check},
            check.get("long", False),
        )
        for check in checks
    ]
    return sorted(found, key=lambda one: one.cost)


def chosen(
    all_of_them: Sequence[Expected], names: Sequence[str], long: bool = False
) -> list[Expected]:
    """Return those that are named; without names, all but what takes long.

    Args:
        all_of_them: what there is to choose from.
        names: each is a configuration's, or what the names of several begin with; what takes long is
            among these only if its name is given in full.
        long: whether what takes long is among those that are not named in full, too.

    Raises:
        LookupError: no configuration is named so; the message says how.
    """
    left_out = {one.config for one in all_of_them if one.long and not long}
    wanted: set[str] = set()
    for name in names:
        found = {one.config for one in all_of_them if one.config.startswith(name)}
        if not found:
            raise LookupError(f"no configuration begins with {name!r}")
        wanted |= {name} if name in found else found - left_out
    if not names:
        wanted = {one.config for one in all_of_them} - left_out
    return [one for one in all_of_them if one.config in wanted]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found of a configuration.

    Attributes:
        expected: what was expected.
        checking: the configuration.
        result: the verdict, the counts, and the counterexample.
        wrong: in words, what is not as expected.
        seconds: how long it took.
    """

    expected: Expected
    checking: Checking
    result: Result
    wrong: tuple[str, ...]
    seconds: float


def check(one: Expected, spec: Path = SPEC) -> Outcome:
    """Look at a configuration.

    Raises:
        SpecError: it holds what this checker cannot read.
        OSError: a file of it is not there.
    """
    began = time.perf_counter()
    checking = Checking(spec, one.config)
    # What is violated is found in TLC's order: its counts are those up to the violation.
    result = checking.quickest() if one.verdict == HOLDS else checking.run()
    found = {"verdict": result.verdict, "generated": result.generated}
    found |= {"distinct": result.distinct, "depth": result.depth}
    wrong = tuple(
        f"{what} {found[what]}, not {right}"
        for what, right in {"verdict": one.verdict, **one.counts}.items()
        if found[what] != right
    )
    return Outcome(one, checking, result, wrong, time.perf_counter() - began)
