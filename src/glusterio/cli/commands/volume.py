"""Commands that talk to a running daemon: ``glusterio volume ...`` and ``glusterio statedump``."""

from __future__ import annotations

from typing import Annotated

import typer

from glusterio.cli.interrupts import run
from glusterio.cli.root import app, command, group

volume = group("Look after the volumes of a running `glusterio serve`.")
app.add_typer(volume, name="volume")

Name = Annotated[str, typer.Argument(metavar="VOLUME", help="The volume's name.")]
AnyName = Annotated[
    str | None, typer.Argument(metavar="[VOLUME]", help="The volume's name.", show_default="all")
]
Control = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="The daemon's control socket.", show_default="found"),
]
Port = Annotated[int | None, typer.Option(help="The daemon's management port.", show_default="any")]


@command("list", within=volume)
def list_(control: Control = None, port: Port = None) -> None:
    """List the volumes that are served."""
    from glusterio.cli.daemons import Choice
    from glusterio.cli.volume import list_volumes

    run(list_volumes(Choice(control, port)))


@command(within=volume)
def info(name: AnyName = None, control: Control = None, port: Port = None) -> None:
    """Tell where volumes are, and which options are set."""
    from glusterio.cli.daemons import Choice
    from glusterio.cli.volume import info as tell_info

    run(tell_info(Choice(control, port), name))


@command(within=volume)
def status(name: AnyName = None, control: Control = None, port: Port = None) -> None:
    """Tell how many use volumes, and what they hold."""
    from glusterio.cli.daemons import Choice
    from glusterio.cli.volume import status as tell_status

    run(tell_status(Choice(control, port), name))


@command(within=volume)
def get(
    name: Name,
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OPTION...]", help="The options.", show_default="all"),
    ] = None,
    control: Control = None,
    port: Port = None,
) -> None:
    """Tell the values of options."""
    from glusterio.cli.daemons import Choice
    from glusterio.cli.volume import get as tell_values

    run(tell_values(Choice(control, port), name, [] if options == ["all"] else options or []))


@command("set", within=volume, examples=["glusterio volume set data performance.read-ahead on"])
def set_(
    name: Name,
    words: Annotated[
        list[str],
        typer.Argument(metavar="OPTION VALUE...", help="What to set.", show_default=False),
    ],
    control: Control = None,
    port: Port = None,
) -> None:
    """Set options: all that are given, or none.

    They are kept in the volume's directory. Clients fetch their volfile anew when it has changed, and
    those that may no longer use the volume are disconnected.
    """
    from glusterio.cli.daemons import Choice
    from glusterio.cli.volume import change

    run(change(Choice(control, port), name, words))


@command(within=volume)
def reset(
    name: Name,
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OPTION...]", help="The options.", show_default="all"),
    ] = None,
    control: Control = None,
    port: Port = None,
) -> None:
    """Put options back to their defaults."""
    from glusterio.cli.daemons import Choice
    from glusterio.cli.volume import reset as put_back

    run(put_back(Choice(control, port), name, options or []))


@command(within=volume)
def options() -> None:
    """List the options that there are. No daemon is needed."""
    from glusterio.cli.volume import list_options

    list_options()


@command()
def statedump(name: AnyName = None, control: Control = None, port: Port = None) -> None:
    """Tell what goes on in a running `glusterio serve`: clients, open files, locks, calls.

    The text is in sections of key=value lines, as GlusterFS's own statedumps are.
    """
    from glusterio.cli.daemons import Choice
    from glusterio.cli.statedump import statedump as tell_state

    run(tell_state(Choice(control, port), name))
