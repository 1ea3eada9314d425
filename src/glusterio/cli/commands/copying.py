"""Commands that bring files from one place to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glusterio.cli.commands.places import Recursive, UnderNewName, Verbose
from glusterio.cli.completion import complete_place
from glusterio.cli.interrupts import run
from glusterio.cli.root import command

if TYPE_CHECKING:
    from glusterio.cli.placement import Placement

SourcesAndTarget = Annotated[
    list[str],
    typer.Argument(
        metavar="SRC... DST",
        help="At least one of them is on a volume.",
        show_default=False,
        autocompletion=complete_place,
    ),
]


Jobs = Annotated[
    int, typer.Option("-j", "--jobs", min=1, max=256, help="How many files at the same time.")
]


@command(
    examples=[
        "glusterio cp -rp photos gluster://server1/gv0/backup",
        "glusterio cp -r --resume --verify gluster://server1/gv0/images .",
    ],
    tells="files, directories, links, skipped, resumed, verified, bytes, seconds; "
    "before, with -v or -n, path, to, type and size of each",
)
def cp(
    places: SourcesAndTarget,
    recursive: Recursive = False,
    preserve: Annotated[
        bool, typer.Option("-p", "--preserve", help="Keep permission bits and times exactly.")
    ] = False,
    archive: Annotated[
        bool,
        typer.Option("-a", "--archive", help="As -rp, and owners and extended attributes, too."),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on where a copy was cut; skip files of the same size and time."
        ),
    ] = False,
    checksum: Annotated[
        bool, typer.Option("--checksum", help="Skip files of the same content instead.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read back what was written; compare its SHA-256.")
    ] = False,
    update: Annotated[
        bool, typer.Option("-u", "--update", help="Skip files that are there and not older.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Tell what would be copied, and change nothing.")
    ] = False,
    under_new_name: UnderNewName = False,
    jobs: Jobs = 16,
    verbose: Verbose = False,
) -> None:
    """Copy files and trees to, from and between volumes.

    If DST is a directory they go into it. With -r symbolic links stay links. Holes stay holes.

    With --resume a copy that was cut, by whatever, goes on where it was when the same is said again.
    A file, or a new directory, is .NAME.glusterio-part beside its place until it is complete, and has
    the original's modification time then. Without, files are written in place; to go on with a tree
    that was copied so, say -T, too.
    """
    from glusterio.cli.copy import Options, copy
    from glusterio.cli.transfer import Manner

    manner = Manner(preserve or archive, resume, checksum, verify, update, dry_run, archive, jobs)
    run(copy(_placement(places, under_new_name), Options(recursive or archive, verbose, manner)))


def _placement(places: list[str], under_new_name: bool) -> Placement:
    from glusterio.cli.placement import Placement

    if len(places) < 2:
        raise typer.BadParameter("a source and a destination are needed: SRC... DST")
    return Placement(places[:-1], places[-1], under_new_name)


@command(
    tells="renamed, copied, skipped; before, with -v, path, to and how of each",
    examples=[
        "glusterio mv gluster://server1/gv0/draft.txt gluster://server1/gv0/final.txt",
        "glusterio mv results gluster://server1/gv0/archive/",
    ],
)
def mv(
    places: SourcesAndTarget,
    no_clobber: Annotated[
        bool, typer.Option("-n", "--no-clobber", help="Leave alone what is there.")
    ] = False,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Replace what is there, as it does anyhow.")
    ] = False,
    under_new_name: UnderNewName = False,
    jobs: Jobs = 16,
    verbose: Verbose = False,
) -> None:
    """Move files and trees: to other names, to, from and between volumes.

    If DST is a directory they go into it. Within a volume it is a rename. Else they are copied with all
    their attributes, read back and compared, and what has been copied is removed; cut, it goes on when
    it is said again.
    """
    from glusterio.cli.move import Options, move

    run(move(_placement(places, under_new_name), Options(no_clobber, verbose, jobs)))
