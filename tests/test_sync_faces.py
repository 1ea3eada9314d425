"""The face for threads is what the tool makes of the face for asyncio; and the tool's own behaviour."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import glusterio
from glusterio import aio

ROOT = Path(__file__).parent.parent


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sync_faces", ROOT / "tools" / "sync_faces.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tool() -> Any:
    return load_tool()


def test_the_generated_files_are_those_of_the_sources(tool: Any) -> None:
    assert tool.stale(tool.generated()) == []


def test_a_generated_file_that_was_edited_or_has_no_source_is_noticed(
    tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = tool.generated()
    for name, text in wanted.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(tool, "TARGET", tmp_path)
    assert tool.stale(wanted) == []
    (tmp_path / "names.py").write_text(wanted["names.py"] + "\n", encoding="utf-8")
    (tmp_path / "left_over.py").write_text("", encoding="utf-8")
    (tmp_path / "attributes.py").unlink()
    assert tool.stale(wanted) == ["attributes.py", "left_over.py", "names.py"]


def test_what_a_translation_does(tool: Any) -> None:
    used: set[str] = set()
    text = (
        "class AsyncThing(AsyncIterator[AsyncDirEntry]):\n"
        "    async def __aenter__(self) -> AsyncScandir:\n"
        '        """Await nothing; Async stays where it is a word."""\n'
        "        async with self.it() as one, await  self.two() as two:\n"
        "            return [f(await x) async for x in one]  # a comment stays\n"
    )
    assert tool.translate(text, used) == (
        "class Thing(Iterator[DirEntry]):\n"
        "    def __enter__(self) -> ScandirIterator:\n"
        '        """Await nothing; Async stays where it is a word."""\n'
        "        with self.it() as one, self.two() as two:\n"
        "            return [f(x) for x in one]  # a comment stays\n"
    )
    assert used == {"__aenter__", "AsyncScandir"}


@pytest.mark.parametrize(
    "left",
    [
        '"""``await it``"""\n',
        "# asyncio only\n",
        "import asyncio\n",
        'x = "AsyncVolume"\n',
    ],
)
def test_what_cannot_be_translated_is_refused(tool: Any, left: str) -> None:
    with pytest.raises(tool.Refused):
        tool.translate(left, set())


def test_a_substitution_that_matches_nothing_is_refused(tool: Any) -> None:
    tool.NAMES["AsyncNobody"] = "Nobody"
    with pytest.raises(tool.Refused, match="AsyncNobody"):
        tool.generated()


#: What one face has and the other has not.
ONLY = {
    "Volume": set[str](),
    "File": {
        "pread_async",
        "pwrite_async",
        "preadv_async",
        "pwritev_async",
        "truncate_async",
        "fsync_async",
        "fdatasync_async",
        "discard_async",
        "zerofill_async",
    },
    "DirEntry": set[str](),
}


@pytest.mark.parametrize("name", ONLY)
def test_both_faces_have_the_same_methods_with_the_same_arguments(name: str) -> None:
    threads, tasks = getattr(glusterio, name), getattr(aio, name)

    def public(cls: type) -> set[str]:
        return {name for name in dir(cls) if not name.startswith("_")}

    assert public(threads) - public(tasks) == ONLY[name]
    assert public(tasks) <= public(threads)
    for method in public(tasks):
        one, other = getattr(threads, method), getattr(tasks, method)
        if callable(one) and (name, method) != ("Volume", "open"):  # no buffering in asyncio
            assert list(inspect.signature(one).parameters.values()) == list(
                inspect.signature(other).parameters.values()
            ), method
        assert not callable(one) or (one.__doc__ and other.__doc__), method
