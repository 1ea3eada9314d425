"""`ln`."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cli.conftest import Run


def test_other_names(gl: Run, place: str, root: Path) -> None:
    (root / "f").write_text("f")
    (root / "d").mkdir()
    gl("ln", f"{place}/f", f"{place}/g").check()
    gl("ln", f"{place}/f", f"{place}/g", f"{place}/d").check()
    assert len({(root / name).stat().st_ino for name in ("f", "g", "d/f", "d/g")}) == 1
    (found,) = gl("stat", "--json", f"{place}/f").check().records
    assert found["links"] == 4


def test_symbolic_links(gl: Run, place: str, root: Path) -> None:
    (root / "d" / "e").mkdir(parents=True)
    (root / "f").write_text("f")
    gl("ln", "-s", "../anything at all", f"{place}/d/l").check()
    gl("ln", "-s", f"{place}/f", f"{place}/d/e").check()
    gl("ln", "-s", f"{place}/d/e", f"{place}/to e").check()
    assert os.readlink(root / "d" / "l") == "../anything at all"
    assert os.readlink(root / "d" / "e" / "f") == "../../f"
    assert os.readlink(root / "to e") == "d/e"
    assert gl("cat", f"{place}/to e/f").check().text == "f"
    assert gl("ln", "-sv", "x", f"{place}/x").check().text == f"{place}/x -> x\n"
    (done,) = gl("ln", "-s", "--json", "y", f"{place}/y").check().records
    assert done == {"made": 1}


def test_what_is_there(gl: Run, place: str, root: Path) -> None:
    (root / "f").write_text("new")
    (root / "old").write_text("old")
    (root / "d").mkdir()
    for options in ([], ["-s"]):
        (line,) = gl("ln", *options, f"{place}/f", f"{place}/old").failed()
        assert line.startswith(f"cannot make the link '{place}/old': File exists")
    gl("ln", "-f", f"{place}/f", f"{place}/old").check()
    assert (root / "old").read_text() == "new"
    gl("ln", "-f", f"{place}/f", f"{place}/old").check()
    gl("ln", "-sf", "elsewhere", f"{place}/old").check()
    assert os.readlink(root / "old") == "elsewhere"
    gl("ln", "-s", "d", f"{place}/to d").check()
    gl("ln", "-sfT", "elsewhere", f"{place}/to d").check()
    assert os.readlink(root / "to d") == "elsewhere"
    (line,) = gl("ln", "-sfT", "x", f"{place}/d").failed()
    assert line == f"cannot make the link '{place}/d': Is a directory"
    assert sorted(os.listdir(root)) == ["d", "f", "old", "to d"]


def test_what_is_refused(gl: Run, place: str, root: Path, tmp_path: Path) -> None:
    (tmp_path / "local").touch()
    (line,) = gl("ln", "local", f"{place}/l").failed()
    assert line == f"cannot make the link '{place}/l': 'local' is not on the same volume"
    (line,) = gl("ln", f"{place}/nope", f"{place}/l").failed()
    assert line.startswith(f"cannot make the link '{place}/l': No such file or directory")
    (line,) = gl("ln", "-s", "x", "y").failed()
    assert "is not on a volume" in line
    (line,) = gl("ln", "-s", "x", "y", f"{place}/z").failed()
    assert line == f"'{place}/z' is not a directory"
    assert gl("ln", place).code == 2
    assert os.listdir(root) == []
