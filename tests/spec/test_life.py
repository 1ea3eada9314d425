"""The life of a real session, from its trace, as a way through the specification."""

from __future__ import annotations

from pathlib import Path

import pytest

from glusterio.verify.drawing import pictures
from glusterio.verify.life import life
from glusterio.verify.page import page
from glusterio.verify.shipped import SPEC
from glusterio.verify.told import Counterexample
from glusterio.verify.traces import read

CORPUS = Path(__file__).parent.parent / "traces" / "corpus"


def told(name: str, *, without: int | None = None) -> Counterexample:
    lines = (CORPUS / f"{name}.ndjson").read_text().splitlines(keepends=True)
    if without is not None:
        del lines[without - 1]
    return life(SPEC, read("".join(lines)), name)


def test_what_is_in_the_trace_and_what_must_have_lain_between() -> None:
    steps = [step.action for step in told("threads-late").steps]
    assert steps == [
        "Initial predicate",
        "CONNECT",
        "BrickConnects",  # in no line of the trace
        "CONNECTED",
        "ADMIT(t1, None)",
        "RESERVE(t1, h1)",
        "SEND(t1)",
        "BrickOpens(h1, TRUE)",
        "GATE",
        "LATE(h1)",
        "LEAVE(t1, FALSE)",
        "SETTLED",
        "SendRelease(h1)",
        "BrickReleases(h1)",
        "RELEASED(h1)",
        "REUSE",
        "DRAINED",
        "PARTED",
        "CHECKED",
        "ENDED",
    ]


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*-l*.ndjson")), ids=lambda path: path.stem)
def test_every_step_changes_something_and_has_words_and_a_picture(path: Path) -> None:
    story = told(path.stem)
    assert all(step.changes for step in story.steps[1:])
    assert all(step.words for step in story.steps)
    assert story.closing == ""
    assert len(pictures(story)) == len(story.steps)


def test_the_way_ends_before_the_line_that_does_not_fit() -> None:
    story = told("threads-late", without=5)
    assert [step.action for step in story.steps][-1] == "CONNECTED"
    assert story.closing.startswith("rejected at line 5: RESERVE of handle 1\n")
    text = page([story])
    assert "<title>The life of a session</title>" in text
    assert "<strong>rejected at line 5: RESERVE of handle 1</strong>" in text
    assert "violates" not in text
