"""A counterexample told: values with their names, what changed, and a sentence for every action."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from glusterio.verify import told
from glusterio.verify.checking import Checking, load
from glusterio.verify.expressions import holds
from glusterio.verify.shipped import SEED, SPEC, chosen, expected
from glusterio.verify.tla import names_in
from glusterio.verify.told import Counterexample, tell

MODULES = sorted({one.config.split("/")[0] for one in expected()})
WORDS = tomllib.loads(Path(told.__file__).with_name("words.toml").read_text())


def example(config: str) -> Counterexample:
    checking = Checking(SPEC, config)
    return tell(checking, checking.run())


def test_the_seed_s_counterexample_one_line_a_step() -> None:
    assert list(example(SEED).lines()) == [
        "  1  Initial predicate  A session, and no file is open",
        "  2  GlfsOpen(fd1)      The application opens fd1: fd[fd1] = OPEN",
        "  3  GlfsFiniStart      glfs_fini() is entered. From here on nothing can be opened: "
        "session = FINI_CALLED",
        "  4  GlfsFiniDrain      No request is on its way, or ten seconds are over: "
        "glfs_fini() goes on: session = DRAINING",
        "  5  SessionDestroyed   The inodes are freed, whether files are open on them or not: "
        "session = DESTROYED; fd[fd1] = LEAKED; leaked = {fd1}",
    ]


def test_values_have_their_names() -> None:
    """A member's, a number's that stands for something else, a pair's; functions of functions."""
    state = example("Teardown/without-drops-own").steps[12].state
    assert state["on"] == {"t1": "h1"}
    assert state["took"] == {"t1": 1}
    assert state["held"] == {"h1": {"1": 1, "2": 1}}
    assert state["brick"] == [("h1", 1), ("h1", 2)]
    first = example("Brick/same-identity").steps[0].state
    assert first["remote"] == {"f1": "Unused", "f2": "Unused"}
    assert first["now"] == "None"


def test_of_a_set_it_is_told_what_came_and_what_went() -> None:
    steps = example("Brick/same-identity").steps
    assert [(c.place, c.words) for c in steps[3].changes] == [
        ("conn[1]", "up → cleaning"),
        ("table[1]", "− f1"),
        ("doomed[1]", "+ f1"),
        ("remote[f1]", "1 → Lost"),
    ]


def test_what_the_specification_s_comments_say_is_told() -> None:
    story = example("DrainSteps/close-in-flight")
    assert story.variables["ptr"] == (
        'ptr[f]: glfd->fd: "NULL", "LIVE", or "DANGLING" once the inode is freed'
    )
    assert story.variables["pc"] == "the drain: what it does next, and with which file"
    assert story.property_text == "NoUseAfterFree == uaf = {}"
    assert story.orders["session"] == (
        "ACTIVE", "FINI_CALLED", "DRAINING", "DRAINED", "DESTROYED",
    )  # fmt: skip
    of_the_table = example("Teardown/without-close-waits").orders["session"]
    assert of_the_table[:4] == ("NEW", "CONNECTING", "ACTIVE", "SETTLING")


def test_a_thing_keeps_its_name_where_states_with_other_names_were_taken_as_one(
    tmp_path: Path,
) -> None:
    spec = Path(shutil.copytree(SPEC, tmp_path / "spec"))
    place = spec / "DrainSteps" / "scale-5-symmetric.cfg"
    place.write_text(place.read_text().replace("Mitigate = TRUE", "Mitigate = FALSE"))
    checking = Checking(spec, "DrainSteps/scale-5-symmetric")
    result = checking.run()
    successors = checking.compiled.successors
    steps_on = [(to, [s[:2] for s in successors(at)]) for (_, at), to in pairwise(result.trace)]
    assert not all(to in possible for to, possible in steps_on), "names have changed places"
    steps = tell(checking, result).steps
    named = {re.search(r"fd\d", change.place) for step in steps for change in step.changes}
    assert len({match[0] for match in named if match}) == 1
    assert steps[-1].state["leaked"] == [match[0] for match in named if match][:1]


def test_a_violation_of_liveness_is_told_as_one() -> None:
    story = example("Teardown/without-cuts")
    assert story.liveness
    assert story.violated == "TeardownEnds"
    assert story.property_words == (
        "Once the gate is shut the session is closed at last: close() returns."
    )


def actions(definitions: dict[str, Any], name: str) -> Iterator[str]:
    """What a step may be called: a definition that is no mere choice between others."""
    for inner in set(names_in(definitions[name][1])) & definitions.keys():
        if definitions[inner][1][0] in ("or", "some"):
            yield from actions(definitions, inner)
        elif moves(definitions, inner):
            yield inner


def moves(definitions: dict[str, Any], name: str) -> bool:
    """Whether a definition says what becomes of a variable."""
    body = definitions[name][1]
    if holds(body, "prime") or holds(body, "unchanged"):
        return True
    return any(moves(definitions, inner) for inner in set(names_in(body)) & definitions.keys())


@pytest.mark.parametrize("module", MODULES)
def test_every_action_has_a_sentence_and_every_sentence_an_action(module: str) -> None:
    definitions = load(SPEC, module).definitions
    named = set(actions(definitions, "Next"))
    if module == "FdLifecycle":
        named |= {"GlfsNew", "GlfsInit"}  # of SpecFromNew
    assert {key.split()[0] for key in WORDS[module]} == named | {"Init"}


def test_every_property_has_words_and_the_other_way_round() -> None:
    looked_at: set[str] = set()
    for one in expected():
        text = (SPEC / f"{one.config}.cfg").read_text()
        for line in re.findall(r"^(?:INVARIANTS|PROPERTIES) (.+)$", text, re.MULTILINE):
            looked_at |= set(line.split())
    assert looked_at == {name.split()[-1] for name in WORDS["properties"]}


def test_a_whole_name_is_one_configuration_and_a_beginning_several() -> None:
    everything = expected()
    assert [one.config for one in chosen(everything, [SEED])] == [SEED]
    assert len(chosen(everything, ["FdLifecycle/no-drain", "FdLifecycle/no"])) == 2
    assert chosen(everything, []) == [one for one in everything if not one.long]
    assert "Teardown/all" not in {one.config for one in chosen(everything, ["Teardown"])}
    assert [one.config for one in chosen(everything, ["Teardown/all"])] == ["Teardown/all"]
    with pytest.raises(LookupError, match="'X'"):
        chosen(everything, ["Session/", "X"])
