"""Commands that make, change and remove names and attributes."""

from __future__ import annotations

from typing import Annotated

import typer

from glusterio.cli.commands.places import Places, Recursive
from glusterio.cli.interrupts import run
from glusterio.cli.root import command


@command()
def rm(
    places: Places,
    recursive: Recursive = False,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="What is not there is no error.")
    ] = False,
) -> None:
    """Remove files, and with -r directories. It does not ask."""
    from glusterio.cli.names import remove

    run(remove(places, recursive, force))


@command()
def mkdir(
    places: Places,
    parents: Annotated[
        bool, typer.Option("-p", "--parents", help="Also those above; being there is no error.")
    ] = False,
) -> None:
    """Make directories."""
    from glusterio.cli.names import make_directories

    run(make_directories(places, parents))
