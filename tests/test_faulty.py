"""The faulty transport does to a stream what it is told, and nothing else."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faulty import LAST_FRAGMENT, FaultyProxy, RecordSplitter

MakeProxy = Callable[..., FaultyProxy]


def record(payload: bytes, *fragments: int) -> bytes:
    """An RPC record of the payload, cut into fragments of these sizes and one with the rest."""
    out = b""
    for size in fragments:
        out += struct.pack(">I", size) + payload[:size]
        payload = payload[size:]
    return out + struct.pack(">I", LAST_FRAGMENT | len(payload)) + payload


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that sends back all that it gets, and ends a connection when its client does."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                connection.sendall(data)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            thread = threading.Thread(target=serve, args=(connection,), name="echo")
            thread.start()
            threads.append(thread)
            if closing.is_set():
                return

    closing = threading.Event()
    acceptor = threading.Thread(target=accept, name="echo acceptor")
    acceptor.start()
    yield listener.getsockname()
    closing.set()
    socket.create_connection(listener.getsockname()).close()
    acceptor.join(10)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    listener.close()


@pytest.fixture
def proxy(echo: tuple[str, int], faulty_proxy: MakeProxy) -> FaultyProxy:
    return faulty_proxy(echo)


@pytest.fixture
def client(proxy: FaultyProxy) -> Iterator[socket.socket]:
    with socket.create_connection(proxy.address, timeout=10) as sock:
        proxy.wait_for(lambda: proxy.live == 1)
        yield sock


def receive(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        assert piece, f"ended after {data!r}"
        data += piece
    return data


def nothing_comes(sock: socket.socket) -> bool:
    sock.settimeout(0.05)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(10)
    return False


def expect_reset(address: tuple[str, int]) -> None:
    # It may come so soon that connect itself reports it.
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection(address, timeout=10) as other,
    ):
        other.recv(1)


def test_without_a_fault_everything_passes(proxy: FaultyProxy, client: socket.socket) -> None:
    data = random.Random(1).randbytes(20 << 20)
    got = []
    reader = threading.Thread(target=lambda: got.append(receive(client, len(data))))
    reader.start()
    client.sendall(data)
    reader.join(30)
    assert got == [data]
    proxy.wait_for(lambda: proxy.to_client == proxy.to_server == len(data))


def test_the_end_passes_both_ways(proxy: FaultyProxy, client: socket.socket) -> None:
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert receive(client, 10) == b"last words"
    assert client.recv(1) == b""
    proxy.wait_for(lambda: proxy.live == 0)


def test_cut_resets_and_the_next_connection_works(
    proxy: FaultyProxy, client: socket.socket
) -> None:
    proxy.cut()
    assert proxy.live == 0
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with socket.create_connection(proxy.address, timeout=10) as again:
        again.sendall(b"hello")
        assert receive(again, 5) == b"hello"
    assert proxy.connections == 2


def test_cut_without_reset_is_an_end(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.cut(reset=False)
    assert client.recv(1) == b""


def test_refuse_resets_new_connections(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.refuse()
    expect_reset(proxy.address)
    client.sendall(b"still here")
    assert receive(client, 10) == b"still here"
    proxy.heal()
    with socket.create_connection(proxy.address, timeout=10) as other:
        other.sendall(b"me too")
        assert receive(other, 6) == b"me too"


def test_an_upstream_that_refuses_is_a_reset(faulty_proxy: MakeProxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        address = nobody.getsockname()
    proxy = faulty_proxy(address)
    expect_reset(proxy.address)


def test_pause_stops_reading_and_resume_loses_nothing(
    proxy: FaultyProxy, client: socket.socket
) -> None:
    proxy.pause()
    client.sendall(b"patience")
    assert nothing_comes(client)
    assert proxy.to_server == 0
    proxy.resume()
    assert receive(client, 8) == b"patience"


def test_a_paused_proxy_stops(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.pause()
    client.sendall(b"never read")
    proxy.stop()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_a_paused_proxy_fills_up(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.pause()
    client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(64 << 20))


def test_black_hole_swallows(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.black_hole()
    client.sendall(bytes(1 << 20))
    assert nothing_comes(client)
    with socket.create_connection(proxy.address, timeout=10) as other:
        other.sendall(b"anybody?")
        assert nothing_comes(other)
    assert proxy.to_server == 0
    assert proxy.connections == 2


def test_delay_delivers_later_and_in_order(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.delay(0.2)
    begin = time.monotonic()
    client.sendall(b"a")
    proxy.wait_for(lambda: proxy.to_server == 1)
    client.sendall(b"b")
    assert receive(client, 2) == b"ab"
    assert time.monotonic() - begin >= 0.2
    proxy.delay(0)
    client.sendall(b"c")
    assert receive(client, 1) == b"c"


def test_heal_delivers_the_delayed_at_once(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.delay(3600)
    client.sendall(b"slow")
    assert nothing_comes(client)
    proxy.heal()
    assert receive(client, 4) == b"slow"


def test_garble_an_offset(proxy: FaultyProxy, client: socket.socket) -> None:
    client.sendall(b"clean")
    assert receive(client, 5) == b"clean"
    proxy.garble(2)
    client.sendall(b"\0\1\2\3")
    assert receive(client, 4) == b"\0\1\xfd\3"
    client.sendall(b"\0\1\2\3")
    assert receive(client, 4) == b"\0\1\2\3"


def test_garble_by_predicate(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.garble(lambda offset: offset % 2 == 0)
    client.sendall(bytes(4))
    assert receive(client, 4) == b"\xff\0\xff\0"


@pytest.mark.parametrize("count", [0, 1, 6])
def test_truncate_after(proxy: FaultyProxy, client: socket.socket, count: int) -> None:
    proxy.truncate_after(count)
    with contextlib.suppress(ConnectionError):
        client.sendall(b"0123456789")
    assert receive(client, count) == b"0123456789"[:count]
    assert client.recv(1) == b""


def test_truncation_holds_for_the_next_connection(
    proxy: FaultyProxy, client: socket.socket
) -> None:
    proxy.truncate_after(3)
    with socket.create_connection(proxy.address, timeout=10) as other:
        other.sendall(b"0123456789")
        assert receive(other, 3) == b"012"
        assert other.recv(1) == b""


RECORDS = [record(bytes([number]) * (number * 100 + 1)) for number in range(6)]


def test_drop_replies_drops_whole_records(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.drop_replies(2)
    client.sendall(b"".join(RECORDS[:3]))
    assert receive(client, len(RECORDS[2])) == RECORDS[2]
    assert proxy.dropped == 2
    assert nothing_comes(client)


def test_reorder_releases_a_group_last_first(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.reorder(3)
    client.sendall(RECORDS[0] + RECORDS[1])
    proxy.wait_for(lambda: proxy.held == 2)
    assert nothing_comes(client)
    client.sendall(RECORDS[2])
    expected = RECORDS[2] + RECORDS[1] + RECORDS[0]
    assert receive(client, len(expected)) == expected


def test_reorder_in_a_given_order(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.reorder((1, 2, 0))
    client.sendall(b"".join(RECORDS))
    expected = b"".join(RECORDS[at] for at in (1, 2, 0, 4, 5, 3))
    assert receive(client, len(expected)) == expected


def test_what_is_held_can_be_released(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.reorder(10)
    client.sendall(RECORDS[0] + RECORDS[1])
    proxy.wait_for(lambda: proxy.held == 2)
    proxy.release()
    expected = RECORDS[1] + RECORDS[0]
    assert receive(client, len(expected)) == expected
    client.sendall(RECORDS[2] + RECORDS[3] + RECORDS[4][:7])
    proxy.wait_for(lambda: proxy.held == 2)
    proxy.heal()
    expected = RECORDS[2] + RECORDS[3] + RECORDS[4]
    client.sendall(RECORDS[4][7:])
    assert receive(client, len(expected)) == expected


def test_a_record_on_its_way_is_not_kept(proxy: FaultyProxy, client: socket.socket) -> None:
    whole = record(b"x" * 50, 20)
    client.sendall(whole[:10])
    assert receive(client, 10) == whole[:10]
    proxy.drop_replies(1)
    client.sendall(whole[10:] + RECORDS[1] + RECORDS[2])
    expected = whole[10:] + RECORDS[2]
    assert receive(client, len(expected)) == expected


def test_faults_add_up(proxy: FaultyProxy, client: socket.socket) -> None:
    proxy.drop_replies(1)
    proxy.reorder(2)
    proxy.garble(4)
    proxy.delay(0.01)
    client.sendall(b"".join(RECORDS[:3]))
    expected = bytearray(RECORDS[2] + RECORDS[1])
    expected[4] ^= 0xFF
    assert receive(client, len(expected)) == bytes(expected)


def test_a_failure_of_the_proxy_is_told(faulty_proxy: MakeProxy, echo: tuple[str, int]) -> None:
    proxy = FaultyProxy(echo).start()
    with socket.create_connection(proxy.address, timeout=10) as client:
        proxy.garble(lambda offset: 1 // offset > 0)
        client.sendall(b"boom")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ZeroDivisionError):
        proxy.stop()
    proxy.stop()


@given(
    st.lists(st.tuples(st.binary(max_size=40), st.lists(st.integers(0, 10), max_size=3))),
    st.binary(max_size=3),
    st.data(),
)
def test_records_are_cut_at_any_chunking(
    wanted: list[tuple[bytes, list[int]]], rest: bytes, data: st.DataObject
) -> None:
    records = [
        record(payload, *(size for size in sizes if sum(sizes) <= len(payload)))
        for payload, sizes in wanted
    ]
    stream = b"".join(records) + rest
    splitter = RecordSplitter()
    found = [b""]
    while stream:
        step = data.draw(st.integers(1, len(stream)))
        for piece, ends in splitter.feed(stream[:step]):
            found[-1] += piece
            if ends:
                found.append(b"")
        stream = stream[step:]
    assert found == [*records, rest]
