"""The root of the command line, and how a command gets there.

A command is a function in a file of ``cli/commands``, and its docstring is its help::

    @command()
    def stat(places: Places) -> None:
        \"\"\"Tell the attributes of files.\"\"\"

:func:`command` gives it the options that all have, ``--json`` and ``--debug``, and makes of its errors
lines on the standard error and an exit code. ``cli/app.py`` names the files.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ParamSpec

import typer
import typer.core

import glusterio
from glusterio.cli import completion, errors, output

P = ParamSpec("P")


class _Command(typer.core.TyperCommand):
    """A command whose arguments are in its usage line as they are written here.

    Releases of typer differ in how they embellish them: ``{URL/PATH...}...``.
    """

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line behind the command's name."""
        arguments = [str(p.metavar) for p in self.params if p.param_type_name == "argument"]
        return ["[OPTIONS]", *arguments]


HELP = """\
The GlusterFS client whose sessions cannot leak.

A place on a volume is the volume's URL and a path:

\b
    gluster://HOST[:PORT][,HOST...]/VOLUME/dir/file
    gluster+unix:///VOLUME?socket=PATH#/dir/file
    volfile:///etc/gv0.vol#/dir/file
    embedded:///srv/data#/dir/file

A '#' ends the volume's URL, and the path follows, taken as it is; gluster:// URLs need none.

With --json the standard output is JSON objects, one a line: one for each thing that is told of, or
one that sums up what was done. Errors are such lines on the standard error. A name that is not UTF-8
has its other bytes written as \\xff, and a member NAME_base64 beside it that is exact.

The exit code is 0, 1 if something could not be done, 2 if the command line is wrong, 130 if Ctrl-C
cut it short.
"""

NAME = "glusterio"

#: The exit code for a command line that is wrong.
WRONG = 2

#: What a command line that is wrong raises: a class of click, or of the click that is in typer.
_WRONG_WORDS: Any = typer.BadParameter.__mro__[1]

HELP_OPTIONS = ["-h", "--help"]
JSON_HELP = "Say it in JSON, one object a line."
DEBUG_HELP = "Show where an error comes from."

Debug = Annotated[bool, typer.Option("--debug", help=DEBUG_HELP)]
Json = Annotated[bool, typer.Option("--json", help=JSON_HELP)]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"glusterio {glusterio.__version__}")
        raise typer.Exit


def group(text: str, *, with_completion: bool = False) -> typer.Typer:
    """Make a group of commands: the root itself, and those that have commands of their own.

    Args:
        text: its help.
        with_completion: whether it has the options that install the completion.
    """
    return typer.Typer(
        help=text,
        no_args_is_help=True,
        add_completion=with_completion,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": HELP_OPTIONS},
    )


completion.prepare()
app = group(HELP, with_completion=True)


@app.callback()
def _options(
    json: Json = False,
    debug: Debug = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    output.as_json = json
    errors.debug_everywhere = debug


def command(
    name: str | None = None,
    *,
    within: typer.Typer = app,
    in_json: bool = True,
    h_is_help: bool = True,
    takes_dashes: bool = False,
    tells: str = "",
    examples: Sequence[str] = (),
) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Put a function on the command line.

    Args:
        name: the command's name, unless it is the function's.
        within: the group of commands that it belongs to.
        in_json: whether it can say in JSON what it says, by :func:`glusterio.cli.output.tell`.
        h_is_help: whether ``-h`` is ``--help``, and not an option of its own as ``du -h`` is.
        takes_dashes: whether an unknown option is an argument, as the ``-w`` of ``chmod -w`` is.
        tells: what it says in JSON: the members of the objects, for the help.
        examples: command lines for the end of the help.
    """

    def put(function: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            output.as_json |= bool(kwargs.pop("json", False))
            errors.debug_everywhere |= bool(kwargs.pop("debug", False))
            errors.run_command(lambda: function(*args, **kwargs))

        signature = inspect.signature(function, eval_str=True)
        common = {"json": Json, "debug": Debug} if in_json else {"debug": Debug}
        added = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
            for key, kind in common.items()
        ]
        parameters = [*signature.parameters.values(), *added]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        helped_by = HELP_OPTIONS if h_is_help else HELP_OPTIONS[1:]
        text = inspect.cleandoc(function.__doc__ or "")
        if tells:
            text += f"\n\nIn JSON: {tells}."
        if examples:
            text = "\n".join([text, "", "\b", "Examples:", *(f"  {line}" for line in examples)])
        settings = {"help_option_names": helped_by, "ignore_unknown_options": takes_dashes}
        within.command(name, cls=_Command, help=text, context_settings=settings)(run)
        return function

    return put


def run_app(words: list[str] | None = None) -> None:
    """Run the command line, and end with its exit code.

    Args:
        words: the words behind the command's own name, unless they are the process's.

    Raises:
        SystemExit: always.
    """
    words = sys.argv[1:] if words is None else words
    if "--json" not in words:
        app(words, prog_name=NAME)
    try:
        code = app(words, prog_name=NAME, standalone_mode=False)
    except _WRONG_WORDS as error:
        output.as_json = True
        output.tell_error(error.format_message())
        code = WRONG
    sys.exit(code)
