"""What can go wrong with a volume, seen from the application: each error, reached over the wire."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import glusterio
from glusterio.brick.volfiles import client_volfile, section
from glusterio.errors import (
    AuthRejectedError,
    ConnectionLostError,
    GlusterError,
    HandleClosedError,
    HandleStaleError,
    HandshakeError,
    RecordTooLongError,
    RemoteProtocolError,
    UnsupportedGraphError,
    VersionMismatchError,
    VolfileError,
    VolumeNotFoundError,
    XdrError,
)
from glusterio.xlators.client import Client
from tests.api.faces import FACES, connect_face
from tests.embedded import BrickProcess, start_brick
from tests.faulty import FaultyProxy

Through = Callable[..., str]
NewProxy = Callable[..., FaultyProxy]


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


# -- connecting -------------------------------------------------------------------------------------


def test_a_volume_that_the_management_daemon_does_not_know(face: str, brick: BrickProcess) -> None:
    with pytest.raises(VolumeNotFoundError, match="'nonesuch'") as caught:
        connect_face(face, f"gluster://127.0.0.1:{brick.port}/nonesuch")
    assert caught.value.errno == errno.ENOENT
    assert isinstance(caught.value, ConnectionError)
    # what one server says is not overruled by another that cannot be reached
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(VolumeNotFoundError):
        connect_face(face, f"gluster://127.0.0.1:{port},127.0.0.1:{brick.port}/nonesuch")


def test_a_brick_that_is_another(face: str, brick: BrickProcess, tmp_path: Path) -> None:
    volfile = tmp_path / "other.vol"
    volfile.write_text(client_volfile("vol", "127.0.0.1", "/no/such/brick", port=brick.brick_port))
    with pytest.raises(VolumeNotFoundError, match="/no/such/brick"):
        connect_face(face, f"volfile://{volfile}")


def test_a_client_whose_address_is_not_allowed(face: str, tmp_path: Path) -> None:
    (tmp_path / "brick").mkdir()
    with (
        start_brick(tmp_path / "brick", "vol", "--allow", "192.0.2.*") as brick,
        pytest.raises(AuthRejectedError) as caught,
    ):
        connect_face(face, brick.url)
    assert caught.value.errno == errno.EACCES


def test_a_brick_that_is_not_running(face: str, brick: BrickProcess, tmp_path: Path) -> None:
    options = {
        "remote-host": "127.0.0.1",
        "glusterd-port": str(brick.port),
        "remote-subvolume": "/no/such/brick",
    }
    volfile = tmp_path / "down.vol"
    volfile.write_text(section("vol-client-0", "protocol/client", options))
    with pytest.raises(HandshakeError, match="not running") as caught:
        connect_face(face, f"volfile://{volfile}")
    assert type(caught.value) is HandshakeError
    assert caught.value.errno == errno.ENOTCONN


def test_a_volfile_that_leads_to_the_management_daemon(
    face: str, brick: BrickProcess, tmp_path: Path
) -> None:
    """It is asked where the brick is, as GlusterFS's clients do it."""
    volfile = tmp_path / "through.vol"
    volfile.write_text(client_volfile("vol", "127.0.0.1", str(brick.directory), port=brick.port))
    with connect_face(face, f"volfile://{volfile}") as volume:
        assert volume.listdir("/") is not None
    volfile.write_text(client_volfile("vol", "127.0.0.1", "/", port=brick.port))
    with pytest.raises(HandshakeError, match="not running"):
        connect_face(face, f"volfile://{volfile}")


# -- graphs -----------------------------------------------------------------------------------------


