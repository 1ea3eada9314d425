"""The commands and their options."""

from __future__ import annotations

from typing import Annotated

import typer

import glusterio
from glusterio.api.url import MANAGEMENT_PORT
from glusterio.cli import errors
from glusterio.cli.errors import command
from glusterio.cli.interrupts import run

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

Places = Annotated[
    list[str], typer.Argument(metavar="URL/PATH...", help="Places on a volume.", show_default=False)
]
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
    from glusterio.cli.serve import serve as serve_directory

    serve_directory(directory, volume, host, port, with_stdin)


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
    """Copy a tree to a volume and back, close a session in mid-work.

    The session is closed while 1,000 handles are open, writes are in flight and threads keep opening
    files; then the brick itself is asked what it still holds.

    The last line tells what the brick holds when all is over, and the exit code is 0 only if that
    is nothing, no acknowledged byte was lost, and no thread hung. It removes what it made.
    """
    from glusterio.cli.demo import demo as show

    show(src, url)


@app.command()
@command
def ls(
    places: Places,
    long: Annotated[bool, typer.Option("-l", help="With the attributes.")] = False,
    every: Annotated[bool, typer.Option("-a", help="Also names that begin with a dot.")] = False,
    recursive: Annotated[bool, typer.Option("-R", help="Also what is below.")] = False,
    debug: Debug = False,
) -> None:
    """List directories."""
    from glusterio.cli.listing import Options, list_places

    run(list_places(places, Options(long, every, recursive)))


@app.command()
@command
def cat(places: Places, debug: Debug = False) -> None:
    """Write what is in files to the standard output."""
    from glusterio.cli.cat import cat as to_output

    to_output(places)


@app.command()
@command
def cp(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC... DST", help="At least one of them is on a volume.", show_default=False
        ),
    ],
    recursive: Annotated[
        bool, typer.Option("-r", "-R", "--recursive", help="Also directories.")
    ] = False,
    preserve: Annotated[
        bool, typer.Option("-p", "--preserve", help="Keep permission bits and times exactly.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Copy files and trees to, from and between volumes.

    If DST is a directory they go into it. With -r symbolic links stay links.
    """
    from glusterio.cli.copy import Options, copy

    if len(places) < 2:
        raise typer.BadParameter("cp needs a source and a destination: SRC... DST")
    run(copy(places[:-1], places[-1], Options(recursive, preserve)))


@app.command()
@command
def rm(
    places: Places,
    recursive: Annotated[
        bool, typer.Option("-r", "-R", "--recursive", help="Also directories.")
    ] = False,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="What is not there is no error.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Remove files, and with -r directories. It does not ask."""
    from glusterio.cli.names import remove

    run(remove(places, recursive, force))


@app.command()
@command
def mkdir(
    places: Places,
    parents: Annotated[
        bool, typer.Option("-p", "--parents", help="Also those above; being there is no error.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Make directories."""
    from glusterio.cli.names import make_directories

    run(make_directories(places, parents))


@app.command()
@command
def stat(places: Places, debug: Debug = False) -> None:
    """Tell the attributes of files; links are not followed."""
    from glusterio.cli.listing import stat_places

    run(stat_places(places))
