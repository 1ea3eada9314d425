"""``glusterio verify``: the lifecycle's specification, checked by whoever wants to know.

The checker is :mod:`glusterio.verify`; here is what it says of itself while it works, and afterwards.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import typer

from glusterio.cli import output
from glusterio.cli.errors import CommandError, PartlyFailedError, trying_to
from glusterio.cli.output import tell
from glusterio.verify.explore import Result
from glusterio.verify.fitting import fit
from glusterio.verify.fitting import told as told_of_trace
from glusterio.verify.life import life
from glusterio.verify.shipped import HOLDS, SEED, Expected, check, chosen, expected
from glusterio.verify.tla import SpecError
from glusterio.verify.told import Counterexample
from glusterio.verify.told import tell as told_of
from glusterio.verify.traces import read


class Options(NamedTuple):
    """What was asked for.

    Attributes:
        spec: the directory with the modules.
        names: what the configurations' names begin with; nothing for all.
        show: whether counterexamples are told.
        html: where a page with the counterexamples goes, if anywhere.
    """

    spec: Path
    names: Sequence[str]
    show: bool
    html: Path | None


def list_configurations(spec: Path, names: Sequence[str]) -> None:
    """Tell of every configuration its verdict, and what it shows."""
    for one in _asked(spec, names, long=True):
        first = (spec / f"{one.config}.cfg").read_text(encoding="utf-8").partition("\n")[0]
        purpose = first.removeprefix("\\*").strip()
        if one.long:
            purpose += " (Takes half a minute: only if it is named.)"
        record = {"config": one.config, "expected": one.verdict, "shows": purpose}
        tell(record, f"{one.config:<36} {_verdict(one.verdict):<33} {purpose}")


def verify(options: Options) -> None:
    """Check configurations, and tell of each what was found.

    Raises:
        PartlyFailedError: something is not as expected.
        CommandError: it cannot be read, or the page cannot be written.
    """
    asked = _asked(options.spec, options.names)
    began = time.monotonic()
    wrong = 0
    violations: list[Counterexample] = []
    with _Progress() as progress, _checked(asked, options.spec) as checked:
        for number, one in enumerate(asked, 1):
            progress.say(f"{number} of {len(asked)}: {one.config}")
            try:
                outcome = next(checked)
            except SpecError as error:
                raise CommandError(f"cannot read {one.config}: {error}") from error
            wrong += bool(outcome.wrong)
            example = outcome.example
            if example is not None:
                violations.append(example)
            shown = example if options.show else None
            progress.say("")
            tell(_record(outcome, shown), "\n".join(_lines(outcome, shown)))
    _conclude(options, len(asked), violations, wrong, time.monotonic() - began)
    if options.html is not None:
        write_page(options.html, violations)
    if wrong:
        raise PartlyFailedError


class Checked(NamedTuple):
    """What was found of a configuration, as one process can tell another.

    Attributes:
        expected: what was expected.
        result: the verdict and the counts.
        wrong: in words, what is not as expected.
        seconds: how long it took.
        example: the counterexample, if there is one.
    """

    expected: Expected
    result: Result
    wrong: tuple[str, ...]
    seconds: float
    example: Counterexample | None


@contextmanager
def _checked(asked: Sequence[Expected], spec: Path) -> Iterator[Iterator[Checked]]:
    """Check configurations, in their order, on all processors that there are."""
    processors = min(len(asked), len(os.sched_getaffinity(0)))
    if processors < 2:
        yield map(_check, asked, [spec] * len(asked))
        return
    # By fork: it needs no further process that would outlive the pool.
    pool = ProcessPoolExecutor(processors, get_context("fork"))
    try:
        yield pool.map(_check, asked, [spec] * len(asked))
    finally:
        pool.shutdown(cancel_futures=True)


def _check(one: Expected, spec: Path) -> Checked:
    outcome = check(one, spec)
    example = told_of(outcome.checking, outcome.result) if outcome.result.trace else None
    result = replace(outcome.result, trace=[])
    return Checked(one, result, outcome.wrong, outcome.seconds, example)


def follow(spec: Path, paths: Sequence[Path], html: Path | None) -> None:
    """Tell of each trace whether it is a behaviour of the specification.

    Args:
        spec: the directory with the modules.
        paths: the traces.
        html: where a page with the lives that they tell of goes, if anywhere.

    Raises:
        PartlyFailedError: one is not.
        CommandError: one cannot be read, or is no trace.
    """
    rejected = 0
    lives: list[Counterexample] = []
    for path in paths:
        with trying_to("read", str(path)):
            lines = read(path.read_text(encoding="utf-8"))
        found = fit(spec, lines)
        rejected += not found.accepted
        if html is not None:
            lives.append(life(spec, lines, path.name))
        said = list(told_of_trace(lines, found))
        record = {"trace": str(path), "fits": found.accepted, "line": found.line, "why": found.why}
        possible = [act for act, _, _ in found.possible]
        tell(record | {"possible": list(dict.fromkeys(possible))}, f"{path}: " + "\n".join(said))
    if html is not None:
        write_page(html, lives)
    if rejected:
        raise PartlyFailedError


def write_page(path: Path, violations: Sequence[Counterexample]) -> None:
    """Write the page with these; the seed's counterexample comes first."""
    from glusterio.verify.page import page

    if not violations:
        raise CommandError("nothing was violated: there is no counterexample for a page")
    inorder = sorted(violations, key=lambda one: one.config != SEED)
    text = page(inorder)
    with trying_to("write", str(path)):
        path.write_text(text, encoding="utf-8")


