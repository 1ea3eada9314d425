"""Write docs/reliability.md: what happens to a session when things happen, with the counts of a run.

The tables are those that the tests run by (``tests/reliability``); the counts are what
``make reliability ARGS='--record docs/reliability.json'`` has seen. ``--check`` writes nothing and
fails when the page is not what both give now; the test suite does the same.

    python tools/reliability_page.py
    python tools/reliability_page.py --check
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

from tests.reliability.columns import COLUMNS  # noqa: E402
from tests.reliability.faults.table import ACTIVITIES, FAULTS  # noqa: E402
from tests.reliability.outcomes.garbage import PROGRAMS  # noqa: E402
from tests.reliability.outcomes.table import DRIVERS, ELSEWHERE, EVENTS, SITUATIONS  # noqa: E402

PAGE = ROOT / "docs" / "reliability.md"
DATA = ROOT / "docs" / "reliability.json"

#: The prose, with places for what is made here.
TEMPLATE = Path(__file__).with_suffix(".md")


def page() -> str:
    """Return the page's text."""
    seen: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    outcomes: list[dict[str, Any]] = seen.get("outcomes", [])
    faults: list[dict[str, Any]] = seen.get("faults", [])
    sums = {
        name: f"{sum(each[name] for each in faults):,}"
        for name in ("rounds", "calls", "synced", "lost", "leaked", "hangs")
    }
    return TEMPLATE.read_text(encoding="utf-8").format(
        outcomes_when=seen["when"].get("outcomes", "never"),
        faults_when=seen["when"].get("faults", "never"),
        outcomes=len(outcomes),
        outcomes_passed=sum(each["passed"] for each in outcomes),
        situations=_list(SITUATIONS.items()),
        events=_events(outcomes),
        garbage=_garbage(seen.get("garbage", [])),
        elsewhere=_list((what, f"`{path}`, `{name}`") for what, path, name in ELSEWHERE),
        faults=len(faults),
        faults_passed=sum(not each["wrong"] for each in faults),
        errors=f"{sum(sum(each['errors'].values()) for each in faults):,}",
        drivers=" | ".join(DRIVERS),
        driver_rules=" | ".join("---" for _ in DRIVERS),
        columns=" | ".join(COLUMNS),
        column_rules=" | ".join("---" for _ in COLUMNS),
        activities=_activities(faults),
        fault_rows=_faults(faults),
        restarts=_restarts(seen.get("restarts", [])),
        **sums,
    )


def _list(items: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"* *{name}*: {about}" for name, about in items)


def _events(outcomes: list[dict[str, Any]]) -> str:
    passed: dict[tuple[str, str], Counter[bool]] = defaultdict(Counter)
    for each in outcomes:
        passed[each["event"], each["driver"]][each["passed"]] += 1
    rows = []
    for name, event in EVENTS.items():
        counts = []
        for driver in DRIVERS:
            found = passed[name, driver]
            counts.append(f"{found[True]} of {found.total()}" if found else "")
        rows.append(f"| {name} | {event.about} | {event.seen} | {' | '.join(counts)} |")
    return "\n".join(rows)


def _garbage(found: list[dict[str, Any]]) -> str:
    passed = {(each["program"], each["driver"]): each["passed"] for each in found}
    words = {True: "yes", False: "**no**", None: ""}
    return "\n".join(
        f"| {program.about} | {program.seen} | "
        + " | ".join(words[passed.get((name, column))] for column in COLUMNS)
        + " |"
        for name, program in PROGRAMS.items()
    )


def _restarts(found: list[dict[str, Any]]) -> str:
    return "; ".join(
        f"{each['driver']}: {each['rounds']} rounds, {each['synced']:,} blocks of 4 KiB synced,"
        f" **{each['lost']} lost**, {each['leaked']} handles or locks left, {each['hangs']} hangs"
        for each in found
    )


def _activities(faults: list[dict[str, Any]]) -> str:
    rows = []
    for activity, about in ACTIVITIES.items():
        mine = [each for each in faults if each["activity"] == activity]
        rows.append(f"| *{activity}* | {about} | {_by_driver(mine)} |")
    return "\n".join(rows)


def _faults(faults: list[dict[str, Any]]) -> str:
    rows = []
    for name, fault in FAULTS.items():
        mine = [each for each in faults if each["fault"] == name]
        errors: Counter[str] = Counter()
        for each in mine:
            errors.update(each["errors"])
        told = ", ".join(f"{kind} {count:,}" for kind, count in sorted(errors.items())) or "none"
        rows.append(
            f"| {name} | {fault.about} | {fault.after.value} | {told} | {_by_driver(mine)} |"
        )
    return "\n".join(rows)


def _by_driver(faults: list[dict[str, Any]]) -> str:
    """For each driver: how many rounds had nothing wrong, of how many; and which cells had."""
    cells = []
    for column in COLUMNS:
        found = [each for each in faults if each["driver"] == column]
        good = sum(each["rounds"] for each in found if not each["wrong"])
        told = f"{good} of {sum(each['rounds'] for each in found)}" if found else "not run"
        wrong = [f"{each['fault']}, {each['activity']}" for each in found if each["wrong"]]
        cells.append(f"**{told}: {'; '.join(wrong)}**" if wrong else told)
    return " | ".join(cells)


def main() -> int:
    """Write the page, or say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    options = parser.parse_args()
    text = page()
    if options.check:
        if PAGE.read_text(encoding="utf-8") != text:
            print("docs/reliability.md is not up to date: run tools/reliability_page.py")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
