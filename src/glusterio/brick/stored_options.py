"""A volume's options on disk, in the brick's own directory, so that a restart keeps them.

``.glusterfs/glusterio/options.json`` below the directory that is served. It is replaced as a whole:
after a crash it holds the options from before or from after a change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Final

from glusterio.graph.volume_options import OptionError
from glusterio.xlators.posix.identity import HIDDEN

#: Where it is, below the directory that is served.
OPTIONS_FILE: Final = f"{HIDDEN}/glusterio/options.json"

_FORMAT: Final = 1


def load_options(directory: str) -> dict[str, str]:
    """Return the options that a directory's volume has been given.

    Raises:
        OptionError: the file is damaged; it is for the owner to mend or to remove it.
        OSError: it cannot be read.
    """
    path = os.path.join(directory, OPTIONS_FILE)
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise OptionError(f"the options are damaged: {error}") from None
    options = found.get("options") if isinstance(found, dict) else None
    if (
        not isinstance(options, dict)
        or found.get("format") != _FORMAT
        or not all(isinstance(value, str) for value in options.values())
    ):
        raise OptionError("the options are damaged: these are none")
    return options


def store_options(directory: str, options: Mapping[str, str]) -> None:
    """Write down the options of a directory's volume, and return when they are on the disk.

    Raises:
        OSError: they could not be written; those that were there are there still.
    """
    path = os.path.join(directory, OPTIONS_FILE)
    parent = os.path.dirname(path)
    os.makedirs(parent, mode=0o700, exist_ok=True)
    text = json.dumps({"format": _FORMAT, "options": dict(options)}, indent=2, sort_keys=True)
    new = f"{path}.new"
    try:
        with open(new, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        _remove(new)
        raise
    _sync_directory(parent)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
