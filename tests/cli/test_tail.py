"""`head` and `tail`, which also follows."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, PATIENCE, Run
from tests.embedded import BrickProcess, start_brick

CONTENTS = {
    "empty": b"",
    "one": b"one line without an end",
    "lines": b"".join(b"line %d\n" % n for n in range(25)),
    "open": b"".join(b"line %d\n" % n for n in range(25)) + b"last",
    "blank": b"\n\n\n\n",
    "long": b"".join(b"%d " % n * 20_000 + b"\n" for n in range(30)),
}


@pytest.mark.parametrize("tool", ["head", "tail"])
@pytest.mark.parametrize(
    "options",
    ["", "-n 3", "-n 0", "-n 100", "-c 7", "-c 0", "-c 9999999", "-n +1", "-n +3", "-c +5"],
)
def test_as_gnu(gl: Run, place: str, root: Path, tool: str, options: str) -> None:
    if tool == "head" and "+" in options:
        assert gl(tool, *options.split(), place).code == 2
        return
    for name, content in CONTENTS.items():
        (root / name).write_bytes(content)
        expected = subprocess.run([tool, *options.split(), root / name], stdout=subprocess.PIPE)
        assert gl(tool, *options.split(), f"{place}/{name}").check().out == expected.stdout, name


def test_several(gl: Run, place: str, root: Path) -> None:
    (root / "a").write_text("1\n2\n")
    (root / "b").write_text("3\n")
    for tool in ("head", "tail"):
        result = gl(tool, "-n", "1", f"{place}/a", f"{place}/nope", f"{place}/b")
        first = {"head": 1, "tail": 2}[tool]
        assert result.text == f"==> {place}/a <==\n{first}\n\n==> {place}/b <==\n3\n"
        assert result.failed() == [f"cannot read '{place}/nope': No such file or directory"]
    records = gl("tail", "--json", "-n", "1", f"{place}/a", f"{place}/b").check().records
    assert records == [{"path": f"{place}/a", "line": "2"}, {"path": f"{place}/b", "line": "3"}]
    assert gl("head", "-n", "many", f"{place}/a").code == 2
    assert gl("tail", f"{place}").failed() == [f"cannot read '{place}': Is a directory"]


class Follower:
    """A `tail -f` under way."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.out = process.stdout.fileno()
        self.err = process.stderr.fileno()
        self.ahead = {self.out: b"", self.err: b""}

    def reads(self, expected: bytes, *, errors: bool = False) -> None:
        """What comes next is this."""
        descriptor = self.err if errors else self.out
        found = self.ahead[descriptor]
        deadline = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while len(found) < len(expected):
                assert selector.select(deadline - time.monotonic()), found
                more = os.read(descriptor, 65536)
                assert more, found
                found += more
        assert found[: len(expected)] == expected
        self.ahead[descriptor] = found[len(expected) :]

    def says(self, line: str) -> None:
        self.reads(f"glusterio: {line}\n".encode(), errors=True)


@contextmanager
def following(*words: str) -> Iterator[Follower]:
    with subprocess.Popen(
        [*COMMAND, "tail", "-f", "-s", "0.02", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield Follower(process)
        finally:
            process.kill()


def append(path: Path, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


def test_it_follows(place: str, root: Path, brick: BrickProcess) -> None:
    log = root / "log"
    log.write_bytes(b"1\n2\n3\n")
    url = f"{place}/log"
    with following("-n", "2", url) as tail:
        tail.reads(b"2\n3\n")
        append(log, b"4\n")
        tail.reads(b"4\n")
        append(log, b"half")
        tail.reads(b"half")
        log.write_bytes(b"anew\n")
        tail.says(f"'{url}' has become shorter")
        tail.reads(b"anew\n")
        (root / "next").write_bytes(b"another\n")
        append(log, b"last words\n")
        os.rename(root / "next", log)
        tail.says(f"'{url}' is another file now")
        tail.reads(b"last words\nanother\n")
        append(log, b"more\n")
        tail.reads(b"more\n")
        tail.process.send_signal(signal.SIGINT)
        assert tail.process.wait(PATIENCE) == 130
        brick.wait_for(fds=0)
        log.unlink()


def test_it_ends_when_the_file_has_gone(place: str, root: Path) -> None:
    (root / "log").write_bytes(b"1\n")
    with following(f"{place}/log") as tail:
        tail.reads(b"1\n")
        (root / "log").unlink()
        tail.says(f"'{place}/log' is not there any more")
        tail.says("no files remaining")
        assert tail.process.wait(PATIENCE) == 1


def test_it_waits_with_retry(place: str, root: Path) -> None:
    log = root / "log"
    with following("--retry", f"{place}/log") as tail:
        tail.says(f"cannot read '{place}/log': No such file or directory")
        log.write_bytes(b"1\n")
        tail.says(f"'{place}/log' has appeared")
        tail.reads(b"1\n")
        log.unlink()
        tail.says(f"'{place}/log' is not there any more")
        log.write_bytes(b"2\n")
        tail.says(f"'{place}/log' has appeared")
        tail.reads(b"2\n")
        tail.process.terminate()
        assert tail.process.wait(PATIENCE) == 143


def test_it_follows_several_in_json(place: str, root: Path) -> None:
    for name in "ab":
        (root / name).write_bytes(b"")
    with following("--json", f"{place}/a", f"{place}/b") as tail:
        begun = {"a": "", "b": ""}
        for name in "abba":
            append(root / name, b"to %s\nunfinished " % name.encode())
            line = {"path": f"{place}/{name}", "line": f"{begun[name]}to {name}"}
            begun[name] = "unfinished "
            tail.reads(json.dumps(line).encode() + b"\n")


def test_the_brick_has_gone(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"1\n")
    with start_brick(tmp_path) as brick, following(f"{brick.url}/log") as tail:
        tail.reads(b"1\n")
        brick.kill()
        assert tail.process.wait(PATIENCE) == 1
        (line, *_) = os.read(tail.err, 65536).decode().splitlines()
    assert line.startswith(f"glusterio: cannot read '{brick.url}/log': ")


def test_its_reader_has_gone(place: str, root: Path, brick: BrickProcess) -> None:
    (root / "log").write_bytes(b"1\n")
    with following(f"{place}/log") as tail:
        tail.reads(b"1\n")
        assert tail.process.stdout is not None
        tail.process.stdout.close()
        append(root / "log", b"2\n")
        assert tail.process.wait(PATIENCE) == 141
    brick.wait_for(fds=0)
