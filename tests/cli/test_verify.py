"""`glusterio verify`: what it says, what it writes, and how it ends."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from glusterio.verify.shipped import SPEC
from tests.cli.conftest import Run

CORPUS = Path(__file__).parent.parent / "traces" / "corpus"
EVERY = tomllib.loads((SPEC / "expected.toml").read_text())["check"]


def test_a_verdict_a_line_and_the_sum(glusterio: Run) -> None:
    lines = glusterio("verify", "Session/").check().text.splitlines()
    assert [line.split()[:3] for line in lines[:2]] == [
        ["Session/no-gate", "violates", "NoStaleFds"],
        ["Session/gate", "holds", "58"],
    ]
    assert lines[2].startswith("2 configurations in ")
    assert lines[2].endswith(" s: 1 holds, 1 is violated; none not as expected.")


def test_the_sum_of_one(glusterio: Run) -> None:
    *_, last = glusterio("verify", "Session/gate").check().text.splitlines()
    assert last.startswith("1 configuration in ")
    assert last.endswith(" s: 1 holds, 0 are violated; none not as expected.")


def test_a_counterexample_is_told_one_line_a_step(gl: Run) -> None:
    text = gl("verify", "FdLifecycle/no-drain", "--show").check().text
    assert "\n     The counterexample of gluster issue 4668, five states.\n" in text
    assert "\n  2  GlfsOpen(fd1)      The application opens fd1: fd[fd1] = OPEN\n" in text
    assert (
        "\n     NoLeakedFds is violated. It says: Nothing is left open that nobody will close.\n"
        in text
    )
    assert text.count("SessionDestroyed") == 1, "a full name is one configuration"


def test_in_json(gl: Run) -> None:
    (told,) = gl("verify", "--json", "--show", "FdLifecycle/no-drain").check().records
    assert told.pop("seconds") >= 0
    example = told.pop("counterexample")
    assert told == {
        "config": "FdLifecycle/no-drain",
        "verdict": "NoLeakedFds",
        "expected": "NoLeakedFds",
        "as_expected": True,
        "wrong": [],
        "generated": 40,
        "distinct": 29,
        "depth": 5,
    }
    assert [step["changes"] for step in example["steps"]] == [
        {},
        {"fd[fd1]": "OPEN"},
        {"session": "FINI_CALLED"},
        {"session": "DRAINING"},
        {"session": "DESTROYED", "fd[fd1]": "LEAKED", "leaked": ["fd1"]},
    ]


def test_all_that_there_is_can_be_listed(gl: Run) -> None:
    listed = gl("verify", "--list", "--json").check().records
    assert {one["config"]: one["expected"] for one in listed} == {
        check["config"]: check["verdict"] for check in EVERY
    }
    assert all(one["shows"] for one in listed)


def test_a_name_that_is_none(gl: Run) -> None:
    result = gl("verify", "Nothing")
    assert result.code == 2
    assert "no configuration begins with 'Nothing'; --list tells them all" in result.err


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A specification of one's own."""
    return Path(shutil.copytree(SPEC, tmp_path / "spec"))


def test_what_is_not_as_expected_is_said_and_the_exit_code_is_1(gl: Run, spec: Path) -> None:
    place = spec / "FdLifecycle" / "drain.cfg"
    place.write_text(place.read_text().replace("Drain = TRUE", "Drain = FALSE"))
    result = gl("verify", "--spec", str(spec), "FdLifecycle/drain")
    assert result.code == 1
    assert "violates NoLeakedFds" in result.text
    assert "NOT AS EXPECTED: verdict NoLeakedFds, not holds; generated " in result.text
    assert "; 1 not as expected." in result.text


def test_what_cannot_be_read_is_named(gl: Run, spec: Path) -> None:
    with (spec / "Session.tla").open("a") as file:
        file.write("?")
    place = spec / "Session.tla"
    place.write_text(place.read_text().replace("NoStaleFds == ", "NoStaleFds == ? "))
    errors = gl("verify", "--json", "--spec", str(spec), "Session/gate").errors()
    assert errors[0]["error"].startswith("cannot read Session/gate: line ")


def test_a_directory_without_a_specification(gl: Run, tmp_path: Path) -> None:
    (error,) = gl("verify", "--spec", str(tmp_path), "--json").errors()
    assert error["error"].startswith(f"cannot read the specification in '{tmp_path}': ")
    assert error["code"] == "ENOENT"


def test_counterexamples_become_a_page_the_seed_s_first(gl: Run, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    gl("verify", "Session/", "FdLifecycle/no-drain", "--html", str(page)).check()
    text = page.read_text(encoding="utf-8")
    found = re.findall(r'<section class="story" data-config="([^"]+)"', text)
    assert found == ["FdLifecycle/no-drain", "Session/no-gate"]


def test_there_is_no_page_where_nothing_is_violated(gl: Run, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = gl("verify", "Session/gate", "--html", str(page))
    assert result.failed() == ["nothing was violated: there is no counterexample for a page"]
    assert not page.exists()
    (error,) = gl(
        "verify", "Session/no-gate", "--json", "--html", str(tmp_path / "no" / "page.html")
    ).errors()
    assert error["code"] == "ENOENT"


def test_traces_are_followed(gl: Run, tmp_path: Path) -> None:
    good = CORPUS / "threads-lost.ndjson"
    lines = good.read_text().splitlines(keepends=True)
    bad = tmp_path / "bad.ndjson"
    bad.write_text("".join(lines[:4] + lines[5:]))
    told = gl("verify", "--trace", str(good), str(good))
    assert told.check().text == f"{good}: {len(lines)} lines, all of them possible\n" * 2
    page = tmp_path / "lives.html"
    both = ("--trace", str(good), "--trace", str(bad))
    refused = gl("verify", "--json", *both, "--html", str(page))
    assert refused.code == 1
    assert [(one["trace"], one["fits"]) for one in refused.records] == [
        (str(good), True),
        (str(bad), False),
    ]
    assert refused.records[1]["line"] == 5
    assert "GATE" in refused.records[1]["possible"]
    assert page.read_text(encoding="utf-8").count('<section class="story"') == 2


def test_what_is_no_trace_is_said(gl: Run, tmp_path: Path) -> None:
    (tmp_path / "nonsense").write_text("{}\n")
    (line,) = gl("verify", "--trace", str(tmp_path / "nonsense")).failed()
    assert line.startswith(f"cannot read '{tmp_path}/nonsense': ")
