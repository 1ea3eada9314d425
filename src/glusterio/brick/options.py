"""The options of a volume: checking what is set, and what follows from it.

What is not in the table is refused, with the names that are nearest to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from glusterio.brick.limits import Limits
from glusterio.brick.option_table import LIMITS, OPTIONS, addresses, names
from glusterio.graph.options import boolean, seconds
from glusterio.graph.performance import LAYERS
from glusterio.graph.volume_options import VolumeOption, check_option, find_option


def check(name: str, value: str) -> str:
    """Check a value, and return it without the blanks around it.

    Raises:
        OptionError: there is no such option, or it cannot have the value.
    """
    return check_option(OPTIONS, name, value)


class VolumeOptions:
    """The options of one volume: those that are set, and the defaults of the others.

    Args:
        given: what is set, by name.
        defaults: defaults of this volume, where they are not those of the table.

    Raises:
        OptionError: one of them is no good.
    """

    def __init__(
        self, given: Mapping[str, str] | None = None, defaults: Mapping[str, str] | None = None
    ) -> None:
        self.given = {name: check(name, value) for name, value in (given or {}).items()}
        self._defaults = {name: check(name, value) for name, value in (defaults or {}).items()}

    def with_changes(self, changes: Mapping[str, str | None]) -> VolumeOptions:
        """Return options with some set, and some (``None``) back at their default.

        Raises:
            OptionError: one of them is no good; nothing has changed.
        """
        given = dict(self.given)
        for name, value in changes.items():
            find_option(OPTIONS, name)
            if value is None:
                given.pop(name, None)
            else:
                given[name] = value
        return VolumeOptions(given, self._defaults)

    def text(self, name: str) -> str:
        """Return an option's value as text; empty when it has none."""
        default = self._defaults.get(name, OPTIONS[name].default)
        return self.given.get(name, default)

    def is_on(self, name: str) -> bool:
        """Tell whether an option that is on or off is on."""
        return boolean(self.text(name))

    def addresses(self, name: str) -> list[str] | None:
        """Return an option's addresses; ``None`` when it is not set."""
        given = self.given.get(name)
        return None if given is None else addresses(given)

    def names(self, name: str) -> list[str] | None:
        """Return an option's names; ``None`` when it is not set."""
        given = self.given.get(name)
        return None if given is None else names(given)

    def for_xlator(self, xlator: str) -> dict[str, str]:
        """Return what a translator's section of the volfile holds: what is set for it."""
        found: dict[str, str] = {}
        for narrow in (False, True):  # an option of its own counts more than a shared one
            for option, value in self._set():
                if (len(option.targets) == 1) is narrow:
                    for target in option.targets:
                        if target.xlator == xlator and target.key:
                            found[target.key] = value
        return found

    def limits(self, base: Limits) -> Limits:
        """Return limits, with those that are set in place of the given ones."""
        given = self.for_xlator(LIMITS)
        return replace(base, **{field: seconds(text) for field, text in given.items()})

    def layers(self) -> list[str]:
        """Return the types of the performance translators that clients shall have, lowest first."""
        return [layer.xlator for layer in LAYERS if self.is_on(layer.switch)]

    def _set(self) -> Iterator[tuple[VolumeOption, str]]:
        for name in {**self._defaults, **self.given}:
            yield OPTIONS[name], self.text(name)
