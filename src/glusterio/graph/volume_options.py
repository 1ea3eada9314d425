"""An option of a volume as ``gluster volume set`` has it: its name, its values, and where it acts.

Its name there (``performance.md-cache-timeout``) is not the key that a volfile has for it
(``md-cache-timeout``, of a ``performance/md-cache``); a table of these ties the two together.

Source: GlusterFS xlators/mgmt/glusterd/src/glusterd-volume-set.c (``glusterd_volopt_map``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from glusterio.graph.options import boolean, integer, seconds, size


class OptionError(ValueError):
    """An option that there is not, or a value that it cannot have."""


# -- kinds of values ----------------------------------------------------------------------------------


class Kind(NamedTuple):
    """What values an option can have: in a word, and what reads one or raises ``ValueError``."""

    word: str
    read: Callable[[str], object]


def _within(word: str, reader: Callable[[str], int], low: int, high: int | None) -> Kind:
    def read(text: str) -> int:
        value = reader(text)
        if value < low or (high is not None and value > high):
            upper = "" if high is None else f" and at most {high}"
            raise ValueError(f"{text!r} is out of range: at least {low}{upper}")
        return value

    return Kind(word, read)


def numbered(low: int, high: int | None = None) -> Kind:
    """Return the kind of a number within bounds."""
    return _within("number", integer, low, high)


def sized(low: int, high: int | None = None) -> Kind:
    """Return the kind of a number of bytes within bounds."""
    return _within("size", size, low, high)


def timed(low: int, high: int | None = None) -> Kind:
    """Return the kind of a number of seconds within bounds."""
    return _within("seconds", seconds, low, high)


#: What is on or off.
ON_OFF: Final = Kind("on/off", boolean)


# -- options ------------------------------------------------------------------------------------------


class Target(NamedTuple):
    """Where a value goes: the translator's type, and its option there; empty if it has none there."""

    xlator: str
    key: str


class VolumeOption(NamedTuple):
    """An option.

    Attributes:
        name: its name.
        kind: what values it can have.
        default: what it is when it is not set; empty for none.
        targets: where the value goes.
        what: what it does, for people.
    """

    name: str
    kind: Kind
    default: str
    targets: tuple[Target, ...]
    what: str


def option_of(
    name: str, kind: Kind, default: str, xlator: str, key: str, what: str
) -> VolumeOption:
    """Return an option that goes to one translator."""
    return VolumeOption(name, kind, default, (Target(xlator, key),), what)


def find_option(table: Mapping[str, VolumeOption], name: str) -> VolumeOption:
    """Return an option of a table.

    Raises:
        OptionError: there is none of the name; the message tells the nearest names.
    """
    found = table.get(name)
    if found is not None:
        return found
    import difflib  # wanted by those who misspell, and by nobody else

    near = difflib.get_close_matches(name, table, n=3, cutoff=0.6)
    near = near or [each for each in table if each.rpartition(".")[2] == name][:3]
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise OptionError(f"there is no option {name!r}{hint}")


def check_option(table: Mapping[str, VolumeOption], name: str, value: str) -> str:
    """Check a value of a table's option, and return it without the blanks around it.

    Raises:
        OptionError: there is no such option, or it cannot have the value.
    """
    found = find_option(table, name)
    value = value.strip()
    try:
        found.kind.read(value)
    except ValueError as error:
        raise OptionError(f"{name}: {error}") from None
    return value
