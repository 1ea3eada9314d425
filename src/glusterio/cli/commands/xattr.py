"""``glusterio xattr``: a group of commands of its own."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from glusterio.cli.commands.places import Places
from glusterio.cli.interrupts import run
from glusterio.cli.root import app, command, group

xattr = group("Extended attributes of files.")
app.add_typer(xattr, name="xattr")

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name, user. included.", show_default=False)
]
Encoding = Annotated[
    str | None,
    typer.Option("-e", "--encoding", metavar="text|hex|base64", help="How the value is written."),
]
NotFollowed = Annotated[
    bool, typer.Option("-h", "--no-dereference", help="Of symbolic links themselves.")
]


def _checked(encoding: str | None) -> str | None:
    from glusterio.cli.xattrs import ENCODINGS

    if encoding is not None and encoding not in ENCODINGS:
        raise typer.BadParameter(f"{encoding!r} is no encoding: {', '.join(ENCODINGS)} are")
    return encoding


@command(
    "list",
    within=xattr,
    h_is_help=False,
    tells="path, name, and with -l value and encoding",
    examples=["glusterio xattr list -l gluster://server1/gv0/photo.jpg"],
)
def list_(
    places: Places,
    values: Annotated[bool, typer.Option("-l", "--values", help="With their values.")] = False,
    encoding: Encoding = None,
    no_dereference: NotFollowed = False,
) -> None:
    """List the attributes of files; those with which GlusterFS keeps its books are not shown."""
    from glusterio.cli.xattrs import list_names

    run(list_names(places, values, _checked(encoding), not no_dereference))


@command(
    within=xattr,
    h_is_help=False,
    examples=["glusterio xattr get user.origin gluster://server1/gv0/photo.jpg"],
    tells="path, name, value, encoding",
)
def get(
    name: Name, places: Places, encoding: Encoding = None, no_dereference: NotFollowed = False
) -> None:
    """Tell the value of an attribute: as text where it is text, else as 0x and digits."""
    from glusterio.cli.xattrs import get as get_value

    run(get_value(places, name, _checked(encoding), not no_dereference))


@command(
    "set",
    within=xattr,
    h_is_help=False,
    examples=[
        "glusterio xattr set user.origin 'Bodensee, 2019' gluster://server1/gv0/photo.jpg",
        "glusterio xattr set user.raw 0x00ff gluster://server1/gv0/photo.jpg",
    ],
    tells="set",
)
def set_(
    name: Name,
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="Text, 0x..., or 0s...", show_default=False)
    ],
    places: Places,
    encoding: Encoding = None,
    create: Annotated[bool, typer.Option("--create", help="Only if it is not there.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Only if it is there.")] = False,
    no_dereference: NotFollowed = False,
) -> None:
    """Set an attribute: 0x begins hexadecimal digits, 0s base64, unless an encoding is given."""
    from glusterio.cli.xattrs import decoded, put

    if create and replace:
        raise typer.BadParameter("--create and --replace do not go together")
    flags = os.XATTR_CREATE if create else os.XATTR_REPLACE if replace else 0
    try:
        data = decoded(value, _checked(encoding))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    run(put(places, name, data, flags, not no_dereference))


@command(
    "rm",
    within=xattr,
    h_is_help=False,
    tells="removed",
    examples=["glusterio xattr rm user.origin gluster://server1/gv0/photo.jpg"],
)
def rm(name: Name, places: Places, no_dereference: NotFollowed = False) -> None:
    """Remove an attribute."""
    from glusterio.cli.xattrs import remove

    run(remove(places, name, not no_dereference))
