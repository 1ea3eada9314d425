"""The plots of ``docs/benchmarks``, as SVG: the ratios to libgfapi, CPU time, and how costs grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from tests.bench.growth import FAMILIES, Family, curve
from tests.bench.lines import BY_NAME, LINES
from tests.bench.results import Ratio, Results, brick_cpu, compare, cpu, reference, spread
from tests.bench.targets import TARGETS, Kind

#: Colours that the colour-blind tell apart (Okabe and Ito's).
COLOURS: Final = {
    "threads": "#0072B2",
    "threads-whole": "#004b77",
    "asyncio": "#009E73",
    "asyncio-64": "#00634a",
    "uvloop": "#56B4E9",
    "c": "#333333",
    "c-async": "#333333",
    "c-mended": "#888888",
    "c-closing": "#b0b0b0",
    "limit": "#D55E00",
    "fuse": "#CC79A7",
    "gfapi": "#E69F00",
    "gfapi-cffi": "#b8a800",
}
MARKERS: Final = "os^Dv<>PX*ph"

#: Which peers are drawn in the ratios' plot, from the top down.
RATIOS: Final = ["threads", "threads-whole", "asyncio", "asyncio-64", "uvloop"]

STYLE: Final[dict[str, Any]] = {
    "svg.hashsalt": "glusterio",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "figure.facecolor": "white",
}


def draw(results: Results, directory: Path) -> list[Path]:
    """Draw what there is to draw into a directory; return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        files = [_ratios(results, directory / "ratios.svg"), _cpu(results, directory / "cpu.svg")]
        files += [_growth(family, results, directory) for family in FAMILIES]
    return [file for file in files if file is not None]


def _save(figure: Any, path: Path) -> Path:
    # No date in it: the same results make the same file.
    figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    return path


def colour(name: str) -> str:
    """An entrant's colour."""
    return COLOURS.get(name.split(" ")[0], "#777777")


# -- ratios ------------------------------------------------------------------------------------------


