"""Cases of ``parity.py`` for whole trees: what ``shutil``, ``os.walk`` and ``glob`` do.

As that module, it knows neither glusterio nor pytest.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.api.parity import PARTIAL, STEPS, Case, outcome, write
from tests.api.parity_cases import ENDS, OPENED, PATHS
from tests.api.parity_more_cases import GROUPS as SINGLE

#: Keyword arguments, as a case can hold them.
Pairs = tuple[tuple[str, Any], ...]

# -- the steps --------------------------------------------------------------------------------------


def plant_more(it: Any) -> None:
    """Make a tree with something of each kind."""
    it.mkdir("t")
    for path in ("t/a", "t/b", "t/a/a", "t/a/a/deep", "t/.hidden"):
        it.mkdir(path)
    for path, size in (
        ("t/x.txt", 10),
        ("t/y.bin", 70_000),
        ("t/empty", 0),
        ("t/a/x.txt", 3),
        ("t/a/a/y.txt", 5),
        ("t/a/a/deep/z", 1),
        ("t/.hidden/h.txt", 2),
        ("t/.dot", 4),
    ):
        write(it, path, path.encode().ljust(size, b".")[:size])
    for target, path in (
        ("x.txt", "t/to-x"),
        ("a", "t/to-a"),
        ("nowhere", "t/to-nowhere"),
        ("../../d", "t/b/to-d"),
        ("to-itself", "t/b/to-itself"),
    ):
        it.symlink(target, path)
    it.chmod("t/x.txt", 0o640)
    it.chmod("t/a/a", 0o750)


def after_planting(it: Any, *steps: tuple[Any, ...]) -> Any:
    """Plant more, then do steps one after the other."""
    plant_more(it)
    return [outcome(partial(STEPS[step[0]], it, *step[1:])) for step in steps]


def link_above(it: Any) -> None:
    """Make a link that leads to what it is in, so that trees have no end but Linux's limit of links."""
    it.symlink("..", "t/b/to-above")


def walk(it: Any, path: Any, how: Pairs = ()) -> Any:
    """Walk; what comes for each directory, whether in a good order, and the errors."""
    options = dict(how)
    errors: list[Any] = []
    found = [
        (directory, sorted(directories), sorted(others))
        for directory, directories, others in it.walk(path, onerror=errors.append, **options)
    ]
    place = {directory: number for number, (directory, _, _) in enumerate(found)}
    topdown = options.get("topdown", True)
    in_order = all(
        (place[os.path.dirname(directory)] < number) == topdown
        for directory, number in place.items()
        if os.path.dirname(directory) in place and directory != "/"
    )
    told = [(type(error).__name__, error.errno, error.filename) for error in errors]
    return sorted(found), in_order, told


def fwalk(it: Any, path: Any, how: Pairs = ()) -> Any:
    """Walk with open directories; what is seen through them."""
    errors: list[Any] = []
    found = [
        (
            directory,
            sorted(directories),
            sorted((name, it.lstat(name, dir_fd=opened).st_mode) for name in others),
        )
        for directory, directories, others, opened in it.fwalk(
            path, onerror=errors.append, **dict(how)
        )
    ]
    first_or_last = 0 if dict(how).get("topdown", True) else -1
    return sorted(found), not found or found[first_or_last][0] == path, len(errors)


def walk_pruned(it: Any, path: Any) -> Any:
    """Walk top-down, choosing where to go."""
    found = []
    for directory, directories, others in it.walk(path):
        found.append((directory, sorted(directories), sorted(others)))
        directories[:] = [name for name in directories if name != "a"] + ["made-up"]
    return sorted(found)


def rmtree(it: Any, path: Any, how: Pairs = ()) -> Any:
    """Remove a tree."""
    it.rmtree(path, **dict(how))
    return sorted(it.listdir("/"))


def rmtree_asking(it: Any, path: Any) -> Any:
    """Remove a tree; what the handler is told, in any order."""
    told: list[Any] = []

    def handler(function: Callable[..., Any], path: Any, error: Any) -> None:
        name = {"open_handle": "open"}.get(function.__name__, function.__name__)
        told.append((name, path, error[0].__name__, error[1].errno, type(error).__name__))

    it.rmtree(path, onerror=handler)
    return sorted(told, key=repr)


