"""What is to be done with ``os`` and on a volume: names, links, attributes, opening."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from tests.api.parity import Case

LONG = "n" * 255
#: 4095 bytes, the longest path that there can be, and one more.
LONGEST = "./" * 2047 + "f"
assert len(LONGEST) == 4095

PATHS: tuple[Any, ...] = (
    # plain ones, of each kind
    "f", "d", "empty", "new", "d/f", "d/sub", "d/new", "missing/new", "f/new",
    # links
    "lf", "ld", "llf", "dangling", "to-new", "loop", "la", "absolute", "above", "d/up", "lf-slash",
    "ld/f", "ld/new", "dangling/new", "loop/new", "lf/new",
    # slashes and dots
    "f/", "d/", "empty/", "new/", "lf/", "ld/", "dangling/", "to-new/", "loop/", "d/new/", "d//f",
    "//f", "/f", "/d/", "d///", "f//", ".", "./", "./f", "..", "../f", "/", "//", "/.", "/..", "/../f",
    "d/.",
    "d/..", "d/../f", "d/sub/../f", "f/.", "f/..", "new/.", "new/..", "missing/../f", "ld/../f", "ld/.",
    "ld/..", "empty/.", "empty/..", "d/sub/..", "lf/.", "dangling/.",
    # lengths
    LONG, LONG + "n", LONG + "/x", LONG + "n/x", "é" * 127, "é" * 128, LONGEST, "/" + LONGEST,
    "f/" + LONG + "n", "d/" + LONG,
    # letters
    "", " ", "ü", "\N{SNOWMAN}/x", "new\nline", "tab\t", "undecodable-\udcff", "d/\udc80",
    "back\\slash", "-", "...", "..f", "nul\0", "d/\0/x", "*",
)  # fmt: skip

#: For rename, where each is tried with each.
ENDS: tuple[str, ...] = (
    "f", "d/f", "d", "d/sub", "empty", "new", "d/new", "lf", "ld", "dangling", "loop", "missing/new",
    "f/new", "f/", "d/", "empty/", "new/", "lf/", "ld/", ".", "/", "..", "d/.", "d/..", "d/sub/deep",
    "empty/new", "ld/f", LONG + "n", "", "nul\0",
)  # fmt: skip

#: For open: some of each kind of path.
OPENED: tuple[str, ...] = (
    "f", "d", "new", "d/new", "missing/new", "f/new", "lf", "ld", "llf", "dangling", "to-new", "loop",
    "absolute", "lf-slash", "ld/new", "f/", "d/", "new/", "lf/", "ld/", "dangling/", ".", "/", "..",
    "d/..", "f/.", LONG + "n", "",
)  # fmt: skip

_FLAGS = (os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND, os.O_DIRECTORY, os.O_NOFOLLOW)


def flag_combinations() -> Iterator[int]:
    for access in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
        for bits in range(1 << len(_FLAGS)):
            yield access | sum(flag for bit, flag in enumerate(_FLAGS) if bits >> bit & 1)


def _each(operation: str, *rest: Any) -> list[Case]:
    return [Case(operation, (path, *rest)) for path in PATHS]


NAME_GROUPS: dict[str, list[Case]] = {
    "stat": _each("stat") + _each("lstat") + _each("stat_twice"),
    "exists": _each("exists"),
    "read": _each("read"),
    "write": _each("write", b"written"),
    "listdir": _each("listdir") + _each("scan"),
    "mkdir": [
        *_each("mkdir"),
        *(Case("make_then", ("mkdir", path)) for path in PATHS),
        *(Case("make_then", ("mkdir", "new", mode)) for mode in (0, 0o700, 0o1777, 0o2770, 0o40755)),
    ],
    "rmdir": _each("rmdir"),
    "unlink": [*_each("unlink"), *_each("remove")],
    "truncate": [
        *_each("truncate", 4),
        *(
            Case("truncate", (path, length))
            for path in ("f", "d", "new", "dangling", "")
            for length in (0, 10, 20, 1 << 20, -1, -(1 << 63), 1 << 63, 1 << 62)
        ),
    ],
    "statvfs": _each("figures"),
    "symlink": [
        *(Case("symlink", ("target", path)) for path in PATHS),
        *(Case("symlink", (path, "new")) for path in PATHS),
    ],
    "readlink": _each("readlink"),
    "chmod": [
        *_each("chmod", 0o640),
        *(Case("chmod", ("f", mode)) for mode in (0, 0o777, 0o4755, 0o7777, 0o100600)),
        *(Case("chmod", ("empty", mode)) for mode in (0o1777, 0o500)),
    ],
    "utime": [
        *_each("set_times"),
        *_each("set_times", False),
        Case("set_odd_times", ("f", -1, -1_500_000_000)),
        Case("set_odd_times", ("f", 0, (1 << 32) * 10**9 + 1)),
    ],
    "rename": [
        Case(operation, (old, new))
        for operation in ("rename", "replace")
        for old in ENDS
        for new in ENDS
        if operation == "rename" or (old in ENDS[:6] and new in ENDS[:6])
    ],
    "open": [
        Case("use", (path, flags))
        for at, path in enumerate(OPENED)
        for flags in list(flag_combinations())[at % 3 :: 3]  # 64 of 192, others for the next path
    ],
    "open mode": [
        *(
            Case("go_on_after", (("use", "new", os.O_RDWR | os.O_CREAT, mode), ("lstat", "new")))
            for mode in (0, 0o400, 0o666, 0o777, 0o4755, 0o100644)
        ),
        *(Case("use", (path, os.O_RDONLY)) for path in PATHS),
        *(Case("use", (path, os.O_RDWR | os.O_CREAT)) for path in PATHS),
    ],

    "sequences": [
        Case(
            "go_on_after",
            (("rename", "d", "moved"), ("stat", "moved/f"), ("exists", "d/f"), ("mkdir", "d"),
             ("exists", "d/f"), ("listdir", "d"), ("listdir", "moved")),
        ),
        Case(
            "go_on_after",
            (("read", "d/f"), ("unlink", "d/f"), ("exists", "d/f"), ("unlink", "d/up"),
             ("rmdir", "d/sub"), ("rmdir", "d"), ("write", "d", b"now a file"), ("read", "d"),
             ("read", "d/f")),
        ),
        Case(
            "go_on_after",
            (("stat", "d/sub"), ("rmdir", "d/sub"), ("symlink", "../empty", "d/sub"),
             ("write", "d/sub/x", b"x"), ("listdir", "empty"), ("stat", "d/sub/x")),
        ),
        Case(
            "go_on_after",
            (("write", "to-new", b"through"), ("read", "d/new"), ("rename", "to-new", "f"),
             ("readlink", "f"), ("read", "f")),
        ),
        Case("go_on_after", (("rename", "f", "f"), ("rename", "d", "d"), ("rename", "d", "d/"))),
        Case(
            "go_on_after",
            (*((("symlink", f"c{n - 1}" if n else "f", f"c{n}")) for n in range(42)),
             ("read", "c38"), ("read", "c39"), ("read", "c40"), ("stat", "c41"), ("lstat", "c41")),
        ),
        Case("go_on_after", (("symlink", "d/" * 2000 + "f", "new"), ("read", "new"))),
        Case("go_on_after", (("symlink", "x" * 4095, "new"), ("readlink", "new"), ("stat", "new"))),
        Case("go_on_after", (("rename", "d", "f"), ("rename", "f", "d"), ("rename", "lf", "dangling"))),
        Case("go_on_after", (("symlink", "x" * 4096, "new"), ("symlink", "", "new"))),
    ],
}  # fmt: skip
