"""A session's own options: which performance translators its graph has, and how all are set.

The volfile says what the volume's owner wants of all clients; a session may want otherwise, for
itself. :func:`tuned` changes the volfile accordingly, before anything is built from it: a translator
whose switch is off leaves, its child in its place; one whose switch is on and that is missing is put
where glusterd would have put it; other options replace what the volfile says.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from glusterio.graph.client_options import CLIENT
from glusterio.graph.options import boolean
from glusterio.graph.performance import LAYERS
from glusterio.graph.volfile import Volfile, Volume
from glusterio.graph.volume_options import OptionError, check_option


class ChosenOptions(Protocol):
    """A :class:`glusterio.Options`, which has checked itself."""

    def volume_set(self) -> dict[str, str]:
        """Return the options by their names and in the words of ``gluster volume set``."""


#: Options as an application writes them.
SessionOptions: TypeAlias = Mapping[str, str | int | bool] | ChosenOptions

#: What sessions have on volumes whose volfile comes from a management daemon, unless they say
#: otherwise.
DAEMON_DEFAULTS: Final[Mapping[str, str]] = {"performance.read-ahead": "on"}

_PLACES: Final = {layer.xlator: place for place, layer in enumerate(LAYERS)}

#: What stands above the performance translators in a volfile.
_ABOVE: Final = frozenset({"debug/io-stats", "debug/trace", "meta"})


def checked(options: SessionOptions) -> dict[str, str]:
    """Check a session's options, and return them as text.

    Args:
        options: by their names in ``gluster volume set``, ``True`` and ``False`` for on and off; or a
            :class:`glusterio.Options`.

    Raises:
        ValueError: one that there is not, or a value that it cannot have.
        TypeError: neither of the two.
    """
    if not isinstance(options, Mapping):
        if not hasattr(options, "volume_set"):
            kind = type(options).__name__
            raise TypeError(f"options should be a glusterio.Options or a mapping, not {kind}")
        return options.volume_set()
    return {
        name: check_option(CLIENT, name, text_of(name, value)) for name, value in options.items()
    }


def text_of(name: str, value: str | int | bool) -> str:
    """Return an option's value as text.

    Raises:
        OptionError: it is of no type that a value could have.
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (int, str)):
        return str(value)
    raise OptionError(f"{name}: {value!r} is neither text nor a number, nor true or false")


def tuned(volfile: Volfile, options: Mapping[str, str], known: Container[str]) -> Volfile:
    """Return a volfile as a session wants it.

    Args:
        volfile: the volume's.
        options: what :func:`checked` returned.
        known: the types of translators that glusterio has.

    Raises:
        OptionError: a translator is wanted that glusterio does not have, or one shall leave that has
            not exactly one child.
    """
    volumes = list(volfile.volumes)
    settings = _settings(options)
    for layer in LAYERS:
        wanted = options.get(layer.switch)
        if wanted is None:
            continue
        present = [volume for volume in volumes if volume.type == layer.xlator]
        if not boolean(wanted):
            for volume in present:
                _take_out(volumes, volume, layer.switch)
        elif not present:
            if layer.xlator not in known:
                raise OptionError(f"{layer.switch}: glusterio has no {layer.xlator}")
            _put_in(volumes, layer.xlator)
    for place, volume in enumerate(volumes):
        more = settings.get(volume.type)
        if more is not None:
            volumes[place] = volume._replace(options={**volume.options, **more})
    return Volfile(tuple(volumes))


def _take_out(volumes: list[Volume], leaving: Volume, switch: str) -> None:
    if len(leaving.subvolumes) != 1:
        raise OptionError(f"{switch}: {leaving.name!r} has not exactly one subvolume")
    (child,) = leaving.subvolumes
    if leaving is volumes[-1]:  # the child is the top now; it does not stand on what is behind it
        while volumes[-1].name != child:
            volumes.pop()
        return
    volumes.remove(leaving)
    _put_in_place_of(volumes, leaving.name, child, range(len(volumes)))


def _put_in(volumes: list[Volume], xlator: str) -> None:
    """Put a translator in: below what stands above it, on whatever comes next."""
    by_name = {volume.name: place for place, volume in enumerate(volumes)}
    place = len(volumes) - 1
    while _is_above(volumes[place], xlator):
        place = by_name[volumes[place].subvolumes[0]]
    below = volumes[place]
    name = f"{below.name}-{xlator.rpartition('/')[2]}"
    while name in by_name:
        name += "-"
    _put_in_place_of(volumes, below.name, name, range(place + 1, len(volumes)))
    volumes.insert(place + 1, Volume(name, xlator, {}, (below.name,), below.line))


def _is_above(volume: Volume, xlator: str) -> bool:
    if len(volume.subvolumes) != 1:
        return False
    return volume.type in _ABOVE or _PLACES.get(volume.type, -1) > _PLACES[xlator]


def _put_in_place_of(volumes: list[Volume], old: str, new: str, places: Sequence[int]) -> None:
    for place in places:
        volume = volumes[place]
        if old in volume.subvolumes:
            names = tuple(new if each == old else each for each in volume.subvolumes)
            volumes[place] = volume._replace(subvolumes=names)


def _settings(options: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what options set in each type of translator: values by their keys in the volfile."""
    found: dict[str, dict[str, str]] = {}
    for narrow in (False, True):  # an option of its own counts more than a shared one
        for name, value in options.items():
            targets = CLIENT[name].targets
            if (len(targets) == 1) is narrow:
                for target in targets:
                    if target.key:
                        found.setdefault(target.xlator, {})[target.key] = value
    return found
