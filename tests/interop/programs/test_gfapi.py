"""Every call of libgfapi, on both servers: what it returns must be the same, line by line.

The programs are in ``tests/interop/c``; each line of output is a call. They use a volfile without
translators of the client's own, so that each call goes to the brick, and GlusterFS's brick is one of
their own. Some get the volfile that the management daemon gives out. All but one of the runs are
with the shim that lets `glfs_fini` end promptly (``c/prompt_fini.c``).
"""

from __future__ import annotations

import difflib
import re
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from glusterio.brick.stored_options import store_options
from tests.embedded import start_brick
from tests.interop import real_gluster
from tests.interop.conftest import start_or_skip
from tests.interop.programs.sides import (
    Outcome,
    Side,
    directory_on,
    on_both,
    unless_it_crashes,
)
from tests.interop.real_gluster import HandBrick

#: Programs that get a volfile, and those that ask a management daemon for it.
WITH_A_VOLFILE = [
    *("names", "files", "async", "directories", "xattrs", "locks", "handles", "identity"),
    *("lists", "upcalls", "older"),
]
WITH_A_DAEMON = ["session", "async"]
#: For volumes with ``features.cache-invalidation`` on.
TOLD_OF_CHANGES = ["invalidations"]
#: For volumes with ``features.leases`` on.
WITH_LEASES = ["leases"]


class Difference(NamedTuple):
    """What the servers answer differently, and why that is right."""

    call: str
    theirs: str
    ours: str
    reason: str


#: All of them, by program.
DIFFERENT: dict[str, list[Difference]] = {
    "identity": [
        Difference(
            'glfs_setxattr(fs, path, "trusted.x", "x", 1, 0)',
            "0",
            "-1 EPERM",
            "attributes in trusted. are the superuser's, as the kernel has it",
        ),
        Difference(
            'glfs_mknod(fs, "open/device", S_IFBLK | 0600, makedev(7, 99))',
            "0",
            "-1 EPERM",
            "devices are the superuser's to make, as the kernel has it",
        ),
        Difference(
            'glfs_utimens(fs, "sticky/roots", then)',
            "0",
            "-1 EPERM",
            "times other than now are the owner's to set, as POSIX has it; who may write may touch",
        ),
    ],
}


#: What libgfapi offers and no program uses: a pattern, and why.
UNUSED = {
    r"glfs_(active_subvol|subvol_done|init_done|resolve|resolve_at|loc_touchup)@GFAPI_PRIVATE_.*": (
        "GlusterFS's own, with translators and inodes in them"
    ),
    r"glfs_(new|free)_from_ctx@GFAPI_PRIVATE_.*": "GlusterFS's own: a session within a daemon of its",
    r"glfs_(process_upcall_event|iatt_from_statx)@GFAPI_PRIVATE_.*": "GlusterFS's own",
}


def differences(name: str, theirs: Outcome, ours: Outcome) -> list[str]:
    """The lines that should be the same and are not, with the one before them."""
    expected, found = theirs.output.splitlines(), ours.output.splitlines()
    known = {
        (f"{one.call}: {one.theirs}", f"{one.call}: {one.ours}") for one in DIFFERENT.get(name, ())
    }
    pairs = list(zip(expected, found, strict=False))
    stale = [f"no difference any more: {pair}" for pair in known - set(pairs)]
    for at, (line, other) in enumerate(pairs):
        if (line, other) in known:
            found[at] = line
    lines = difflib.unified_diff(expected, found, "GlusterFS", "glusterio", n=1)
    return stale + [line.rstrip("\n") for line in lines]


def run_on(side: Side, program: Path, shim: Path | None, *, by_daemon: bool = False) -> Outcome:
    """Run a program in its directory."""
    where = [side.host, str(side.port)] if by_daemon else [side.plain_volfile]
    return side.run([program, side.volume, *where, side.directory], preload=shim)


def check(name: str, sides: list[Side], program: Path, shim: Path, *, by_daemon: bool) -> None:
    theirs, ours = on_both(sides, lambda side: run_on(side, program, shim, by_daemon=by_daemon))
    assert differences(name, theirs, ours) == []
    assert ours.code == theirs.code == 0, ours.output
    assert sides[1].tree() == sides[0].tree()


