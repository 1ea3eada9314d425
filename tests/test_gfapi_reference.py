"""The page that lists every function of libgfapi says what is so."""

from __future__ import annotations

import ctypes.util
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.api.gfapi_cases import CASES, WATCHED
from tests.reference_tool import comparing, load

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def tool() -> Any:
    return load("gfapi_reference")


def test_every_function_is_in_the_table_and_is_where_it_is_said_to_be(tool: Any) -> None:
    assert list(tool.complaints()) == []


def test_the_page_is_made_from_the_table(tool: Any) -> None:
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page()


def test_each_function_that_is_there_has_a_case(tool: Any) -> None:
    there = {line.name for line in tool.entries() if line.state == "there"}
    assert there == CASES.keys() | WATCHED.keys()


def test_the_list_has_all_that_an_installed_libgfapi_exports(tool: Any) -> None:
    """An older release has fewer; and two names are other ones there than in the version map."""
    listed = set(tool.names())
    assert len(listed) == 166
    library = ctypes.util.find_library("gfapi")
    paths = [Path(place, library or "") for place in ("/usr/lib/x86_64-linux-gnu", "/usr/lib64")]
    path = next((path for path in paths if library and path.is_file()), None)
    if path is None or shutil.which("nm") is None:
        return  # the list in the repository is all there is to compare with
    exported = set(tool.installed(str(path)))
    renamed = {name.replace("plus_get_", "plus_r_get_") for name in exported}
    assert renamed - listed == set()
    assert len(renamed) > 100


@pytest.fixture
def with_table(tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    return comparing(tool, tmp_path / "gfapi.toml", monkeypatch)


def test_a_function_that_the_table_does_not_have_is_noticed(with_table: Any) -> None:
    assert with_table('\nglfs_fstat = "File.fstat"\n', "\n") == ["glfs_fstat is not in the table"]


def test_a_function_that_there_is_not_is_noticed(with_table: Any) -> None:
    found = with_table('names = "glfs_free"', 'names = "glfs_free glfs_freed"')
    assert found == ["glfs_freed is no function of libgfapi"]


def test_a_function_twice_is_noticed(with_table: Any) -> None:
    found = with_table('names = "glfs_free"', 'names = "glfs_free glfs_fstat"')
    assert found == ["glfs_fstat is there twice"]


def test_a_call_that_is_said_to_be_there_and_is_not_is_noticed(with_table: Any) -> None:
    assert with_table('"File.fstat"', '"File.fstatus"') == [
        "glfs_fstat: glusterio has no File.fstatus",
        "glfs_fstat: glusterio.aio has no File.fstatus",
    ]
    assert with_table('"aio.File.fsync,', '"aio.File.fsynced,') == [
        "glfs_fsync_async: glusterio.aio has no File.fsynced"
    ]
