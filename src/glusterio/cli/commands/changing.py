"""Commands that make, change and remove names and attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glusterio.cli.commands.places import Places, Recursive, UnderNewName, Verbose
from glusterio.cli.completion import complete_place
from glusterio.cli.interrupts import run
from glusterio.cli.root import command

if TYPE_CHECKING:
    from glusterio.cli.modes import Change

Below = Annotated[bool, typer.Option("-R", "--recursive", help="Also what is below.")]
NoCreate = Annotated[bool, typer.Option("-c", "--no-create", help="Leave alone what is not there.")]


def _mode(text: str) -> Change:
    from glusterio.cli.modes import parse_mode

    try:
        return parse_mode(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@command(
    tells="removed; before, with -v, the path of each",
    examples=["glusterio rm -r gluster://server1/gv0/scratch"],
)
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


@command(
    tells="made", examples=["glusterio mkdir -p -m 2770 gluster://server1/gv0/shared/projects"]
)
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


@command(tells="removed", examples=["glusterio rmdir gluster://server1/gv0/empty"])
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
    tells="files, changed; before, with -v, path, mode and was of each",
)
def chmod(
    mode: Annotated[
        str, typer.Argument(metavar="MODE", help="755, or u+rwX,go-w.", show_default=False)
    ],
    places: Places,
    recursive: Below = False,
    verbose: Verbose = False,
) -> None:
    """Change files' permissions.

    With -R symbolic links are left alone. A directory's set-user-ID and set-group-ID bits stay unless
    they are named.
    """
    from glusterio.cli.access import change_modes

    run(change_modes(places, _mode(mode), recursive, verbose))


@command(
    examples=["glusterio chown -R anna:staff gluster://server1/gv0/home/anna"],
    tells="files, changed; before, with -v, path, uid and gid of each",
)
def chown(
    owner: Annotated[
        str,
        typer.Argument(
            metavar="[USER][:[GROUP]]",
            help="Names of this machine, or numbers.",
            show_default=False,
        ),
    ],
    places: Places,
    recursive: Below = False,
    no_dereference: Annotated[
        bool, typer.Option("--no-dereference", help="Symbolic links themselves.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Change whose files are; the brick must let us.

    USER: alone means the user's own group, too. With -R symbolic links themselves are changed.
    """
    from glusterio.cli.access import change_owners, parse_owner

    try:
        wanted = parse_owner(owner)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    run(change_owners(places, wanted, recursive, not (recursive or no_dereference), verbose))


@command(
    examples=[
        "glusterio ln -s ../notes/today.txt gluster://server1/gv0/home/anna/today.txt",
        "glusterio ln gluster://server1/gv0/a gluster://server1/gv0/b",
    ],
    tells="made; before, with -v, path, target and symbolic of each",
)
def ln(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET... LINK",
            help="LINK is on a volume; if it is a directory they go into it.",
            show_default=False,
            autocompletion=complete_place,
        ),
    ],
    symbolic: Annotated[
        bool, typer.Option("-s", "--symbolic", help="Symbolic links, not other names.")
    ] = False,
    force: Annotated[bool, typer.Option("-f", "--force", help="Replace what is there.")] = False,
    under_new_name: UnderNewName = False,
    verbose: Verbose = False,
) -> None:
    """Give files other names; or with -s make symbolic links.

    The text of a symbolic link is TARGET as it is; a place on the same volume becomes a path from the
    link's directory, which leads there wherever the volume is mounted.
    """
    from glusterio.cli.links import make_links

    if len(places) < 2:
        raise typer.BadParameter("what it leads to and a link are needed: TARGET... LINK")
    run(
        make_links(
            places[:-1],
            places[-1],
            symbolic=symbolic,
            force=force,
            under_new_name=under_new_name,
            verbose=verbose,
        )
    )


@command(tells="touched", examples=["glusterio touch gluster://server1/gv0/done"])
def touch(places: Places, no_create: NoCreate = False) -> None:
    """Set files' times to now; make them if they are not there."""
    from glusterio.cli.names import touch as set_times

    run(set_times(places, no_create))


@command(
    examples=["glusterio truncate -s 10G gluster://server1/gv0/image.raw"], tells="files, size"
)
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