@pytest.mark.parametrize("name", WITH_A_VOLFILE)
def test_each_call_has_the_same_result(
    name: str, brick_sides: list[Side], program: Callable[[str], Path], shim: Path
) -> None:
    check(name, brick_sides, program(name), shim, by_daemon=False)


@pytest.mark.parametrize("name", WITH_A_DAEMON)
def test_a_session_has_the_same_results(
    name: str, sides: list[Side], program: Callable[[str], Path], shim: Path
) -> None:
    check(name, sides, program(name), shim, by_daemon=True)


@pytest.mark.parametrize("name", TOLD_OF_CHANGES)
def test_what_clients_are_told_is_the_same(
    name: str,
    program: Callable[[str], Path],
    shim: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    off, on = "cache-invalidation {leases}", "cache-invalidation on"
    assert off in real_gluster.SERVER_VOL
    monkeypatch.setattr(real_gluster, "SERVER_VOL", real_gluster.SERVER_VOL.replace(off, on))
    theirs = real_gluster.start_hand_brick
    check_with({"features.cache-invalidation": "on"}, theirs, name, program(name), shim, tmp_path)


@pytest.mark.parametrize("name", WITH_LEASES)
def test_leases_are_the_same(
    name: str, program: Callable[[str], Path], shim: Path, tmp_path: Path
) -> None:
    def theirs(place: Path) -> HandBrick:
        return real_gluster.start_hand_brick(place, leases="on")

    check_with({"features.leases": "on"}, theirs, name, program(name), shim, tmp_path)


def check_with(
    options: dict[str, str],
    start: Callable[[Path], HandBrick],
    name: str,
    program: Path,
    shim: Path,
    tmp_path: Path,
) -> None:
    """Check a program on a brick of ours with these options, and one of GlusterFS's started so."""
    ours_at = tmp_path / "served"
    ours_at.mkdir(0o755)
    store_options(str(ours_at), options)
    theirs_at = Path(tempfile.mkdtemp(prefix="glusterio-"))
    try:
        theirs = start_or_skip(start, theirs_at)
        with ExitStack() as stack:
            ours = stack.enter_context(start_brick(ours_at))
            sides = []
            for side, port, brick, data in (
                ("GlusterFS", theirs.brick_port, "/hand", Path(theirs.data_dir)),
                ("glusterio", ours.brick_port, str(ours_at), ours_at),
            ):
                work = tmp_path / side
                work.mkdir()
                made = Side(side, "127.0.0.1", 0, "vol", port, brick, data, work)
                directory = stack.enter_context(directory_on(made, "d"))
                sides.append(replace(made, directory=directory))
            check(name, sides, program, shim, by_daemon=False)
    finally:
        real_gluster.stop(theirs_at)


def symbols(file: Path, which: str) -> set[str]:
    """The names of libgfapi's that a file defines or uses, each with its version."""
    listed = subprocess.run(["nm", "-D", which, str(file)], capture_output=True, text=True)
    assert listed.returncode == 0, listed.stderr
    return {name.replace("@@", "@") for name in re.findall(r"\bglfs_\S+@\S+", listed.stdout)}


def test_each_call_is_used(program: Callable[[str], Path]) -> None:
    used: set[str] = set()
    for name in {*WITH_A_VOLFILE, *WITH_A_DAEMON, *TOLD_OF_CHANGES, *WITH_LEASES}:
        used |= symbols(program(name), "--undefined-only")
    library = next(Path("/usr/lib").glob("*/libgfapi.so.0"))
    offered = symbols(library, "--defined-only")
    assert len(offered) > 180
    unused = offered - used
    assert [name for name in unused if not any(re.fullmatch(one, name) for one in UNUSED)] == []
    for pattern in UNUSED:
        assert any(re.fullmatch(pattern, name) for name in unused), pattern


def test_without_the_shim(sides: list[Side], program: Callable[[str], Path]) -> None:
    """As libgfapi is shipped: this is what takes ten seconds."""
    compiled = program("older")
    theirs, ours = on_both(
        sides,
        lambda side: unless_it_crashes(lambda: run_on(side, compiled, None, by_daemon=True)),
    )
    assert differences("older", theirs, ours) == []
    assert ours.code == theirs.code == 0, ours.output
