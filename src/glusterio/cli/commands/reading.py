"""Commands that read files."""

from __future__ import annotations

from glusterio.cli.commands.places import Places
from glusterio.cli.root import command


@command()
def cat(places: Places) -> None:
    """Write what is in files to the standard output.

    It is what is in them, as it is; with --json only errors are JSON.
    """
    from glusterio.cli.cat import cat as to_output

    to_output(places)