@pytest.fixture
def untouched() -> Iterator[int]:
    """The port of a server that nobody may even connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server.getsockname()[1]
        with pytest.raises(BlockingIOError):
            server.accept()


UNSUPPORTED = (
    "cluster/disperse", "cluster/replicate", "cluster/afr", "cluster/distribute", "cluster/nufa",
    "features/shard", "encryption/crypt", "features/read-only", "features/worm", "features/utime-not",
    "features/snapview-client", "features/selinux-not", "performance/symlink-cache", "no/such",
)  # fmt: skip


@pytest.mark.parametrize("xlator_type", UNSUPPORTED)
def test_a_graph_that_is_not_supported(
    face: str, xlator_type: str, untouched: int, tmp_path: Path
) -> None:
    bricks = ["vol-client-0", "vol-client-1", "vol-client-2"]
    text = "".join(
        client_volfile("vol", "127.0.0.1", "/b", port=untouched).replace("vol-client-0", name)
        for name in bricks
    )
    options = {"read-only": "on"} if xlator_type == "features/read-only" else {}
    text += section("vol-special", xlator_type, options, bricks)
    text += section("vol", "debug/io-stats", {}, ["vol-special"])
    (tmp_path / "v.vol").write_text(text)
    with pytest.raises(UnsupportedGraphError) as caught:
        connect_face(face, f"volfile://{tmp_path}/v.vol")
    assert (caught.value.xlator_type, caught.value.volume) == (xlator_type, "vol-special")
    assert xlator_type in str(caught.value)
    assert "vol-special" in str(caught.value)


def test_a_volfile_that_does_not_parse(face: str, untouched: int, tmp_path: Path) -> None:
    good = client_volfile("vol", "127.0.0.1", "/b", port=untouched)
    for number, text in enumerate(
        (good + "volume", good.replace("end-volume", ""), "", "\x00", good + good, "\udcff" * 100)
    ):
        path = tmp_path / f"{number}.vol"
        path.write_text(text, errors="surrogateescape")
        with pytest.raises(VolfileError):
            connect_face(face, f"volfile://{path}")


# -- servers that talk nonsense ---------------------------------------------------------------------


class Nonsense:
    """A server that answers every call with what it was made for."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="nonsense")
        self._thread.start()

    def _serve(self) -> None:
        while True:
            client, _ = self._server.accept()
            with client:
                mark = client.recv(4, socket.MSG_WAITALL)
                if mark == b"stop":
                    return
                with contextlib.suppress(OSError):
                    length = struct.unpack(">I", mark)[0] & 0x7FFFFFFF
                    client.sendall(self._answer(client.recv(length, socket.MSG_WAITALL)[:4]))
                    client.shutdown(socket.SHUT_WR)
                    client.recv(1)

    def __enter__(self) -> Nonsense:
        return self

    def __exit__(self, *_: object) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as stop:
            stop.sendall(b"stop")
            self._thread.join()
        self._server.close()


def record(*parts: bytes | int) -> bytes:
    body = b"".join(
        part if isinstance(part, bytes) else struct.pack(">I", part & 0xFFFFFFFF) for part in parts
    )
    return struct.pack(">I", 0x80000000 | len(body)) + body


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda xid: b"", ConnectionLostError),
        (lambda xid: b"\x80", ConnectionLostError),
        (lambda xid: b"HTTP/1.1 400 Bad Request\r\n\r\n", RemoteProtocolError),
        (lambda xid: b"\xff\xff\xff\xff" + xid, RecordTooLongError),
        (lambda xid: b"\x7f\xff\xff\xff" + xid, RemoteProtocolError),
        (lambda xid: record(b""), RemoteProtocolError),
        (lambda xid: record(b"xy"), RemoteProtocolError),
        (lambda xid: record(b"abcd", 1, 0, 0, 0, 0), RemoteProtocolError),
        (lambda xid: record(xid, 1, 0, 0, 0, 0), XdrError),
        (lambda xid: record(xid, 1, 0, 0, 0, 0, 0), XdrError),
        (lambda xid: record(xid, 1, 0, 0, 0, 0, 0, 0, 0x7FFFFFFF, b"x"), XdrError),
        (lambda xid: record(xid, 1, 0, 0, 0, 0, 0, 0, 0, 0, b"trailing"), XdrError),
        (lambda xid: record(xid, 1, 0, 0, 0, 1), VersionMismatchError),
        (lambda xid: record(xid, 1, 0, 0, 0, 2, 1, 1), VersionMismatchError),
        (lambda xid: record(xid, 1, 0, 0, 0, 3), VersionMismatchError),
        (lambda xid: record(xid, 1, 0, 0, 0, 4), RemoteProtocolError),
        (lambda xid: record(xid, 1, 0, 0, 0, 5), RemoteProtocolError),
        (lambda xid: record(xid, 1, 0, 0, 0, 77), RemoteProtocolError),
        (lambda xid: record(xid, 1, 0, 0, 4, b"veri", 0), RemoteProtocolError),
        (lambda xid: record(xid, 1, 1, 1, 5), AuthRejectedError),
        (lambda xid: record(xid, 1, 1, 0, 2, 2), (AuthRejectedError, VersionMismatchError)),
        (lambda xid: record(xid, 1, 9), RemoteProtocolError),
        (lambda xid: record(xid, 7, 0, 0, 0, 0), RemoteProtocolError),
    ],
)
def test_a_server_that_talks_nonsense(
    face: str,
    answer: Callable[[bytes], bytes],
    kind: type[Exception] | tuple[type[Exception], ...],
    tmp_path: Path,
) -> None:
    with Nonsense(answer) as server:
        volfile = tmp_path / "v.vol"
        volfile.write_text(client_volfile("vol", "127.0.0.1", "/", port=server.port))
        for url in (f"gluster://127.0.0.1:{server.port}/vol", f"volfile://{volfile}"):
            with pytest.raises(kind) as caught:
                connect_face(face, url, timeout=5)
            assert isinstance(caught.value, GlusterError)
            assert isinstance(caught.value, ConnectionError)
            assert str(server.port) in str(caught.value)


