"""The asyncio face: its streams against Python's own files, and many operations at once."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from glusterio import aio
from glusterio.errors import HandleClosedError, SessionClosedError
from tests.embedded import BrickProcess

MODES = ("r", "r+", "w", "w+", "a", "a+", "x", "x+")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[aio.Volume]:
    """A session that leaves nothing behind, neither in itself nor in its directory."""
    async with aio.connect(url) as volume:
        yield volume
        for name in await volume.listdir():
            await volume.unlink(name)
    report = await volume.close()
    assert report.graceful, report
    assert report.handles == []


@pytest.fixture(params=["embedded", "brick"])
def url(request: pytest.FixtureRequest, brick: BrickProcess, tmp_path: Path) -> str:
    return brick.url if request.param == "brick" else f"embedded://{tmp_path}"


# -- random sequences -------------------------------------------------------------------------------


class Local:
    """Python's own file, awaited."""

    def __init__(self, path: Path, mode: str, **keywords: Any) -> None:
        self.file: Any = open(path, mode, **keywords)  # noqa: SIM115

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.file, name)

        async def call(*arguments: Any) -> Any:
            result = method(*arguments)
            if name in ("write", "truncate"):
                self.file.flush()
            return result

        return call

    async def __anext__(self) -> Any:
        line = self.file.readline()  # so that tell() goes on working
        if not line:
            raise StopAsyncIteration
        return line


async def attempt(file: Any, operation: tuple[Any, ...]) -> Any:
    name, *arguments = operation
    try:
        if name == "next":
            return await file.__anext__()
        return await getattr(file, name)(*arguments)
    except OSError as error:
        return "unsupported" if isinstance(error, ValueError) else error.errno
    except (ValueError, TypeError, StopAsyncIteration) as error:
        return ValueError if isinstance(error, ValueError) else type(error)


async def both(
    volume: aio.Volume,
    local: Path,
    before: bytes | None,
    mode: str,
    operations: list[tuple[Any, ...]],
    **keywords: Any,
) -> None:
    """Do the same with both, and compare."""
    local.unlink(missing_ok=True)
    if await volume.exists("f"):
        await volume.unlink("f")
    if before is not None:
        local.write_bytes(before)
        async with volume.open("f", "wb") as made:
            await made.write(before)
    try:
        theirs: Any = Local(local, mode, **keywords)
    except OSError as error:
        with pytest.raises(type(error)):
            await volume.open("f", mode, **keywords)
        return
    try:
        async with volume.open("f", mode, **keywords) as ours:
            for operation in operations:
                if "b" not in mode and operation[0] not in ("read", "readline", "next"):
                    # Python's text file allows these at any time; a stream once all was given out.
                    came = await attempt(ours, operation)
                    if came == "unsupported" and operation[0] in ("write", "tell", "truncate"):
                        break
                else:
                    came = await attempt(ours, operation)
                assert came == await attempt(theirs, operation), operation
        for operation in (
            ("read", 1),
            ("read", 0),
            ("readline",),
            ("tell",),
            ("seek", 0),
            ("flush",),
        ):
            assert await attempt(ours, operation) is ValueError, operation
    finally:
        theirs.file.close()
    async with volume.open("f", "rb") as found:
        assert await found.read() == local.read_bytes()


_BYTES = st.one_of(
    st.binary(max_size=40),
    st.lists(st.sampled_from([b"\n", b"a", b"line\n", b"\r\n"]), max_size=20).map(b"".join),
    st.builds(lambda n, b: bytes([b]) * n, st.integers(0, 300_000), st.sampled_from(b"\na")),
)
_BINARY = st.one_of(
    st.tuples(st.just("read"), st.one_of(st.integers(-1, 40), st.integers(0, 300_000))),
    st.tuples(st.just("read")),
    st.tuples(st.just("readline")),
    st.tuples(st.just("next")),
    st.tuples(st.just("write"), _BYTES),
    st.tuples(st.just("seek"), st.integers(-5, 400), st.sampled_from([0, 1, 2])),
    st.tuples(st.just("tell")),
    st.tuples(st.just("truncate")),
    st.tuples(st.just("truncate"), st.integers(-1, 500)),
    st.tuples(st.just("flush")),
)


