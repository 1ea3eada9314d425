"""A sample of the planted defects: whether they can be planted at all, and whether one is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.explore import mutants
from tests.explore.mutants import changed, judged, source_of, specified
from tests.explore.mutants_page import Row, Verdict, page, row, rows_of, write
from tests.explore.planted import PLANTED, Planted

PAGE = Path(__file__).parents[2] / "docs" / "mutants.md"


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


def test_the_page_is_what_a_run_writes() -> None:
    text = PAGE.read_text("utf-8")
    rows = rows_of(text)
    assert page(rows) == text
    violated = specified()
    for planted, there in zip(PLANTED, rows, strict=True):
        of_test = planted.test.rpartition("::")[2]
        again = row(planted, Verdict(test=planted.test), violated.get(planted.guard, ""))
        assert (there.planted, there.about, there.specification) == (
            again.planted, again.about, again.specification,
        )  # fmt: skip
        assert not of_test or there.explorer == again.explorer
        assert {there.explorer, there.trace, there.specification} != {"–"}, "a defect survives"


def test_a_run_of_some_leaves_the_rows_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "mutants.md"
    path.write_text(PAGE.read_text("utf-8"), "utf-8")
    planted = next(each for each in PLANTED if each.name == "no cut")
    write(path, [row(planted, Verdict("TeardownEnds: it does not", "make:", 1234), "TeardownEnds")])
    before, after = rows_of(PAGE.read_text("utf-8")), rows_of(path.read_text("utf-8"))
    assert [there for there in after if there not in before] == [
        Row("no cut", planted.about, "1,234: TeardownEnds", "–", "`without-cuts`: TeardownEnds")
    ]
    assert [there.planted for there in after] == [there.planted for there in before]


def test_a_page_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "mutants.md"
    write(path, [row(PLANTED[0], Verdict(), "")])
    assert path.read_text("utf-8").endswith("a test alone 0, and nobody 1.\n")


def test_one_that_cannot_be_judged_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unheard_of = PLANTED[0]._replace(name="of no list")  # the judging process does not know it
    monkeypatch.setattr(mutants, "PLANTED", (unheard_of,))
    path = tmp_path / "mutants.md"
    path.write_text(PAGE.read_text("utf-8"), "utf-8")
    assert mutants.main(["--write", str(path)]) == 1
    said = capsys.readouterr().out
    assert "of no list: NOT JUDGED" in said
    assert "0 found; not judged: of no list" in said
    assert path.read_text("utf-8") == PAGE.read_text("utf-8")