# -- garbled replies --------------------------------------------------------------------------------


def exchange(volume: Any, what: str) -> Any:
    """One exchange with the brick, of each shape of reply."""
    if what == "lookup":
        return volume.stat("f")
    if what == "readdirp":
        return volume.listdir("d")
    if what == "statfs":
        return volume.statvfs()
    if what == "create":
        volume.open_handle("new", os.O_CREAT).close()
        return None
    raise AssertionError(what)


@pytest.mark.parametrize(
    ("face", "what"),
    [
        *(("threads", what) for what in ("lookup", "readdirp", "statfs", "create", "read into")),
        *(("asyncio", what) for what in ("lookup", "create", "read")),
    ],
)
def test_garbled_replies(
    face: str, what: str, own_brick: BrickProcess, through: Through, faulty_proxy: NewProxy
) -> None:
    """Any byte may be another: an error of the protocol, one of the volume, or what it then says."""
    (own_brick.directory / "f").write_bytes(b"content")
    (own_brick.directory / "d").mkdir()
    for name in ("one", "two", "three"):
        (own_brick.directory / "d" / name).touch()
    proxy = faulty_proxy(("127.0.0.1", own_brick.brick_port))
    url = through(own_brick, proxy.port, 1)
    proxy.garble(lambda at: False)
    with connect_face(face, url) as volume, volume.open_handle("f") as file:
        before = proxy.to_client
        if what.startswith("read") and what != "readdirp":
            file.pread(7, 0)
        else:
            exchange(volume, what)
        proxy.wait_for(lambda: proxy.to_client > before)
        length = min(proxy.to_client - before, 1500)
    step = 7 if face == "threads" else 29
    kinds = set()
    # A garbled length has to be waited for, until the ping clock ends it: once is enough.
    marks = [0, 1] if what == "lookup" else [0]
    for at in [*marks, *range(4, min(60, length), 3), *range(60, length, step)]:
        proxy.heal()
        volume = connect_face(face, url, reconnect=False)
        file = volume.open_handle("f")
        started = time.monotonic()
        proxy.garble(at)
        try:
            if what == "read":
                file.pread(7, 0)
            elif what == "read into":
                file.read_into(bytearray(7), 0)
            else:
                exchange(volume, what)
        except OSError as error:
            kinds.add(type(error))
        assert time.monotonic() - started < 5, at
        proxy.heal()
        report = volume.close()
        assert report.defects == [], at
        assert report.calls_cancelled == [], at
    assert kinds & {RemoteProtocolError, XdrError}
    own = {kind for kind in kinds if issubclass(kind, GlusterError)}
    assert own <= {
        RemoteProtocolError, XdrError, RecordTooLongError, ConnectionLostError, AuthRejectedError,
        VersionMismatchError,
    }  # fmt: skip
    own_brick.wait_for(fds=0)


def test_replies_cut_off_at_every_length(
    face: str, brick: BrickProcess, through: Through, faulty_proxy: NewProxy
) -> None:
    proxy = faulty_proxy(("127.0.0.1", brick.brick_port))
    url = through(brick, proxy.port)
    for length in (1, 3, 4, 5, 8, 28, 29, 100, 200, 300):  # at 0 the end may be seen before
        proxy.heal()
        volume = connect_face(face, url, reconnect=False)
        proxy.truncate_after(length)
        with pytest.raises(ConnectionLostError) as caught:
            volume.stat("/")
        assert caught.value.may_have_happened
        assert volume.close().defects == []


def test_entries_with_impossible_names_are_refused(
    brick: BrickProcess, through: Through, faulty_proxy: NewProxy
) -> None:
    """A brick that was taken over must not make a copying program write elsewhere."""
    target = brick.directory / "listed"
    target.mkdir()
    (target / "name").touch()
    proxy = faulty_proxy(("127.0.0.1", brick.brick_port))
    with glusterio.connect(through(brick, proxy.port)) as volume:
        original = proxy._deliver

        def deliver(connection: Any, data: bytes) -> None:
            original(connection, data.replace(b"name", b"../e"))

        proxy._deliver = deliver  # type: ignore[method-assign]
        with pytest.raises(OSError, match="listed") as caught:
            volume.listdir("listed")
        assert caught.value.errno == errno.EIO
    (target / "name").unlink()
    target.rmdir()


