"""What is printed: streams, sizes, times and names."""

from __future__ import annotations

import codecs
import io
import sys

from rich.console import Console


def _as_it_is(error: UnicodeError) -> tuple[str | bytes, int]:
    """An error handler of a codec: what is no text becomes its bytes, and the rest an escape."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.backslashreplace_errors(error)


def prepare_streams() -> None:
    """Have every name come out, those that are no text in any encoding as the bytes that they are."""
    codecs.register_error("glusterio.as_it_is", _as_it_is)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="glusterio.as_it_is")


def console() -> Console:
    """Return a console on the standard output: colours on a terminal, plain text elsewhere."""
    return Console(highlight=False, soft_wrap=True)


def shown(name: str) -> str:
    """Return a name as it may be shown: on a terminal without what would command the terminal."""
    if not sys.stdout.isatty():
        return name
    return "".join(c if c.isprintable() else "?" for c in name)


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
