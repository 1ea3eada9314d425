"""fio on both servers: it writes blocks at random, and checks every one by its checksum.

fio asks the management daemon at GlusterFS's own port, and its jobs run with the shim that lets
`glfs_fini` end promptly (``c/prompt_fini.c``). What it measures is left out of the comparison; what
it wrote is not.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import _unavailable
from tests.interop.programs.sides import Side, on_both

#: The engine has to come before the options that are its own.
JOB = """\
[global]
ioengine={engine}
volume={volume}
brick={host}
randseed=7
verify=crc32c
verify_fatal=1

[{name}]
filename={directory}/data
{job}
"""

JOBS = {
    "random": "size=2m\nbs=4k\nrw=randrw",
    "random, many in flight": "size=4m\nbs=4k\nrw=randrw\niodepth=16",
    "odd sizes": "size=3m\nbsrange=512-70000\nbs_unaligned=1\nrw=randwrite\niodepth=8",
    "stream": "size=32m\nbs=1m\nrw=write\nfsync=8",
    "syncs": "size=256k\nbs=4k\nrw=randwrite\nfdatasync=1",
}

RUNS = [
    ("gfapi", "random"),
    ("gfapi", "stream"),
    ("gfapi_async", "random, many in flight"),
    ("gfapi_async", "odd sizes"),
    ("gfapi_async", "syncs"),
]

#: What a job counts that the machine does not decide.
COUNTED = ["total_ios", "io_bytes", "short_ios", "drop_ios"]


@pytest.fixture(scope="module", autouse=True)
def _fio() -> None:
    try:
        known = subprocess.run(["fio", "--enghelp"], capture_output=True, text=True, timeout=10)
    except FileNotFoundError:
        _unavailable("fio is not installed (on Debian: apt-get install fio)")
    if "gfapi" not in known.stdout:
        _unavailable("this fio has no gfapi engine")


def run_job(side: Side, engine: str, name: str, shim: Path) -> tuple[Any, ...]:
    job = side.work / "job.fio"
    job.write_text(
        JOB.format(
            engine=engine,
            volume=side.volume,
            host=side.host,
            name="job",
            directory=side.directory,
            job=JOBS[name],
        )
    )
    outcome = side.run(["fio", "--output-format=json", "--thread", job], preload=shim)
    # What it has to say stands before the figures, if anything does.
    said, brace, figures = outcome.output.partition("{")
    assert outcome.code == 0, outcome.output
    assert brace, outcome.output
    jobs = [
        (each["error"], [each[way][what] for way in ("read", "write") for what in COUNTED])
        for each in json.loads(brace + figures)["jobs"]
    ]
    return said, jobs, outcome.code


def sizes_of(side: Side) -> dict[str, list[str]]:
    """Mode, owner and size of what is there. (fio writes the time of day into each block.)"""
    return {name: each.split()[:3] for name, each in side.tree().items()}


@pytest.mark.parametrize(("engine", "name"), RUNS)
def test_what_is_written_is_read(engine: str, name: str, sides: list[Side], shim: Path) -> None:
    theirs, ours = on_both(sides, lambda side: run_job(side, engine, name, shim))
    assert ours == theirs
    assert all(error == 0 for error, _ in ours[1])
    assert sizes_of(sides[1]) == sizes_of(sides[0])