# -- connections that end ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["file", "directory"])
def test_a_handle_is_stale_whose_connection_ended_just_before_it_was_opened(
    face: str, brick: BrickProcess, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The answer was there before the end, and is looked at after it."""
    (brick.directory / "file").touch()
    (brick.directory / "directory").mkdir(exist_ok=True)
    original = Client._entered

    async def entered(client: Client, *args: Any) -> None:
        await original(client, *args)
        assert client._connection is not None
        client._connection.fail(ConnectionLostError("it ends"))

    monkeypatch.setattr(Client, "_entered", entered)
    volume = connect_face(face, brick.url, reconnect=False)
    file = volume.open_handle(name, os.O_RDWR if name == "file" else os.O_RDONLY)
    with pytest.raises(HandleStaleError):
        file.fsync()
    file.close()
    assert volume.close().defects == []
    brick.wait_for(fds=0)


def test_what_was_never_sent_did_not_happen(
    face: str, brick: BrickProcess, through: Through, faulty_proxy: NewProxy
) -> None:
    proxy = faulty_proxy(("127.0.0.1", brick.brick_port))
    volume = connect_face(face, through(brick, proxy.port), reconnect=False)
    file = volume.open_handle("f", os.O_CREAT | os.O_RDWR)
    proxy.cut()
    with pytest.raises(ConnectionLostError):
        volume.stat("/")
    for call in (
        lambda: volume.stat("/"), lambda: volume.mkdir("d"), lambda: volume.listdir(),
        lambda: volume.open_handle("g", os.O_CREAT), lambda: volume.rename("a", "b"),
    ):  # fmt: skip
        with pytest.raises(ConnectionLostError) as caught:
            call()
        assert not caught.value.may_have_happened
        assert caught.value.errno == errno.ENOTCONN
    for on_file in (lambda: file.pread(1, 0), lambda: file.pwrite(b"x", 0), file.fstat):
        with pytest.raises(HandleStaleError):
            on_file()
    file.close()
    with pytest.raises(HandleClosedError):
        file.fsync()
    assert volume.close().defects == []
    (brick.directory / "f").unlink()


@pytest.mark.parametrize("reset", [True, False])
def test_what_was_sent_may_have_happened(
    brick: BrickProcess, through: Through, faulty_proxy: NewProxy, reset: bool
) -> None:
    proxy = faulty_proxy(("127.0.0.1", brick.brick_port))
    with (
        glusterio.connect(through(brick, proxy.port)) as volume,
        ThreadPoolExecutor(1) as pool,
        volume.open_handle("f", os.O_CREAT | os.O_RDWR) as file,
    ):
        proxy.drop_replies(1)
        writing = pool.submit(file.pwrite, b"data", 0)
        proxy.wait_for(lambda: proxy.dropped == 1)
        proxy.cut(reset=reset)
        error = writing.exception()
        assert isinstance(error, ConnectionLostError)
        assert error.may_have_happened
    assert (brick.directory / "f").read_bytes() == b"data"  # and so it has
    (brick.directory / "f").unlink()


def test_a_silent_brick_is_given_up(
    face: str, brick: BrickProcess, through: Through, faulty_proxy: NewProxy
) -> None:
    proxy = faulty_proxy(("127.0.0.1", brick.brick_port))
    volume = connect_face(face, through(brick, proxy.port, 1), reconnect=False)
    proxy.pause()
    with pytest.raises(ConnectionLostError, match="ping-timeout") as caught:
        volume.stat("/")
    assert caught.value.may_have_happened
    proxy.resume()
    assert volume.close().defects == []


def test_errors_name_what_they_are_about(face: str, brick: BrickProcess) -> None:
    with connect_face(face, brick.url) as volume:
        with pytest.raises(FileNotFoundError) as caught:
            volume.open("no/such/file")
        assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, "no/such/file")
        assert str(caught.value) == "[Errno 2] No such file or directory: 'no/such/file'"
        with pytest.raises(FileNotFoundError) as caught:
            volume.rename("a", "b")
        assert str(caught.value) == "[Errno 2] No such file or directory: 'a' -> 'b'"
        assert not isinstance(caught.value, GlusterError)
        assert caught.value.__cause__ is None
