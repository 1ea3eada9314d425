"""A path as text: what a caller gave, checked and spelled out. No brick is asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from glusterio.api.standpoint import At
from glusterio.types import StrPath

if TYPE_CHECKING:
    from glusterio.api.core import Core

#: The longest name and the longest path, in bytes, as on every brick's file system. The path's
#: limit counts a byte that ends it.
NAME_MAX = 255
PATH_MAX = 4096


def text_of(path: StrPath | At) -> str:
    """Return a path as text, as it was given.

    Raises:
        TypeError: not a path.
        ValueError: it holds a null character.
    """
    text = spelled(path)
    if "\0" in text:
        raise ValueError("embedded null character in path")
    return text


def own_text(core: Core, path: StrPath | At) -> str:
    """Return a path as text that is used on this session's volume.

    Raises:
        TypeError: not a path.
        ValueError: it is on another volume; or it holds a null character.
    """
    check_own(core, path)
    return text_of(path)


def check_own(core: Core, path: StrPath | At) -> None:
    """Make sure that a path that knows its volume is on this session's.

    Raises:
        ValueError: it is on another.
    """
    is_on = None if type(path) is str else getattr(path, "is_on", None)
    if is_on is not None and not is_on(core):
        raise ValueError(f"{path!r} is on another volume")


def spelled(path: StrPath | At) -> str:
    """Return a path as text, as it was given, whatever that is.

    Raises:
        TypeError: not a path.
    """
    if type(path) is str:  # as most are; an open asks three times
        return path
    given = path.path if isinstance(path, At) else path
    text = given.__volume_path__() if hasattr(given, "__volume_path__") else os.fspath(given)
    if not isinstance(text, str):
        raise TypeError(f"a path is str or os.PathLike[str], not {type(text).__name__}")
    return text


def too_long(text: str, limit: int) -> bool:
    """Tell whether a name or path is longer than so many bytes."""
    return len(text) > limit // 4 and len(os.fsencode(text)) > limit
