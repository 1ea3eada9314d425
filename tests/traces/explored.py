"""Traces of the explorer's random lives: on simulated bricks, in virtual time."""

from __future__ import annotations

from collections.abc import Iterable

from glusterio.verify.traces import Line
from tests.explore.scenarios import SCENARIOS
from tests.explore.search import live
from tests.traces.lives import lines_of


def explored(scenarios: Iterable[str], lives: int) -> dict[str, list[Line]]:
    """Return the traces of so many lives of each scenario, by name; always the same ones."""
    return {
        f"explored-{name}-{seed}": lines_of(live(SCENARIOS[name], seed).records)
        for name in scenarios
        for seed in range(lives)
    }
