"""Commands that make, change and remove names and attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glusterio.cli.commands.places import Places, Recursive, Verbose
from glusterio.cli.interrupts import run
from glusterio.cli.root import command

if TYPE_CHECKING:
    from glusterio.cli.modes import Change

NoCreate = Annotated[bool, typer.Option("-c", "--no-create", help="Leave alone what is not there.")]


def _mode(text: str) -> Change:
    from glusterio.cli.modes import parse_mode

    try:
        return parse_mode(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@command()
def rm(
    places: Places,
    recursive: Recursive = False,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="What is not there is no error.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Remove files, and with -r directories. It does not ask."""
    from glusterio.cli.names import remove

    run(remove(places, recursive, force, verbose))


@command()
def mkdir(
    places: Places,
    parents: Annotated[
        bool, typer.Option("-p", "--parents", help="Also those above; being there is no error.")
    ] = False,
    mode: Annotated[
        str | None,
        typer.Option("-m", "--mode", help="Permissions, as chmod has them.", show_default=False),
    ] = None,
) -> None:
    """Make directories."""
    from glusterio.cli.names import make_directories

    run(make_directories(places, parents, None if mode is None else _mode(mode)))


@command()
def rmdir(places: Places) -> None:
    """Remove empty directories."""
    from glusterio.cli.names import remove_directories

    run(remove_directories(places))


@command(
    examples=[
        "glusterio chmod -R u+rwX,go-w gluster://server1/gv0/shared",
        "glusterio chmod 640 gluster://server1/gv0/notes.txt",
    ],
    takes_dashes=True,
)
def chmod(
    mode: Annotated[
        str, typer.Argument(metavar="MODE", help="755, or u+rwX,go-w.", show_default=False)
    ],
    places: Places,
    recursive: Annotated[
        bool, typer.Option("-R", "--recursive", help="Also what is below.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Change files' permissions.

    With -R symbolic links are left alone. A directory's set-user-ID and set-group-ID bits stay unless
    they are named.
    """
    from glusterio.cli.access import change_modes

    run(change_modes(places, _mode(mode), recursive, verbose))


@command()
def touch(places: Places, no_create: NoCreate = False) -> None:
    """Set files' times to now; make them if they are not there."""
    from glusterio.cli.names import touch as set_times

    run(set_times(places, no_create))


@command(examples=["glusterio truncate -s 10G gluster://server1/gv0/image.raw"])
def truncate(
    places: Places,
    size: Annotated[
        str, typer.Option("-s", "--size", metavar="N[kMGT]", help="How long they shall be.")
    ],
    no_create: NoCreate = False,
) -> None:
    """Cut files off, or extend them with zeros that occupy nothing."""
    from glusterio.cli.names import set_sizes
    from glusterio.cli.units import parse_size

    try:
        length = parse_size(size)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    run(set_sizes(places, length, no_create))
