"""Commands that bring files from one place to another."""

from __future__ import annotations

from typing import Annotated

import typer

from glusterio.cli.commands.places import Recursive
from glusterio.cli.interrupts import run
from glusterio.cli.root import command

SourcesAndTarget = Annotated[
    list[str],
    typer.Argument(
        metavar="SRC... DST", help="At least one of them is on a volume.", show_default=False
    ),
]


@command()
def cp(
    places: SourcesAndTarget,
    recursive: Recursive = False,
    preserve: Annotated[
        bool, typer.Option("-p", "--preserve", help="Keep permission bits and times exactly.")
    ] = False,
) -> None:
    """Copy files and trees to, from and between volumes.

    If DST is a directory they go into it. With -r symbolic links stay links.
    """
    from glusterio.cli.copy import Options, copy

    if len(places) < 2:
        raise typer.BadParameter("cp needs a source and a destination: SRC... DST")
    run(copy(places[:-1], places[-1], Options(recursive, preserve)))
