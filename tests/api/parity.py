"""Operations to be done both with ``os`` and on a volume, and how to compare what came of them.

A case is one step on a tree that is the same before each. What comes of it is the step's result or
its error, and the whole tree afterwards. This module knows neither glusterio nor pytest: it also runs
in the process that does the steps with ``os``, in a root directory of its own (``local_os.py``).
"""

from __future__ import annotations

import contextlib
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
    it.chown("/", os.geteuid(), os.getegid())
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
        elif stat_module.S_ISREG(status.st_mode):
            yield path, status.st_mode, status.st_nlink, read(it, path)
        else:
            yield path, status.st_mode, status.st_nlink, status.st_rdev


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


class Open(NamedTuple):
    """Stands in a case's arguments for an open file, which the step opens and closes."""

    path: str
    flags: int = os.O_RDONLY


@contextlib.contextmanager
def opened(it: Any, values: tuple[Any, ...]) -> Iterator[list[Any]]:
    """The values, with files open where an `Open` stands."""
    with contextlib.ExitStack() as stack:
        made = []
        for value in values:
            if isinstance(value, Open):
                value = it.open_handle(value.path, value.flags)
                stack.callback(value.close)
            made.append(value)
        yield made


def call(it: Any, operation: str, args: tuple[Any, ...], options: tuple[Any, ...] = ()) -> Any:
    """Call a method with options, each a name and a value. With a descriptor errors name no file."""
    names = options[::2]
    with opened(it, (*args, *options[1::2])) as values:
        method = partial(STEPS[operation], it) if operation in STEPS else getattr(it, operation)
        do = partial(
            method,
            *values[: len(args)],
            **dict(zip(names, values[len(args) :], strict=True)),
        )
        if not any(isinstance(arg, Open) for arg in args):
            return do()
        found = outcome(do)
        return found[:2] if isinstance(found, Failed) else found


def look(it: Any, path: Any, *step: Any) -> Any:
    """Call, and see what the file at a path is like before and after."""
    before = outcome(partial(features, it, path))
    came = outcome(partial(call, it, *step))
    after = outcome(partial(features, it, path))
    return came, before, after


def copied_range(it: Any, source: Any, target: Any, *numbers: Any) -> Any:
    """Copy between open files, and see the target."""
    count = source.copy_file_range(target, *numbers)
    return count, target.fstat().st_size


def features(it: Any, path: Any) -> Any:
    """What a snapshot does not tell of a file: owner, device and extended attributes."""
    names = sorted(name for name in it.listxattr(path, follow_symlinks=False) if ours(name))
    return (
        normal(it.lstat(path)),
        [(name, it.getxattr(path, name, follow_symlinks=False)) for name in names],
    )


def ours(name: str) -> bool:
    """Whether an extended attribute is none that the system under the test made."""
    return name.startswith(("user.", "trusted."))


def method(it: Any, file: Open, name: str, *args: Any) -> Any:
    """Call methods of an open file: one, and then see what came of it."""
    with opened(it, (file,)) as [it_file]:
        came = outcome(lambda: getattr(it_file, name)(*args))
        if isinstance(came, Failed):
            came = came[:2]
        after = it_file.fstat()
        times = (after.st_atime_ns, after.st_mtime_ns) if name == "utime" and args else None
        return came, normal(after), times


def resolved(it: Any, path: Any) -> Any:
    """realpath, strictly. Which path the error names, from the root or not, is Python's own affair."""
    return nameless(it, "call", "realpath", (path,), ("strict", True))


def nameless(it: Any, *step: Any) -> Any:
    """Do a step whose error need not name the same file, or none."""
    came = outcome(partial(perform, it, Case(step[0], step[1:])))
    return came[:2] if isinstance(came, Failed) else came


def times_of(it: Any, path: Any, *step: Any) -> Any:
    """Set times in some way, and see them."""
    came = outcome(partial(call, it, *step))
    if isinstance(came, Failed):
        return came[:2]  # os.utime names no file
    status = it.stat(path)
    return came, status.st_atime_ns, status.st_mtime_ns


