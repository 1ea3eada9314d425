from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

import glusterio as library
from tests.certificates import Authority
from tests.cli.conftest import COMMAND, PATIENCE, Run


@contextmanager
def serving(
    *words: str | Path, before: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with subprocess.Popen(
        [
            *before,
            *COMMAND,
            "serve",
            *map(str, words),
            *(() if "--port" in words else ("--port", "0")),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            assert line.startswith(
                ("serving gluster://127.0.0.1:", "serving gluster+tls://127.0.0.1:")
            ), process.communicate()
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


def test_limits(tmp_path: Path) -> None:
    with serving(tmp_path, "--limit", "fds=2", "--limit", "first-record=4000") as (_, url):
        with (
            library.connect(url) as volume,
            volume.open("0", "w"),
            volume.open("1", "w"),
            pytest.raises(OSError, match="Too many open files"),
        ):
            volume.open("2", "w")
        port = int(url.split(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as stranger:  # the daemon has them, too
            stranger.settimeout(PATIENCE)
            stranger.sendall((0x80000000 | 4001).to_bytes(4, "big"))
            assert stranger.recv(1) == b""


def test_a_write_over_the_limit_says_so(tmp_path: Path) -> None:
    with serving(tmp_path, "--limit", "record=100000") as (_, url), library.connect(url) as volume:
        handle = volume.open_handle("f", os.O_RDWR | os.O_CREAT)

        def write(size: int) -> None:
            handle.pwrite(bytes(size), 0)
            handle.fsync()

        with pytest.raises(OSError, match="Message too long") as caught:
            write(200_000)
        assert caught.value.errno == errno.EMSGSIZE
        write(9)
        handle.close()
        assert volume.stat("f").st_size == 9
        assert volume._session.core.reconnects == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [("fd=3", "no such limit: 'fd'; there are connections,"), ("fds=0", "positive")],
)
def test_limits_that_are_none(glusterio: Run, tmp_path: Path, text: str, why: str) -> None:
    result = glusterio("serve", tmp_path, "--limit", text)
    assert result.code == 2
    assert why in " ".join(str(result.err).replace("│", " ").split())


def test_management_by_tls(glusterio: Run, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    served = tmp_path / "served"
    served.mkdir()
    tls = authority.vouch("server")
    files = ("--certificate", tls.certificate, "--key", tls.key, "--authorities", tls.authorities)
    with serving(served, "--tls", *files) as (process, url):
        assert url.startswith("gluster+tls://")
        # The brick's own option does not say so; a context of the session's would have it come by TLS.
        with pytest.raises(library.TlsError) as caught:
            library.connect(url, ssl=authority.context("client"))
        assert caught.value.reason is library.Refusal.TLS_UNKNOWN
        with pytest.raises(library.TlsError) as caught:
            library.connect(url.replace("+tls", ""))
        assert caught.value.reason is library.Refusal.TLS_WANTED
        process.terminate()
        process.communicate(timeout=PATIENCE)
    missing = glusterio("serve", served, "--port", "0", "--tls", "--certificate", tmp_path / "none")
    assert missing.code == 1
    assert "none: No such file" in missing.err


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


def test_several_directories(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    directories = [tmp_path / name for name in ("one", "two", "three")]
    with socket.create_server(("127.0.0.1", 0)) as server:  # a port that is free
        port = str(server.getsockname()[1])
    words = ("--volume", "first", "--volume", "second", "--brick-port", port)
    with serving(*directories, *words) as (process, url):
        assert process.stdout is not None
        socket.create_connection(("127.0.0.1", int(port))).close()
        urls = [url, *(process.stdout.readline().decode().split()[1] for _ in range(2))]
        assert [each.rpartition("/")[2] for each in urls] == ["first", "second", "three"]
        assert len({each.rpartition("/")[0] for each in urls}) == 1
        for each in urls:
            with library.connect(each) as volume, volume.open("f", "w") as file:
                file.write(each)
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, b"", b"")
    assert [(each / "f").read_text() for each in directories] == urls


def test_several_directories_that_cannot_be(glusterio: Run, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "two/.glusterfs/glusterio").mkdir(parents=True)
    (tmp_path / "two/.glusterfs/glusterio/options.json").write_text("{")
    (line,) = glusterio("serve", "--port", "0", "one", "two").failed()
    assert "options are damaged" in line
    assert str(tmp_path / "two/.glusterfs/glusterio/options.json") in line
    assert "volume two" in line
    assert glusterio("serve", "one", "--volume", "a", "--volume", "b").code == 2


def test_statedump_on_a_signal(tmp_path: Path) -> None:
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data", "--statedump-dir", dumps) as (process, url):
        assert process.stderr is not None
        with library.connect(url) as volume, volume.open("opened", "w"):
            for number in (1, 2):
                process.send_signal(signal.SIGUSR1)
                line = process.stderr.readline().decode()
                assert line.startswith(f"glusterio: statedump: {dumps}/glusterio.{process.pid}.")
                assert len(list(dumps.iterdir())) == number
        text = Path(line.split(": ")[2].strip()).read_text()
        assert "volume=data\n" in text
        assert "path=/opened\n" in text
        dumps.chmod(0o700)
        for each in dumps.iterdir():
            assert each.stat().st_mode & 0o777 == 0o600
            each.unlink()
        dumps.rmdir()
        process.send_signal(signal.SIGUSR1)  # and it goes on
        assert "no statedump: No such file" in process.stderr.readline().decode()
        library.connect(url).close()


def open_all(volume: library.Volume, opened: list[library.File]) -> None:
    for number in range(64):
        opened.append(volume.open_handle(f"f{number}", os.O_CREAT | os.O_RDWR))


def test_no_client_can_have_all_descriptors(tmp_path: Path) -> None:
    """Else nobody could even connect any more."""
    opened: list[library.File] = []
    # Of 72 a client may have 54; the rest are the process's own, and two connections of each client.
    few = ["sh", "-c", 'ulimit -n 72 && exec "$@"', "sh"]
    with serving(tmp_path, before=few) as (_, url), library.connect(url) as greedy:
        with pytest.raises(OSError, match="Too many open files"):
            open_all(greedy, opened)
        with library.connect(url) as modest, modest.open("mine", "w") as file:
            file.write("there is room")
        for each in opened:
            each.close()
    assert len(opened) >= 32
    assert (tmp_path / "mine").read_text() == "there is room"


HANGING = """
import sys, threading
from glusterio.brick import daemon
from glusterio.cli import main
from glusterio.xlators.posix import Posix
from glusterio.traps import Offload

async def hang(self):
    await Offload(threading.Event().wait)  # as a call to a disk that does not answer

Posix.fini = hang
daemon.STOPPING = 0.1
sys.exit(main())
"""


def test_the_end_comes_even_when_a_disk_hangs(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HANGING, "serve", str(tmp_path), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"serving ")
        process.terminate()
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert b"the end did not come in time" in err
