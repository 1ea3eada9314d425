"""The table of docs/explorer.md: what the small scopes are, and how much of them was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.explore.scenarios import EXHAUSTIVE, SCENARIOS
from tests.explore.search import Covered

_BEGIN = "<!-- Made by python -m tests.explore --exhaust --write docs/explorer.md -->"
_END = "<!-- The end of what is made. -->"

_HEAD = """\
| scope | callers | accidents, at most | states | orders | lives begun | to the end |
| --- | --- | --- | --- | --- | --- | --- |
"""


def write(path: Path, found: Sequence[tuple[str, Covered]]) -> None:
    """Put what was looked at into the page; the rows of other scopes stay as they are."""
    before, lines, after = _parts(path)
    lines |= {_title(name): row(name, covered) for name, covered in found}
    table = "".join(f"{lines[title]}\n" for title in map(_title, EXHAUSTIVE) if title in lines)
    path.write_text(f"{before}{_BEGIN}\n\n{_HEAD}{table}\n{_END}{after}", encoding="utf-8")


def differing(path: Path, found: Sequence[tuple[str, Covered]]) -> list[str]:
    """Return the scopes that were looked at to their end, and of which the page says otherwise."""
    _, lines, _ = _parts(path)
    return [
        name
        for name, covered in found
        if covered.complete and lines.get(_title(name)) != row(name, covered)
    ]


def rows_of(path: Path) -> list[str]:
    """Return the rows of the page."""
    return list(_parts(path)[1].values())


def row(name: str, covered: Covered) -> str:
    """Return the row of a scope."""
    orders = "without end" if covered.lives is None else f"{covered.lives:,}"
    cells = (
        *before_counts(name),
        f"{covered.states:,}" if covered.states else "",
        orders,
        f"{covered.runs:,}",
        "yes" if covered.complete else "**no**",
    )
    return f"| {' | '.join(cells)} |"


def before_counts(name: str) -> tuple[str, str, str]:
    """Return what a row says of the scope itself: its title, who calls, how many accidents."""
    scenario = SCENARIOS[name]
    callers = "threads" if scenario.threads else "asyncio" if scenario.loop else "tasks"
    return _title(name), callers, str(scenario.most)


def _title(name: str) -> str:
    return f"{name.removeprefix('scope-')}: {SCENARIOS[name].about}"


def _parts(path: Path) -> tuple[str, dict[str, str], str]:
    """Return what is before the table, its rows by their titles, and what is behind it."""
    before, rest = path.read_text(encoding="utf-8").split(_BEGIN)
    table, after = rest.split(_END)
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    return before, {line.removeprefix("| ").partition(" | ")[0]: line for line in rows}, after
