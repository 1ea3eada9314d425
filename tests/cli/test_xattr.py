"""`xattr`, and `chown`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glusterio.cli.access import Owner, parse_owner
from glusterio.cli.xattrs import decoded, encoded
from tests.cli.conftest import Run


def test_attributes(gl: Run, place: str, root: Path) -> None:
    (root / "f").touch()
    (root / "l").symlink_to("f")
    gl("xattr", "set", "user.text", "grüß Gott", f"{place}/f").check()
    gl("xattr", "set", "user.raw", "0x00ff", f"{place}/l").check()
    assert os.getxattr(root / "f", "user.text") == "grüß Gott".encode()
    assert os.getxattr(root / "f", "user.raw") == b"\0\xff"
    assert gl("xattr", "list", f"{place}/f").check().text == "user.raw\nuser.text\n"
    assert gl("xattr", "get", "user.text", f"{place}/f").check().text == "grüß Gott\n"
    assert gl("xattr", "get", "user.raw", f"{place}/f").check().text == "0x00ff\n"
    assert gl("xattr", "get", "-e", "base64", "user.raw", f"{place}/f").check().text == "0sAP8=\n"
    assert gl("xattr", "list", "-l", f"{place}/f", f"{place}/l").check().text.splitlines() == [
        f"{place}/f: user.raw=0x00ff",
        f"{place}/f: user.text=grüß Gott",
        f"{place}/l: user.raw=0x00ff",
        f"{place}/l: user.text=grüß Gott",
    ]
    assert gl("xattr", "get", "--json", "user.raw", f"{place}/f").check().records == [
        {"path": f"{place}/f", "name": "user.raw", "value": "0x00ff", "encoding": "hex"}
    ]
    (done,) = gl("xattr", "rm", "--json", "user.text", f"{place}/f").check().records
    assert done == {"removed": 1}
    assert gl("xattr", "list", f"{place}/f").check().text == "user.raw\n"
    assert gl("xattr", "get", "user.text", f"{place}/f").failed() == [
        f"cannot get user.text of '{place}/f': No data available"
    ]
    assert len(gl("xattr", "set", "--create", "user.raw", "x", f"{place}/f").failed()) == 1
    assert len(gl("xattr", "set", "--replace", "user.new", "x", f"{place}/f").failed()) == 1
    assert gl("xattr", "set", "-e", "hex", "user.raw", "xyz", f"{place}/f").code == 2
    assert gl("xattr", "get", "-e", "rot13", "user.raw", f"{place}/f").code == 2


@pytest.mark.parametrize("value", [b"", b"text", "ü".encode(), b"\0", b"\xff\xfe", b"a\nb"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_values_there_and_back(value: bytes, encoding: str) -> None:
    text, used = encoded(value, encoding)
    assert used == encoding
    assert decoded(text, None) == value
    assert decoded(text[2:], encoding) == value
    assert decoded(encoded(value, "text")[0], "text") == value


def test_values_that_look_like_another_encoding() -> None:
    assert decoded("0x41", "text") == b"0x41"
    assert decoded("0X41", None) == b"A"
    with pytest.raises(ValueError, match="not hex"):
        decoded("0x4", None)


def test_owners() -> None:
    assert parse_owner("0") == Owner(0)
    assert parse_owner("root:") == Owner(0, 0)
    assert parse_owner(":12") == Owner(-1, 12)
    assert parse_owner("1234:root") == Owner(1234, 0)
    for text in ("no such user", ":no such group", "4294967295", "-1", "4294967294:"):
        with pytest.raises(ValueError, match=r"no (user|group)"):
            parse_owner(text)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_chown(gl: Run, place: str, root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "f").touch()
    (root / "d" / "l").symlink_to("../out")
    (root / "out").touch()

    def owner(name: str) -> tuple[int, int]:
        status = (root / name).lstat()
        return status.st_uid, status.st_gid

    gl("chown", "1234", f"{place}/d").check()
    assert [owner(name) for name in ("d", "d/f")] == [(1234, 0), (0, 0)]
    lines = gl("chown", "-Rv", "1234:5678", f"{place}/d").check().text.splitlines()
    assert lines[0] == f"{place}/d: 1234:0 -> 1234:5678"
    assert {owner(name) for name in ("d", "d/f", "d/l")} == {(1234, 5678)}
    assert owner("out") == (0, 0)
    gl("chown", ":7", f"{place}/d/l").check()
    assert (owner("out"), owner("d/l")) == ((0, 7), (1234, 5678))
    gl("chown", "--no-dereference", "8", f"{place}/d/l").check()
    assert (owner("out"), owner("d/l")) == ((0, 7), (8, 5678))
    (done,) = gl("chown", "--json", "8", f"{place}/d/l").check().records
    assert done == {"files": 1, "changed": 1}
    assert gl("chown", "nobody knows him", place).code == 2
