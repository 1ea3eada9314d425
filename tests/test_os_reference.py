"""The page that lists every name of os, os.path, shutil and pathlib.Path says what is so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.reference_tool import comparing, load

ROOT = Path(__file__).parent.parent


@pytest.fixture
def tool() -> Any:
    return load("os_reference")


def test_every_name_is_in_the_table_and_is_where_it_is_said_to_be(tool: Any) -> None:
    assert list(tool.complaints()) == []


def test_the_page_is_made_from_the_table(tool: Any) -> None:
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page()


@pytest.fixture
def with_table(tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    return comparing(tool, tmp_path / "os.toml", monkeypatch)


def test_a_name_that_the_table_does_not_have_is_noticed(with_table: Any) -> None:
    assert with_table('\nmakedirs = ""\n', "\n") == ["os.makedirs is not in the table"]
    assert with_table(" popen ", " ") == ["os.popen is not in the table"]
    assert with_table("samestat", "x") == ["os.path.samestat is not in the table"]


def test_a_name_that_is_said_to_be_there_and_is_not_is_noticed(with_table: Any) -> None:
    found = with_table('\nmkdir = ""\n', '\nmkdir = "Volume.mkdirectory"\n')
    assert found == [
        "os.mkdir: glusterio has no Volume.mkdirectory",
        "os.mkdir: glusterio.aio has no Volume.mkdirectory",
    ]


def test_arguments_that_are_not_taken_are_noticed(with_table: Any) -> None:
    found = with_table('preadv = "flags"\n', "")
    assert len(found) == 2
    assert "does not take 'flags'" in found[0]
    found = with_table('\nmkdir = ""\n', '\nmkdir = "Volume.listdir"\n')
    assert any("does not take 'mode'" in line for line in found)
    assert any("does not take 'dir_fd'" in line for line in found)


def test_a_name_twice_is_noticed(with_table: Any) -> None:
    assert with_table('constants, which mean the same"\nnames = "', 'x"\nnames = "stat ') == [
        "os.stat is there twice"
    ]


def test_a_new_name_of_python_is_noticed(tool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "__all__", [*os.__all__, "invented"])
    monkeypatch.setattr(os, "invented", len, raising=False)
    assert list(tool.complaints()) == ["os.invented is not in the table"]
