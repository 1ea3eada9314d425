"""The table of docs/explorer.md: what the small scopes are, and how much of them was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.explore.scenarios import SCENARIOS
from tests.explore.search import Covered

_BEGIN = "<!-- Made by python -m tests.explore --exhaust --write docs/explorer.md -->"
_END = "<!-- The end of what is made. -->"


def write(path: Path, found: Sequence[tuple[str, Covered]]) -> None:
    """Put the table into the page."""
    before, rest = path.read_text(encoding="utf-8").split(_BEGIN)
    _, after = rest.split(_END)
    path.write_text(f"{before}{_BEGIN}\n\n{table(found)}\n{_END}{after}", encoding="utf-8")


def table(found: Sequence[tuple[str, Covered]]) -> str:
    """Return the table."""
    lines = [
        "| scope | callers | accidents, at most | states | orders | lives begun | to the end |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, covered in found:
        scenario = SCENARIOS[name]
        orders = "without end" if covered.lives is None else f"{covered.lives:,}"
        callers = "threads" if scenario.threads else "asyncio" if scenario.loop else "tasks"
        cells = (
            f"{name.removeprefix('scope-')}: {scenario.about}",
            callers,
            str(scenario.most),
            f"{covered.states:,}" if covered.states else "",
            orders,
            f"{covered.runs:,}",
            "yes" if covered.complete else "**no**",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
