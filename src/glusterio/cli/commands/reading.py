"""Commands that read files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glusterio.cli.commands.places import Places, Recursive
from glusterio.cli.interrupts import run
from glusterio.cli.root import command

if TYPE_CHECKING:
    from glusterio.cli.tail import Amount

Lines = Annotated[
    str | None, typer.Option("-n", "--lines", metavar="N", help="So many lines; 10 unless said.")
]
Bytes = Annotated[
    str | None, typer.Option("-c", "--bytes", metavar="N", help="So many bytes, instead.")
]


def _amount(lines: str | None, size: str | None, *, may_count_on: bool) -> Amount:
    from glusterio.cli.tail import parse_amount

    try:
        return parse_amount(lines, size, may_count_on=may_count_on)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@command(examples=["glusterio cat gluster://server1/gv0/notes.txt"])
def cat(places: Places) -> None:
    """Write what is in files to the standard output.

    It is what is in them, as it is; with --json only errors are JSON.
    """
    from glusterio.cli.cat import cat as to_output

    to_output(places)


@command(tells="path and line", examples=["glusterio head -n 3 gluster://server1/gv0/table.csv"])
def head(places: Places, lines: Lines = None, size: Bytes = None) -> None:
    """Write the beginning of files to the standard output."""
    from glusterio.cli.tail import head as beginning

    run(beginning(places, _amount(lines, size, may_count_on=False)))


@command(
    examples=[
        "glusterio tail -n 100 -f --retry gluster://server1/gv0/logs/app.log",
        "glusterio tail -n +2 gluster://server1/gv0/table.csv",
    ],
    tells="path and line",
)
def tail(
    places: Places,
    lines: Lines = None,
    size: Bytes = None,
    follow: Annotated[
        bool, typer.Option("-f", "-F", "--follow", help="Go on with what is added, until Ctrl-C.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Wait for what is not, or no more, there.")
    ] = False,
    interval: Annotated[
        float,
        typer.Option("-s", "--interval", min=0.01, metavar="SECONDS", help="How often to look."),
    ] = 1.0,
) -> None:
    """Write the end of files to the standard output.

    With +N it is all from line, or byte, N on. With -f the name is followed: what becomes shorter is
    read from its beginning, and so is another file that has got the name.
    """
    from glusterio.cli.tail import Following
    from glusterio.cli.tail import tail as end

    following = Following(retry, interval) if follow else None
    run(end(places, _amount(lines, size, may_count_on=True), following))


@command(
    tells="path, algorithm, digest, size",
    examples=["glusterio checksum -r gluster://server1/gv0/photos"],
)
def checksum(
    places: Places,
    algorithm: Annotated[
        str, typer.Option("-a", "--algorithm", metavar="NAME", help="sha256, sha512, md5, ...")
    ] = "sha256",
    recursive: Recursive = False,
) -> None:
    """Tell the digests of files, as sha256sum does."""
    import hashlib

    from glusterio.cli.checksum import checksums

    if algorithm not in hashlib.algorithms_available or algorithm.startswith("shake"):
        raise typer.BadParameter(f"{algorithm!r} is no algorithm that is known here")
    run(checksums(places, algorithm, recursive))