def renewed(it: Any, path: Any, *step: Any) -> Any:
    """Set times to now, and see that they are."""
    it.utime(path, ns=(0, 0), follow_symlinks=False)
    came = outcome(partial(call, it, *step))
    if isinstance(came, Failed):
        came = came[:2]
    status = it.lstat(path)
    return came, status.st_atime_ns > 10**18, status.st_mtime_ns > 10**18


def xattrs_in_turn(it: Any, path: Any, *steps: tuple[Any, ...]) -> Any:
    """Set, get, list and remove extended attributes one after the other."""
    found = []
    for operation, *rest in steps:
        came = outcome(partial(getattr(it, operation), path, *rest))
        if operation == "listxattr" and isinstance(came, list):
            came = sorted(filter(ours, came))
        found.append(came)
    return found


def copied_status(it: Any, src: Any, dst: Any, follow: bool = True) -> Any:
    """copystat, and what became of the target."""
    for at, path in enumerate(("f", "d", "d/f", "lf", "ld")):
        it.utime(path, ns=(at, 7_000_000_001 + at), follow_symlinks=False)
    it.setxattr("f", "user.colour", b"blue")
    it.chmod("f", 0o640)
    came = outcome(lambda: it.copystat(src, dst, follow_symlinks=follow))
    if isinstance(came, Failed):
        return came[:2]
    shown = [it.stat(dst)] if follow or not it.islink(dst) else [it.lstat(dst), it.stat(dst)]
    return came, features(it, dst), [status.st_mtime_ns for status in shown]


def from_there(it: Any, directory: Any, *steps: tuple[Any, ...]) -> Any:
    """Go to a directory, do steps there, and go back."""
    try:
        came = outcome(partial(call, it, "chdir", (directory,)))
        where = outcome(it.getcwd)
        return came, where, [outcome(partial(perform, it, Case(one[0], one[1:]))) for one in steps]
    finally:
        it.chdir("/")


def entries_of(it: Any, path: str) -> Any:
    """List an open directory; its entries have no paths."""
    with opened(it, (Open(path),)) as [directory]:
        names = sorted(it.listdir(directory))
        with it.scandir(directory) as entries:
            return names, sorted(
                (entry.name, entry.path, outcome(entry.is_dir), outcome(entry.stat))
                for entry in entries
            )


def figures(it: Any, path: Any) -> Any:
    """What statvfs says that does not change while we look."""
    found = it.statvfs(path)
    return found.f_frsize, found.f_blocks, found.f_files, found.f_namemax


STEPS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        write, read, use, stat_twice, scan, set_times, set_odd_times, make_then, go_on_after, figures,
        call, look, method, times_of, renewed, xattrs_in_turn, copied_status, from_there, entries_of,
        copied_range, resolved, nameless,
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
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
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
        if error.errno is None:  # shutil's own, which name a path or not as Python's version has it
            return Failed(type(error).__name__)
        return Failed(type(error).__name__, error.errno, error.filename, error.filename2)
    except (
        ValueError, TypeError, OverflowError, BufferError, LookupError, NotImplementedError,
    ) as error:  # fmt: skip
        return Failed(type(error).__name__)
    return normal(sorted(value) if isinstance(value, list) and _all_text(value) else value)


def _all_text(value: list[Any]) -> bool:
    return all(isinstance(one, str) for one in value)


#: Operations that may fail half-way.
PARTIAL: set[str] = {"makedirs", "removedirs", "renames", "call"}

#: Steps that may change what a snapshot does not show: the tree is made anew after them.
UNSEEN = frozenset(
    {"look", "method", "xattrs_in_turn", "copied_status", "chown", "times_of", "renewed"}
)


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
        if after == self._pristine and case.operation not in UNSEEN:
            return came, "unchanged"
        uproot(self._it)
        plant(self._it)
        return came, after
