"""What else is to be done with ``os`` and on a volume: ``os.path``, ``dir_fd``, owners, and so on."""

from __future__ import annotations

import os
import stat as stat_module
from typing import Any

from tests.api.parity import Case, Open
from tests.api.parity_cases import ENDS, LONG, NAME_GROUPS

#: For what `os` does besides: some of each kind of path.
SOME: tuple[Any, ...] = (
    "f", "d", "empty", "new", "d/f", "d/new", "missing/new", "f/new", "lf", "ld", "llf", "dangling",
    "to-new", "loop", "absolute", "d/up", "ld/f", "lf/new", "f/", "d/", "new/", "lf/", "ld/",
    "dangling/", ".", "..", "/", "/d/", "d/.", "d/..", "empty/..", "f/..", LONG + "n", "", "nul\0",
    "undecodable-\udcff",
)  # fmt: skip

FEW: tuple[str, ...] = ("f", "d", "new", "lf", "ld", "dangling", "loop", "f/new", "d/", "f/", "")

_TESTS = ("lexists", "isfile", "isdir", "islink", "ismount", "getsize")

_MODES = (os.F_OK, os.R_OK, os.W_OK, os.X_OK, os.R_OK | os.W_OK, 7, 8, -1)


def _call(operation: str, *args: Any, **options: Any) -> Case:
    flat = tuple(part for option in options.items() for part in option)
    return Case("call", (operation, args, flat))


def _look(path: Any, operation: str, *args: Any, **options: Any) -> Case:
    return Case("look", (path, *_call(operation, *args, **options).arguments))


def _times(path: Any, *args: Any, step: str = "times_of", **options: Any) -> Case:
    return Case(step, (path, *_call("utime", path, *args, **options).arguments))


_DIRECTORIES = (Open("d"), Open("/"), Open("f"), Open("empty"))

