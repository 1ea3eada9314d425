"""Cases of ``parity.py`` for ``pathlib``: each method of a path that asks a file system.

As that module, it knows neither glusterio nor pytest.
"""

from __future__ import annotations

from typing import Any

from tests.api.parity import PARTIAL, STEPS, Case
from tests.api.parity_cases import ENDS, OPENED, PATHS
from tests.api.tree_parity import GROUPS as OTHERS
from tests.api.tree_parity import Pairs, plant_more

#: No case of its own has a loop of links where this Python's ``resolve`` has an error of its own.
_LOOPS = ("loop", "la", "lb")


def words(value: Any) -> Any:
    """A result as data: paths by their words, what is given out one by one as a sorted list.

    Each once: from Python 3.13 on ``Path.glob`` gives some paths as often as ``**`` leads to them.
    """
    if hasattr(value, "as_posix"):
        return "path", value.as_posix()
    if hasattr(value, "read"):
        with value as file:
            return file.read()
    if hasattr(value, "__next__"):
        found = sorted((words(one) for one in value), key=repr)
        return [one for number, one in enumerate(found) if not number or one != found[number - 1]]
    if type(value) is tuple:
        return tuple(words(one) for one in value)
    return value


def path(it: Any, text: Any, method: str, args: tuple[Any, ...] = (), how: Pairs = ()) -> Any:
    """Ask a path for something, or have it do something."""
    found = getattr(it.path(text), method)
    return words(found(*args, **dict(how)) if callable(found) else found)


def path_to_path(it: Any, text: Any, method: str, other: Any) -> Any:
    """Have a path do something with another one."""
    return words(getattr(it.path(text), method)(it.path(other)))


def paths_below(it: Any, text: Any, method: str, patterns: tuple[Any, ...]) -> Any:
    """Look for patterns below a path, in a tree with something of each kind."""
    plant_more(it)
    return [(pattern, path(it, text, method, (pattern,))) for pattern in patterns]


for _step in (path, path_to_path, paths_below):
    STEPS[_step.__name__] = _step
PARTIAL |= {"path", "paths_below"}


# -- the table --------------------------------------------------------------------------------------


def _each(method: str, *args: Any, paths: tuple[Any, ...] = OPENED, **how: Any) -> list[Case]:
    return [Case("path", (one, method, args, tuple(how.items()))) for one in paths]


_SOUND = tuple(one for one in PATHS if one.split("/")[0] not in _LOOPS and len(one) < 999)

PATTERNS: tuple[Any, ...] = (
    "*", "*.txt", "?.txt", "[xy].*", "*/*", "*/", "*/x.txt", "a", "a/x.txt", "a/", "missing",
    "missing/*",
    ".*", ".*/*", "to-*/*", "to-a/*", "**", "**/", "**/*", "**/*.txt", "**/a", "**/a/**", "a/**/y.txt",
    "**/deep/z", "../*", "*/../*", "x.txt/*", "x.txt/", "to-nowh*", "b/*", "b/to-d/*", "**/to-d/f",
    "", "/", "/t/*", "..", "*a*/**/*",
)  # fmt: skip

PATHS_AS_OBJECTS: dict[str, list[Case]] = {
    "path questions": [
        case
        for method in (
            "exists",
            "is_dir",
            "is_file",
            "is_symlink",
            "is_mount",
            "is_socket",
            "is_fifo",
            "is_block_device",
            "is_char_device",
            "stat",
            "lstat",
        )
        for case in _each(method, paths=PATHS[:: 3 if method in ("exists", "stat") else 7])
    ],
    "path reading": [
        *_each("read_bytes"),
        *_each("read_text"),
        *_each("open"),
        *_each("open", "rb"),
        *_each("iterdir"),
        *_each("readlink"),
        *_each("resolve", paths=_SOUND),
        *_each("resolve", True, paths=tuple("/" + one for one in _SOUND)),
        *_each("absolute"),
        *(
            Case("path", (one, "samefile", (other,)))
            for one in OPENED[::2]
            for other in OPENED[::5]
        ),
    ],
    "path changing": [
        *_each("write_bytes", b"written"),
        *_each("write_text", "written"),
        *_each("mkdir"),
        *_each("mkdir", parents=True),
        *_each("mkdir", exist_ok=True),
        *_each("mkdir", 0o700, parents=True, exist_ok=True),
        *_each(
            "mkdir", parents=True, paths=("a/b/c", "d/new/x/", "f/new/x", "missing/../x", "ld/n/m")
        ),
        *_each("touch"),
        *_each("touch", exist_ok=False),
        *_each("touch", 0o600),
        *_each("rmdir"),
        *_each("unlink"),
        *_each("unlink", missing_ok=True),
        *_each("unlink", True),
        *_each("chmod", 0o640),
        *_each("symlink_to", "f"),
        *_each("hardlink_to", "f"),
    ],
    "path moving": [
        Case("path_to_path", (one, method, other))
        for number, one in enumerate(ENDS[:24])
        for method in ("rename", "replace")
        for other in ENDS[number % 4 : 24 : 4]
    ],
    "path glob": [
        Case("paths_below", (top, method, (pattern,)))
        for top in ("t", "t/to-a", "t/x.txt", "missing")
        for method in ("glob", "rglob")
        for pattern in PATTERNS
        if top == "t" or pattern in ("*", "**/*.txt", "x.txt")
    ],
}

for _name in ("path changing", "path moving"):
    del PATHS_AS_OBJECTS[_name][::2]  # so many say no more

#: All groups: those for single calls and for trees, and these.
GROUPS = {**OTHERS, **PATHS_AS_OBJECTS}
