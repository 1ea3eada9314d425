"""What is dropped, or left behind: each program sees what it should, and leaves nothing there."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.embedded import BrickProcess
from tests.reliability.outcomes.garbage import ON_UVLOOP, PRELUDE, PROGRAMS

SOURCE = Path(__file__).parents[3] / "src"

#: Each warning and error on standard error, without where it was.
WARNED = re.compile(
    r"^(?:\S+:\d+: )?((?:\w*Warning|Traceback|\w*Error|Exception)\b.*)", re.MULTILINE
)

#: What is on the disk after programs that wrote, and did not wait for it.
WRITTEN = {"loop on a daemon thread": "g-loop", "loop stopped": "g-stopped"}


#: Each program, and on what; those that have an event loop on either kind.
CASES = [
    (name, column)
    for name, program in PROGRAMS.items()
    for column in (("threads",) if program.on_uvloop is None else ("asyncio", "uvloop"))
]


@pytest.mark.parametrize(("name", "column"), CASES, indirect=["column"])
def test_garbage(brick: BrickProcess, record: Callable[..., None], name: str, column: str) -> None:
    program = PROGRAMS[name]
    if name == "sub-interpreter" and importlib.util.find_spec("_xxsubinterpreters") is None:
        pytest.skip("this Python has no such module")
    begins, says = PRELUDE, program.says
    if column == "uvloop":
        assert program.on_uvloop is not None
        begins, says = ON_UVLOOP + PRELUDE, program.on_uvloop
    if name in WRITTEN:
        (brick.directory / WRITTEN[name]).unlink(missing_ok=True)
    done = subprocess.run(
        [
            sys.executable, "-X", "faulthandler", "-W", "default",
            "-c", begins + textwrap.dedent(program.text), brick.url,
        ],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=False,
    )  # fmt: skip
    found = WARNED.findall(done.stderr)
    found = [line for line in found if "Enable tracemalloc" not in line]
    fits = len(found) == len(says) and all(
        re.search(pattern, line) for pattern, line in zip(says, found, strict=True)
    )
    try:
        assert done.returncode == 0, done.stderr
        assert fits, done.stderr
        counts = brick.wait_for(fds=0, locks=0)
        assert not counts["clients"]
        if name in WRITTEN:
            assert (brick.directory / WRITTEN[name]).read_bytes() == b"deferred"
    finally:
        passed = done.returncode == 0 and fits
        record("garbage", program=name, driver=column, passed=passed)
