"""Commands of the brick and its management daemon, and the demo."""

from __future__ import annotations

from typing import Annotated

import typer

from glusterio.api.url import MANAGEMENT_PORT
from glusterio.brick.limits import Limits
from glusterio.brick.limits import names as limit_names
from glusterio.cli.root import command
from glusterio.traps import Tls


@command(
    examples=[
        "glusterio serve /srv/data",
        "glusterio serve /srv/a /srv/b --volume data --volume backup --host 0.0.0.0",
    ]
)
def serve(
    directories: Annotated[
        list[str], typer.Argument(metavar="DIR...", help="What to serve.", show_default=False)
    ],
    volume: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A volume's name; repeated, those of the directories in order.",
            show_default="the directory's",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The management port; 0 takes any.")
    ] = MANAGEMENT_PORT,
    brick_port: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="PORT",
            help="A brick's port; repeated, those of the directories in order.",
            show_default="any",
        ),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Take orders here.", show_default="where glusterio volume looks"
        ),
    ] = None,
    statedump_dir: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Where SIGUSR1 puts statedumps.",
            show_default="that of the control sockets",
        ),
    ] = None,
    tls: Annotated[
        bool,
        typer.Option("--tls", help="Speak TLS on the management port, and nothing else."),
    ] = False,
    certificate: Annotated[
        str, typer.Option(metavar="FILE", help="With --tls: the certificate.")
    ] = Tls().certificate,
    key: Annotated[
        str, typer.Option(metavar="FILE", help="With --tls: its private key.")
    ] = Tls().key,
    authorities: Annotated[
        str, typer.Option(metavar="FILE", help="With --tls: whom to trust.")
    ] = Tls().authorities,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help=f"What clients may ask for; may be repeated: {limit_names()}.",
            show_default=False,
        ),
    ] = None,
    with_stdin: Annotated[
        bool, typer.Option("--with-stdin", help="End when the standard input does.")
    ] = False,
) -> None:
    """Serve directories as GlusterFS volumes, until Ctrl-C.

    Everybody who reaches the address may use the volumes, with the rights that he claims to have; see
    `glusterio volume set VOLUME auth.allow`. Limits count for each volume, unless its options say
    otherwise, and for the management port. Whether a volume's own brick speaks TLS is for its option
    server.ssl to say.
    """
    from glusterio.cli.serve import Options
    from glusterio.cli.serve import serve as serve_directories

    names = volume or []
    if len(names) > len(directories):
        raise typer.BadParameter("more names than directories: --volume")
    if len(brick_port or []) > len(directories):
        raise typer.BadParameter("more ports than directories: --brick-port")
    files = Tls(None, certificate, key, authorities) if tls else None
    try:
        Limits().changed(limit or ())
    except ValueError as error:
        raise typer.BadParameter(f"{error}: --limit") from None
    options = Options(
        host,
        port,
        tuple(brick_port or ()),
        control,
        statedump_dir,
        with_stdin,
        files,
        tuple(limit or ()),
    )
    serve_directories(directories, names, options)


@command(in_json=False)
def demo(
    src: Annotated[str, typer.Option(metavar="DIR", help="The directory tree to copy.")] = ".",
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A volume to work on.", show_default="an embedded brick"),
    ] = None,
) -> None:
    """Copy a tree to a volume and back, close a session in mid-work.

    The session is closed while 1,000 handles are open, writes are in flight and threads keep opening
    files; then the brick itself is asked what it still holds.

    The last line tells what the brick holds when all is over, and the exit code is 0 only if that
    is nothing, no acknowledged byte was lost, and no thread hung. It removes what it made.
    """
    from glusterio.cli.demo import demo as show

    show(src, url)
