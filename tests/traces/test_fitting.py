"""Traces against the specification, without Java: what fits, what does not, and at which line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glusterio.verify.__main__ import follow
from glusterio.verify.fitting import fit, told
from glusterio.verify.traces import Line, TraceError, dumped, read
from tests.traces.lives import LIVES, Life, lived, one_file

SPEC = Path(__file__).parent.parent.parent / "spec"


def renumbered(lines: list[Line]) -> list[Line]:
    return [line._replace(seq=seq) for seq, line in enumerate(lines, 1)]


@pytest.mark.parametrize("story", LIVES, ids=lambda story: story.__name__)
def test_a_life_fits(story: Callable[[Life], None]) -> None:
    lines = lived(story)
    found = fit(SPEC, lines)
    assert found.accepted, list(told(lines, found))
    assert found.line == len(lines)
    assert found.states <= 4
    assert list(told(lines, found)) == [f"{len(lines)} lines, all of them possible"]


def test_every_line_is_needed_in_its_place() -> None:
    """Without any one line what follows does not fit: but the last line, which nothing follows."""
    lines = lived(one_file)
    for at in range(len(lines) - 1):
        found = fit(SPEC, renumbered(lines[:at] + lines[at + 1 :]))
        assert not found.accepted, lines[at]
        assert found.line > at
    found = fit(SPEC, lines[:-1])
    assert list(told(lines[:-1], found)) == [
        f"{len(lines) - 1} lines, all of them possible; the end is not there"
    ]


@pytest.mark.parametrize("field", Line._fields)
def test_every_field_is_looked_at(field: str) -> None:
    """Whatever is changed in any line, that very line is rejected, or one that speaks of the same."""
    lines = lived(one_file)
    for at, line in enumerate(lines):
        value: Any = getattr(line, field)
        other: Any = value + 1 if isinstance(value, int) else value + "X"
        found = fit(SPEC, [*lines[:at], line._replace(**{field: other}), *lines[at + 1 :]])
        if (field, line.event) in (("number", "ADMIT"), ("number", "RESERVE"), ("of", "ADMIT")):
            assert not found.accepted
            assert found.line >= at + 1
        else:
            assert (found.accepted, found.line) == (False, at + 1), (line, found)


@pytest.mark.parametrize(
    ("guard", "story"),
    [
        ("Disowns", "counted_out"),
        ("LateCloses", "late"),
        ("AbandonWatches", "given_up"),
        ("ReserveFirst", "one_file"),
        ("ForkDies", "forked"),
    ],
)
def test_it_is_the_specification_that_decides(guard: str, story: str) -> None:
    """With a guard of the specification gone, the code's lives fit no more."""
    lines = lived(next(each for each in LIVES if each.__name__ == story))
    assert not fit(SPEC, lines, [guard]).accepted


#: What is no true history: a story, the line that is changed, and what is wrong with it there.
WRONG: list[tuple[str, str, str | None, str]] = [
    ("came_back", "RECONNECTED", None, "OPENED"),  # an open that waited, and nothing came back
    ("came_back", "RECONNECTED", "of=0", "RECONNECTED"),
    ("came_back", "RECONNECTED", "of=2", "RECONNECTED"),  # there is one graph
    ("came_back", "RECONNECTED", "SWITCHED", "SWITCHED"),
    ("back_while_ending", "DRAINED", "RECONNECTED after", "RECONNECTED"),
    ("switched", "SWITCHED", None, "CARRIED"),
    ("switched", "SWITCHED", "of=3", "SWITCHED"),
    ("switched", "CARRIED", "CARRIED after", "CARRIED"),  # it is on the new graph
    ("switched", "GATE", "SWITCHED after", "SWITCHED"),
    ("switched", "RELEASED", "CARRIED after", "CARRIED"),
    ("switched_and_back", "OPENED", "RECONNECTED after", "RECONNECTED"),
]


@pytest.mark.parametrize(("story", "event", "change", "where"), WRONG)
def test_what_is_no_true_history_of_what_a_session_lives_through(
    story: str, event: str, change: str | None, where: str
) -> None:
    """The monitor says the same: tests/traces/test_monitor.py."""
    lines, at = forged(story, event, change)
    found = fit(SPEC, lines)
    assert not found.accepted
    assert lines[found.line - 1].event == where
    assert found.line - 1 >= at


def forged(story: str, event: str, change: str | None) -> tuple[list[Line], int]:
    """A story with one change: a line is dropped, changed, or followed by another one."""
    lines = lived(next(each for each in LIVES if each.__name__ == story))
    at = next(i for i, line in enumerate(lines) if line.event == event)
    line = lines[at]
    if change is None:
        changed = []
    elif change.startswith("of="):
        changed = [line._replace(of=int(change[3:]))]
    elif change.endswith(" after"):
        more = change.split()[0]
        subject, number, of = ("handle", line.number, 0) if more == "CARRIED" else ("session", 0, 9)
        of = {"RECONNECTED": 2 if event == "OPENED" else 1, "SWITCHED": 4}.get(more, of)
        after = line.after
        changed = [
            line,
            Line(0, subject, number, more, after, after, line.calls, line.handles, 0, of),
        ]
    else:
        changed = [line._replace(event=change)]
    return renumbered([*lines[:at], *changed, *lines[at + 1 :]]), at


def test_a_rejection_tells_the_line_and_what_was_possible_there() -> None:
    lines = lived(one_file)
    at = next(i for i, line in enumerate(lines) if line.event == "GATE")
    wrong = renumbered([*lines[:at], lines[at + 1], *lines[at:]])  # SETTLED before GATE
    assert list(told(wrong, fit(SPEC, wrong))) == [
        f"rejected at line {at + 1}: SETTLED of session",
        "    there is no such step in the specification, from where the trace has come to",
        "possible there: GATE of the session; ADMIT of a new call; CLOSE of handle 1;"
        " LOST of handle 1; UNLOCKED of handle 1",
    ]


def test_a_file_is_read_and_written_back() -> None:
    lines = lived(one_file)
    assert read(dumped(lines)) == lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1: no record"),
        ("[1]", "line 1: no record"),
        ('{"seq": 1}', "line 1: no record"),
        (dumped(lived(one_file)[:1]).replace('"seq":1', '"seq":"1"'), "line 1: seq is no int"),
        (dumped(lived(one_file)[:1]).replace('"refs"', '"refs":0,"more"'), "line 1: no record"),
    ],
)
def test_what_is_no_trace_is_refused(text: str, said: str) -> None:
    with pytest.raises(TraceError, match=said):
        read(text)


def test_the_command_line(tmp_path: Path) -> None:
    lines = lived(one_file)
    good, bad = tmp_path / "good.ndjson", tmp_path / "bad.ndjson"
    good.write_text(dumped(lines))
    bad.write_text(dumped(renumbered(lines[:3] + lines[4:])))
    command = [sys.executable, "-m", "glusterio.verify", "--spec", str(SPEC), "--trace"]
    done = subprocess.run([*command, str(good), str(bad)], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert f"good.ndjson: {len(lines)} lines, all of them possible" in done.stdout
    assert "bad.ndjson: rejected at line" in done.stdout
    assert follow(SPEC, [tmp_path / "none"]) == 100
