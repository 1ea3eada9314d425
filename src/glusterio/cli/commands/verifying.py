"""The command that checks the specification."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glusterio.cli.completion import complete_configuration
from glusterio.cli.root import command


@command(
    examples=[
        "glusterio verify",
        "glusterio verify FdLifecycle/no-drain --show",
        "glusterio verify Teardown/without --html guards.html",
        "glusterio verify --trace session.ndjson",
    ],
    tells="config, verdict, expected, as_expected, wrong, generated, distinct, depth, seconds; "
    "with --show the counterexample; with --list config, expected, shows; "
    "with --trace trace, fits, line, why, possible",
)
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONFIGURATION...]",
            help="A name, or what names begin with; all but what takes long, if none is given.",
            show_default=False,
            autocompletion=complete_configuration,
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Tell the counterexamples, one line a step.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write what is found as a page to be stepped through: the counterexamples; with "
            "--trace the sessions' lives.",
        ),
    ] = None,
    trace: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Follow the trace of a session instead; further files may stand behind it.",
        ),
    ] = None,
    list_them: Annotated[
        bool, typer.Option("--list", help="Tell which configurations there are; check none.")
    ] = False,
    spec: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The modules' directory.", show_default="the one that is shipped"
        ),
    ] = None,
) -> None:
    """Check the specification of the lifecycle: every state, in every order of events.

    It comes with the package, in TLA+. Some configurations must hold; others lack a guard, or say what
    libgfapi does, and must be violated: their counterexamples are the shortest there are. A verdict and
    the numbers of states are as expected if they are those of TLC, the TLA+ project's own checker.

    With --trace it looks whether traces of real sessions are behaviours of the specification.

    The exit code is 1 if something is not as expected, or a trace does not fit.
    """
    from glusterio.cli.verify import Options, follow, list_configurations
    from glusterio.cli.verify import verify as check
    from glusterio.verify.shipped import SPEC

    if trace:
        follow(spec or SPEC, [*trace, *map(Path, names or [])], html)
    elif list_them:
        list_configurations(spec or SPEC, names or [])
    else:
        check(Options(spec or SPEC, names or [], show, html))
