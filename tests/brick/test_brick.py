"""The brick inside an asyncio program."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from glusterio.brick.access import Access
from glusterio.brick.main import Brick
from tests.brick.raw import RawClient, to_the_brick


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_served_and_ended(tmp_path: Path) -> None:
    async def main() -> None:
        before = descriptors()
        async with Brick(tmp_path, "vol", port=0) as brick:
            assert brick.url == f"gluster://127.0.0.1:{brick.port}/vol"
            client = await asyncio.to_thread(RawClient, brick.brick_port)
            reply = await asyncio.to_thread(client.setvolume, str(tmp_path))
            assert reply.op_ret == 0
            for number in range(10):
                made = await asyncio.to_thread(client.create, f"f{number}")
                await asyncio.to_thread(client.write, made.stat.gfid, made.fd, b"data")
            found = brick.dump()
            assert (found["fds"], found["open_files"], found["locks"]) == (10, 10, 0)
            assert len(found["clients"]) == 1
        assert await asyncio.to_thread(client.is_closed)
        client.close()
        assert descriptors() == before
        await brick.stop()  # once more does nothing

    asyncio.run(main())
    assert (tmp_path / "f9").read_bytes() == b"data"


def test_login_is_in_the_volfile_and_is_asked_for(tmp_path: Path) -> None:
    def check(port: int, brick_port: int) -> None:
        with RawClient(port) as client:
            options = to_the_brick(client.getspec("vol").spec)
        assert (options["username"], options["password"]) == ("user", "pass word")
        for given, errno in (
            ({}, 13),
            ({"username": "user"}, 13),
            ({"username": "user", "password": "wrong"}, 13),
            ({"username": "user", "password": "pass word"}, 22),
        ):
            with RawClient(brick_port) as client:
                reply = client.setvolume(str(tmp_path), **given)
                assert (reply.op_ret < 0, reply.op_errno) == (errno == 13, errno)

    async def main() -> None:
        access = Access(login=("user", "pass word"))
        async with Brick(tmp_path, "vol", port=0, access=access) as brick:
            await asyncio.to_thread(check, brick.port, brick.brick_port)

    asyncio.run(main())


def test_failed_start_leaves_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with Brick(tmp_path, "vol", port=0) as brick:
            before = descriptors()
            other = tmp_path / "other"
            other.mkdir()
            with pytest.raises(OSError, match="in use"):
                await Brick(other, "vol", port=brick.port).start()
            with pytest.raises(FileNotFoundError):
                await Brick(tmp_path / "none", "vol", port=0).start()
            assert descriptors() == before

    asyncio.run(main())


def test_two_bricks_in_one_process(tmp_path: Path) -> None:
    async def main() -> None:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        async with Brick(tmp_path / "a", port=0) as a, Brick(tmp_path / "b", port=0) as b:
            assert (a.volume, b.volume) == ("a", "b")
            assert len({a.port, a.brick_port, b.port, b.brick_port}) == 4

    asyncio.run(main())
