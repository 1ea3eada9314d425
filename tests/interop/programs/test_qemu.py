"""QEMU's tools on both servers: what they say, how they end and what is in the images afterwards.

All but one of the commands run with the shim that lets `glfs_fini` end promptly
(``c/prompt_fini.c``): a command has up to three sessions, and each would take ten seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.conftest import _unavailable
from tests.interop.programs.sides import Side, on_both, unless_it_crashes

#: QEMU's driver for gluster:// is a module in a package of its own (qemu-block-extra).
MODULES = sorted(Path("/usr/lib").glob("*/qemu/block-gluster.so"))

#: What a command's output tells about the machine, and what stands for it.
MEASURED = [
    (re.compile(r"(\d+ ops); .*"), r"\1"),
    (re.compile(r"Run completed in .*"), "Run completed"),
    # A file's blocks are the file system's affair, and attributes kept beside it count.
    (re.compile(r"disk size: .*"), "disk size"),
    (re.compile(r'"actual-size": \d+'), '"actual-size"'),
    # A snapshot's date.
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "DATE"),
]

#: What is done, each in a directory of its own. A word that begins with @ is a name on the volume.
SCENARIOS: dict[str, list[list[str]]] = {
    "create": [
        ["qemu-img", "create", "-f", "raw", "@raw", "16M"],
        ["qemu-img", "create", "-f", "qcow2", "@qcow2", "16M"],
        ["qemu-img", "create", "-f", "raw", "-o", "preallocation=falloc", "@falloc", "4M"],
        ["qemu-img", "create", "-f", "raw", "-o", "preallocation=full", "@full", "4M"],
        ["qemu-img", "create", "-f", "qcow2", "-o", "preallocation=metadata", "@meta", "4M"],
        ["qemu-img", "create", "-f", "raw", "@nonesuch/raw", "16M"],
        ["qemu-img", "info", "@raw"],
        ["qemu-img", "info", "@qcow2"],
        ["qemu-img", "info", "--output=json", "@meta"],
        ["qemu-img", "info", "@nonesuch"],
    ],
    "data": [
        ["qemu-img", "create", "-f", "raw", "@raw", "16M"],
        [
            *("qemu-io", "-f", "raw"),
            *("-c", "write -P 0x5a 0 1M"),
            *("-c", "write -P 0xa5 4M 64k"),
            *("-c", "write -z 2M 1M"),
            *("-c", "aio_write -P 1 8M 1M", "-c", "aio_flush"),
            *("-c", "aio_write -q -P 2 9M 1M", "-c", "aio_write -q -P 3 10M 1M", "-c", "aio_flush"),
            *("-c", "flush"),
            *("-c", "read -P 0x5a 0 1M", "-c", "read -P 1 8M 1M", "-c", "read -P 0 2M 1M"),
            *("-c", "discard 4M 64k", "-c", "read -v 4M 512"),
            *("-c", "read 15M 1M", "-c", "read 16M 512"),
            *("-c", "length", "-c", "truncate 20M", "-c", "length"),
            "@raw",
        ],
        ["qemu-img", "map", "@raw"],
        ["qemu-img", "map", "--output=json", "@raw"],
        ["qemu-io", "-r", "-f", "raw", "-c", "write 0 512", "@raw"],
        ["qemu-img", "bench", "-f", "raw", "-c", "300", "-d", "8", "-s", "4k", "@raw"],
        ["qemu-img", "bench", "-f", "raw", "-c", "300", "-d", "8", "-s", "4k", "-w", "@raw"],
        [*("qemu-img", "bench", "-f", "raw", "-w", "-c", "100", "--flush-interval=10"), "@raw"],
        ["qemu-img", "resize", "-f", "raw", "--shrink", "@raw", "8M"],
        ["qemu-img", "resize", "-f", "raw", "--preallocation=falloc", "@raw", "12M"],
        ["qemu-img", "dd", "-f", "raw", "-O", "raw", "bs=1M", "count=2", "if=@raw", "of=@part"],
    ],
    "convert": [
        ["qemu-img", "create", "-f", "raw", "@raw", "8M"],
        ["qemu-io", "-f", "raw", "-c", "write -P 7 1M 1M", "-c", "write -P 8 5M 70000", "@raw"],
        ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "@raw", "@qcow2"],
        ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", "@qcow2", "@back"],
        ["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", "@raw", "@packed"],
        ["qemu-img", "convert", "-n", "-f", "qcow2", "-O", "raw", "@packed", "@back"],
        ["qemu-img", "compare", "@raw", "@qcow2"],
        ["qemu-img", "compare", "-f", "raw", "-F", "raw", "@raw", "@back"],
        ["qemu-io", "-f", "qcow2", "-c", "write -P 9 0 4k", "@qcow2"],
        ["qemu-img", "compare", "@raw", "@qcow2"],
        ["qemu-img", "check", "@qcow2"],
        ["qemu-img", "check", "@packed"],
        ["qemu-img", "map", "--output=json", "@qcow2"],
        ["qemu-img", "measure", "-O", "qcow2", "@raw"],
    ],
    "snapshots": [
        ["qemu-img", "create", "-f", "qcow2", "@base", "16M"],
        ["qemu-io", "-f", "qcow2", "-c", "write -P 1 0 1M", "@base"],
        ["qemu-img", "snapshot", "-c", "one", "@base"],
        ["qemu-io", "-f", "qcow2", "-c", "write -P 2 512k 1M", "@base"],
        ["qemu-img", "snapshot", "-l", "@base"],
        ["qemu-img", "snapshot", "-a", "one", "@base"],
        ["qemu-io", "-f", "qcow2", "-c", "read -P 1 0 1M", "-c", "read -P 0 1M 1M", "@base"],
        ["qemu-img", "snapshot", "-d", "one", "@base"],
        ["qemu-img", "resize", "@base", "32M"],
        ["qemu-img", "create", "-f", "qcow2", "-F", "qcow2", "-b", "@base", "@over"],
        ["qemu-io", "-f", "qcow2", "-c", "write -P 9 1M 64k", "@over"],
        ["qemu-img", "info", "--backing-chain", "@over"],
        ["qemu-img", "commit", "@over"],
        ["qemu-img", "rebase", "-u", "-b", "", "@over"],
        ["qemu-img", "check", "@base"],
    ],
}


@pytest.fixture(scope="module", autouse=True)
def qemu() -> None:
    if not MODULES:
        _unavailable("QEMU has no gluster:// (on Debian: apt-get install qemu-block-extra)")


def comparable(text: str) -> str:
    for measured, instead in MEASURED:
        text = measured.sub(instead, text)
    return text


def run_all(side: Side, commands: list[list[str]], shim: Path | None) -> list[tuple[str, str, int]]:
    """Run the commands one after the other: each as it is written above, output and exit code."""
    results = []
    for command in commands:
        words = [re.sub("(^|=)@", rf"\1{side.url}/", word) for word in command]
        outcome = side.run(words, preload=shim)
        results.append((" ".join(command), comparable(outcome.output), outcome.code))
    return results


@pytest.mark.parametrize("name", SCENARIOS)
def test_qemu_does_the_same(
    name: str, sides: list[Side], shim: Path, needs: Callable[..., None]
) -> None:
    needs(qemu_img="qemu-utils", qemu_io="qemu-utils")
    theirs, ours = on_both(sides, lambda side: run_all(side, SCENARIOS[name], shim))
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == other
    assert sides[1].tree() == sides[0].tree()
    # Some are meant to fail; none is to crash.
    assert [words for words, _, code in ours if code not in (0, 1)] == []


def test_qemu_as_it_is_shipped(sides: list[Side], needs: Callable[..., None]) -> None:
    """Without the shim: ten seconds."""
    needs(qemu_img="qemu-utils")
    commands = [["qemu-img", "create", "-f", "raw", "@raw", "1M"]]
    theirs, ours = on_both(
        sides, lambda side: unless_it_crashes(lambda: run_all(side, commands, None)[0])
    )
    assert ours == theirs
    assert ours[2] == 0
