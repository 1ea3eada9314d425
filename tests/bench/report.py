"""The page that a run makes: ``docs/benchmarks.md``, with its plots and every round beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.bench.formatting import amount, count, duration, durations, ratio, table, three, times
from tests.bench.growth import FAMILIES, cliffs
from tests.bench.lines import BRICK_LINES, LINES, Line
from tests.bench.results import (
    Entry,
    Results,
    Round,
    brick_cpu,
    compare,
    cost,
    cpu,
    reference,
    spread,
)
from tests.bench.targets import Kind, Target, Verdict, judge

NOTES: Final = Path(__file__).with_name("notes.toml")

#: glusterio's peers: their costs are searched for cliffs.
OWN: Final = ["threads", "asyncio", "uvloop"]

NONE: Final = "–"


def write(results: Results, directory: Path) -> None:
    """Write page, plots and rounds into a directory."""
    from tests.bench import plots  # matplotlib: nothing else here needs it

    beside = directory / "benchmarks"
    beside.mkdir(parents=True, exist_ok=True)
    for old in beside.glob("*.svg"):
        old.unlink()
    drawn = plots.draw(results, beside)
    results.save(beside / "results.json")
    notes = tomllib.loads(NOTES.read_text(encoding="utf-8"))
    text = page(results, notes, {path.name for path in drawn})
    (directory / "benchmarks.md").write_text(text, encoding="utf-8")


def page(results: Results, notes: dict[str, Any], drawn: set[str]) -> str:
    """The page."""
    verdicts = judge(results)
    parts = [
        _begin(results),
        _summary(verdicts, notes),
        _notes(notes.get("general", {})),
        *(f"![{name}](benchmarks/{name})" for name in ("ratios.svg", "cpu.svg") if name in drawn),
        "## Line by line",
        _how_to_read(),
        *(
            _line(line, results.lines[line.name], results, notes)
            for line in LINES
            if line.name in results.lines
        ),
        *_growth(results, drawn),
        *_bricks(results, notes),
        _method(results),
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


# -- the top -----------------------------------------------------------------------------------------


def _begin(results: Results) -> str:
    quick = (
        "\n**This was a quick run**: few and short rounds. It shows that everything works, and\n"
        "roughly where things stand.\n"
        if results.quick
        else ""
    )
    return f"""
# How fast glusterio is

