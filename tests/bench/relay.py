"""A relay in front of a brick that counts the requests that go through, by procedure.

It passes whole records on, so it is slow: nothing is timed that goes through it.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from glusterio.wire.programs import FOPS, Fop

#: Of a record's four bytes of length: whether it is the last fragment (RFC 5531, section 11).
_LAST: Final = 0x8000_0000

#: A call's xid, message type, RPC version, program, version, procedure (RFC 5531, section 9).
_CALL: Final = struct.Struct(">6I")
_IS_CALL: Final = 0


class Relay:
    """The relay; `counting_relay` runs one.

    Attributes:
        port: where it listens, on 127.0.0.1.
    """

    def __init__(self, brick_port: int) -> None:
        self.port = 0
        self._brick_port = brick_port
        self._seen: list[str] = []
        self._lock = threading.Lock()

    def take(self) -> list[str]:
        """The requests since the last `take`, in their order, by the name of the procedure."""
        with self._lock:
            seen, self._seen = self._seen, []
        return seen

    async def serve(self, listening: threading.Event, end: asyncio.Event) -> None:
        """Listen, and pass on what comes, until the end."""
        tasks: set[asyncio.Task[None]] = set()

        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await self._connection(reader, writer)
            except asyncio.CancelledError:
                pass  # the end
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(client, "127.0.0.1", 0)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            listening.set()
            await end.wait()
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_brick, to_brick = await asyncio.open_connection("127.0.0.1", self._brick_port)
        both = [
            asyncio.create_task(self._calls(reader, to_brick)),
            asyncio.create_task(self._replies(from_brick, writer)),
        ]
        try:
            # When one side has hung up, so does the other.
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            to_brick.close()

    async def _calls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass a client's requests on, record by record, and count them."""
        begins = True
        while True:
            head = await reader.readexactly(4)
            (mark,) = struct.unpack(">I", head)
            body = await reader.readexactly(mark & ~_LAST)
            if begins:
                self._count(body)
            begins = bool(mark & _LAST)
            writer.write(head + body)
            await writer.drain()

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 20):
            writer.write(data)
            await writer.drain()

    def _count(self, record: bytes) -> None:
        _, kind, _, program, _, procedure = _CALL.unpack_from(record)
        if kind != _IS_CALL:
            return
        name = "handshake"
        if program == FOPS.number:
            name = Fop(procedure).name if procedure in _FOPS else f"procedure {procedure}"
        with self._lock:
            self._seen.append(name)


_FOPS: Final = frozenset(int(fop) for fop in Fop)


@contextmanager
def counting_relay(brick_port: int) -> Iterator[Relay]:
    """Run a relay in a thread of its own."""
    relay = Relay(brick_port)
    listening = threading.Event()
    end: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        event = asyncio.Event()
        end.append((asyncio.get_running_loop(), event))
        await relay.serve(listening, event)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="relay")
    thread.start()
    try:
        assert listening.wait(10)
        yield relay
    finally:
        loop, event = end[0]
        loop.call_soon_threadsafe(event.set)
        thread.join()
