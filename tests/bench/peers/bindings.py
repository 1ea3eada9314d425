"""The Python bindings of libgfapi on PyPI, and what it takes to make them work.

* gfapi 1.2 (2018; ctypes) takes ``Iterator`` from `collections`, where Python 3.10 no longer has it.
* gfapi-cffi 0.1.0 (2024; its fork) does so, too; and as it does not say that it needs cffi to be built,
  pip builds it without its compiled module. Here it is built with cffi at hand.

Neither has pread, pwrite, or anything asynchronous; `Volume.umount` is glfs_fini, with its ten seconds.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.bench.peers import building

VERSIONS: Final = {"gfapi": "1.2", "gfapi-cffi": "0.1.0"}

#: pip's words, one step after the other.
_STEPS: Final = [
    ["setuptools<81", "wheel", "cffi"],
    ["--no-build-isolation", *(f"{name}=={version}" for name, version in VERSIONS.items())],
]
_PATIENCE: Final = 120


def environment(place: Path) -> tuple[Path, str | None]:
    """Make the virtual environment that has both, unless it is there.

    Args:
        place: the directory in which it is, or is to be.

    Returns:
        Its Python; and why it could not be made, or None.
    """
    home = place / "bindings"
    python = home / "bin" / "python"
    made = home / "made"  # by which Python
    if made.exists() and made.read_text() == sys.version and python.exists():
        return python, None
    reason = building.no_gfapi()
    if reason is not None:
        return python, reason
    commands = [[sys.executable, "-m", "venv", "--clear", str(home)]]
    pip = [str(python), "-m", "pip", "install", "-q", "--retries", "1", "--timeout", "20"]
    commands += [[*pip, *step] for step in _STEPS]
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            return python, f"{' '.join(command)}: no end in {_PATIENCE} s"
        if done.returncode != 0:
            last = (done.stderr.strip() or "it failed").splitlines()[-1]
            return python, f"{' '.join(command[2:])}: {last}"
    made.write_text(sys.version)
    return python, None
