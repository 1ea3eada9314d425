"""spec/expected.toml and the configurations beside it: nothing that nobody checks, nothing idle.

What TLC says of them is `make verify`'s matter; this needs no Java.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from glusterio.verify.checking import text as module_text

SPEC = Path(__file__).parent.parent.parent / "spec"
CHECKS: list[dict[str, Any]] = tomllib.loads((SPEC / "expected.toml").read_text())["check"]
LIVENESS = {"TeardownEnds", "CleanUpHappens"}
MODULES = sorted({check["config"].split("/")[0] for check in CHECKS})


def text_of(check: dict[str, Any]) -> str:
    return (SPEC / f"{check['config']}.cfg").read_text()


def constants(text: str) -> dict[str, str]:
    """The constants that a configuration sets."""
    block = text.split("CONSTANTS", 1)[1]
    return dict(re.findall(r"^ +(\w+) = (.+)$", block, re.MULTILINE))


def test_every_configuration_is_checked_once():
    there = sorted(str(path.relative_to(SPEC).with_suffix("")) for path in SPEC.glob("*/*.cfg"))
    assert sorted(check["config"] for check in CHECKS) == there


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check["config"])
def test_what_shall_be_violated_is_among_what_is_looked_at(check: dict[str, Any]):
    looked_at = re.findall(r"^(?:INVARIANTS|PROPERTIES) (.+)$", text_of(check), re.MULTILINE)
    names = {name for line in looked_at for name in line.split()}
    assert names, "a configuration that looks at nothing"
    if check["verdict"] != "holds":
        assert check["verdict"] in names


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_what_holds_and_what_is_violated(module: str):
    verdicts = Counter(
        check["verdict"] == "holds" for check in CHECKS if check["config"].startswith(f"{module}/")
    )
    assert verdicts[True]
    assert verdicts[False]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check["config"])
def test_every_count_is_pinned(check: dict[str, Any]):
    """But for the counts up to a violation that chance decides: several workers, or liveness."""
    by_chance = check.get("workers", 1) != 1 or check["verdict"] in LIVENESS
    if check["verdict"] == "holds" or not by_chance:
        assert {"generated", "distinct", "depth"} <= check.keys()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check["config"])
def test_a_configuration_says_what_it_is_for(check: dict[str, Any]):
    assert text_of(check).startswith("\\* ")


@pytest.mark.parametrize("module", MODULES)
def test_every_constant_is_set(module: str):
    text = re.sub(r"\n? *\\\*.*", "", module_text(SPEC, module))
    names: set[str] = set()
    for block in text.split("\nCONSTANTS")[1:]:
        names |= set(re.findall(r"\w+", block.split("\n\n", 1)[0]))
    assert names
    for check in CHECKS:
        if check["config"].startswith(f"{module}/"):
            assert names == constants(text_of(check)).keys(), check["config"]


def test_the_readme_says_what_holds_within_which_bounds():
    rows = re.findall(
        r"^\| `([\w-]+)` \| (\d) \| (\d) \| (\d) \| .* \| ([\d,]+)( forms)? \|$",
        (SPEC / "README.md").read_text(),
        re.MULTILINE,
    )
    assert sorted(rows) == sorted(map(_of_teardown, HOLDING))


HOLDING = [
    check
    for check in CHECKS
    if check["config"].startswith("Teardown/") and check["verdict"] == "holds"
]


def _of_teardown(check: dict[str, Any]) -> tuple[str, str, str, str, str, str]:
    text = text_of(check)
    of = constants(text)
    threads, handles = (str(len(of[each].split(","))) for each in ("Threads", "Handles"))
    graphs = str(int(of["Switches"]) + 1)
    forms = " forms" if "SYMMETRY" in text else ""
    return check["config"][9:], threads, handles, graphs, f"{check['distinct']:,}", forms
