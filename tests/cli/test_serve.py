from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import glusterio as library
from tests.cli.conftest import COMMAND, PATIENCE, Run


@contextmanager
def serving(directory: Path, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with subprocess.Popen(
        [*COMMAND, "serve", str(directory), "--port", "0", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            assert line.startswith("serving gluster://127.0.0.1:"), process.communicate()
            yield process, line.split()[1]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, "--volume", "gv0") as (process, url):
        assert url.endswith("/gv0")
        with library.connect(url) as volume, volume.open("f", "w") as file:
            file.write("served")
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, b"", b"")
    assert (tmp_path / "f").read_text() == "served"


def test_with_a_client_it_ends_too(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url):
        volume = library.connect(url)
        try:
            process.terminate()
            _, err = process.communicate(timeout=PATIENCE)
        finally:
            volume.close()
    assert (process.returncode, err) == (0, b"")


def test_it_ends_with_the_standard_input(tmp_path: Path) -> None:
    with serving(tmp_path, "--with-stdin") as (process, _):
        assert process.stdin is not None
        process.stdin.write(b"not the end\n")
        process.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


def test_what_cannot_be_served(glusterio: Run, tmp_path: Path) -> None:
    (line,) = glusterio("serve", "nope").failed()
    assert line == "cannot serve 'nope': No such file or directory"
    (tmp_path / "file").touch()
    (line,) = glusterio("serve", "file").failed()
    assert line == "cannot serve 'file': Not a directory"
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with serving(tmp_path / "one") as (process, url):
        port = url.split(":")[2].partition("/")[0]
        (line,) = glusterio("serve", "two", "--port", port).failed()
        assert line.startswith("cannot serve 'two': ")
        assert "address already in use" in line.lower()
        process.terminate()
        process.wait(PATIENCE)
