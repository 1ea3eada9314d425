"""Numbers and tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.results import Spread

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_SIZES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))


def three(value: float) -> str:
    """A number with about three digits that count."""
    size = abs(value)
    if size >= 100 or value == 0:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def count(value: float) -> str:
    """A number of requests, which may be a small part of one: ``0.0028``, ``4``, ``1,000``."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """A time: ``12.3 ms``."""
    for size, unit in _TIMES:
        if abs(seconds) >= size * 0.9995:
            return f"{three(seconds / size)} {unit}"
    return "0"


def durations(values: Spread) -> str:
    """A median with its range, in one unit: ``12.3 (11.0-14.2) ms``."""
    size, unit = next((one for one in _TIMES if values.median >= one[0] * 0.9995), _TIMES[-1])
    low, median, high = (three(value / size) for value in (values.low, values.median, values.high))
    return f"{median} ({low}-{high}) {unit}"


def amount(nbytes: float) -> str:
    """A size: ``1.2 MiB``."""
    for size, unit in _SIZES:
        if abs(nbytes) >= size:
            return f"{three(nbytes / size)} {unit}"
    return f"{nbytes:.0f} B"


def times(value: float) -> str:
    """A ratio: ``1.52x``."""
    return f"{three(value)}x"


def ratio(values: Spread) -> str:
    """A ratio with its range: ``1.52x (1.31-1.80)``."""
    return f"{times(values.median)} ({three(values.low)}-{three(values.high)})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, laid out so that its source can be read, too."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    lines = [
        "| " + " | ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) + " |"
        for row in (head, *rows)
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