def _asked(spec: Path, names: Sequence[str], long: bool = False) -> list[Expected]:
    with trying_to("read the specification in", str(spec)):
        everything = expected(spec)
    try:
        return chosen(everything, names, long)
    except LookupError as error:
        raise typer.BadParameter(f"{error}; --list tells them all") from None


def _verdict(verdict: str) -> str:
    return HOLDS if verdict == HOLDS else f"violates {verdict}"


def _lines(outcome: Checked, example: Counterexample | None) -> Iterator[str]:
    one, result = outcome.expected, outcome.result
    line = f"{one.config:<36} {_verdict(result.verdict):<33}"
    line += f" {result.distinct:>8,} states, depth {result.depth:>2} {outcome.seconds:6.2f} s"
    if outcome.wrong:
        line += f"   NOT AS EXPECTED: {'; '.join(outcome.wrong)}"
    yield line
    if example is not None:
        yield from _story(example)


def _story(example: Counterexample) -> Iterator[str]:
    yield ""
    yield f"     {example.purpose}"
    yield from example.lines()
    ends = "From here on it never comes to what it should: " if example.liveness else ""
    yield f"     {ends}{example.violated} is violated. It says: {example.property_words}"
    yield ""


def _record(outcome: Checked, example: Counterexample | None) -> Mapping[str, object]:
    one, result = outcome.expected, outcome.result
    return {
        "config": one.config,
        "verdict": result.verdict,
        "expected": one.verdict,
        "as_expected": not outcome.wrong,
        "wrong": list(outcome.wrong),
        "generated": result.generated,
        "distinct": result.distinct,
        "depth": result.depth,
        "seconds": round(outcome.seconds, 3),
    } | ({"counterexample": example.record()} if example is not None else {})


def _conclude(
    options: Options, count: int, violations: Sequence[Counterexample], wrong: int, seconds: float
) -> None:
    """What people are told in the end: the sum, and the counterexample that all this began with."""
    if output.as_json:
        return
    seed = next((one for one in violations if one.config == SEED), None)
    if seed is not None and not options.names and not options.show:
        print(f"\nWhat libgfapi does, as {SEED} finds it:")
        print("\n".join(_story(seed)))
    violated = len(violations)
    holding = count - violated
    are = "is" if violated == 1 else "are"
    print(
        f"{count} configuration{'s' * (count != 1)} in {seconds:.1f} s:"
        f" {holding} hold{'s' * (holding == 1)}, {violated} {are} violated;"
        f" {wrong or 'none'} not as expected."
    )


class _Progress:
    """A line that says what is being looked at, where somebody looks."""

    def __init__(self) -> None:
        self._on = sys.stdout.isatty() and sys.stderr.isatty()

    def say(self, text: str) -> None:
        if self._on:
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self.say("")
