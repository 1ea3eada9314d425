"""``glusterio find``: what in a tree all of some tests hold of."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from glusterio.cli import attributes, output
from glusterio.cli.attributes import group_number, letter, user_number
from glusterio.cli.errors import CommandError
from glusterio.cli.locations import Location
from glusterio.cli.modes import parse_mode
from glusterio.cli.output import shown, tell
from glusterio.cli.sides import VolumeSide
from glusterio.cli.trees import Item, below
from glusterio.cli.volumes import Complaints, at_each, status_of
from glusterio.cli.walking import walk

#: A test of something found, and of the text that it would be printed as.
Test = Callable[[Item, str], bool]

_UNITS = {"c": 1, "w": 2, "b": 512, "k": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "": 512}
_NUMBER = re.compile(r"([-+]?)(\d+)([a-zA-Z]?)")


@dataclass(frozen=True)
class Options:
    """What ``find`` was told besides the tests.

    Attributes:
        min_depth: how far below the places what is told of is at least.
        max_depth: how far at most.
        empty: files of no length, and directories with nothing in them.
        delete: remove it, what is below first.
        nul: end each name with a NUL, not with a newline.
        newer: a place, on a volume or not: changed after what is there.
        tests: all of them must hold.
    """

    min_depth: int = 0
    max_depth: int | None = None
    empty: bool = False
    delete: bool = False
    nul: bool = False
    newer: str | None = None
    tests: list[Test] = field(default_factory=list)


async def find(targets: list[str], options: Options) -> None:
    """Tell of what is found, or remove it."""
    tests = list(options.tests)
    if options.newer is not None:
        tests.append(_by_news(await status_of(options.newer)))

    async def one(side: VolumeSide, place: Location, complaints: Complaints) -> None:
        def complain(path: str, error: Exception) -> None:
            complaints("list", place.join(path).text, error)

        async with walk(side, place.path, complain, max_depth=options.max_depth) as visits:
            async for item, leaving, _ in visits:
                later = options.delete and item.is_directory
                if leaving != later or item.depth < options.min_depth:
                    continue
                text = place.join(item.path).text
                if not all(test(item, text) for test in tests):
                    continue
                path = below(place.path, item.path)
                if options.empty and not await _is_empty(side, item, path):
                    continue
                if options.delete:
                    try:
                        await _remove(side, place, item, path)
                    except OSError as error:
                        complaints("remove", text, error)
                        continue
                _show(item, text, options)

    await at_each(targets, "look through", one)


def _show(item: Item, text: str, options: Options) -> None:
    if output.as_json:
        tell({"path": text, **attributes.record(item.stat)})
    elif options.nul:
        print(text, end="\0")
    elif not options.delete:
        print(shown(text))


async def _is_empty(side: VolumeSide, item: Item, path: str) -> bool:
    if item.is_directory:
        return not await side.list(path)
    return item.is_file and not item.stat.st_size


async def _remove(side: VolumeSide, place: Location, item: Item, path: str) -> None:
    if not item.depth and not place.name:
        raise CommandError(f"cannot remove {place.text!r}: it has no name", place.text)
    await (side.rmdir if item.is_directory else side.unlink)(path)


# -- the tests ------------------------------------------------------------------------------------


def by_name(pattern: str, *, ignore_case: bool = False) -> Test:
    """The last name matches a shell pattern."""
    matches = _matcher(pattern, ignore_case)
    return lambda item, text: matches(posixpath.basename(text.rstrip("/")))


def by_path(pattern: str, *, ignore_case: bool = False) -> Test:
    """What would be printed matches a shell pattern, in which ``*`` also means slashes."""
    matches = _matcher(pattern, ignore_case)
    return lambda item, text: matches(text)


def _matcher(pattern: str, ignore_case: bool) -> Callable[[str], bool]:
    if ignore_case:
        lower = pattern.lower()
        return lambda text: fnmatch.fnmatchcase(text.lower(), lower)
    return lambda text: fnmatch.fnmatchcase(text, pattern)


def by_type(letters: str) -> Test:
    """It is of one of these types: ``f``, ``d``, ``l``, ``p``, ``s``, ``c``, ``b``; ``f,l`` is two.

    Raises:
        ValueError: there is no such type.
    """
    wanted = set(letters.split(","))
    known = {known for _, known in attributes.TYPES.values()}
    if not wanted <= known:
        raise ValueError(f"{letters!r} is no type: {', '.join(sorted(known))} are")
    return lambda item, text: letter(item.stat.st_mode) in wanted


def by_size(text: str) -> Test:
    """It is as long as a number of units, begun ones included: ``5k``, ``+1M``, ``-100c``.

    Raises:
        ValueError: it is no size.
    """
    compare, unit = _number(text, _UNITS)
    return lambda item, _: compare(-(-item.stat.st_size // unit))


def by_age(text: str, seconds: int) -> Test:
    """Its content was changed so many whole days, or minutes, ago.

    Raises:
        ValueError: it is no number.
    """
    compare, _ = _number(text, {"": 1})
    now = time.time_ns()
    return lambda item, _: compare((now - item.stat.st_mtime_ns) // (seconds * 10**9))


def _number(text: str, units: dict[str, int]) -> tuple[Callable[[int], bool], int]:
    match = _NUMBER.fullmatch(text)
    if match is None or match[3] not in units:
        raise ValueError(f"{text!r} is no number: 5, +5 (more) and -5 (less) are")
    sign, number, unit = match[1], int(match[2]), units[match[3]]
    compare = {
        "": lambda count: count == number,
        "+": lambda count: count > number,
        "-": lambda count: count < number,
    }[sign]
    return compare, unit


def by_mode(text: str) -> Test:
    """Its permission bits are these; with ``-`` all of these are set, with ``/`` any of them.

    Raises:
        ValueError: it is no mode.
    """
    how = text[0] if text[:1] in ("-", "/") else ""
    bits = parse_mode(text[len(how) :])(0, is_directory=False, umask=0)
    if how == "-":
        return lambda item, _: item.stat.st_mode & bits == bits
    if how == "/":
        return lambda item, _: not bits or bool(item.stat.st_mode & bits)
    return lambda item, _: item.stat.st_mode & 0o7777 == bits


def by_owner(text: str) -> Test:
    """It is this user's: a name of this machine, or a number."""
    number = user_number(text)
    return lambda item, _: item.stat.st_uid == number


def by_group(text: str) -> Test:
    """It is this group's: a name of this machine, or a number."""
    number = group_number(text)
    return lambda item, _: item.stat.st_gid == number


def _by_news(status: os.stat_result) -> Test:
    """Its content was changed after that of another file."""
    return lambda item, _: item.stat.st_mtime_ns > status.st_mtime_ns
