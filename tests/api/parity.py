"""Operations to be done both with ``os`` and on a volume, and how to compare what came of them.

A case is one step on a tree that is the same before each. What comes of it is the step's result or
its error, and the whole tree afterwards. This module knows neither glusterio nor pytest: it also runs
in the process that does the steps with ``os``, in a root directory of its own (``local_os.py``).
"""

from __future__ import annotations

import os
import stat as stat_module
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

#: What is there before each step.
CONTENT = b"0123456789"


class Case(NamedTuple):
    """One step: an operation's name (a key of `STEPS`, or a method) and its arguments."""

    operation: str
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        words = []
        for argument in self.arguments:
            text = repr(argument)
            words.append(text if len(text) < 60 else f"{text[:40]}...({len(text)} characters)")
        return f"{self.operation}({', '.join(words)})"


# -- the tree ---------------------------------------------------------------------------------------


def plant(it: Any) -> None:
    """Make the tree."""
    it.chmod("/", 0o755)
    write(it, "f", CONTENT)
    it.mkdir("d")
    write(it, "d/f", b"below")
    it.mkdir("d/sub")
    it.mkdir("empty")
    for target, path in (
        ("f", "lf"),
        ("d", "ld"),
        ("missing", "dangling"),
        ("d/new", "to-new"),
        ("loop", "loop"),
        ("lb", "la"),
        ("la", "lb"),
        ("/d/f", "absolute"),
        ("../../f", "above"),
        ("../f", "d/up"),
        ("lf", "llf"),
        ("f/", "lf-slash"),
    ):
        it.symlink(target, path)


def uproot(it: Any, directory: str = "/") -> None:
    """Remove everything."""
    with it.scandir(directory) as entries:
        found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for path, is_directory in found:
        if is_directory:
            uproot(it, path)
            it.rmdir(path)
        else:
            it.unlink(path)


def snapshot(it: Any) -> list[tuple[Any, ...]]:
    """Describe all that is there: paths, types, modes, links, sizes, contents."""
    root = ("/", it.stat("/").st_mode, 0, "")
    return [root, *sorted(_snapshot(it, "/"))]


def _snapshot(it: Any, directory: str) -> Iterator[tuple[Any, ...]]:
    with it.scandir(directory) as entries:
        found = [(entry.path, entry.stat(follow_symlinks=False)) for entry in entries]
    for path, status in found:
        if stat_module.S_ISDIR(status.st_mode):
            yield path, status.st_mode, status.st_nlink, ""
            yield from _snapshot(it, path)
        elif stat_module.S_ISLNK(status.st_mode):
            yield path, status.st_mode, status.st_nlink, it.readlink(path)
        else:
            yield path, status.st_mode, status.st_nlink, read(it, path)


# -- the steps --------------------------------------------------------------------------------------


