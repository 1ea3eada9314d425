"""Compiling the peers that are written in C, where they are missing or older than their source."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).parent / "c"

#: What lets glfs_fini end promptly; see there.
PROMPT_FINI: Final = Path(__file__).parents[2] / "interop" / "c" / "prompt_fini.c"

#: As a distribution compiles, so that nobody is slowed down.
_FLAGS: Final = ["-O2", "-g", "-Wall", "-Wextra", "-Werror"]

GFAPI_HEADER: Final = Path("/usr/include/glusterfs/api/glfs.h")


class BuildError(Exception):
    """The compiler has something to say; the message holds it."""


def no_compiler() -> str | None:
    """Why no C can be compiled here; None if it can."""
    if shutil.which("gcc") is None:
        return "gcc is not installed (on Debian: apt-get install gcc libc6-dev)"
    return None


def no_gfapi() -> str | None:
    """Why nothing can be compiled that uses libgfapi; None if it can."""
    if not GFAPI_HEADER.exists():
        return f"{GFAPI_HEADER} is missing (on Debian: apt-get install libglusterfs-dev)"
    return no_compiler()


def compiled(source: Path, output: Path, words: Sequence[str] = ()) -> Path:
    """Compile a source file, unless that has been done and none of its directory is newer.

    Args:
        source: the file.
        output: what to make of it.
        words: further words for the compiler, libraries among them.

    Raises:
        BuildError: it does not compile.
    """
    newest = max(file.stat().st_mtime for file in source.parent.glob("*.[ch]"))
    if output.exists() and output.stat().st_mtime > newest:
        return output
    output.parent.mkdir(parents=True, exist_ok=True)
    ready = output.with_suffix(".new")
    command = ["gcc", *_FLAGS, "-o", str(ready), str(source), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)}:\n{done.stderr}")
    ready.replace(output)
    return output


def gfapi(place: Path) -> Path:
    """The peer that uses libgfapi."""
    return compiled(SOURCES / "gfapi.c", place / "gfapi", ["-lgfapi", "-lpthread"])


def limit(place: Path) -> Path:
    """The peer that replays packets."""
    return compiled(SOURCES / "limit.c", place / "limit")


def prompt_fini(place: Path) -> Path:
    """The library that is preloaded to mend glfs_fini."""
    return compiled(PROMPT_FINI, place / "prompt_fini.so", ["-shared", "-fPIC", "-lpthread"])
