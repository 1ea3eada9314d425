"""Every call of libgfapi, on both servers: what it returns must be the same, line by line.

The programs are in ``tests/interop/c``; each line of output is a call. They use a volfile without
translators of the client's own, so that each call goes to the brick; ``session`` gets the one that
the management daemon gives out. All but one of the runs are with the shim that lets `glfs_fini` end
promptly (``c/prompt_fini.c``).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.programs.sides import Outcome, Side, on_both, unless_it_crashes

#: Programs that get a volfile, and those that ask a management daemon for it.
WITH_A_VOLFILE = ["names", "async", "directories", "older"]
WITH_A_DAEMON = ["session"]


def differences(theirs: Outcome, ours: Outcome) -> list[str]:
    """The lines that are not the same, with the one before them."""
    lines = difflib.unified_diff(
        theirs.output.splitlines(), ours.output.splitlines(), "GlusterFS", "glusterio", n=1
    )
    return [line.rstrip("\n") for line in lines]


def run_on(side: Side, program: Path, shim: Path | None, *, by_daemon: bool = False) -> Outcome:
    """Run a program in its directory."""
    where = [side.host, str(side.port)] if by_daemon else [side.plain_volfile]
    return side.run([program, side.volume, *where, side.directory], preload=shim)


@pytest.mark.parametrize("name", WITH_A_VOLFILE + WITH_A_DAEMON)
def test_each_call_has_the_same_result(
    name: str, sides: list[Side], program: Callable[[str], Path], shim: Path
) -> None:
    compiled = program(name)
    theirs, ours = on_both(
        sides, lambda side: run_on(side, compiled, shim, by_daemon=name in WITH_A_DAEMON)
    )
    assert differences(theirs, ours) == []
    assert ours.code == theirs.code == 0, ours.output
    assert sides[1].tree() == sides[0].tree()


def test_without_the_shim(sides: list[Side], program: Callable[[str], Path]) -> None:
    """As libgfapi is shipped: this is what takes ten seconds."""
    compiled = program("older")
    theirs, ours = on_both(
        sides,
        lambda side: unless_it_crashes(lambda: run_on(side, compiled, None, by_daemon=True)),
    )
    assert differences(theirs, ours) == []
    assert ours.code == theirs.code == 0, ours.output
