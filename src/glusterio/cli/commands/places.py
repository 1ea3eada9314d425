"""The arguments that many commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from glusterio.cli.completion import complete_place

Places = Annotated[
    list[str],
    typer.Argument(
        metavar="URL/PATH...",
        help="Places on a volume.",
        show_default=False,
        autocompletion=complete_place,
    ),
]

Recursive = Annotated[bool, typer.Option("-r", "-R", "--recursive", help="Also directories.")]

#: For commands whose ``-h`` this is, as everybody knows it.
Human = Annotated[bool, typer.Option("-h", "--human-readable", help="Sizes in the units that fit.")]

Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Tell of each file.")]

UnderNewName = Annotated[
    bool,
    typer.Option(
        "-T", "--no-target-directory", help="DST is the new name, even if it is a directory."
    ),
]