def write(it: Any, path: str, data: bytes) -> int:
    file = it.open_handle(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        count: int = file.pwrite(data, 0)
        return count
    finally:
        file.close()


def read(it: Any, path: str) -> bytes:
    file = it.open_handle(path, os.O_RDONLY)
    try:
        data: bytes = file.pread(1 << 20, 0)
        return data
    finally:
        file.close()


def use(it: Any, path: Any, flags: int, mode: int = 0o666) -> Any:
    """Open a file, and do with it what there is to do; all results count."""
    file = it.open_handle(path, flags, mode)
    try:
        return [
            outcome(lambda: file.pread(100, 0)),
            outcome(lambda: file.pwrite(b"XY", 3)),
            outcome(lambda: file.pread(100, 2)),
            outcome(file.fstat),
            outcome(lambda: file.pread(0, 0)),
            outcome(lambda: file.pwrite(b"", 0)),
            outcome(lambda: file.pread(-1, 0)),
            outcome(lambda: file.pread(1, -1)),
            outcome(lambda: file.pwrite(b"Z", -1)),
            outcome(lambda: file.truncate(4)),
            outcome(lambda: file.truncate(-1)),
            outcome(file.fsync),
        ]
    finally:
        file.close()


def stat_twice(it: Any, path: Any) -> Any:
    """What stat says of a file, and fstat."""
    file = it.open_handle(path, os.O_RDONLY)
    try:
        by_name, by_handle = it.stat(path), file.fstat()
        return normal(by_name), normal(by_handle), by_name.st_ino == by_handle.st_ino
    finally:
        file.close()


def scan(it: Any, path: Any) -> Any:
    """List a directory with all that its entries tell."""
    with it.scandir(path) as entries:
        return sorted(
            (
                entry.name,
                entry.path,
                os.fspath(entry),
                entry.is_symlink(),
                outcome(entry.is_dir),
                entry.is_dir(follow_symlinks=False),
                outcome(entry.is_file),
                entry.is_file(follow_symlinks=False),
                outcome(entry.stat),
                outcome(partial(entry.stat, follow_symlinks=False)),
                entry.inode() == entry.stat(follow_symlinks=False).st_ino,
            )
            for entry in entries
        )


def set_times(it: Any, path: Any, follow: bool = True) -> Any:
    """Set times, and see them. ``os.utime`` names no file in its errors; to name it is better."""
    try:
        it.utime(path, ns=(1_234_567_890_123_456_789, 2_000_000_000), follow_symlinks=follow)
    except OSError as error:
        return type(error).__name__, error.errno, error.filename in (None, path)
    status = it.stat(path, follow_symlinks=follow)
    return status.st_atime_ns, status.st_mtime_ns, status.st_mtime, status[8]


def set_odd_times(it: Any, path: Any, atime_ns: int, mtime_ns: int) -> Any:
    it.utime(path, ns=(atime_ns, mtime_ns))
    status = it.stat(path)
    return status.st_atime_ns, status.st_mtime_ns


def make_then(it: Any, operation: str, *rest: Any) -> Any:
    """Make a name, then see it."""
    path = rest[0]
    getattr(it, operation)(*rest)
    return normal(it.lstat(path)), sorted(it.listdir("/"))


def go_on_after(it: Any, *steps: tuple[Any, ...]) -> Any:
    """Do steps one after the other."""
    return [outcome(partial(perform, it, Case(step[0], step[1:]))) for step in steps]


def figures(it: Any, path: Any) -> Any:
    """What statvfs says that does not change while we look."""
    found = it.statvfs(path)
    return found.f_frsize, found.f_blocks, found.f_files, found.f_namemax


STEPS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        write, read, use, stat_twice, scan, set_times, set_odd_times, make_then, go_on_after, figures,
    )
}  # fmt: skip


def perform(it: Any, case: Case) -> Any:
    """Do a case's step."""
    step = STEPS.get(case.operation)
    if step is not None:
        return step(it, *case.arguments)
    return getattr(it, case.operation)(*case.arguments)


# -- what came of it --------------------------------------------------------------------------------


def normal(value: Any) -> Any:
    """A result, less what cannot be the same on two file systems."""
    if isinstance(value, os.stat_result):
        is_directory = stat_module.S_ISDIR(value.st_mode)
        return (
            oct(value.st_mode),
            0 if is_directory else value.st_size,
            0 if is_directory else value.st_nlink,
            value.st_uid,
            value.st_gid,
            value.st_rdev,
        )
    if isinstance(value, list):
        return [normal(one) for one in value]
    return value


class Failed(NamedTuple):
    """An error as data."""

    kind: str
    errno: int | None = None
    filename: Any = None
    filename2: Any = None


def outcome(action: Callable[[], Any]) -> Any:
    """What comes of an action: its result, or its error as data."""
    try:
        value = action()
    except OSError as error:
        return Failed(type(error).__name__, error.errno, error.filename, error.filename2)
    except (ValueError, TypeError, OverflowError, BufferError) as error:
        return Failed(type(error).__name__)
    return normal(sorted(value) if isinstance(value, list) and _all_text(value) else value)


def _all_text(value: list[Any]) -> bool:
    return all(isinstance(one, str) for one in value)


#: Operations that may fail half-way.
PARTIAL: set[str] = set()


