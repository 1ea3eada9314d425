"""TLS on each driver, with a peer that Python's own ssl makes, and peers that do not do their part."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glusterio.errors import ConnectionLostError, Refusal, TlsError
from glusterio.rpc.connection import Connection
from glusterio.traps import Connect, Disconnect, Gather, Reply, Tls, Within
from glusterio.wire.credentials import encode_none
from glusterio.wire.records import encode_call
from tests.certificates import Authority, server_context
from tests.runtime.peer import PATIENCE, RUNNERS, Runner

Serve = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def theirs(authority: Authority) -> ssl.SSLContext:
    return server_context(authority.vouch("server", "DNS:localhost,IP:127.0.0.1"))


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Tls:
    return authority.vouch("client")


@pytest.fixture
def serving() -> Iterator[Callable[..., Any]]:
    """Serve each connection in a thread; what is returned is the address."""
    threads: list[threading.Thread] = []
    listeners: list[socket.socket] = []

    def serve(function: Serve, path: str = "") -> Any:
        listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        listener.bind(path or ("127.0.0.1", 0))
        listener.listen()
        listeners.append(listener)

        def one(sock: socket.socket) -> None:
            sock.settimeout(PATIENCE)
            try:
                with sock:
                    function(sock)
            except OSError:
                pass

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=one, args=(sock,)))
                threads[-1].start()

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return path or listener.getsockname()

    yield serve
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture(params=sorted(RUNNERS))
def runner(request: pytest.FixtureRequest, serving: Any) -> Iterator[Runner]:
    made = RUNNERS[request.param]()
    try:
        yield made
    finally:
        made.close()


def answering(context: ssl.SSLContext, size: int = 0) -> Serve:
    """Answer every request with so many bytes, over TLS."""

    def serve(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False) as secure:
            try:
                secure.do_handshake()
            except ssl.SSLError:
                # To close with something unread is a reset, which may overtake what we said of it.
                secure.shutdown(socket.SHUT_WR)
                while secure.recv(4096):
                    pass
                raise
            stream = secure.makefile("rb")
            while mark := stream.read(4):
                record = stream.read(struct.unpack(">I", mark)[0] & 0x7FFFFFFF)
                head = struct.pack(">I", 0x80000000 | (24 + size)) + record[:4]
                secure.sendall(head + struct.pack(">5I", 1, 0, 0, 0, 0) + bytes(size))

    return serve


def connected(runner: Runner, address: Any, tls: Tls) -> Connection:
    connection = Connection("peer", ping_timeout=0)

    async def connect() -> None:
        await Connect(address, connection, tls=tls)

    runner.run(connect())
    return connection


async def ask(connection: Connection, size: int = 0, sink: memoryview | None = None) -> Reply:
    xid = connection.next_xid()
    head = encode_call(xid, 1, 1, 1, encode_none(), size)
    locate = None if sink is None else (lambda view: 24)
    return await Reply(connection, xid, (head, bytes(size)), sink, locate)


def refused(runner: Runner, address: Any, tls: Tls) -> TlsError:
    with pytest.raises(TlsError) as caught:
        connected(runner, address, tls)
    return caught.value


# -- when all is well ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 5, 4096, 16384, 16385, 100_000, 3_000_000])
def test_requests_and_replies_of_any_size(
    runner: Runner, serving: Any, theirs: ssl.SSLContext, ours: Tls, size: int
) -> None:
    connection = connected(runner, serving(answering(theirs, size)), ours)
    buffer = bytearray(b"\1" * size)
    reply = runner.run(ask(connection, size, memoryview(buffer)))
    assert buffer == bytes(size)
    assert len(reply.record) == 24
    reply = runner.run(ask(connection, size))
    assert len(reply.record) == 24 + size


def test_many_at_once_from_many_threads(
    runner: Runner, serving: Any, theirs: ssl.SSLContext, ours: Tls
) -> None:
    connection = connected(runner, serving(answering(theirs, 3000)), ours)

    async def many() -> int:
        for _ in range(20):
            for outcome in await Gather([ask(connection, 2000) for _ in range(10)]):
                assert len(outcome.get().record) == 3024
        return 200

    futures = [runner.start(many()) for _ in range(4)]
    assert sum(future.result(PATIENCE) for future in futures) == 800
    assert not connection.pending


def test_a_peer_that_does_not_read_stops_nobody_for_good(
    runner: Runner, serving: Any, theirs: ssl.SSLContext, ours: Tls
) -> None:
    may_read = threading.Event()

    def serve(sock: socket.socket) -> None:
        with theirs.wrap_socket(sock, server_side=True) as secure:
            assert may_read.wait(PATIENCE)
            stream = secure.makefile("rb")
            while mark := stream.read(4):
                xid = stream.read(struct.unpack(">I", mark)[0] & 0x7FFFFFFF)[:4]
                secure.sendall(
                    struct.pack(">I", 0x80000018) + xid + struct.pack(">5I", 1, 0, 0, 0, 0)
                )

    connection = connected(runner, serving(serve), ours)
    futures = [runner.start(ask(connection, 1_000_000)) for _ in range(8)]
    runner.run(nothing())
    may_read.set()
    for future in futures:
        assert future.result(PATIENCE).done


async def nothing() -> None:
    pass


def test_a_unix_socket(
    runner: Runner, serving: Any, theirs: ssl.SSLContext, ours: Tls, tmp_path: Path
) -> None:
    connection = connected(runner, serving(answering(theirs), str(tmp_path / "socket")), ours)
    assert runner.run(ask(connection)).done


def test_the_name_of_the_host(
    runner: Runner, serving: Any, theirs: ssl.SSLContext, authority: Authority
) -> None:
    address = serving(answering(theirs))
    context = authority.context("client", check_hostname=True)
    for host in ("127.0.0.1", "localhost"):
        assert runner.run(ask(connected(runner, (host, address[1]), Tls(context)))).done
    unnamed = server_context(authority.vouch("unnamed"))
    error = refused(runner, serving(answering(unnamed)), Tls(context))
    assert error.reason is Refusal.ITS_CERTIFICATE
    assert "127.0.0.1" in str(error)
    # It is for the context to say: GlusterFS's certificates bear other names.
    context.check_hostname = False
    assert runner.run(ask(connected(runner, serving(answering(unnamed)), Tls(context)))).done


# -- who does not like whom ---------------------------------------------------------------------------


def test_certificate_of_an_unknown_authority(
    runner: Runner, serving: Any, theirs: ssl.SSLContext, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path).vouch("client")
    error = refused(runner, serving(answering(theirs)), stranger)
    assert error.reason is Refusal.ITS_CERTIFICATE
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)


@pytest.mark.parametrize(
    ("times", "why"),
    [
        (("20200101000000Z", "20210101000000Z"), "certificate has expired"),
        (("20480101000000Z", "20490101000000Z"), "certificate is not yet valid"),
    ],
    ids=["expired", "not-yet"],
)
def test_certificate_of_another_time(
    runner: Runner, serving: Any, authority: Authority, ours: Tls, times: Any, why: str
) -> None:
    theirs = server_context(authority.vouch_within("untimely", *times))
    error = refused(runner, serving(answering(theirs)), ours)
    assert error.reason is Refusal.ITS_CERTIFICATE
    assert why in str(error)


def test_certificate_that_was_revoked(
    runner: Runner, serving: Any, tmp_path: Path, ours: Tls
) -> None:
    """`ssl.crl-path`: a directory with lists of what authorities have taken back."""
    own = Authority(tmp_path / "own")
    bad, good, client = (own.vouch_within(name, *_NOW) for name in ("bad", "good", "client"))
    checked = client._replace(revoked=str(own.revoke(bad)))
    error = refused(runner, serving(answering(server_context(bad))), checked)
    assert error.reason is Refusal.ITS_CERTIFICATE
    assert "revoked" in str(error)
    address = serving(answering(server_context(good)))
    assert len(runner.run(ask(connected(runner, address, checked))).record) == 24
    empty = tmp_path / "empty"
    empty.mkdir()
    error = refused(runner, address, client._replace(revoked=str(empty)))
    assert error.reason is Refusal.ITS_CERTIFICATE
    assert "CRL" in str(error)
    error = refused(runner, address, client._replace(revoked=str(tmp_path / "none")))
    assert "none: No such file or directory" in str(error)


def test_our_certificate_that_was_revoked(runner: Runner, serving: Any, tmp_path: Path) -> None:
    own = Authority(tmp_path / "own")
    bad, server = (own.vouch_within(name, *_NOW) for name in ("bad", "server"))
    context = server_context(server)
    context.load_verify_locations(capath=str(own.revoke(bad)))
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    connection = Connection("peer", ping_timeout=0)

    async def use() -> None:
        await Connect(serving(answering(context)), connection, tls=bad)
        await ask(connection)

    with pytest.raises((TlsError, ConnectionLostError)) as caught:
        runner.run(use())
    error = connection.lost if isinstance(connection.lost, TlsError) else caught.value
    assert isinstance(error, TlsError)
    assert error.reason is Refusal.OUR_CERTIFICATE
    assert "revoked" in str(error)


#: From when to when certificates of these tests are good that have to be in their authority's books.
_NOW = ("20200101000000Z", "20490101000000Z")


def test_ciphers(runner: Runner, serving: Any, authority: Authority, ours: Tls) -> None:
    """`ssl.cipher-list`: which may be used; TLS 1.3 has its own, so a server of 1.2 is asked."""
    theirs = server_context(authority.vouch("server"))
    theirs.maximum_version = ssl.TLSVersion.TLSv1_2
    theirs.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    address = serving(answering(theirs))
    common = ours._replace(ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")
    assert len(runner.run(ask(connected(runner, address, common))).record) == 24
    error = refused(runner, address, ours._replace(ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"))
    assert error.reason is Refusal.TLS
    assert "it refuses TLS with us" in str(error)
    assert "no cipher in common" in str(error)
    error = refused(runner, address, ours._replace(ciphers="none-of-these"))
    assert "'none-of-these': no cipher of this name" in str(error)


@pytest.mark.parametrize("field", ["certificate", "key", "authorities"])
@pytest.mark.parametrize("what", ["pipe", "zero", "directory"])
def test_files_that_are_none(
    runner: Runner, serving: Any, theirs: ssl.SSLContext, ours: Tls, tmp_path: Path,
    field: str, what: str,
) -> None:  # fmt: skip
    """A volfile may name anything of this machine: what has no end is not read, nor waited for."""
    path = Path("/dev/zero") if what == "zero" else tmp_path / what
    if what == "pipe":
        os.mkfifo(path)
    if what == "directory":
        path.mkdir()
    named: Any = {field: str(path)}
    replaced = ours._replace(**named)
    error = refused(runner, serving(answering(theirs)), replaced)
    assert f"{path}: it is not a file" in str(error)


def test_server_that_wants_our_certificate(
    runner: Runner, serving: Any, theirs: ssl.SSLContext
) -> None:
    connection = connected(runner, serving(answering(theirs)), Tls(anybody=True))
    with pytest.raises(ConnectionLostError, match="does not accept our certificate"):
        runner.run(ask(connection))
    assert isinstance(connection.lost, TlsError)
    assert connection.lost.reason is Refusal.OUR_CERTIFICATE


def test_server_of_another_version(
    runner: Runner, serving: Any, authority: Authority, ours: Tls
) -> None:
    new = server_context(authority.vouch("new"))
    new.minimum_version = ssl.TLSVersion.TLSv1_3
    context = authority.context("old")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    error = refused(runner, serving(answering(new)), Tls(context))
    assert error.reason is Refusal.TLS
    assert "it refuses TLS with us: protocol version" in str(error)


def test_files_that_are_not_there(runner: Runner, serving: Any, theirs: ssl.SSLContext) -> None:
    address = serving(answering(theirs))
    error = refused(runner, address, Tls(None, "/none.pem", "/none.key", "/none.ca"))
    assert "/none.pem: No such file or directory" in str(error)
    assert "ssl=" in str(error)


def test_files_that_are_something_else(
    runner: Runner, serving: Any, theirs: ssl.SSLContext, ours: Tls, tmp_path: Path
) -> None:
    address = serving(answering(theirs))
    odd = tmp_path / "odd"
    odd.write_text("odd")
    for field in ("certificate", "key", "authorities"):
        files: dict[str, Any] = {field: str(odd)}
        error = refused(runner, address, ours._replace(**files))
        assert str(odd) in str(error)


def test_something_else_listens(runner: Runner, serving: Any, ours: Tls) -> None:
    def http(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    error = refused(runner, serving(http), ours)
    assert error.reason is Refusal.TLS_UNKNOWN


# -- peers that do not do their part ------------------------------------------------------------------


def test_a_peer_that_stalls_in_the_handshake(runner: Runner, serving: Any, ours: Tls) -> None:
    gone = threading.Event()

    def stall(sock: socket.socket) -> None:
        while sock.recv(65536):
            pass
        gone.set()

    address = serving(stall)

    async def connect() -> None:
        await Within(0.05, wait_for_it())

    async def wait_for_it() -> None:
        await Connect(address, Connection("never"), tls=ours)

    with pytest.raises(TimeoutError):
        runner.run(connect())
    assert gone.wait(PATIENCE)  # and it was closed


def test_a_peer_that_closes_in_the_handshake(runner: Runner, serving: Any, ours: Tls) -> None:
    def close(sock: socket.socket) -> None:
        sock.recv(65536)

    for _ in range(3):
        error = refused(runner, serving(close), ours)
        assert error.reason is Refusal.TLS
        assert "closed in the middle of the TLS handshake" in str(error)


def test_a_peer_that_resets_in_the_handshake(runner: Runner, serving: Any, ours: Tls) -> None:
    def reset(sock: socket.socket) -> None:
        sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert refused(runner, serving(reset), ours).reason is Refusal.TLS


@pytest.mark.parametrize("goodbye", [True, False])
def test_the_end_of_the_stream_is_a_lost_connection(
    runner: Runner, serving: Any, theirs: ssl.SSLContext, ours: Tls, goodbye: bool
) -> None:
    """Also where it is cut, which no close_notify announces."""

    def serve(sock: socket.socket) -> None:
        secure = theirs.wrap_socket(sock, server_side=True)
        with secure:
            secure.recv(65536)
            if goodbye:
                secure.unwrap()

    connection = connected(runner, serving(serve), ours)
    with pytest.raises(ConnectionLostError) as caught:
        runner.run(ask(connection))
    assert caught.value.may_have_happened
    assert connection.lost is not None


def test_bytes_that_the_peer_did_not_encrypt(
    runner: Runner, serving: Any, theirs: ssl.SSLContext, ours: Tls
) -> None:
    def serve(sock: socket.socket) -> None:
        plain = socket.socket(fileno=socket.dup(sock.fileno()))
        with plain, theirs.wrap_socket(sock, server_side=True) as secure:
            secure.recv(65536)
            plain.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))

    connection = connected(runner, serving(serve), ours)
    with pytest.raises(ConnectionLostError):
        runner.run(ask(connection))
    assert isinstance(connection.lost, TlsError)


def test_our_end_is_told(runner: Runner, serving: Any, theirs: ssl.SSLContext, ours: Tls) -> None:
    told: list[bytes] = []
    done = threading.Event()

    def serve(sock: socket.socket) -> None:
        with theirs.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False) as secure:
            try:
                told.append(secure.recv(65536))
            finally:
                done.set()

    connection = connected(runner, serving(serve), ours)

    async def disconnect() -> None:
        await Disconnect(connection)

    runner.run(disconnect())
    assert done.wait(PATIENCE)
    if runner.name == "threads":  # asyncio's abort says nothing
        assert told == [b""]
