"""Commands that tell what is on a volume."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

import typer

from glusterio.cli.commands.places import Human, Places
from glusterio.cli.interrupts import run
from glusterio.cli.root import command

T = TypeVar("T")


@command(
    h_is_help=False,
    tells="path, name, the attributes, and the target of a symbolic link",
    examples=["glusterio ls -lh gluster://server1/gv0/home"],
)
def ls(
    places: Places,
    long: Annotated[bool, typer.Option("-l", help="With the attributes.")] = False,
    every: Annotated[bool, typer.Option("-a", help="Also names that begin with a dot.")] = False,
    recursive: Annotated[bool, typer.Option("-R", help="Also what is below.")] = False,
    directory: Annotated[
        bool, typer.Option("-d", help="Directories themselves, not what is in them.")
    ] = False,
    human: Human = False,
) -> None:
    """List directories."""
    from glusterio.cli.listing import Options, list_places

    run(list_places(places, Options(long, every, recursive, directory, human)))


@command(
    examples=[
        "glusterio tree -L 2 gluster://server1/gv0/home",
        "glusterio tree -a --du gluster://server1/gv0/home/anna",
    ],
    tells="path, depth, the attributes, the target of a symbolic link, and with --du the total",
)
def tree(
    places: Places,
    every: Annotated[bool, typer.Option("-a", help="Also names that begin with a dot.")] = False,
    level: Annotated[
        int | None, typer.Option("-L", "--level", min=1, help="So far down.", show_default=False)
    ] = None,
    directories: Annotated[bool, typer.Option("-d", help="Directories only.")] = False,
    sizes: Annotated[
        bool, typer.Option("--du", help="With sizes; a directory's is that of all files below.")
    ] = False,
) -> None:
    """Draw what is below directories."""
    from glusterio.cli.tree import Options, draw_trees

    run(draw_trees(places, Options(every, level, directories, sizes)))


@command(
    examples=[
        "glusterio find gluster://server1/gv0/logs --name '*.log' --mtime +30 --delete",
        "glusterio find gluster://server1/gv0 -type f -size +1G --json",
    ],
    tells="path and the attributes",
)
def find(
    places: Places,
    name: Annotated[
        list[str] | None, typer.Option("--name", "-name", metavar="PATTERN", help="Its last name.")
    ] = None,
    iname: Annotated[
        list[str] | None,
        typer.Option("--iname", "-iname", metavar="PATTERN", help="The same, in either case."),
    ] = None,
    path: Annotated[
        list[str] | None,
        typer.Option("--path", "-path", metavar="PATTERN", help="What would be printed."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--type", "-type", metavar="f|d|l|...", help="What it is; f,l is either."),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option("--size", "-size", metavar="[+-]N[ckMGT]", help="How long it is."),
    ] = None,
    mtime: Annotated[
        list[str] | None,
        typer.Option("--mtime", "-mtime", metavar="[+-]DAYS", help="Changed so many days ago."),
    ] = None,
    mmin: Annotated[
        list[str] | None,
        typer.Option("--mmin", "-mmin", metavar="[+-]MINUTES", help="Changed so many minutes ago."),
    ] = None,
    newer: Annotated[
        str | None,
        typer.Option("--newer", "-newer", metavar="PLACE", help="Changed after this file."),
    ] = None,
    perm: Annotated[
        list[str] | None,
        typer.Option(
            "--perm", "-perm", metavar="[-/]MODE", help="Its permissions: these, all, any."
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", "-user", metavar="NAME|NUMBER", help="Whose it is.")
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", "-group", metavar="NAME|NUMBER", help="Which group's.")
    ] = None,
    empty: Annotated[
        bool, typer.Option("--empty", "-empty", help="Empty files and directories.")
    ] = False,
    min_depth: Annotated[
        int, typer.Option("--mindepth", "-mindepth", min=0, help="So far below, at least.")
    ] = 0,
    max_depth: Annotated[
        int | None,
        typer.Option(
            "--maxdepth", "-maxdepth", min=0, help="So far below, at most.", show_default=False
        ),
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", "-delete", help="Remove it instead of printing it.")
    ] = False,
    print0: Annotated[
        bool, typer.Option("--print0", "-print0", help="End each name with a NUL.")
    ] = False,
) -> None:
    """Find what all of some tests hold of, below places.

    The tests are those of find, with one dash or two. All of them must hold, in whatever order they
    are said; there is no "or" and no "not". + means more than, - less than; sizes are rounded up to
    the unit, which is 512 bytes unless said.
    """
    from glusterio.cli import find as tests

    chosen = [
        *_each(name, tests.by_name),
        *_each(iname, lambda pattern: tests.by_name(pattern, ignore_case=True)),
        *_each(path, tests.by_path),
        *_each([kind] if kind is not None else None, tests.by_type),
        *_each(size, tests.by_size),
        *_each(mtime, lambda text: tests.by_age(text, 24 * 60 * 60)),
        *_each(mmin, lambda text: tests.by_age(text, 60)),
        *_each(perm, tests.by_mode),
        *_each([user] if user is not None else None, tests.by_owner),
        *_each([group] if group is not None else None, tests.by_group),
    ]
    options = tests.Options(min_depth, max_depth, empty, delete, print0, newer, chosen)
    run(tests.find(places, options))


def _each(texts: Iterable[str] | None, make: Callable[[str], T]) -> list[T]:
    try:
        return [make(text) for text in texts or ()]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@command(
    tells="path, the attributes, and the target of a symbolic link",
    examples=["glusterio stat gluster://server1/gv0/notes.txt"],
)
def stat(
    places: Places,
    follow: Annotated[
        bool, typer.Option("-L", "--dereference", help="Follow symbolic links.")
    ] = False,
) -> None:
    """Tell the attributes of files; links are not followed."""
    from glusterio.cli.stat import stat_places

    run(stat_places(places, follow))


@command(
    h_is_help=False,
    tells="path, size in bytes, files; and with -c the total",
    examples=[
        "glusterio du -sh gluster://server1/gv0/home/anna gluster://server1/gv0/home/ben",
        "glusterio du -h -d 1 gluster://server1/gv0",
    ],
)
def du(
    places: Places,
    summarize: Annotated[
        bool, typer.Option("-s", "--summarize", help="Only the places themselves.")
    ] = False,
    every: Annotated[bool, typer.Option("-a", "--all", help="Also files.")] = False,
    depth: Annotated[
        int | None,
        typer.Option("-d", "--max-depth", min=0, help="So far down.", show_default=False),
    ] = None,
    human: Human = False,
    apparent: Annotated[
        bool, typer.Option("--apparent-size", help="How long files are, not what they occupy.")
    ] = False,
    in_bytes: Annotated[
        bool, typer.Option("-b", "--bytes", help="In bytes, and how long files are.")
    ] = False,
    total: Annotated[bool, typer.Option("-c", "--total", help="Also all together.")] = False,
) -> None:
    """Tell how much directories use, in blocks of 1024 bytes.

    A file with several names is counted once.
    """
    from glusterio.cli.usage import Options, disk_usage

    if summarize and (every or depth):
        raise typer.BadParameter("-s and -a, or -d, do not go together")
    deep = 0 if summarize else depth
    run(disk_usage(places, Options(every, deep, human, in_bytes, apparent or in_bytes, total)))


@command(
    h_is_help=False,
    tells="path, volume, size, used and available in bytes, files, files_used, files_available",
    examples=["glusterio df -h gluster://server1/gv0"],
)
def df(
    places: Places,
    human: Human = False,
    inodes: Annotated[
        bool, typer.Option("-i", "--inodes", help="How many files, instead.")
    ] = False,
) -> None:
    """Tell how much of volumes is used and free, in blocks of 1024 bytes."""
    from glusterio.cli.usage import free_space

    run(free_space(places, human, inodes))
