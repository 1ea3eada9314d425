"""The commands and their options."""

from __future__ import annotations

from typing import Annotated

import typer

import glusterio
from glusterio.brick.main import MANAGEMENT_PORT
from glusterio.cli import errors
from glusterio.cli.errors import command

HELP = """\
The GlusterFS client whose sessions cannot leak.

A place on a volume is the volume's URL and a path:

\b
    gluster://HOST[:PORT][,HOST...]/VOLUME/dir/file
    gluster+unix:///VOLUME?socket=PATH#/dir/file
    volfile:///etc/gv0.vol#/dir/file
    embedded:///srv/data#/dir/file

A '#' ends the volume's URL, and the path follows, taken as it is; gluster:// URLs need none.
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Debug = Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"glusterio {glusterio.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Debug = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    errors.debug_everywhere = debug


@app.command()
@command
def serve(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="What to serve.")],
    volume: Annotated[
        str | None, typer.Option(help="The volume's name.", show_default="the directory's")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The management port; 0 takes any.")
    ] = MANAGEMENT_PORT,
    with_stdin: Annotated[
        bool, typer.Option("--with-stdin", help="End when the standard input does.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Serve a directory as a GlusterFS volume, until Ctrl-C.

    Everybody who reaches the address may use the volume, with the rights that he claims to have.
    """
    from glusterio.cli.serve import serve as run

    run(directory, volume, host, port, with_stdin)


@app.command()
@command
def demo(
    src: Annotated[str, typer.Option(metavar="DIR", help="The directory tree to copy.")] = ".",
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A volume to work on.", show_default="an embedded brick"),
    ] = None,
    debug: Debug = False,
) -> None:
    """Copy a tree into a volume and back, then close a session in the middle of everything.

    The last line tells what the brick holds when all is over, and the exit code is 0 only if that
    is nothing, no acknowledged byte was lost, and no thread hung. It removes what it made.
    """
    from glusterio.cli.demo import demo as run

    run(src, url)
