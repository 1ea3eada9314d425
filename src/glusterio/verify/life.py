"""The life of a real session, from its trace, as a way through the states of ``Teardown``: for a page.

A trace says what happened, and leaves open what bricks and the wire did in between; so there may be
several ways that fit, and one of them is told. Where a line does not fit, the way ends before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from glusterio.verify.compiler import State
from glusterio.verify.fitting import HIDDEN, Fitting, told
from glusterio.verify.told import Counterexample, Link, Telling
from glusterio.verify.traces import Bound, Line, Step, bound

#: How each state of a step was come to: the state before it, and the label of what lies between; of a
#: state that was there before, nothing.
Origins = dict[State, Link | None]


def life(spec: Path, lines: Sequence[Line], name: str) -> Counterexample:
    """Tell the life of a session.

    Args:
        spec: the directory with the modules.
        lines: its trace.
        name: what it is called.

    Raises:
        SpecError, OSError: the specification cannot be read.
    """
    trace = bound(lines)
    living = _Living(spec, max(1, trace.threads), max(1, trace.handles), trace.graphs)
    fit = living.fit(trace)
    closing = "" if fit.accepted else "\n".join(told(lines, fit))
    return living.telling(spec).tell(
        living.way(trace),
        name,
        f"The life of a session: a trace of {len(lines)} lines.",
        "",
        closing,
    )


class _Living(Fitting):
    """Follows a trace, and keeps how it came to where it is."""

    def telling(self, spec: Path) -> Telling:
        return Telling(spec, self._module, self._config, self._compiled)

    def way(self, trace: Bound) -> list[Link]:
        """One way that fits, as far as any does."""
        states: Iterable[State] = self._compiled.initial
        layers: list[tuple[Origins, Origins]] = []
        for step in trace.steps:
            unseen, after = self._origins(states, step)
            if not after:
                break
            layers.append((unseen, after))
            states = after
        state = next(iter(states))
        way: list[Link] = []
        for unseen, after in reversed(layers):
            origin = after[state]
            while origin is not None:
                label, before = origin
                if state != before:
                    way.append((label, state))
                state = before
                origin = unseen[state]
        return [(("Initial predicate",), state), *reversed(way)]

    def _origins(self, states: Iterable[State], step: Step) -> tuple[Origins, Origins]:
        """What may have happened unseen before a step; and what the step leads to."""
        unseen: Origins = dict.fromkeys(states)
        todo = list(unseen)
        while todo:
            state = todo.pop()
            for name, arguments in HIDDEN.get(step.act, ()):
                for label, to, _ in self._successors(name, state, step, arguments):
                    if to not in unseen:
                        unseen[to] = (label, state)
                        todo.append(to)
        after: Origins = {}
        for state in unseen:
            self._labels: dict[State, tuple[Any, ...]] = {}
            for to in self._taken(state, step):
                if not step.look or not self._disagreement(state, to, step):
                    after.setdefault(to, (self._labels.get(to, (step.act,)), state))
        return unseen, after

    def _do(self, name: str, state: State, step: Step, arguments: str) -> list[State]:
        found = self._successors(name, state, step, arguments)
        self._labels = {after: label for label, after, _ in found}
        return list(self._labels)