def read_whole(it: Any, path: Any) -> Any:
    return it.read_bytes(path)


def write_whole(it: Any, path: Any, data: bytes) -> Any:
    return it.write_bytes(path, data), it.read_bytes(path)


def text_there_and_back(it: Any, path: Any, text: Any, how: Pairs = ()) -> Any:
    options = dict(how)
    return it.write_text(path, text, **options), it.read_bytes(path), it.read_text(path, **options)


def each_of(it: Any, operation: str, paths: tuple[Any, ...]) -> Any:
    """Do something with many paths; what comes of each."""

    def given(one: Any) -> Any:
        if isinstance(one, Exception):
            raise one
        return one

    found = getattr(it, operation)(paths, return_exceptions=True)
    return [outcome(partial(given, one)) for one in found]


def exist_of(it: Any, paths: tuple[Any, ...]) -> Any:
    return list(it.exists_many(paths))


def copied(it: Any, operation: str, src: Any, dst: Any, how: Pairs = ()) -> Any:
    """Copy or move a file or a tree; what comes of it, with the times where they are copied."""
    options = dict(how)
    name = options.get("copy_function")
    if isinstance(name, str):
        options["copy_function"] = getattr(it, name)
    if it.exists(src):
        it.utime(src, ns=(1_111_111_111_222_222_222, 1_333_333_333_444_444_444))
    try:
        found = getattr(it, operation)(src, dst, **options)
    except shutil.Error as error:
        # The errors of a tree are a list of the source, the target and the reason of each.
        told = error.args[0] if isinstance(error.args[0], list) else [error.args[0]]
        return type(error).__name__, sorted(
            (one[:2], _without_entries(one[2])) if isinstance(one, tuple) else str(one)
            for one in told
        )
    with_times = operation in ("copy2", "copytree") and options.get("follow_symlinks", True)
    return os.fspath(found), with_times and it.stat(found).st_mtime_ns


def _without_entries(reason: str) -> str:
    """What went wrong; ``shutil`` names a file by its directory entry now and then."""
    return re.sub(r"<DirEntry '(.*)'>", r"'\1'", reason)


def leave_out(directory: Any, names: Any) -> set[str]:
    """Leave some names out, each in one directory."""
    return {name for name in names if name == "y.bin" or (directory.endswith("/a") and "x" in name)}


def copy_twice(it: Any, src: Any, dst: Any) -> Any:
    """Copy with a function of one's own, which uses the volume, and fails now and then."""
    done = []

    def function(source: Any, target: Any) -> None:
        if source.endswith("y.txt"):
            raise OSError(5, "as it was told", source)
        it.copyfile(source, target)
        it.copyfile(source, target + ".again")
        done.append((os.fspath(source), os.fspath(target)))

    return copied(it, "copytree", src, dst, (("copy_function", function),)), sorted(done)


def glob(it: Any, pattern: Any, how: Pairs = ()) -> Any:
    """Find what matches, each as often as it is found."""
    found = it.glob(pattern, **dict(how))
    assert list(it.iglob(pattern, **dict(how))) == found
    return sorted(found)


def there(it: Any, directory: Any, operation: str, path: Any) -> Any:
    """Do something with a tree below an open directory."""
    file = it.open_handle(directory, os.O_RDONLY)
    try:
        if operation == "rmtree":
            return it.rmtree(path, dir_fd=file)
        if operation == "glob":
            return sorted(it.glob(path, dir_fd=file, recursive=True))
        return sorted(found[:3] for found in it.fwalk(path, dir_fd=file))
    finally:
        file.close()


def usage(it: Any, path: Any) -> Any:
    """What a tree takes, less its directories, whose sizes are the file system's affair."""
    found = it.du(path)
    directories = sum(
        it.lstat(directory).st_size for directory, _, _ in it.walk(path, onerror=_no_matter)
    )
    return found.apparent - directories, found.files, found.directories


def _no_matter(_: OSError) -> None: ...


for _step in (
    after_planting, link_above, walk, fwalk, walk_pruned, rmtree, rmtree_asking, read_whole,
    write_whole, text_there_and_back, each_of, exist_of, copied, copy_twice, glob, there, usage,
):  # fmt: skip
    STEPS[_step.__name__] = _step
