"""C programs, compiled when they are needed, and what keeps `glfs_fini` from taking ten seconds."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

C: Final = Path(__file__).parent.parent / "c"

#: What a program is linked with besides libgfapi. (libacl by its file, so that its headers and its
#: link need not be there.)
LIBRARIES: Final = {"handles": ["-l:libacl.so.1"]}

_FLAGS: Final = ["-O1", "-g", "-Wall", "-Wextra", "-Werror"]

HEADER: Final = Path("/usr/include/glusterfs/api/glfs-handles.h")


def unavailable() -> str | None:
    """Why nothing can be compiled here, or None if it can."""
    if shutil.which("gcc") is None:
        return "gcc is not installed (on Debian: apt-get install gcc libc6-dev)"
    if not HEADER.exists():
        return f"{HEADER} is missing (on Debian: apt-get install libglusterfs-dev)"
    return None


def compile_program(name: str, directory: Path) -> Path:
    """Compile ``c/NAME.c`` into a program, unless that has been done in this directory.

    Raises:
        AssertionError: the compiler has something to say; the message holds it.
    """
    program = directory / name
    if not program.exists():
        libraries = ["-lgfapi", "-lpthread", *LIBRARIES.get(name, [])]
        _gcc(program, [str(C / f"{name}.c"), *libraries])
    return program


def compile_shim(directory: Path) -> Path:
    """Compile ``c/prompt_fini.c`` into what is to be preloaded; see there."""
    shim = directory / "prompt_fini.so"
    if not shim.exists():
        _gcc(shim, ["-shared", "-fPIC", str(C / "prompt_fini.c"), "-lpthread"])
    return shim


def _gcc(output: Path, words: list[str]) -> None:
    ready = output.with_suffix(".new")
    done = subprocess.run(
        ["gcc", *_FLAGS, "-o", str(ready), *words], capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    ready.replace(output)
