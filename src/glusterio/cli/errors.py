"""How a command ends: one line on the standard error, and an exit code."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import ParamSpec

import typer

from glusterio.cli.interrupts import Termination

P = ParamSpec("P")

FAILED = 1
INTERRUPTED = 130
BROKEN_PIPE = 128 + signal.SIGPIPE

#: Set by ``glusterio --debug``, before the command's own option is known.
debug_everywhere = False


class CommandError(Exception):
    """Something that the command cannot do; the message is the line to print."""


class PartlyFailedError(CommandError):
    """Some of it could not be done; the lines about it have been printed."""


def complain(message: str) -> None:
    """Print one line to the standard error."""
    print(f"glusterio: {message}", file=sys.stderr, flush=True)


def reason(error: BaseException, said: str = "") -> str:
    """Say in one line what an error means: for an ``OSError`` in the system's words.

    Args:
        error: the error.
        said: what the line says before; a path that is in it is not said again.
    """
    if isinstance(error, ConnectionError) and type(error).__module__ == "builtins" and error.errno:
        return os.strerror(error.errno)  # asyncio has words of its own for these
    if isinstance(error, OSError) and error.strerror:
        names = [repr(n) for n in (error.filename, error.filename2) if n is not None]
        names = [n for n in names if n[1:-1].strip("/") not in said]
        return ": ".join([error.strerror, " -> ".join(names)]) if names else error.strerror
    text = " ".join(str(error).split())
    return text or type(error).__name__


@contextlib.contextmanager
def trying_to(what: str) -> Iterator[None]:
    """Say of an error what it kept the command from: ``cannot WHAT: ...``."""
    try:
        yield
    except (CommandError, BrokenPipeError):
        raise
    except Exception as error:
        raise CommandError(f"cannot {what}: {reason(error, what)}") from error


def command(function: Callable[P, None]) -> Callable[P, None]:
    """Make a function a command: its errors become a line and an exit code."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        terminated = Termination()
        with terminated:
            code = _run(lambda: function(*args, **kwargs), bool(kwargs.get("debug")))
        raise typer.Exit(terminated.code if code == INTERRUPTED and terminated.code else code)

    return run


def _run(function: Callable[[], None], debug: bool) -> int:
    try:
        function()
        sys.stdout.flush()
    except typer.Exit as error:
        return error.exit_code
    except typer.BadParameter:
        raise
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return BROKEN_PIPE
    except PartlyFailedError:
        return FAILED
    except Exception as error:
        if debug or debug_everywhere:
            traceback.print_exc()
        if isinstance(error, ExceptionGroup):
            error = _first(error)
        complain(str(error) if isinstance(error, CommandError) else reason(error))
        return FAILED
    return 0


def _first(group: ExceptionGroup[Exception]) -> Exception:
    found: Exception = group
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return found


def _discard_output() -> None:
    """Let the interpreter's last flush find nobody to complain to."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
