r"""What is printed, for people or, with ``--json``, for programs.

With ``--json`` the standard output is JSON objects, one a line (https://jsonlines.org): one for each
thing that is told of, or one that sums up what was done. An error is such a line on the standard
error: ``{"error": TEXT, "errno": NUMBER, "code": NAME, "path": PLACE}``, the last three ``null`` where
there is none. The exit codes are the same as without.

A name on a volume is bytes. Where they are not UTF-8, JSON cannot hold them: then each byte that is
no text is written ``\xff``, for reading, and a member of the same name with ``_base64`` behind it
holds the exact bytes.
"""

from __future__ import annotations

import base64
import codecs
import errno as errno_module
import io
import json
import os
import sys
from collections.abc import Callable, Mapping

from rich.console import Console

#: Whether ``--json`` was given. One process runs one command.
as_json = False


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


def coloured() -> bool:
    """Whether the standard output shall have colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def shown(name: str) -> str:
    """Return a name as it may be shown: on a terminal without what would command the terminal."""
    if not sys.stdout.isatty():
        return name
    return "".join(c if c.isprintable() else "?" for c in name)


# -- things and errors ----------------------------------------------------------------------------


def tell(record: Mapping[str, object], text: str | Callable[[], str] | None = None) -> None:
    """Print one thing: in JSON the record, else the text.

    Args:
        record: what programs are told.
        text: what people are told, without the newline; or a function that makes it; or nothing.
    """
    if as_json:
        print(in_json(record))
    elif text is not None:
        print(text if isinstance(text, str) else text())


def tell_error(message: str, path: str | None = None, errno: int | None = None) -> None:
    """Print one line to the standard error.

    Args:
        message: what could not be done, and why.
        path: the place that it is about.
        errno: the system's number for the reason.
    """
    line = f"glusterio: {message}"
    if as_json:
        code = errno_module.errorcode.get(errno) if errno else None
        line = in_json({"error": message, "errno": errno or None, "code": code, "path": path})
    print(line, file=sys.stderr, flush=True)


def in_json(record: Mapping[str, object]) -> str:
    """Write a record as one line of JSON, with names that are not UTF-8 as the module says."""
    return json.dumps(_writable(record), ensure_ascii=False, separators=(", ", ": "))


def _writable(value: object) -> object:
    if isinstance(value, str):
        return value if _is_text(value) else _readable(value)
    if isinstance(value, Mapping):
        found: dict[str, object] = {}
        for key, member in value.items():
            found[str(_writable(key))] = _writable(member)
            if isinstance(member, str) and not _is_text(member):
                exact = member.encode(errors="surrogateescape")
                found[f"{key}_base64"] = base64.b64encode(exact).decode()
        return found
    if isinstance(value, (list, tuple)):
        return [_writable(member) for member in value]
    return value


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)


def _readable(value: str) -> str:
    return value.encode(errors="surrogateescape").decode(errors="backslashreplace")
