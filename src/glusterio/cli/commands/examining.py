"""Commands that look for trouble."""

from __future__ import annotations

from typing import Annotated

import typer

from glusterio.cli.root import command


@command(
    examples=[
        "glusterio doctor gluster://server1/gv0",
        "glusterio doctor gluster://server1/gv0/some/file",
    ]
)
def doctor(
    place: Annotated[
        str, typer.Argument(metavar="URL", help="The volume; with a path, a file too.")
    ],
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that an answer may take.")] = 5.0,
) -> None:
    """Tell why a volume cannot be used, and who uses it.

    It does what a client does that connects, step by step, and says of each step what it found, what
    that means and what to do. With a file's path the brick is asked how often the file is open and
    locked; a brick of `glusterio serve` on this machine tells by whom.

    The exit code is 1 if the volume cannot be used.
    """
    from glusterio.cli.doctor import doctor as examine

    examine(place, timeout)