def _ratios(results: Results, path: Path) -> Path | None:
    rows: list[tuple[str, list[tuple[str, Ratio]]]] = []
    for line in LINES:
        entries = results.lines.get(line.name, {})
        other = reference(entries)
        # The mended library is not "as shipped"; and sessions are about memory.
        if other in (None, "c-mended") or line.name.startswith(("session_", "sessions_")):
            continue
        assert other is not None
        found = [
            (name, ratio)
            for name in RATIOS
            if name in entries
            and (ratio := compare(line.name, entries[other], entries[name])) is not None
        ]
        if found:
            rows.append((line.name, found))
    if not rows:
        return None
    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(rows) + 1.6), layout="constrained")
    wanted = {
        target.line: target.least
        for target in TARGETS
        if target.kind is Kind.FASTER and target.other not in ("c-mended", "c-closing")
    }
    drawn: set[str] = set()
    for number, (line_name, found) in enumerate(rows):
        y = -number
        for place, (name, ratio) in enumerate(found):
            at = y + 0.26 - 0.52 * (place + 0.5) / len(found)
            values = ratio.spread
            axes.plot([values.low, values.high], [at, at], color=colour(name), lw=1, alpha=0.5)
            axes.plot(
                values.median,
                at,
                marker=MARKERS[RATIOS.index(name)],
                ms=6,
                color=colour(name),
                ls="",
                label=None if name in drawn else results.titles.get(name, name).replace("`", ""),
            )
            drawn.add(name)
        if line_name in wanted:
            axes.plot(
                [wanted[line_name]] * 2,
                [y - 0.36, y + 0.36],
                color="#c00000",
                lw=1.6,
                label=None if "target" in drawn else "asked for",
            )
            drawn.add("target")
    axes.axvline(1, color="#333333", lw=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axes.set_yticks([-number for number in range(len(rows))], [name for name, _ in rows])
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.set_title(
        "Times as fast as libgfapi as shipped (median and range of the rounds)", loc="left"
    )
    figure.legend(loc="outside lower center", ncols=3)
    return _save(figure, path)


# -- CPU ---------------------------------------------------------------------------------------------

#: The lines whose CPU time is drawn, and the peers.
CPU_LINES: Final = ["pread4k", "apread4k_64", "pwrite4k", "stat_cold", "small", "create"]
CPU_PEERS: Final = ["c", "c-async", "threads", "asyncio", "uvloop", "fuse", "limit"]


def _cpu(results: Results, path: Path) -> Path | None:
    lines = [line for line in CPU_LINES if line in results.lines]
    bars: list[list[tuple[str, float, float]]] = []
    for line in lines:
        entries = results.lines[line]
        row = []
        for name in CPU_PEERS:
            if name in entries and entries[name].rounds:
                rounds = entries[name].rounds
                brick = [value for done in rounds if (value := brick_cpu(line, done)) is not None]
                mine = spread([cpu(line, done) for done in rounds]).median
                row.append((name, mine, spread(brick).median if brick else 0.0))
        bars.append(row)
    if not any(bars):
        return None
    figure, all_axes = pyplot.subplots(
        len(lines),
        1,
        figsize=(9, sum(0.27 * len(row) + 0.55 for row in bars)),
        squeeze=False,
        gridspec_kw={"height_ratios": [len(row) + 0.6 for row in bars]},
    )
    for axes, line, row in zip(all_axes[:, 0], lines, bars, strict=True):
        for number, (name, mine, brick_time) in enumerate(row):
            axes.barh(-number, mine * 1e6, color=colour(name), height=0.75)
            axes.barh(-number, brick_time * 1e6, left=mine * 1e6, color="#cccccc", height=0.75)
        axes.set_yticks([-n for n in range(len(row))], [name for name, _, _ in row])
        axes.set_title(BY_NAME[line].title, loc="left", fontsize=10)
        axes.grid(axis="y", visible=False)
    all_axes[-1, 0].set_xlabel(
        "µs of CPU time for one operation: the client's, then (grey) the brick's"
    )
    figure.tight_layout()
    return _save(figure, path)


# -- growth ------------------------------------------------------------------------------------------

GROWTH_PEERS: Final = (
    *("c", "c-async", "c-mended", "c-closing", "fuse", "limit"),
    *("threads", "asyncio", "uvloop"),
)


def _growth(family: Family, results: Results, directory: Path) -> Path | None:
    curves = {name: curve(family, name, results) for name in GROWTH_PEERS}
    curves = {name: points for name, points in curves.items() if len(points) > 1}
    if not curves:
        return None
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    total = family.per == "size" or family.name in ("readdirp", "sessions", "idle")
    for number, (name, points) in enumerate(curves.items()):
        style: dict[str, Any] = {
            "marker": MARKERS[number % len(MARKERS)],
            "ms": 4,
            "color": colour(name),
            "label": results.titles.get(name, name),
        }
        sizes = [point.size for point in points]
        if total:
            left.plot(sizes, [point.seconds for point in points], **style)
        else:
            left.plot(sizes, [1 / point.each for point in points], **style)
        right.plot(sizes, [point.each for point in points], **style)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=_steps(axes)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(family.axis)
        axes.xaxis.set_major_formatter(FuncFormatter(_number))
    left.yaxis.set_major_formatter(FuncFormatter(_seconds if total else _number))
    right.yaxis.set_major_formatter(FuncFormatter(_seconds))
    left.set_title("all of it" if total else f"{family.unit}s a second", loc="left", fontsize=10)
    right.set_title(f"for one {family.unit}", loc="left", fontsize=10)
    figure.suptitle(family.title, x=0.01, ha="left")
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return _save(figure, directory / f"growth-{family.name}.svg")


def _steps(axes: Any) -> tuple[float, ...]:
    """Which multiples of ten to write at an axis: more, where it covers little."""
    low, high = axes.get_ylim()
    return (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)


def _number(value: float, _: object) -> str:
    for power, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= power:
            return f"{value / power:g}{letter}"
    return f"{value:g}"


def _seconds(value: float, _: object) -> str:
    for power, letters in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= power * 0.999:
            return f"{value / power:g} {letters}"
    return f"{value / 1e-9:g} ns"
