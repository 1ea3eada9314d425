"""The explorer's lives against the specification: the real code in any order of events."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from glusterio.verify.fitting import fit, told
from glusterio.verify.shipped import SPEC
from tests.explore.scenarios import SCENARIOS
from tests.traces.explored import explored
from tests.traces.test_monitor import followed

#: Lives of each scenario; ``make verify`` has TLC follow more of them.
LIVES = 2


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Errors of which no caller hears are logged, and that is as it should be."""
    log = logging.getLogger("glusterio")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


def test_lives_fit() -> None:
    for name, lines in explored(SCENARIOS, LIVES).items():
        found = fit(SPEC, lines)
        assert found.accepted, (name, *told(lines, found))
        assert followed(lines) == (True, len(lines)), name
