from __future__ import annotations

import pytest

from glusterio.cli.errors import CommandError
from glusterio.cli.locations import Location, parse
from glusterio.cli.units import duration, number, rate, size


@pytest.mark.parametrize(
    ("text", "volume", "path"),
    [
        ("gluster://h/gv0", "gluster://h/gv0", ""),
        ("gluster://h/gv0/", "gluster://h/gv0", ""),
        ("gluster://h/gv0/a/b", "gluster://h/gv0", "a/b"),
        ("gluster://h/gv0#/a/b", "gluster://h/gv0", "a/b"),
        ("gluster://h/gv0#a#b", "gluster://h/gv0", "a#b"),
        ("gluster://h/gv0/a#b?c%20", "gluster://h/gv0", "a#b?c%20"),
        ("gluster://h:1,[::1]:2/gv0/a", "gluster://h:1,[::1]:2/gv0", "a"),
        ("gluster://h/gv0/new\nline", "gluster://h/gv0", "new\nline"),
        ("gluster+unix:///gv0?socket=/s#/a", "gluster+unix:///gv0?socket=/s", "a"),
        ("volfile:///etc/gv.vol", "volfile:///etc/gv.vol", ""),
        ("volfile:///etc/gv.vol#/a/b", "volfile:///etc/gv.vol", "a/b"),
        ("embedded:///srv/data#a", "embedded:///srv/data", "a"),
        ("/local/a#b", "", "/local/a#b"),
        ("./gluster://x", "", "./gluster://x"),
        ("a:b", "", "a:b"),
    ],
)
def test_places(text: str, volume: str, path: str) -> None:
    assert parse(text) == Location(volume, path, text)


@pytest.mark.parametrize(
    "text", ["", "gluster://h", "gluster:///gv0", "volfile://x/y", "http://x/y", "embedded:///#/a"]
)
def test_no_places(text: str) -> None:
    with pytest.raises(CommandError):
        parse(text)


def test_names() -> None:
    assert [parse(text).name for text in ("a/b", "a/b/", ".", "a/..", "/", "gluster://h/v")] == [
        "b", "b", "", "", "", "",
    ]  # fmt: skip
    assert parse("gluster://h/v").join("x") == Location("gluster://h/v", "x", "gluster://h/v/x")
    assert parse("volfile:///v").join("x").text == "volfile:///v#/x"
    assert parse("volfile:///v#/d").join("x").text == "volfile:///v#/d/x"


def test_numbers() -> None:
    assert [size(n) for n in (0, 999, 1000, 123_456, 12_345_678, 10**13)] == [
        "0 B", "999 B", "1.0 kB", "123 kB", "12.3 MB", "10.0 TB",
    ]  # fmt: skip
    assert rate(10_000_000, 2) == "5.0 MB/s"
    assert [duration(s) for s in (0.00312, 0.9999, 12.3456)] == ["3.1 ms", "1.00 s", "12.35 s"]
    assert [number(1, "file"), number(1000, "file"), number(2, "y", "ies")] == [
        "1 file", "1,000 files", "2 ies",
    ]  # fmt: skip
