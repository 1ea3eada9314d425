"""The corpus of traces, changed at every line in every way: some ten thousand mutants.

``make test`` looks at a sample of them (``tests/traces/test_corpus.py``).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from glusterio.verify.fitting import fit, told
from glusterio.verify.shipped import SPEC
from tests.traces.mutants import corpus, every_mutant, why_legal
from tests.traces.test_monitor import followed

PAGE = Path(__file__).parents[2] / "docs" / "traces.md"

TRACES = corpus()


@pytest.mark.parametrize("name", TRACES)
def test_each_is_rejected_or_it_is_said_why_it_is_legal(name: str) -> None:
    for mutant in every_mutant(name, TRACES[name]):
        found = fit(SPEC, mutant.lines)
        why = why_legal(mutant)
        assert found.accepted == (why is not None), (mutant.name, why, *told(mutant.lines, found))
        assert followed(mutant.lines) == (found.accepted, found.line), (mutant.name, found.why)


def test_the_page_says_how_many_there_are() -> None:
    count = sum(1 for name in TRACES for _ in every_mutant(name, TRACES[name]))
    assert f"{count:,} mutants" in PAGE.read_text("utf-8")
