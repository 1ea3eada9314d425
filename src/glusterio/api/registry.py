"""The translators that glusterio's clients have.

One is loaded when a graph first has it: ``storage/posix``, which only volumes in this process need, and
which would be a seventh of the time that ``import glusterio`` takes. The others are there from the
beginning, since the first connect would have to wait for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final

from glusterio.errors import VolfileError
from glusterio.graph.volfile import Volfile
from glusterio.xlators.base import Xlator
from glusterio.xlators.client import Client
from glusterio.xlators.md_cache import MdCache
from glusterio.xlators.open_behind import OpenBehind
from glusterio.xlators.quick_read import QuickRead
from glusterio.xlators.read_ahead import ReadAhead
from glusterio.xlators.utime import Utime
from glusterio.xlators.write_behind import WriteBehind

#: Those that are loaded when they are wanted: where they are below ``glusterio.xlators``.
_LATER: Final = {"storage/posix": ("posix", "Posix")}


class Registry(Mapping[str, type[Xlator]]):
    """Translators by their types in a volfile; looking one up loads it.

    Args:
        loaded: those that are there already.
        later: where the others are.
    """

    def __init__(
        self, *loaded: type[Xlator], later: Mapping[str, tuple[str, str]] = _LATER
    ) -> None:
        self._loaded = {xlator.xlator_type: xlator for xlator in loaded}
        self._later = later

    def __getitem__(self, xlator_type: str) -> type[Xlator]:
        if xlator_type not in self._loaded:
            module, name = self._later[xlator_type]
            self._loaded[xlator_type] = getattr(import_module(f"glusterio.xlators.{module}"), name)
        return self._loaded[xlator_type]

    def from_afar(self) -> Registry:
        """Return those that a volfile from another machine may ask for: none that is this machine's
        disk. Whoever serves a volume would else choose what of it is read and written.
        """
        ours = [each for each in self._loaded.values() if each.xlator_type not in _LATER]
        return Registry(*ours, later={})

    def __contains__(self, xlator_type: object) -> bool:
        return xlator_type in self._loaded or xlator_type in self._later

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._loaded, *self._later)))

    def __len__(self) -> int:
        return len(self._loaded.keys() | self._later.keys())


def check_from_afar(volfile: Volfile) -> None:
    """Look at a volfile from a management daemon: it may not name a Unix socket of this machine.

    Whoever serves a volume would else choose which of the user's other programs is connected to, and
    told what. No daemon has a reason to: glusterd writes this option into no volfile (GlusterFS
    api/src/glfs-mgmt.c has it for the connection to the daemon itself).

    Raises:
        VolfileError: it does.
    """
    for volume in volfile.volumes:
        if volume.options.get("transport.socket.connect-path"):
            raise VolfileError(
                f"volume {volume.name!r} is at a Unix socket of this machine: only a volfile on disk"
                " may say that",
                volume.line,
            )


#: The translators that glusterio has, by their type in a volfile.
REGISTRY: Final = Registry(
    Client,
    MdCache,
    OpenBehind,
    QuickRead,
    ReadAhead,
    Utime,
    WriteBehind,
)