Made by `make bench`: clients of one brick of GlusterFS {results.machine.get("GlusterFS", "")}, on one
machine, in one run, in turns. "libgfapi" is the C library as it is shipped, with its own caches and
write-behind, on a volume as it is shipped. A ratio is libgfapi's time to the client's, **more than 1 is
faster than C**, round by round, each compared with its neighbour: the median, and in parentheses the
worst and the best round. Every round as it was answered is in
[results.json](benchmarks/results.json). [The machine and the method](#the-machine-and-the-method) are
at the end.
{quick}
Measured {results.began}, load {_load(results)}, in {results.took / 60:.0f} minutes. A fixed piece
of work took {_work(results)}: that much of every range is the machine's own.
"""


def _load(results: Results) -> str:
    if not results.loads:
        return NONE
    found = spread(results.loads)
    return f"{found.median:.1f} ({found.low:.1f}-{found.high:.1f})"


def _work(results: Results) -> str:
    if not results.work:
        return NONE
    found = spread(results.work)
    return f"{found.median:.1f} ms ({found.low:.1f}-{found.high:.1f})"


def _summary(verdicts: Sequence[Verdict], notes: dict[str, Any]) -> str:
    rows = []
    shown = ""
    for verdict in verdicts:
        target = verdict.target
        rows.append(
            (
                target.row if target.row != shown else "",
                _asked(target, target.least),
                NONE if target.aim is None else _value(target, target.aim),
                _found(verdict),
                verdict.won or NONE,
                _verdict(verdict, notes),
            )
        )
        shown = target.row
    head = ("line", "asked for", "aim", "found", "rounds ahead", "met")
    return "\n\n".join(["## What was asked for", _counts(verdicts), table(head, rows)])


def _counts(verdicts: Sequence[Verdict]) -> str:
    met = [verdict for verdict in verdicts if verdict.met]
    unmet = [verdict for verdict in verdicts if verdict.met is False]
    unknown = [verdict for verdict in verdicts if verdict.met is None]
    aims = [verdict for verdict in verdicts if verdict.target.aim is not None]
    text = (
        f"**{len(met)} of {len(verdicts)} met**; "
        f"of {len(aims)} aims, {sum(bool(one.aimed) for one in aims)} reached."
    )
    if unmet:
        named = dict.fromkeys(f"[{one.target.line}](#{one.target.line})" for one in unmet)
        text += f" Not met: {', '.join(named)}."
    if unknown:
        named = dict.fromkeys(one.target.line for one in unknown)
        text += f" Not measured: {', '.join(named)}."
    return text


#: How a target's figures are written.
_FIGURES: Final[dict[Kind, Callable[[float], str]]] = {
    Kind.FASTER: times,
    Kind.SPARING: times,
    Kind.NEAR: times,
    Kind.UNDER: duration,
    Kind.FLAT: amount,
    Kind.SMALL: amount,
    Kind.LOADED: amount,
}

_OTHERS: Final = {
    "c": "libgfapi",
    "c-async": "libgfapi, asynchronous",
    "c-mended": "libgfapi, mended",
    "c-closing": "libgfapi, mended, each handle closed before",
    "limit": "the limit",
}


def _value(target: Target, value: float) -> str:
    return _FIGURES[target.kind](value)


def _asked(target: Target, value: float) -> str:
    other = _OTHERS.get(target.other, target.other)
    match target.kind:
        case Kind.FASTER:
            return f"{times(value)} {other}"
        case Kind.SPARING:
            return f"client CPU at most 1/{value:g} of {other}'s"
        case Kind.NEAR:
            return f"within {times(value)} of {other}"
        case Kind.UNDER:
            return f"under {duration(value)}"
        case Kind.FLAT:
            return f"memory flat: under {amount(value)} from the 10th session on"
        case Kind.LOADED:
            return f"under {amount(value)}, what importing takes included"
    return f"under {amount(value)}"


def _found(verdict: Verdict) -> str:
    if verdict.found is None:
        return verdict.why
    shown = [_value(verdict.target, value) for value in (verdict.found, verdict.low, verdict.high)]
    if shown[1] == shown[2]:
        return f"**{shown[0]}**"
    return f"**{shown[0]}** ({shown[1].removesuffix('x')}-{shown[2].removesuffix('x')})"


def _verdict(verdict: Verdict, notes: dict[str, Any]) -> str:
    if verdict.met is None:
        return "?"
    if verdict.met:
        return "yes, and the aim" if verdict.aimed else "yes"
    return f"**no** ([why](#{verdict.target.line}))" if verdict.target.line in notes else "**no**"


# -- the lines ---------------------------------------------------------------------------------------


def _how_to_read() -> str:
    return """
Times are of one unit (a call, a file, an entry ...): the median round, with the range. CPU time is user
and system time of one unit: the client's process with all its threads (a mount's daemon, too), and the
brick's. Requests are what went over the wire for one unit, counted in a round of its own. Memory is
what is resident after the last round. **Bold** rows are glusterio's.
"""


def _line(line: Line, entries: dict[str, Entry], results: Results, notes: dict[str, Any]) -> str:
    per_mib = line.unit == "MiB"
    other = reference(entries)
    head = ["client", f"time of one {line.unit}"]
    head += ["MiB/s"] if per_mib else []
    head += ["times as fast", "rounds ahead", "client CPU", "brick CPU", "requests", "memory"]
    rows = [
        _row(line, name, entry, entries, other, results)
        for name, entry in entries.items()
        if entry.rounds
    ]
    parts = [f"### {line.name}", f"{line.title[0].upper()}{line.title[1:]}."]
    if line.read_ahead:
        parts[1] += " `performance.read-ahead` is on, for everybody."
    handles = results.told.get(line.name, {}).get("handles")
    if handles is not None and handles < line.told(results.quick)["handles"]:
        parts[1] += f" **Here with {handles:,}**: the brick's process may open no more files."
    if rows:
        parts.append(table(head, rows))
    if line.per and rows:
        parts.append(_memory(line, entries, results))
    parts += _requests(line, entries)
    parts += [f"**{name} failed**: {entry.error}" for name, entry in entries.items() if entry.error]
    parts.append(_notes(notes.get(line.name, {})))
    return "\n\n".join(part for part in parts if part)


def _row(
    line: Line,
    name: str,
    entry: Entry,
    entries: dict[str, Entry],
    other: str | None,
    results: Results,
) -> list[str]:
    found = None
    if other is not None and name != other:
        found = compare(line.name, entries[other], entry)
    costs = spread([cost(line.name, done) for done in entry.rounds])
    brick = [value for done in entry.rounds if (value := brick_cpu(line.name, done)) is not None]
    title = results.titles.get(name, name)
    row = [f"**{title}**" if is_own(name) else title, durations(costs)]
    if line.unit == "MiB":
        row.append(three(1 / costs.median))
    row += [
        ("1" if name == other else NONE) if found is None else ratio(found.spread),
        NONE if found is None else f"{found.won}/{found.rounds}",
        duration(spread([cpu(line.name, done) for done in entry.rounds]).median),
        duration(spread(brick).median) if brick else NONE,
        NONE if entry.requests is None else count(sum(entry.requests.values())),
        amount(entry.rounds[-1]["rss"]),
    ]
    return row


def is_own(name: str) -> bool:
    """Whether an entrant is glusterio."""
    return name.split(" ")[0].split("-")[0] in OWN


def _requests(line: Line, entries: dict[str, Entry]) -> Iterator[str]:
    """Which requests those are: one line for those who send the same."""
    same: dict[str, list[str]] = {}
    for name, entry in entries.items():
        if entry.requests:
            shown = ", ".join(
                f"{procedure} {count(number)}"
                for procedure, number in entry.requests.items()
                if number >= 0.0005
            )
            same.setdefault(shown, []).append(name)
    if same:
        yield (
            "Requests: "
            + "; ".join(f"{shown} ({', '.join(names)})" for shown, names in same.items())
            + "."
        )


def _memory(line: Line, entries: dict[str, Entry], results: Results) -> str:
    """The further figures of a line."""
    rows = []
    for name, entry in entries.items():
        if not entry.rounds:
            continue
        per = entry.rounds[-1].get("per") or {}
        title = results.titles.get(name, name)
        row = [f"**{title}**" if is_own(name) else title]
        for key in line.per:
            value = per.get(key)
            figure = amount if key.startswith("rss") else three
            row.append(NONE if value is None else figure(value))
        if "rss_before" in line.per:
            row.append(_each_session(entry.rounds[-1]))
        rows.append(row)
    if all(cell == NONE for row in rows for cell in row[1:]):
        return ""
    head = ["client", *line.per.values()]
    head += ["for each session"] if "rss_before" in line.per else []
    return table(head, rows)


def _each_session(done: Round) -> str:
    per = done.get("per") or {}
    if "rss_before" not in per or "rss_end" not in per:
        return NONE
    return amount((per["rss_end"] - per["rss_before"]) / done["ops"])


def _notes(notes: dict[str, str]) -> str:
    heads = {"tried": "What was tried", "profile": "What the profile shows", "limit": "The limit"}
    parts = [
        f"*{head}.* {notes[key].strip()}" if head else notes[key].strip()
        for key, head in {"text": "", **heads}.items()
        if key in notes
    ]
    return "\n\n".join(parts)


# -- growth, bricks, the end -------------------------------------------------------------------------


def _growth(results: Results, drawn: set[str]) -> Iterator[str]:
    yield "## How costs grow"
    found = cliffs(results, OWN)
    if found:
        yield "\n".join(
            [
                "**Cliffs**, where one unit costs a multiple of what it did with less work:",
                "",
                *(
                    f"* {one.entrant}, {one.family.title[0].lower()}{one.family.title[1:]}: from "
                    f"{one.before.size:,} to {one.after.size:,} {one.family.axis} the cost of one "
                    f"{one.family.unit} grows {one.factor:.1f} times, from "
                    f"{duration(one.before.each)} to {duration(one.after.each)}."
                    for one in found
                ),
            ]
        )
    else:
        yield (
            "No cliff: nowhere does one unit cost glusterio more than twice what it costs with less "
            "work. The best round of each size is drawn."
        )
    for family in FAMILIES:
        name = f"growth-{family.name}.svg"
        if name in drawn:
            yield f"![{family.title}](benchmarks/{name})"


def _bricks(results: Results, notes: dict[str, Any]) -> Iterator[str]:
    lines = [line for line in BRICK_LINES if line.name in results.lines]
    if not lines:
        return
    yield "## The brick's own lines"
    yield (
        "The same client on GlusterFS's brick (`glusterfsd`) and on `glusterio serve`. The ratio is "
        "glusterfsd's time to glusterio's. [How fast the brick is](benchmarks-brick.md) has more."
    )
    rows = []
    for line in lines:
        entries = results.lines[line.name]
        for peer in dict.fromkeys(name.split(" ")[0] for name in entries):
            theirs = entries.get(f"{peer} on glusterfsd", Entry())
            ours = entries.get(f"{peer} on glusterio", Entry())
            found = compare(line.name, theirs, ours)
            if found is None:
                why = theirs.error or ours.error or theirs.skip or ours.skip or "not measured"
                rows.append([line.title, results.titles.get(peer, peer), why, *[NONE] * 5])
                continue
            costs = [
                durations(spread([cost(line.name, done) for done in entry.rounds]))
                for entry in (theirs, ours)
            ]
            brick = [_brick_time(line.name, entry) for entry in (theirs, ours)]
            rows.append(
                [line.title, results.titles.get(peer, peer), *costs, ratio(found.spread), *brick]
            )
    head = ("line", "client", "on glusterfsd", "on glusterio", "ratio")
    yield table((*head, "brick CPU, glusterfsd", "brick CPU, glusterio"), [r[:7] for r in rows])
    for line in lines:
        if line.name in notes:
            yield f"{line.title[0].upper()}{line.title[1:]}. {_notes(notes[line.name])}"


def _brick_time(line: str, entry: Entry) -> str:
    values = [value for done in entry.rounds if (value := brick_cpu(line, done)) is not None]
    return duration(spread(values).median) if values else NONE


def _method(results: Results) -> str:
    machine = "\n".join(f"| {name} | {text} |" for name, text in results.machine.items())
    clients = [
        f"* `{name}`: {title}"
        + (f" (took no part: {results.without[name]})" if name in results.without else "")
        for name, title in results.titles.items()
    ]
    skipped: dict[tuple[str, str], list[str]] = {}
    for line, entries in results.lines.items():
        for name, entry in entries.items():
            if entry.skip:
                skipped.setdefault((name, entry.skip), []).append(line)
    clients += [
        f"* `{name}` does not do {', '.join(lines)}: {why}"
        for (name, why), lines in skipped.items()
    ]
    took_part = "\n".join(clients)
    return f"""
## The machine and the method

| | |
| --- | --- |
{machine}
| load average, by line | {_load(results)} |
| a fixed piece of work, by round | {_work(results)} |

Clients and bricks share the machine, over the loopback. Each client is a process of its own for each
line, all of a line are ready before the first is measured, and then they take turns, each round with
another one first; up to {results.rounds} rounds. Everybody has the same sequence of offsets and the
same files. What has to be made before, connecting, opening and warming up are not timed, unless that is
the line. The volume has the options that `gluster volume create` gives it, but for
`server.allow-insecure`, and `performance.read-ahead` where a line says so; so libgfapi has its
write-behind, its caches of attributes and small files, and its threads. CPU time is by the processes'
own clocks; the brick's is left out where it was not to be told from that of what is not timed.

Lines that write close the file in the timed part. Neither side waits for the disk then; what may still
be on its way to the brick is at most the window of write-behind, 1 MiB.

The clients:

{took_part}

What is measured is in `tests/bench/lines.py`, what is asked for in `tests/bench/targets.py`.
`make bench ARGS='--lines pread4k,close_1000 --peers c,threads --rounds 9'` measures a part.
"""