class Runner:
    """Does cases, each on a fresh tree."""

    def __init__(self, it: Any) -> None:
        self._it = it
        uproot(it)
        plant(it)
        self._pristine = snapshot(it)
        self._done = 0

    def run(self, case: Case) -> tuple[Any, Any]:
        """Do a case; return its outcome, and the tree where it is not as it was.

        What failed should have changed nothing. That is looked at every now and then, since it takes
        long; a change would still be there.
        """
        came = outcome(lambda: perform(self._it, case))
        self._done += 1
        whole = case.operation not in PARTIAL
        if isinstance(came, Failed) and whole and self._done % 10:
            return came, "unchanged"
        after = snapshot(self._it)
        if after == self._pristine:
            return came, "unchanged"
        uproot(self._it)
        plant(self._it)
        return came, after


# -- the table --------------------------------------------------------------------------------------

LONG = "n" * 255
#: 4095 bytes, the longest path that there can be, and one more.
LONGEST = "./" * 2047 + "f"
assert len(LONGEST) == 4095

PATHS: tuple[Any, ...] = (
    # plain ones, of each kind
    "f", "d", "empty", "new", "d/f", "d/sub", "d/new", "missing/new", "f/new",
    # links
    "lf", "ld", "llf", "dangling", "to-new", "loop", "la", "absolute", "above", "d/up", "lf-slash",
    "ld/f", "ld/new", "dangling/new", "loop/new", "lf/new",
    # slashes and dots
    "f/", "d/", "empty/", "new/", "lf/", "ld/", "dangling/", "to-new/", "loop/", "d/new/", "d//f",
    "//f", "/f", "/d/", "d///", "f//", ".", "./", "./f", "..", "../f", "/", "//", "/.", "/..", "/../f",
    "d/.",
    "d/..", "d/../f", "d/sub/../f", "f/.", "f/..", "new/.", "new/..", "missing/../f", "ld/../f", "ld/.",
    "ld/..", "empty/.", "empty/..", "d/sub/..", "lf/.", "dangling/.",
    # lengths
    LONG, LONG + "n", LONG + "/x", LONG + "n/x", "é" * 127, "é" * 128, LONGEST, "/" + LONGEST,
    "f/" + LONG + "n", "d/" + LONG,
    # letters
    "", " ", "ü", "\N{SNOWMAN}/x", "new\nline", "tab\t", "undecodable-\udcff", "d/\udc80",
    "back\\slash", "-", "...", "..f", "nul\0", "d/\0/x", "*",
)  # fmt: skip

#: For rename, where each is tried with each.
ENDS: tuple[str, ...] = (
    "f", "d/f", "d", "d/sub", "empty", "new", "d/new", "lf", "ld", "dangling", "loop", "missing/new",
    "f/new", "f/", "d/", "empty/", "new/", "lf/", "ld/", ".", "/", "..", "d/.", "d/..", "d/sub/deep",
    "empty/new", "ld/f", LONG + "n", "", "nul\0",
)  # fmt: skip

#: For open: some of each kind of path.
OPENED: tuple[str, ...] = (
    "f", "d", "new", "d/new", "missing/new", "f/new", "lf", "ld", "llf", "dangling", "to-new", "loop",
    "absolute", "lf-slash", "ld/new", "f/", "d/", "new/", "lf/", "ld/", "dangling/", ".", "/", "..",
    "d/..", "f/.", LONG + "n", "",
)  # fmt: skip

_FLAGS = (os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND, os.O_DIRECTORY, os.O_NOFOLLOW)


def flag_combinations() -> Iterator[int]:
    for access in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
        for bits in range(1 << len(_FLAGS)):
            yield access | sum(flag for bit, flag in enumerate(_FLAGS) if bits >> bit & 1)


def _each(operation: str, *rest: Any) -> list[Case]:
    return [Case(operation, (path, *rest)) for path in PATHS]