PARTIAL |= {"after_planting", "rmtree", "copied", "copy_twice", "there"}


# -- the table --------------------------------------------------------------------------------------

#: Roots of trees: some of each kind of path.
ROOTS: tuple[str, ...] = tuple(path for path in OPENED if path not in ("llf", "to-new", "d/new"))


PATTERNS: tuple[str, ...] = (
    "*", "t/*", "/t/*", "t/*.txt", "t/?.txt", "t/[xy].*", "t/[!x]*", "t/*/*", "t/*/", "t/*/x.txt",
    "*/a", "*/a/x.txt", "t/.*", "t/.*/*", "t/to-*/*", "t/to-a/*", "t/**", "t/**/", "t/**/*.txt",
    "t/**/a/**", "**", "**/", "**/deep", "**/deep/z", "t/*/../*", "./t/*", "t//*", "t/b/*", "t/b/**/f",
    "*.txt", "a/*", "[t]", "[", "t/[", "t/**/x", "t/a**", "", "/", "missing/*", "t/x.txt/*", "t/*/.",
    "t/*/..", "to-nowhere", "t/to-nowhere", "t/to-nowh*", "a*/**",
)  # fmt: skip


def _planted(*steps: tuple[Any, ...]) -> Case:
    return Case("after_planting", steps)