@pytest.mark.fuzz
def test_bytes(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    with asyncio.Runner() as runner:

        @given(
            mode=st.sampled_from(MODES),
            before=st.one_of(st.none(), _BYTES),
            operations=st.lists(_BINARY, max_size=10),
        )
        @example("a+", b"abc", [("tell",), ("seek", 0), ("read", 2), ("write", b"d"), ("tell",)])
        def same(mode: str, before: bytes | None, operations: list[Any]) -> None:
            runner.run(both(volume, tmp_path / "f", before, mode + "b", operations))

        async def connect() -> aio.Volume:
            return await aio.connect(f"embedded://{tmp_path / 'volume'}")

        volume = runner.run(connect())
        try:
            same()
        finally:
            runner.run(volume.close())


_TEXT = st.text(st.sampled_from("ab\n\r\u00e9\N{SNOWMAN}\U0001f600"), max_size=30)
_TEXTUAL = st.one_of(
    st.tuples(st.just("read"), st.integers(-1, 30)),
    st.tuples(st.just("readline")),
    st.tuples(st.just("next")),
    st.tuples(st.just("write"), _TEXT),
    st.tuples(st.just("seek"), st.just(0), st.sampled_from([0, 2])),
    st.tuples(st.just("truncate")),
    st.tuples(st.just("flush")),
)


@pytest.mark.fuzz
def test_text(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    with asyncio.Runner() as runner:

        @example("a", "utf-16", None, "", [("seek", 0, 0), ("write", ""), ("truncate",)])
        @given(
            mode=st.sampled_from(MODES),
            encoding=st.sampled_from(["utf-8", "utf-16", "latin-1", "utf-8-sig"]),
            newline=st.sampled_from([None, "", "\n", "\r", "\r\n"]),
            before=st.one_of(st.none(), _TEXT),
            operations=st.lists(_TEXTUAL, max_size=10),
        )
        def same(
            mode: str, encoding: str, newline: str | None, before: str | None, operations: list[Any]
        ) -> None:
            content = None if before is None else before.encode(encoding, "ignore")
            runner.run(
                both(
                    volume, tmp_path / "f", content, mode, operations,
                    encoding=encoding, newline=newline, errors="replace",
                )
            )  # fmt: skip

        async def connect() -> aio.Volume:
            return await aio.connect(f"embedded://{tmp_path / 'volume'}")

        volume = runner.run(connect())
        try:
            same()
        finally:
            runner.run(volume.close())


# -- streams ----------------------------------------------------------------------------------------


def test_lines_longer_and_shorter_than_what_is_read_at_once(url: str) -> None:
    lines = [b"x" * size + b"\n" for size in (0, 1, 100, 131_071, 131_072, 400_000, 7)] + [b"last"]

    async def main() -> None:
        async with connected(url) as volume:
            async with volume.open("f", "wb") as file:
                for line in lines:
                    await file.write(line)
            async with volume.open("f", "rb") as file:
                assert [line async for line in file] == lines
            async with volume.open("f", "r", newline="\r\n") as text:
                assert await text.readline() == b"".join(lines).decode()

    asyncio.run(main())


def test_a_stream_that_grows_is_read_on(url: str) -> None:
    async def main() -> None:
        async with (
            connected(url) as volume,
            volume.open("f", "w") as writer,
            volume.open("f") as reader,
        ):
            assert await reader.read() == ""
            await writer.write("one\n\N{SNOWMAN}")
            assert await reader.readline() == "one\n"
            assert await reader.readline() == "\N{SNOWMAN}"
            await writer.write("two")
            assert await reader.read(2) == "tw"
            assert await reader.read() == "o"

    asyncio.run(main())


def test_what_a_stream_was_not_opened_for(url: str) -> None:
    async def main() -> None:
        async with connected(url) as volume:
            async with volume.open("f", "w") as file:
                for refused in (file.read(), file.read(0), file.readline()):
                    with pytest.raises(io.UnsupportedOperation):
                        await refused
                with pytest.raises(TypeError):
                    await file.write(b"bytes")  # type: ignore[arg-type]
            async with volume.open("f", "rb") as binary:
                for refuse in (binary.write(b"x"), binary.truncate()):
                    with pytest.raises(io.UnsupportedOperation):
                        await refuse
            async with volume.open("f", "wb") as binary:
                with pytest.raises(TypeError):
                    await binary.write("text")  # type: ignore[arg-type]
            async with volume.open("f", "w+") as file:
                await file.write("text")
                assert await file.tell() == 4
                await file.seek(0)
                assert await file.read(1) == "t"
                with pytest.raises(io.UnsupportedOperation):
                    await file.tell()
                with pytest.raises(io.UnsupportedOperation):
                    await file.write("more")
                with pytest.raises(io.UnsupportedOperation):
                    await file.seek(2)
                assert await file.seek(0, os.SEEK_END) == 4
                await file.write("more")
                await file.seek(0)
                assert await file.read() == "textmore"

    asyncio.run(main())


def test_a_closed_stream_gives_nothing_out_of_its_memory(url: str) -> None:
    async def main() -> None:
        async with connected(url) as volume:
            async with volume.open("f", "w+") as file:
                await file.write("text")
                await file.seek(0)
                assert await file.read(1) == "t"
            assert file.closed
            for refused in (file.read(1), file.read(0), file.readline(), file.seek(0), file.tell()):
                with pytest.raises(HandleClosedError):
                    await refused
            await file.close()

    asyncio.run(main())


def test_tasks_that_write_to_one_stream_take_turns(url: str) -> None:
    async def main() -> None:
        async with connected(url) as volume:
            async with volume.open("f", "wb") as file:
                counts = await asyncio.gather(*(file.write(b"%04d\n" % n) for n in range(200)))
                assert counts == [5] * 200
            async with volume.open("f", "rb") as file:
                lines = await asyncio.gather(*(file.readline() for _ in range(201)))
                assert lines == [b"%04d\n" % n for n in range(200)] + [b""]

    asyncio.run(main())


def test_a_slow_consumer_and_a_fast_one(url: str) -> None:
    content = b"".join(b"%07d\n" % n for n in range(100_000))

    async def main() -> None:
        async with connected(url) as volume:
            async with volume.open("f", "wb") as file:
                await file.write(content)

            async def consume(pause: int) -> str:
                digest = hashlib.sha256()
                async with volume.open("f", "rb") as file:
                    count = 0
                    async for line in file:
                        digest.update(line)
                        count += 1
                        if pause and not count % pause:
                            await asyncio.sleep(0)
                return digest.hexdigest()

            digests = await asyncio.gather(consume(0), consume(10), consume(1000), consume(7777))
            assert set(digests) == {hashlib.sha256(content).hexdigest()}

    asyncio.run(main())


# -- many at once -----------------------------------------------------------------------------------


def test_many_operations_in_flight(url: str) -> None:
    """Hundreds of writes and reads on one connection, each where it belongs."""
    block = 4096
    blocks = [random.Random(n).randbytes(block) for n in range(600)]

    async def main() -> None:
        async with (
            connected(url) as volume,
            volume.open_handle("f", os.O_RDWR | os.O_CREAT) as file,
        ):
            order = list(range(len(blocks)))
            random.Random(0).shuffle(order)
            counts = await asyncio.gather(*(file.pwrite(blocks[n], n * block) for n in order))
            assert counts == [block] * len(blocks)
            assert (await file.fstat()).st_size == block * len(blocks)
            found = await asyncio.gather(*(file.pread(block, n * block) for n in order))
            assert found == [blocks[n] for n in order]

    asyncio.run(main())


def test_large_reads_and_writes_at_once(url: str) -> None:
    sizes = [1, 4096, 1 << 20, (1 << 20) + 1, 3_333_333, 5_000_000, 128 * 1024, 999]
    contents = [random.Random(size).randbytes(size) for size in sizes]

    async def main() -> None:
        async with connected(url) as volume:

            async def there_and_back(number: int) -> None:
                name = f"f{number}"
                async with volume.open_handle(name, os.O_RDWR | os.O_CREAT) as file:
                    content = contents[number % len(sizes)]
                    assert await file.pwrite(content, number) == len(content)
                    sink = bytearray(len(content) + 10)
                    assert await file.read_into(sink, number) == len(content)
                    assert sink[: len(content)] == content
                    assert await file.pread(len(content), number) == content
                async with volume.open(name, "rb") as stream:
                    assert await stream.read(number) == bytes(number)
                    assert await stream.read() == content

            await asyncio.gather(*(there_and_back(n) for n in range(2 * len(sizes))))

    asyncio.run(main())


def test_every_kind_of_operation_at_once(url: str) -> None:
    async def main() -> None:
        async with connected(url) as volume:

            async def one(number: int) -> None:
                name = f"f{number}"
                async with volume.open(name, "x") as file:
                    await file.write(name)
                assert (await volume.stat(name)).st_size == len(name)
                await volume.rename(name, name + ".moved")
                assert not await volume.exists(name)
                await volume.truncate(name + ".moved", 1)
                async with volume.open(name + ".moved") as file:
                    assert await file.read() == "f"
                assert name + ".moved" in await volume.listdir()
                await volume.unlink(name + ".moved")

            await asyncio.gather(*(one(n) for n in range(60)))
            assert await volume.listdir() == []

    asyncio.run(main())


def test_errors_among_many_operations_reach_whom_they_concern(url: str) -> None:
    async def main() -> None:
        async with connected(url) as volume:
            await volume.symlink("nowhere", "link")
            calls: list[Callable[[], Awaitable[Any]]] = [
                lambda: volume.stat("missing"),
                lambda: volume.stat("/"),
                lambda: volume.readlink("/"),
                lambda: volume.readlink("link"),
            ]
            found = await asyncio.gather(
                *(calls[n % 4]() for n in range(200)), return_exceptions=True
            )
            kinds = [type(one) for one in found]
            assert kinds == [FileNotFoundError, os.stat_result, OSError, str] * 50

    asyncio.run(main())


def test_a_session_on_another_loop_is_refused(tmp_path: Path) -> None:
    async def connect() -> aio.Volume:
        return await aio.connect(f"embedded://{tmp_path}")

    async def close(volume: aio.Volume) -> None:
        await volume.close()

    with asyncio.Runner() as one, asyncio.Runner() as two:
        volume = one.run(connect())
        with pytest.raises(RuntimeError, match="event loop"):
            two.run(close(volume))
        one.run(close(volume))
        with pytest.raises(SessionClosedError):
            one.run(volume.listdir())
