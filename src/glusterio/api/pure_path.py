"""A path on a volume, as far as it is words: the part of ``pathlib`` that asks nobody.

The words are those of a :class:`pathlib.PurePosixPath`, and every answer about them is its answer. A
path on a volume is not one of its subclasses, for two reasons. What pathlib wants of a subclass differs
from one version of Python to the next. And those paths are ``os.PathLike``, which says to everybody
that ``open(path)`` opens what it names: that would be a file of this machine.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Generic, TypeVar, overload

from glusterio.types import StrPath

V = TypeVar("V")
P = TypeVar("P", bound="PureVolumePath[Any]")


class PureVolumePath(Generic[V]):
    """The words of a path on a volume.

    Two paths are equal when their volumes are the same object and their words are equal. Paths on
    different volumes have no order, and cannot be joined.

    Args:
        volume: the volume.
        segments: what is joined to the path: text, paths on the same volume, or other path objects.
    """

    __slots__ = ("__weakref__", "_pure", "_volume")

    def __init__(self, volume: V, *segments: StrPath) -> None:
        self._volume = volume
        self._pure = PurePosixPath(*[self._words_of(segment) for segment in segments])

    @property
    def volume(self) -> V:
        """The volume that the path is on."""
        return self._volume

    def with_segments(self: P, *segments: StrPath) -> P:
        """Return another path on the same volume."""
        return type(self)(self._volume, *segments)

    def _words_of(self, path: StrPath) -> Any:
        """Return another path's words.

        Raises:
            ValueError: it is on another volume.
        """
        if isinstance(path, PureVolumePath):
            if path._volume is not self._volume:
                raise ValueError(f"{path!r} is on another volume")
            return path._pure
        return path.__volume_path__() if hasattr(path, "__volume_path__") else path

    def __volume_path__(self) -> str:
        return str(self._pure)

    def is_on(self, core: Any) -> bool:
        """Tell whether it is on a session's volume; the volume's methods ask."""
        volume: Any = self._volume
        return volume._session.core is core

    # -- text -------------------------------------------------------------------------------------

    def __str__(self) -> str:
        return str(self._pure)

    def __bytes__(self) -> bytes:
        return bytes(self._pure)

    def __repr__(self) -> str:
        name = getattr(self._volume, "name", "")
        return f"<{type(self).__name__} {str(self)!r} on {name!r}>"

    def as_posix(self) -> str:
        """Return the path as text."""
        return str(self._pure)

    # -- comparison -------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PureVolumePath):
            return NotImplemented
        return self._volume is other._volume and self._pure == other._pure

    def __hash__(self) -> int:
        return hash((id(self._volume), self._pure))

    def _comparable(self, other: object) -> bool:
        return isinstance(other, PureVolumePath) and other._volume is self._volume

    def __lt__(self, other: PureVolumePath[V]) -> bool:
        return self._pure < other._pure if self._comparable(other) else NotImplemented

    def __le__(self, other: PureVolumePath[V]) -> bool:
        return self._pure <= other._pure if self._comparable(other) else NotImplemented

    def __gt__(self, other: PureVolumePath[V]) -> bool:
        return self._pure > other._pure if self._comparable(other) else NotImplemented

    def __ge__(self, other: PureVolumePath[V]) -> bool:
        return self._pure >= other._pure if self._comparable(other) else NotImplemented

    def __reduce__(self) -> Any:
        raise TypeError(
            f"cannot pickle {type(self).__name__!r} object: it belongs to a session; pickle its text"
        )

    # -- parts ------------------------------------------------------------------------------------

    @property
    def parts(self) -> tuple[str, ...]:
        """The names that the path is made of, the root first if it begins there."""
        return self._pure.parts

    @property
    def drive(self) -> str:
        """Empty: there are no drives."""
        return ""

    @property
    def root(self) -> str:
        """A slash if the path begins at the root of the volume; else empty."""
        return self._pure.root

    @property
    def anchor(self) -> str:
        """As :attr:`root`."""
        return self._pure.anchor

    @property
    def name(self) -> str:
        """The last name."""
        return self._pure.name

    @property
    def suffix(self) -> str:
        """What follows the last dot of the last name, with the dot."""
        return self._pure.suffix

    @property
    def suffixes(self) -> list[str]:
        """What follows each dot of the last name."""
        return self._pure.suffixes

    @property
    def stem(self) -> str:
        """The last name without its suffix."""
        return self._pure.stem

    @property
    def parent(self: P) -> P:
        """The path without its last name."""
        return self.with_segments(self._pure.parent)

    @property
    def parents(self: P) -> Sequence[P]:
        """The paths of all directories above, the nearest first."""
        return _Parents(self)

    # -- other paths ------------------------------------------------------------------------------

    def __truediv__(self: P, key: StrPath) -> P:
        try:
            return self.with_segments(self, key)
        except TypeError:
            return NotImplemented

    def __rtruediv__(self: P, key: StrPath) -> P:
        try:
            return self.with_segments(key, self)
        except TypeError:
            return NotImplemented

    def joinpath(self: P, *segments: StrPath) -> P:
        """Return this path with others behind it."""
        return self.with_segments(self, *segments)

    def with_name(self: P, name: str) -> P:
        """Return the path with another last name."""
        return self.with_segments(self._pure.with_name(name))

    def with_stem(self: P, stem: str) -> P:
        """Return the path with another last name, but for the suffix."""
        return self.with_segments(self._pure.with_stem(stem))

    def with_suffix(self: P, suffix: str) -> P:
        """Return the path with another suffix."""
        return self.with_segments(self._pure.with_suffix(suffix))

    def relative_to(self: P, other: StrPath, *, walk_up: bool = False) -> P:
        """Return the way from another path to this one.

        Args:
            other: where the way begins.
            walk_up: whether it may lead up, by ``..``.

        Raises:
            ValueError: there is none.
        """
        start = PurePosixPath(self._words_of(other))
        ups: list[str] = []
        while walk_up and not self._pure.is_relative_to(start) and start.name not in ("", ".."):
            start = start.parent
            ups.append("..")
        return self.with_segments(*ups, self._pure.relative_to(start))

    def is_relative_to(self, other: StrPath) -> bool:
        """Tell whether another path leads to this one without going up."""
        return self._pure.is_relative_to(self._words_of(other))

    # -- questions --------------------------------------------------------------------------------

    def is_absolute(self) -> bool:
        """Tell whether the path begins at the root of the volume."""
        return self._pure.is_absolute()

    def is_reserved(self) -> bool:
        """Tell that no name is reserved."""
        return False

    def match(self, path_pattern: str, **case_sensitive: Any) -> bool:
        """Tell whether the path, or its end, matches a pattern; arguments are this Python's."""
        return self._pure.match(path_pattern, **case_sensitive)

    def full_match(self, pattern: StrPath, *, case_sensitive: bool | None = None) -> bool:
        """Tell whether the whole path matches a pattern, in which ``**`` is any number of names.

        Args:
            pattern: the pattern.
            case_sensitive: whether the case of letters matters; it does by default.
        """
        flags = re.IGNORECASE if case_sensitive is False else 0
        matches = {0}  # of how many of the pattern's parts the names so far can be what they match
        parts = PurePosixPath(self._words_of(pattern)).parts
        for name in self.parts:
            following = set()
            for at in _past_stars(parts, matches):
                if at < len(parts):
                    if parts[at] == "**":
                        following.add(at)
                    elif re.match(fnmatch.translate(parts[at]), name, flags):
                        following.add(at + 1)
            matches = following
        return len(parts) in _past_stars(parts, matches)


def _past_stars(parts: tuple[str, ...], places: set[int]) -> set[int]:
    """Add the places in a pattern that are behind a ``**``, which may match nothing."""
    found = set(places)
    for at, part in enumerate(parts):
        if at in found and part == "**":
            found.add(at + 1)
    return found


class _Parents(Sequence[P]):
    """The directories above a path, made when they are asked for."""

    def __init__(self, path: P) -> None:
        self._path = path
        self._parents = path._pure.parents

    def __len__(self) -> int:
        return len(self._parents)

    @overload
    def __getitem__(self, index: int) -> P: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[P]: ...

    def __getitem__(self, index: int | slice) -> P | Sequence[P]:
        if isinstance(index, slice):
            return tuple(self._path.with_segments(path) for path in self._parents[index])
        return self._path.with_segments(self._parents[index])

    def __iter__(self) -> Iterator[P]:
        return map(self._path.with_segments, self._parents)

    def __repr__(self) -> str:
        return f"<parents of {self._path!r}>"
