"""Looking at states part by part says what looking at them whole says."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from glusterio.verify import composed
from glusterio.verify.checking import Checking
from glusterio.verify.composed import Composed
from glusterio.verify.tla import SpecError

SPEC = Path(__file__).parent.parent.parent / "spec"
CHECKS: list[dict[str, Any]] = tomllib.loads((SPEC / "expected.toml").read_text())["check"]

#: What lacks a guard, and breaks an invariant or a property of steps.
BROKEN = [
    check["config"]
    for check in CHECKS
    if check["config"].startswith("Teardown/") and check["verdict"] != "holds" and "depth" in check
]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A specification of one's own."""
    return Path(shutil.copytree(SPEC, tmp_path / "spec"))


def of(checking: Checking) -> Composed:
    return Composed(checking.compiled, checking.module, checking.config)


def test_it_looks_at_the_same_states_and_each_has_the_same_successors(
    spec: Path, monkeypatch: pytest.MonkeyPatch
):
    """Two threads, two handles: every form compared, and the states counted that they stand for."""
    monkeypatch.setattr(composed, "EVERY", 1)
    text = (SPEC / "Teardown" / "two.cfg").read_text()
    for what, now in (("Writes", "0"), ("Switches", "0"), ("Loses", "FALSE")):
        text = re.sub(rf"( {what} =) .+", rf"\1 {now}", text)
    (spec / "Teardown" / "calls.cfg").write_text(text)
    checking = Checking(spec, "Teardown/calls")
    parts = of(checking)
    assert parts.explore() == checking.run()
    every = next(check for check in CHECKS if check["config"] == "Teardown/ends-two")
    assert parts.states() == every["distinct"]


def test_what_is_not_made_of_parts_is_found_out(spec: Path):
    """An action about all handles that asks whether there is *some* handle of a kind."""
    place = spec / "Teardown.tla"
    text, changed = re.subn(r"(Cut == .*\n    /\\ Cuts)", r"\1 /\\ Ledger # {}", place.read_text())
    assert changed == 1
    place.write_text(text)
    checking = Checking(spec, "Teardown/three")
    with pytest.raises(SpecError, match="more, or less, than the whole"):
        of(checking).explore()


def test_what_cannot_be_taken_apart_is_refused():
    """Brick's connections are no handles that something is at."""
    with pytest.raises(SpecError):
        of(Checking(SPEC, "Brick/holds"))


def found_alike(name: str) -> None:
    """Both ways of looking find the same, after as many steps."""
    checking = Checking(SPEC, name)
    whole, parts = checking.run(), of(checking).explore()
    assert parts.verdict == whole.verdict
    assert len(parts.trace) == len(whole.trace)


@pytest.mark.parametrize("name", BROKEN[::6])
def test_what_is_broken_is_found_by_a_way_as_short(name: str):
    """A few; ``make verify`` looks at all (tests/verify)."""
    found_alike(name)
