"""One configuration, from its files to the verdict."""

from __future__ import annotations

from pathlib import Path

from glusterio.verify.compiler import Compiled
from glusterio.verify.composed import Composed
from glusterio.verify.config import Config, read
from glusterio.verify.explore import Counts, Form, Result, explore
from glusterio.verify.liveness import look
from glusterio.verify.shapes import shapes
from glusterio.verify.symmetry import Sorting
from glusterio.verify.tla import Module, SpecError, parse

#: Modules of TLA+'s own; what of them is used is built in.
_STANDARD = {"Naturals", "Integers", "FiniteSets", "TLC"}


def text(spec: Path, name: str) -> str:
    """Return the text of a module, after that of those that it extends.

    Raises:
        OSError: one of them is not there.
    """
    own = (spec / f"{name}.tla").read_text(encoding="utf-8")
    _, extends = parse(own)
    return "\n".join([*[text(spec, other) for other in extends if other not in _STANDARD], own])


def load(spec: Path, name: str) -> Module:
    """Read a module, with what it extends.

    Raises:
        SpecError: it holds what this checker cannot read.
        OSError: it is not there.
    """
    module, extends = parse((spec / f"{name}.tla").read_text())
    for other in extends:
        if other not in _STANDARD:
            base = load(spec, other)
            module.constants = base.constants + module.constants
            module.variables = base.variables + module.variables
            module.definitions = {**base.definitions, **module.definitions}
    return module


class Checking:
    """One configuration.

    Args:
        spec: the directory with the modules.
        name: the configuration: ``Teardown/one``.

    Raises:
        SpecError: the module or the configuration holds what this checker cannot read.
        OSError: one of them is not there.
    """

    def __init__(self, spec: Path, name: str) -> None:
        self.spec, self.name = spec, name
        self.module = load(spec, name.split("/")[0])
        self.config: Config = read((spec / f"{name}.cfg").read_text())
        self.compiled = Compiled(self.module, self.config)

    def quickest(self) -> Result:
        """Look at every state, in the quickest way that there is for it.

        The counts are those of :meth:`run` if the configuration holds; what is violated is found by a
        way as short, but not in TLC's order.
        """
        if self.compiled.leads:
            return look(self.compiled)
        if not self.config.symmetry:
            return self.counted()
        try:
            composed = Composed(self.compiled, self.module, self.config)
        except SpecError:
            return self.run()
        if composed.handles == 1:
            return self.run()  # a part is worked out once where it occurs many times
        return composed.explore()

    def run(self) -> Result:
        """Look at every state; with symmetry, if the configuration says so."""
        if self.compiled.leads:
            return look(self.compiled)
        return explore(self.compiled, self.form() if self.config.symmetry else None)

    def counted(self) -> Result:
        """Look at every *form* of a state, and return the counts of the states.

        Where names are used in a way that cannot be sorted, it looks at every state.
        """
        counts = Counts()
        try:
            form = self.form()
        except SpecError:
            return explore(self.compiled)
        result = explore(self.compiled, form, counts)
        result.generated, result.distinct = counts.generated, counts.distinct
        return result

    def form(self) -> Form:
        """Return what brings a state into the form that stands for all that differ in names alone.

        Raises:
            SpecError: the names are used in a way that cannot be sorted.
        """
        form = shapes(self.module, self.config)
        sizes = {name: len(members) for name, members in self.config.members.items()}
        return Sorting([form[name] for name in self.module.variables], sizes).form
