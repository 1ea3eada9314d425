"""A sample of the planted defects: whether they can be planted at all, and whether one is found."""

from __future__ import annotations

import pytest

from tests.explore.mutants import changed, judged, source_of, specified
from tests.explore.planted import PLANTED, Planted


def test_there_are_many_and_each_has_a_name() -> None:
    assert len({each.name for each in PLANTED}) == len(PLANTED)
    assert sum(bool(each.changes) for each in PLANTED) >= 25


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_what_is_replaced_is_there(planted: Planted) -> None:
    for module in {change.module for change in planted.changes}:
        text = source_of(module).read_text("utf-8")
        changes = [change for change in planted.changes if change.module == module]
        compile(changed(text, changes), module, "exec")


def test_the_specification_speaks_of_its_guards() -> None:
    violated = specified()
    assert {each.guard for each in PLANTED if each.guard and not violated[each.guard]} == set()


def test_there_is_one_for_each_guard() -> None:
    assert set(specified()) - {each.guard for each in PLANTED if each.changes} == set()


def test_one_is_found() -> None:
    planted = next(each for each in PLANTED if each.name == "put twice")
    verdict = judged(planted, 50)
    assert verdict.explorer.startswith("RefsAddUp")
    assert verdict.trace
