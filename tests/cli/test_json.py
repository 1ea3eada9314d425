"""`--json`: one convention for all commands."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from glusterio.cli.output import in_json
from tests.cli.conftest import Run


@pytest.fixture
def full(root: Path) -> Path:
    (root / "d" / "e").mkdir(parents=True)
    (root / "d" / "f").write_text("12345")
    (root / "d" / "f").chmod(0o640)
    os.utime(root / "d" / "f", ns=(10**18 + 1, 10**18 + 2))
    (root / "l").symlink_to("d/f")
    return root


@pytest.mark.usefixtures("full")
def test_one_object_a_thing(gl: Run, place: str) -> None:
    records = gl("ls", "-R", "--json", place).check().records
    assert [(r["path"], r["name"], r["type"]) for r in records] == [
        (f"{place}/d", "d", "directory"),
        (f"{place}/l", "l", "link"),
        (f"{place}/d/e", "e", "directory"),
        (f"{place}/d/f", "f", "file"),
    ]
    assert records[1]["target"] == "d/f"
    assert records[3] == gl("--json", "ls", f"{place}/d/f").check().records[0]
    assert (records[3]["size"], records[3]["mode"]) == (5, "0640")
    assert records[3]["modified"] == "2001-09-09T01:46:40.000000002Z"
    assert records[3]["accessed"] == "2001-09-09T01:46:40.000000001Z"


@pytest.mark.usefixtures("full")
def test_stat(gl: Run, place: str, full: Path) -> None:
    (found,) = gl("stat", "--json", f"{place}/d/f").check().records
    assert found["inode"] > 0
    assert (found["uid"], found["gid"]) == (os.getuid(), os.getgid())
    (link,) = gl("stat", "--json", f"{place}/l").check().records
    assert (link["type"], link["target"]) == ("link", "d/f")
    (led_to,) = gl("stat", "-L", "--json", f"{place}/l").check().records
    assert (led_to["type"], led_to["size"]) == ("file", 5)


def test_names_that_are_not_utf8(gl: Run, place: str, root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/ok \xff\xfe \xc3\xa9")).touch()
    (found,) = gl("ls", "--json", place).check().records
    assert found["name"] == "ok \\xff\\xfe é"
    assert base64.b64decode(found["name_base64"]) == b"ok \xff\xfe \xc3\xa9"
    assert base64.b64decode(found["path_base64"]) == os.fsencode(place) + b"/ok \xff\xfe \xc3\xa9"
    (root / "back\\xffslash").touch()
    found = gl("ls", "--json", place).check().records[0]
    assert found["name"] == "back\\xffslash"
    assert "name_base64" not in found


def test_errors(gl: Run, place: str) -> None:
    result = gl("rm", "--json", f"{place}/nope", f"{place}/\udcff")
    assert result.records == [{"removed": 0}]
    first, second = result.errors()
    assert first == {
        "error": f"cannot remove '{place}/nope': No such file or directory",
        "errno": 2,
        "code": "ENOENT",
        "path": f"{place}/nope",
    }
    assert second["path"] == f"{place}/\\xff"
    assert base64.b64decode(second["path_base64"]).endswith(b"/\xff")
    (no_connection,) = gl("--json", "ls", "volfile:///nope.vol").errors()
    assert no_connection["errno"] == 2
    (no_place,) = gl("--json", "ls", "here").errors()
    assert (no_place["errno"], no_place["code"], no_place["path"]) == (None, None, None)


def test_nested_values() -> None:
    assert in_json({"a": ["\udcff", 1, None], "b": {"c": "\udc80"}}) == (
        '{"a": ["\\\\xff", 1, null], "b": {"c": "\\\\x80", "c_base64": "gA=="}}'
    )


def test_a_wrong_command_line(gl: Run, place: str) -> None:
    for words in (["cp", "--json", "alone"], ["--json", "fly"], ["ls", "--json", "--no", place]):
        (error,) = gl(*words).errors(2)
        assert (error["errno"], error["path"]) == (None, None)
    assert "a source and a destination" in gl("cp", "--json", "alone").errors(2)[0]["error"]
    assert gl("ls", "--json", "--help").check().text.startswith("Usage: glusterio ls")
