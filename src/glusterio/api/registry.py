"""The translators that glusterio's clients have. Each is loaded when a graph first has it.

``storage/posix`` alone, which only volumes in this process need, would be a seventh of the time that
``import glusterio`` takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final

from glusterio.xlators.base import Xlator

#: Where they are, by their type in a volfile: below ``glusterio.xlators``, and the class's name.
_PLACES: Final = {
    "features/utime": ("utime", "Utime"),
    "performance/md-cache": ("md_cache", "MdCache"),
    "performance/open-behind": ("open_behind", "OpenBehind"),
    "performance/quick-read": ("quick_read", "QuickRead"),
    "performance/read-ahead": ("read_ahead", "ReadAhead"),
    "performance/write-behind": ("write_behind", "WriteBehind"),
    "protocol/client": ("client", "Client"),
    "storage/posix": ("posix", "Posix"),
}


class Registry(Mapping[str, type[Xlator]]):
    """Translators by their types; looking one up loads it."""

    def __getitem__(self, xlator_type: str) -> type[Xlator]:
        module, name = _PLACES[xlator_type]
        xlator: type[Xlator] = getattr(import_module(f"glusterio.xlators.{module}"), name)
        return xlator

    def __contains__(self, xlator_type: object) -> bool:
        return xlator_type in _PLACES

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


#: The translators that glusterio has, by their type in a volfile.
REGISTRY: Final = Registry()
