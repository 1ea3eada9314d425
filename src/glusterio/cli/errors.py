"""How a command ends: one line on the standard error, and an exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator

import typer

from glusterio.cli.interrupts import Termination
from glusterio.cli.output import tell_error

FAILED = 1
INTERRUPTED = 130
BROKEN_PIPE = 128 + signal.SIGPIPE

#: Whether ``--debug`` was given. One process runs one command.
debug_everywhere = False


class CommandError(Exception):
    """Something that the command cannot do; the message is the line to print.

    Attributes:
        path: the place that it is about, if it is about one.
        errno: the system's number for the reason, if it has one.
    """

    def __init__(
        self, message: str = "", path: str | None = None, errno: int | None = None
    ) -> None:
        super().__init__(message)
        self.path = path
        self.errno = errno


class PartlyFailedError(CommandError):
    """Some of it could not be done; the lines about it have been printed."""


def complain(error: CommandError) -> None:
    """Print an error's line to the standard error."""
    tell_error(str(error), error.path, error.errno)


def cannot(what: str, path: str | None, error: BaseException) -> CommandError:
    """Say of an error what it kept the command from: ``cannot WHAT 'PATH': REASON``.

    Args:
        what: what was to be done: ``read``, for instance.
        path: with which place; nothing if ``what`` says all.
        error: why it could not.
    """
    said = what if path is None else f"{what} {path!r}"
    errno = error.errno if isinstance(error, OSError) else None
    return CommandError(f"cannot {said}: {reason(error, said)}", path, errno)


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
def trying_to(what: str, path: str | None = None) -> Iterator[None]:
    """Make an error one that says what it kept the command from: see :func:`cannot`."""
    try:
        yield
    except (CommandError, BrokenPipeError):
        raise
    except Exception as error:
        raise cannot(what, path, error) from error


def run_command(function: Callable[[], None]) -> None:
    """Run a command: its errors become a line and an exit code.

    Raises:
        typer.Exit: always, with the exit code.
        typer.BadParameter: the command line is wrong.
    """
    terminated = Termination()
    with terminated:
        code = _run(function)
    raise typer.Exit(terminated.code if code == INTERRUPTED and terminated.code else code)


def _run(function: Callable[[], None]) -> int:
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
        if debug_everywhere:
            traceback.print_exc()
        if isinstance(error, ExceptionGroup):
            error = _first(error)
        if not isinstance(error, CommandError):
            errno = error.errno if isinstance(error, OSError) else None
            error = CommandError(reason(error), errno=errno)
        complain(error)
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
