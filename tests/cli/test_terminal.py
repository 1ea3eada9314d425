"""What is different when somebody looks: colours, columns, a sum; and what nobody shall see."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, PATIENCE


def on_terminal(*words: str | Path, **more: str) -> str:
    """Run a command with a terminal for all that it prints."""
    terminal, its_end = pty.openpty()
    try:
        with subprocess.Popen(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=its_end,
            stderr=its_end,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **more},
        ) as process:
            os.close(its_end)
            found = b""
            try:
                while more_of_it := os.read(terminal, 65536):
                    found += more_of_it
            except OSError:
                pass  # how a terminal says that nobody is at its other end
            assert process.wait(PATIENCE) == 0
    finally:
        os.close(terminal)
    return found.decode().replace("\r\n", "\n")


@pytest.fixture
def root(root: Path) -> Path:
    (root / "d").mkdir()
    (root / "evil\x1b[2J").touch()
    (root / "f").touch()
    return root


@pytest.mark.usefixtures("root")
def test_colours_and_columns(place: str) -> None:
    assert on_terminal("ls", place) == "\x1b[1;34md\x1b[0m  evil?[2J  f\n"
    assert on_terminal("ls", place, NO_COLOR="1") == "d  evil?[2J  f\n"
    assert "├── \x1b[1;34md\x1b[0m\n├── evil?[2J\n" in on_terminal("tree", place)


def test_a_sum_of_what_was_copied(place: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(12345))
    said = on_terminal("cp", tmp_path / "f", place, NO_COLOR="1")
    assert "1 file, 12.3 kB in" in said
    assert "\x1b[3" not in said


def test_what_is_being_checked_is_said_where_somebody_looks() -> None:
    text = on_terminal("verify", "Session/")
    assert "\r\x1b[2K1 of 2: Session/no-gate\r\x1b[2KSession/no-gate  " in text
    assert "\r\x1b[2K2 of 2: Session/gate\r\x1b[2KSession/gate  " in text
    assert text.rpartition("\x1b[2K")[2].startswith("2 configurations in ")
