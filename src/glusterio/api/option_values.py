"""What :class:`glusterio.Options` does; its fields are made from the table of options.

A field has the option's name in ``gluster volume set``, with ``_`` for each dot and dash; ``None``
leaves it to the volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, Self

from glusterio.graph.client_options import CLIENT
from glusterio.graph.tuning import text_of
from glusterio.graph.volume_options import OptionError, VolumeOption, check_option, find_option

_UNITS: Final = ("", "KB", "MB", "GB", "TB", "PB")


def field_of(name: str) -> str:
    """Return the field that an option is."""
    return name.replace(".", "_").replace("-", "_")


_BY_FIELD: Final = {field_of(name): option for name, option in CLIENT.items()}


class OptionValues:
    """Base of :class:`glusterio.Options`."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for field, value in self._given().items():
            option = _BY_FIELD[field]
            text = check_option(CLIENT, option.name, text_of(option.name, value))
            object.__setattr__(self, field, option.kind.read(text))

    def _given(self) -> dict[str, Any]:
        found = {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def from_volume_set(cls, options: Mapping[str, str | int | bool]) -> Self:
        """Make options by the names of ``gluster volume set``: ``{"performance.read-ahead": "off"}``.

        Raises:
            ValueError: one that there is not, or a value that it cannot have.
        """
        known = {each.name for each in fields(cls)}  # type: ignore[arg-type]
        given = {}
        for name, value in options.items():
            option = find_option(CLIENT, name)
            if field_of(name) not in known:
                raise OptionError(f"{name}: glusterio has no {option.targets[0].xlator}")
            given[field_of(name)] = value
        return cls(**given)

    def volume_set(self) -> dict[str, str]:
        """Return what is set, by the names and in the words of ``gluster volume set``."""
        return {
            _BY_FIELD[field].name: _word(_BY_FIELD[field], value)
            for field, value in self._given().items()
        }

    def __repr__(self) -> str:
        given = ", ".join(f"{field}={value!r}" for field, value in self._given().items())
        return f"{type(self).__name__}({given})"


def _word(option: VolumeOption, value: Any) -> str:
    if option.kind.word == "size":
        unit = 0
        while value and not value % 1024 and unit < len(_UNITS) - 1:
            value //= 1024
            unit += 1
        return f"{value}{_UNITS[unit]}"
    return text_of(option.name, value)