MORE_GROUPS: dict[str, list[Case]] = {
    "os.path": [
        *(Case(test, (path,)) for test in _TESTS for path in SOME),
        *(
            Case(operation, (path,))
            for operation in ("realpath", "abspath")
            for path in (
                *SOME,
                "la",
                "llf/..",
                "loop/x/..",
                "ld/../f",
                "d/../../f",
                "//d//f/",
                "la/x",
            )
        ),
        *(Case("resolved", (path,)) for path in (*SOME, "la/x", "loop/..", "ld/../f")),
        *(Case("relpath", (path, start)) for path in FEW for start in ("/", "d", "d/sub", ".")),
        *(Case("relpath", (path,)) for path in FEW),
        *(Case("samefile", (one, other)) for one in FEW for other in ("f", "d", "lf", "missing")),
        _call("samefile", Open("f"), "lf"),
        _call("samefile", Open("f"), "d/f"),
        _call("sameopenfile", Open("f"), Open("lf")),
        _call("sameopenfile", Open("f"), Open("d")),
        *(_call(test, Open(path)) for test in ("exists", "isfile", "isdir") for path in ("f", "d")),
    ],
    "access": [
        *(Case("access", (path, mode)) for path in SOME for mode in _MODES[:4]),
        *(Case("access", ("f", mode)) for mode in _MODES),
        *(
            Case("go_on_after", (("chmod", "f", bits), ("access", "f", os.X_OK)))
            for bits in (0, 0o100, 1)
        ),
        *(_call("access", path, os.W_OK, follow_symlinks=False) for path in FEW),
        *(_call("access", path, os.X_OK, effective_ids=True) for path in FEW),
        *(_call("access", "f", os.R_OK, dir_fd=directory) for directory in _DIRECTORIES),
        Case("access", ("f", "r")),
        Case("access", (1.5, os.R_OK)),
    ],
    "chmod more": [
        *(_look("f", "chmod", Open("f"), mode) for mode in (0o640, 0o4711, 1 << 31, -1)),
        *(
            _call("chmod", path, 0o700, follow_symlinks=False)
            for path in ("lf", "ld", "dangling", "loop", "new", "f/new")
        ),
        *(_call("chmod", "f", 0o600, dir_fd=directory) for directory in _DIRECTORIES),
        Case("chmod", ("f", "rw")),
        Case("chmod", ("f", 1 << 31)),
        Case("method", (Open("f"), "chmod", 0o604)),
        Case("method", (Open("d"), "chmod", 0o711)),
        Case("method", (Open("f"), "chmod", "x")),
        *(Case("copymode", (one, other)) for one in ("f", "lf", "new") for other in FEW),
        Case("go_on_after", (("chmod", "f", 0o4751), ("copymode", "f", "d/f"), ("lstat", "d/f"))),
        _call("copymode", "lf", "ld", follow_symlinks=False),
        _call("copymode", "lf", "d/f", follow_symlinks=False),
    ],
    "chown": [
        *(_look(path, "chown", path, 1000, 1001) for path in SOME),
        *(_look(path, "lchown", path, 1000, 1001) for path in SOME),
        *(_look(path, "chown", path, 7, -1, follow_symlinks=False) for path in FEW),
        *(_look("d/f", "chown", "f", -1, 8, dir_fd=directory) for directory in _DIRECTORIES),
        *(
            _look("f", "chown", "f", *ids)
            for ids in (
                (-1, -1),
                (0, 0),
                ((1 << 32) - 2, 5),
                (1 << 32, 0),
                (-2, 0),
                (0, -2),
                (1.5, 0),
                ("root", 0),
            )
        ),
        _look("f", "chown", Open("f"), 3, 4),
        _look("lf", "chown", Open("lf"), 3, 4),
        Case("method", (Open("f"), "chown", 5, 6)),
        Case("method", (Open("d"), "chown", 5, -1)),
        Case("go_on_after", (("chmod", "f", 0o6755), ("chown", "f", 5, 5), ("lstat", "f"))),
    ],
    "utime more": [
        *(_times(path, (3, 4.25)) for path in FEW),
        *(
            _times("f", times)
            for times in (
                (0, 0),
                (1.000000001, -1.5),
                (-0.25, 1e9 + 0.123456789),
                (1, 2, 3),
                "12",
                (1,),
                (float("inf"), 0),
                (1 << 64, 0),
                ("1", 2),
                (2**33 + 0.5, 0),
                5,
            )
        ),
        *(
            _times("f", ns=ns)
            for ns in (
                (1, 2),
                (-1, 2),
                (1.5, 2),
                (1, 2, 3),
                ("1", 2),
                (1 << 100, 0),
                ((1 << 62), 0),
            )
        ),
        _times("f", (1, 2), ns=(1, 2)),
        _times("f", None, ns=(1, 2)),
        *(_times(path, step="renewed") for path in ("f", "d", "lf")),
        _times("f", None, step="renewed"),
        _times("lf", step="renewed", follow_symlinks=False),
        *(_times("d/f", (1, 2), step="renewed", dir_fd=directory) for directory in _DIRECTORIES),
        Case("times_of", ("f", *_call("utime", Open("f"), (8, 9)).arguments)),
        _call("utime", Open("f"), (8, 9), follow_symlinks=False),
        Case("method", (Open("f"), "utime", (5, 6))),
        Case("method", (Open("d"), "utime", (5, 6))),
    ],
    "link": [
        *(
            _call("link", old, new, follow_symlinks=False)
            for old in ENDS
            for new in ("new", "d/new")
        ),
        *(_call("link", "f", new, follow_symlinks=False) for new in ENDS),
        *(_call("link", "d", new, follow_symlinks=False) for new in ENDS[:14]),
        *(
            _call("link", old, "new", src_dir_fd=Open("/"), follow_symlinks=follow)
            for old in ("f", "lf", "ld", "dangling", "loop", "missing")
            for follow in (True, False)
        ),
        *(
            _call("link", "f", "linked", src_dir_fd=directory, follow_symlinks=False)
            for directory in _DIRECTORIES
        ),
        *(
            _call("link", "f", "linked", dst_dir_fd=directory, follow_symlinks=False)
            for directory in _DIRECTORIES
        ),
        Case(
            "go_on_after",
            (
                ("link", "f", "again"),
                ("write", "again", b"both"),
                ("read", "f"),
                ("rename", "f", "again"),
                ("unlink", "f"),
                ("lstat", "again"),
                ("link", "again", "d/f"),
                ("samefile", "again", "d/f"),
            ),
        ),
    ],
    "nodes": [
        *(Case("nameless", ("mkfifo", path)) for path in SOME),
        *(Case("make_then", ("mkfifo", "new", mode)) for mode in (0, 0o600, 0o1777)),
        *(Case("nameless", ("make_then", "mknod", path, 0o644)) for path in FEW),
        *(
            Case("nameless", ("make_then", "mknod", "new", kind | 0o640, device))
            for kind, device in (
                (stat_module.S_IFREG, 0),
                (stat_module.S_IFIFO, 0),
                (stat_module.S_IFSOCK, 0),
                (stat_module.S_IFCHR, os.makedev(1, 3)),
                (stat_module.S_IFBLK, os.makedev(300, 70000)),
                (stat_module.S_IFDIR, 0),
                (stat_module.S_IFLNK, 0),
                (0o030000, 0),
            )
        ),
        *(
            Case("nameless", ("call", operation, ("x",), ("dir_fd", directory)))
            for operation in ("mkfifo", "mknod")
            for directory in _DIRECTORIES
        ),
        Case(
            "go_on_after",
            (("mkfifo", "new"), ("truncate", "new", 0), ("access", "new", 6), ("isfile", "new")),
        ),
    ],
    "dir_fd": [
        *(
            _call(operation, *args, dir_fd=directory)
            for directory in _DIRECTORIES
            for operation, args in (
                ("stat", ("f",)),
                ("stat", ("../f",)),
                ("stat", ("/f",)),
                ("stat", (".",)),
                ("stat", ("..",)),
                ("stat", ("",)),
                ("stat", ("../..",)),
                ("stat", ("sub/../f",)),
                ("lstat", ("up",)),
                ("stat", ("up",)),
                ("stat", ("lf",)),
                ("readlink", ("up",)),
                ("readlink", ("lf",)),
                ("mkdir", ("made",)),
                ("mkdir", ("sub",)),
                ("rmdir", ("sub",)),
                ("rmdir", ("empty",)),
                ("rmdir", (".",)),
                ("unlink", ("f",)),
                ("remove", ("up",)),
                ("symlink", ("to", "made")),
                ("symlink", ("to", "f")),
            )
        ),
        *(
            _call("stat", "lf", dir_fd=Open("/"), follow_symlinks=follow)
            for follow in (True, False)
        ),
        *(
            _call(operation, old, new, src_dir_fd=src, dst_dir_fd=dst)
            for operation in ("rename", "replace")
            for old, new in (
                ("f", "moved"),
                ("sub", "../moved"),
                ("../empty", "sub"),
                ("/f", "f"),
                ("x", "y"),
            )
            for src in _DIRECTORIES[:3]
            for dst in _DIRECTORIES[:2]
        ),
        _call("rename", "d", "moved", src_dir_fd=Open("/")),
        _call("rename", "f", "moved", dst_dir_fd=Open("d")),
        *(_call("stat", "f", dir_fd=wrong) for wrong in ("d", 1.5, b"d", (1,))),
        _call("stat", Open("f"), dir_fd=Open("d")),
        _call("stat", Open("f"), follow_symlinks=False),
        _call("stat", Open("f")),
        _call("stat", Open("d")),
        _call("truncate", Open("f", os.O_RDWR), 3),
        _call("truncate", Open("f"), 3),
        _call("truncate", Open("d"), 3),
        *(Case("entries_of", (path,)) for path in ("d", "/", "empty")),
        _call("listdir", Open("f")),
        _call("scandir", Open("f")),
    ],
    "many directories": [
        *(
            Case("makedirs", (path,))
            for path in (
                *SOME,
                "new/a/b",
                "d/a/b/",
                "f/a/b",
                "lf/a",
                "ld/a/b",
                "to-new/a",
                "new/./a",
                "new/../a",
                "new/.",
                "loop/a",
            )
        ),
        *(
            _call("makedirs", path, exist_ok=True)
            for path in (*FEW, "new/a", "d/sub", "f/a", "d/f")
        ),
        *(Case("make_then", ("makedirs", "new/a", mode)) for mode in (0o700, 0o1777)),
        *(
            Case("removedirs", (path,))
            for path in (*FEW, "d/sub", "empty", "empty/", "d/sub/", ".", "/")
        ),
        Case(
            "go_on_after", (("makedirs", "new/a/b"), ("removedirs", "new/a/b"), ("exists", "new"))
        ),
        *(
            Case("renames", (old, new))
            for old in ("f", "d/sub", "empty", "missing", "d/f", "ld/f")
            for new in ("new", "x/y/z", "d/f", "f/x", "empty", "empty/x", "")
        ),
    ],
    "xattrs": [
        *(
            Case(
                "xattrs_in_turn",
                (
                    path,
                    ("setxattr", "user.a", b"1"),
                    ("getxattr", "user.a"),
                    ("listxattr",),
                    ("removexattr", "user.a"),
                    ("getxattr", "user.a"),
                ),
            )
            for path in SOME
        ),
        *(
            Case(
                "xattrs_in_turn",
                ("f", ("setxattr", name, b"v"), ("getxattr", name), ("removexattr", name)),
            )
            for name in (
                "",
                "user.",
                "user",
                "a",
                "nobody.a",
                "user." + "n" * 250,
                "user." + "n" * 251,
                "trusted.a",
                "user.ü",
                b"user.b",
                "user.nul\0",
                5,
                None,
                "user.a.b",
                "trusted.",
                "security.",
            )
        ),
        *(
            Case(
                "xattrs_in_turn",
                ("f", ("setxattr", "user.a", value), ("getxattr", "user.a"), ("listxattr",)),
            )
            for value in (b"", b"\0\1", "text", None, b"x" * 1000, b"x" * 65537)
        ),
        Case(
            "xattrs_in_turn",
            (
                "f",
                ("setxattr", "user.a", b"1", os.XATTR_REPLACE),
                ("setxattr", "user.a", b"1", os.XATTR_CREATE),
                ("setxattr", "user.a", b"2", os.XATTR_CREATE),
                ("setxattr", "user.a", b"3", os.XATTR_REPLACE),
                ("getxattr", "user.a"),
                ("setxattr", "user.a", b"4", 4),
                ("setxattr", "user.a", b"4", -1),
            ),
        ),
        *(
            _look("lf", "setxattr", "lf", name, b"v", follow_symlinks=False)
            for name in ("user.a", "trusted.a")
        ),
        *(_call("getxattr", path, "user.a", follow_symlinks=False) for path in FEW),
        *(_call("removexattr", path, "user.a", follow_symlinks=False) for path in FEW),
        *(
            _look("f", "setxattr", Open("f", flags), "user.a", b"v")
            for flags in (os.O_RDONLY, os.O_RDWR)
        ),
        _look("d", "setxattr", Open("d"), "user.a", b"v"),
        _call("getxattr", Open("f"), "user.a"),
        _call("removexattr", Open("f"), "user.a"),
        _call("getxattr", Open("f"), "user.a", follow_symlinks=False),
        *(Case("method", (Open(path), "setxattr", "user.a", b"v")) for path in ("f", "d")),
        *(Case("method", (Open(path), "getxattr", "user.a")) for path in ("f", "d")),
        *(Case("method", (Open(path), "removexattr", "user.a")) for path in ("f", "d")),
        Case("method", (Open("f"), "setxattr", "a", b"v")),
        *(
            Case("copied_status", (src, dst, follow))
            for src, dst in (
                ("f", "d/f"),
                ("f", "d"),
                ("lf", "ld"),
                ("f", "lf"),
                ("f", "new"),
                ("new", "f"),
                ("d", "f"),
            )
            for follow in (True, False)
        ),
    ],
    "ranges": [
        *(
            Case("method", (Open("f", flags), "posix_fallocate", *numbers))
            for flags in (os.O_RDWR, os.O_RDONLY, os.O_WRONLY)
            for numbers in (
                (0, 5),
                (5, 100),
                (0, 0),
                (-1, 5),
                (0, -1),
                (1 << 62, 1 << 62),
                (1.5, 1),
            )
        ),
        Case("method", (Open("d"), "posix_fallocate", 0, 5)),
        *(
            Case("method", (Open(path), "lseek", position, how))
            for path in ("f", "d")
            for position, how in (
                (0, os.SEEK_DATA),
                (5, os.SEEK_DATA),
                (10, os.SEEK_DATA),
                (99, os.SEEK_DATA),
                (0, os.SEEK_HOLE),
                (9, os.SEEK_HOLE),
                (10, os.SEEK_HOLE),
                (-1, os.SEEK_DATA),
                (0, 77),
            )
            if path == "f" or how == 77
        ),
        *(
            _call("copied_range", Open("f", source), Open("d/f", target), *numbers)
            for source, target in (
                (os.O_RDONLY, os.O_RDWR),
                (os.O_WRONLY, os.O_RDWR),
                (os.O_RDONLY, os.O_RDONLY),
                (os.O_RDONLY, os.O_WRONLY | os.O_APPEND),
            )
            for numbers in ((4, 0, 0), (4, 2, 9), (99, 0, 1), (4, 50, 0), (0, 0, 0))
        ),
        *(
            _call("copied_range", Open("f", os.O_RDWR), Open("d/f", os.O_RDWR), *numbers)
            for numbers in ((-1, 0, 0), (4, -1, 0), (4, 0, -1), (1 << 62, 1 << 62, 0), ("x", 0, 0))
        ),
        *(
            _call("copied_range", Open("f", os.O_RDWR), Open("f", os.O_RDWR), *numbers)
            for numbers in ((4, 0, 0), (4, 0, 4), (5, 0, 4), (100, 0, 5))
        ),
        _call("copied_range", Open("d"), Open("f", os.O_RDWR), 1, 0, 0),
    ],
    "chdir": [
        *(
            Case(
                "from_there",
                (
                    path,
                    ("stat", "f"),
                    ("listdir",),
                    ("stat", ".."),
                    ("realpath", "up"),
                    ("abspath", "x"),
                    ("mkdir", "made"),
                    ("write", "made/x", b"x"),
                    ("relpath", "/d/f"),
                    ("exists", "/f"),
                ),
            )
            for path in SOME
        ),
        *(
            Case("from_there", (Open(path), ("stat", "f"), ("listdir",), ("scan", ".")))
            for path in ("d", "f", "empty", "/")
        ),
        Case(
            "from_there",
            (
                "d/sub",
                ("rename", "/d", "/moved"),
                ("call", "getcwd", ()),
                ("write", "x", b"x"),
                ("listdir", ".."),
                ("rename", "../f", "f"),
                ("chdir", ".."),
                ("call", "getcwd", ()),
            ),
        ),
        Case(
            "from_there",
            (
                "empty",
                ("rmdir", "/empty"),
                ("call", "getcwd", ()),
                ("mkdir", "x"),
                ("stat", "x"),
                ("exists", "x"),
                ("write", "x", b""),
                ("chdir", "x"),
                ("rmdir", "x"),
                ("stat", "/f"),
                ("realpath", "/lf"),
            ),
        ),
        Case(
            "from_there",
            (
                "d",
                ("chdir", "sub"),
                ("chdir", ".."),
                ("call", "getcwd", ()),
                ("chdir", "../ld/sub"),
                ("call", "getcwd", ()),
                ("symlink", "..", "up"),
                ("chdir", "up"),
                ("call", "getcwd", ()),
                ("chdir", "f"),
                ("chdir", "missing"),
                ("call", "getcwd", ()),
            ),
        ),
    ],
}

#: Everything.
GROUPS = NAME_GROUPS | MORE_GROUPS
