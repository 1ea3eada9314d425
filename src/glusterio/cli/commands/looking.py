"""Commands that tell what is on a volume."""

from __future__ import annotations

from typing import Annotated

import typer

from glusterio.cli.commands.places import Places
from glusterio.cli.interrupts import run
from glusterio.cli.root import command


@command()
def ls(
    places: Places,
    long: Annotated[bool, typer.Option("-l", help="With the attributes.")] = False,
    every: Annotated[bool, typer.Option("-a", help="Also names that begin with a dot.")] = False,
    recursive: Annotated[bool, typer.Option("-R", help="Also what is below.")] = False,
) -> None:
    """List directories."""
    from glusterio.cli.listing import Options, list_places

    run(list_places(places, Options(long, every, recursive)))


@command()
def stat(
    places: Places,
    follow: Annotated[
        bool, typer.Option("-L", "--dereference", help="Follow symbolic links.")
    ] = False,
) -> None:
    """Tell the attributes of files; links are not followed."""
    from glusterio.cli.stat import stat_places

    run(stat_places(places, follow))