TREES: dict[str, list[Case]] = {
    "walk": [
        *(Case("walk", (path,)) for path in ROOTS),
        *(
            _planted(("walk", path, how))
            for path in ("t", "/t/", ".", "t/to-a", "t/nowhere")
            for how in (
                (),
                (("topdown", False),),
                (("followlinks", False), ("topdown", True)),
            )
        ),
        _planted(("walk", "t/b", (("followlinks", True),))),
        _planted(("walk", "t/b", (("followlinks", True), ("topdown", False)))),
        _planted(("walk_pruned", "t")),
        *(Case("fwalk", (path,)) for path in ROOTS),
        *(
            _planted(*(("fwalk", path, how) for path in ("t", "/t/", "t/to-a", "t/b")))
            for how in (
                (),
                (("topdown", False),),
                (("follow_symlinks", True),),
                (("follow_symlinks", True), ("topdown", False)),
            )
        ),
    ],
    "rmtree": [
        *(Case("rmtree", (path,)) for path in ROOTS if path not in ("/", ".", "..", "d/..")),
        *(Case("rmtree_asking", (path,)) for path in ROOTS if path not in ("/", ".", "..", "d/..")),
        *(Case("rmtree", (path, (("ignore_errors", True),))) for path in ROOTS),
        Case("rmtree_asking", ("/",)),
        Case("rmtree_asking", ("d/..",)),
        *(_planted(("rmtree", path)) for path in ("t", "t/", "/t/a", "t/to-a", "t/b", "t/x.txt")),
    ],
    "whole files": [
        *(Case("read_whole", (path,)) for path in OPENED),
        *(Case("write_whole", (path, b"written")) for path in OPENED),
        _planted(*(("read_whole", f"t/{name}") for name in ("x.txt", "y.bin", "empty", "to-x"))),
        Case("write_whole", ("new", b"")),
        Case("write_whole", ("f", b"x" * 200_000)),
        Case("write_whole", ("f", "text")),
        Case("text_there_and_back", ("new", "Grüße\n\r\n")),
        Case("text_there_and_back", ("new", "Grüße\n", (("encoding", "latin-1"),))),
        Case("text_there_and_back", ("new", "a\nb\n", (("newline", "\r\n"),))),
        Case("text_there_and_back", ("new", "\udc80")),
        Case("text_there_and_back", ("new", "Grüße", (("encoding", "ascii"),))),
        Case("text_there_and_back", ("new", b"bytes")),
    ],
    "many": [
        Case("each_of", ("stat_many", PATHS)),
        Case("each_of", ("stat_many", ())),
        Case("each_of", ("read_many", OPENED * 5)),
        Case("exist_of", (PATHS * 2,)),
    ],
    "copyfile": [
        Case("copied", (operation, src, dst, how))
        for number, operation in enumerate(("copyfile", "copy", "copy2"))
        for src in ENDS[:15]
        for dst in (*ENDS[:15], "d/sub/deep")[number::3]
        for how in ((), (("follow_symlinks", False),))
        if not how or src.startswith("l") or src == "dangling"
    ],
    "copytree": [
        *(
            Case("copied", ("copytree", src, dst))
            for src in ENDS[:17]
            for dst in ("new", "d/f", "empty")
        ),
        *(
            Case("copied", ("copytree", "d", dst))
            for dst in ENDS
            if dst not in ("d/new", "d/sub/deep")
        ),
        *(
            Case("copied", ("copytree", "d", dst, (("dirs_exist_ok", True),)))
            for dst in ENDS
            if dst.strip("l/.")
            not in ("d/new", "d/sub", "d/sub/deep", "d", "")  # not what is being read
        ),
        *(
            _planted(("copied", "copytree", "t", dst, how))
            for dst in ("copy", "empty/deep/copy", "t2")
            for how in (
                (),
                (("symlinks", True),),
                (("ignore", leave_out), ("symlinks", True)),
                (("copy_function", "copyfile"), ("symlinks", True)),
                (("copy_function", "copy"), ("symlinks", True)),
                (("copy_function", shutil.copy), ("ignore", leave_out)),
                (("dirs_exist_ok", True), ("symlinks", True)),
            )
        ),
        _planted(
            ("copied", "copytree", "t", "copy", (("symlinks", True),)),
            ("copied", "copytree", "t", "copy", (("symlinks", True),)),
            ("copied", "copytree", "t", "copy", (("dirs_exist_ok", True), ("symlinks", True))),
            ("copied", "copytree", "t/a", "copy", (("dirs_exist_ok", True),)),
        ),
        _planted(("copy_twice", "t/a", "copy")),
    ],
    "move": [
        *(
            Case("copied", ("move", src, dst))
            for number, src in enumerate(ENDS)
            for dst in ENDS[number % 3 :: 3]
            # moving a directory onto itself returns nothing there, and into itself may have no end
            if not (src.strip("l/.")[:1] == dst.strip("l/.")[:1] or src == dst)
        ),
        *(
            _planted(("copied", "move", "t", dst))
            for dst in ("d", "t/a", "new", "t/b/c", "t/x.txt")
        ),
    ],
    "glob": [
        *(Case("glob", (path,)) for path in (*ROOTS, *PATHS[-15:])),
        *(
            _planted(
                *(
                    ("glob", pattern, how)
                    for pattern in PATTERNS
                    # Python before 3.13 finds t/ where there is no t
                    if not (pattern.startswith(("t/**", "a*/**")) and "root_dir" in dict(how))
                )
            )
            for how in (
                (),
                (("recursive", True),),
                (("include_hidden", True), ("recursive", True)),
                (("root_dir", "t"),),
                (("root_dir", "t/a/"), ("recursive", True)),
                (("root_dir", "/t/to-a"), ("recursive", True), ("include_hidden", True)),
                (("root_dir", "missing"), ("recursive", True)),
            )
        ),
        _planted(("link_above",), ("glob", "t/b/**", (("recursive", True),)), ("glob", "t/b/*/*")),
    ],
    "du": [
        *(Case("usage", (path,)) for path in ROOTS),
        _planted(("usage", "t"), ("usage", "t/to-a"), ("usage", "t/to-a/")),
    ],
}

TREES["dir_fd of trees"] = [
    *(
        Case("there", (directory, operation, name))
        for operation in ("rmtree", "fwalk")
        for directory in ("d", "ld", "/", "f", "empty")
        for name in ("sub", "f", "up", "missing", "../empty", "/empty", "d", ".", "", "..")
        if (directory, name) != ("d", "..")
        and (directory, name) not in (("ld", ".."), ("empty", ".."))
        if not (directory == "/" and name in (".", ".."))
    ),
    *(
        Case("there", (directory, "glob", pattern))
        for directory in ("d", "/", "f", "empty")
        for pattern in ("*", "**", "sub", "f", "../*", "/d/*", "*/*", "", "s*/", "missing")
    ),
]
for _name in ("copyfile", "move"):
    del TREES[_name][::2]  # so many say no more

#: All groups: those for single calls, and these.
GROUPS = {**SINGLE, **TREES}