GROUPS: dict[str, list[Case]] = {
    "stat": _each("stat") + _each("lstat") + _each("stat_twice"),
    "exists": _each("exists"),
    "read": _each("read"),
    "write": _each("write", b"written"),
    "listdir": _each("listdir") + _each("scan"),
    "mkdir": [
        *_each("mkdir"),
        *(Case("make_then", ("mkdir", path)) for path in PATHS),
        *(Case("make_then", ("mkdir", "new", mode)) for mode in (0, 0o700, 0o1777, 0o2770, 0o40755)),
    ],
    "rmdir": _each("rmdir"),
    "unlink": [*_each("unlink"), *_each("remove")],
    "truncate": [
        *_each("truncate", 4),
        *(
            Case("truncate", (path, length))
            for path in ("f", "d", "new", "dangling", "")
            for length in (0, 10, 20, 1 << 20, -1, -(1 << 63), 1 << 63, 1 << 62)
        ),
    ],
    "statvfs": _each("figures"),
    "symlink": [
        *(Case("symlink", ("target", path)) for path in PATHS),
        *(Case("symlink", (path, "new")) for path in PATHS),
    ],
    "readlink": _each("readlink"),
    "chmod": [
        *_each("chmod", 0o640),
        *(Case("chmod", ("f", mode)) for mode in (0, 0o777, 0o4755, 0o7777, 0o100600)),
        *(Case("chmod", ("empty", mode)) for mode in (0o1777, 0o500)),
    ],
    "utime": [
        *_each("set_times"),
        *_each("set_times", False),
        Case("set_odd_times", ("f", -1, -1_500_000_000)),
        Case("set_odd_times", ("f", 0, (1 << 32) * 10**9 + 1)),
    ],
    "rename": [
        Case(operation, (old, new))
        for operation in ("rename", "replace")
        for old in ENDS
        for new in ENDS
        if operation == "rename" or (old in ENDS[:6] and new in ENDS[:6])
    ],
    "open": [
        Case("use", (path, flags))
        for at, path in enumerate(OPENED)
        for flags in list(flag_combinations())[at % 3 :: 3]  # 64 of 192, others for the next path
    ],
    "open mode": [
        *(
            Case("go_on_after", (("use", "new", os.O_RDWR | os.O_CREAT, mode), ("lstat", "new")))
            for mode in (0, 0o400, 0o666, 0o777, 0o4755, 0o100644)
        ),
        *(Case("use", (path, os.O_RDONLY)) for path in PATHS),
        *(Case("use", (path, os.O_RDWR | os.O_CREAT)) for path in PATHS),
    ],
    "sequences": [
        Case(
            "go_on_after",
            (("rename", "d", "moved"), ("stat", "moved/f"), ("exists", "d/f"), ("mkdir", "d"),
             ("exists", "d/f"), ("listdir", "d"), ("listdir", "moved")),
        ),
        Case(
            "go_on_after",
            (("read", "d/f"), ("unlink", "d/f"), ("exists", "d/f"), ("unlink", "d/up"),
             ("rmdir", "d/sub"), ("rmdir", "d"), ("write", "d", b"now a file"), ("read", "d"),
             ("read", "d/f")),
        ),
        Case(
            "go_on_after",
            (("stat", "d/sub"), ("rmdir", "d/sub"), ("symlink", "../empty", "d/sub"),
             ("write", "d/sub/x", b"x"), ("listdir", "empty"), ("stat", "d/sub/x")),
        ),
        Case(
            "go_on_after",
            (("write", "to-new", b"through"), ("read", "d/new"), ("rename", "to-new", "f"),
             ("readlink", "f"), ("read", "f")),
        ),
        Case("go_on_after", (("rename", "f", "f"), ("rename", "d", "d"), ("rename", "d", "d/"))),
        Case(
            "go_on_after",
            (*((("symlink", f"c{n - 1}" if n else "f", f"c{n}")) for n in range(42)),
             ("read", "c38"), ("read", "c39"), ("read", "c40"), ("stat", "c41"), ("lstat", "c41")),
        ),
        Case("go_on_after", (("symlink", "d/" * 2000 + "f", "new"), ("read", "new"))),
        Case("go_on_after", (("symlink", "x" * 4095, "new"), ("readlink", "new"), ("stat", "new"))),
        Case("go_on_after", (("rename", "d", "f"), ("rename", "f", "d"), ("rename", "lf", "dangling"))),
        Case("go_on_after", (("symlink", "x" * 4096, "new"), ("symlink", "", "new"))),
    ],
}  # fmt: skip
