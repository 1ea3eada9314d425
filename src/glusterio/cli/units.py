"""Numbers as people read them: sizes, throughputs, times, counts."""

from __future__ import annotations


def size(count: float) -> str:
    """Say a number of bytes in the unit that fits: ``12.3 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def rate(count: float, seconds: float) -> str:
    """Say a throughput."""
    return f"{size(count / max(seconds, 1e-9))}/s"


def duration(seconds: float) -> str:
    """Say a time: ``3.1 ms``, ``1.25 s``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds:.2f} s"


def number(count: int, thing: str = "", things: str = "") -> str:
    """Say a number, with what is counted: ``1,000 files``, ``1 directory``."""
    if not thing:
        return f"{count:,}"
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def short_size(count: int) -> str:
    """Say a number of bytes as ``du -h`` does, in powers of 1024 and rounded up: ``4.0K``."""
    if count < 1024:
        return str(count)
    unit = -1
    divisor = 1
    while count > 1023 * divisor and unit < len(_UNITS) - 1:
        unit += 1
        divisor *= 1024
    tenths = -(-count * 10 // divisor)
    if tenths < 100:
        return f"{tenths / 10:.1f}{_UNITS[unit]}"
    return f"{-(-count // divisor)}{_UNITS[unit]}"


_UNITS = "KMGTPE"


def parse_size(text: str) -> int:
    """Understand a number of bytes: ``10``, ``4k``, ``1.5G``, in powers of 1024.

    Raises:
        ValueError: it is none.
    """
    digits = text.rstrip("kKMGTPE")
    unit = text[len(digits) :].upper()
    try:
        size = float(digits) * 1024 ** (_UNITS.index(unit) + 1 if unit else 0)
    except ValueError:
        raise ValueError(f"{text!r} is no size: 4096 is one, and 4k, 1.5G") from None
    if not 0 <= size < 2**63:
        raise ValueError(f"{text!r} is no size that a file could have")
    return int(size)
