"""Several volumes behind one management daemon."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

import glusterio
from glusterio.brick import daemon as daemon_module
from glusterio.brick import volume as volume_module
from glusterio.brick.control_socket import make_runtime_directory, runtime_directory
from glusterio.brick.daemon import Daemon
from glusterio.brick.main import Brick
from glusterio.brick.stored_options import OPTIONS_FILE, load_options, store_options
from glusterio.brick.volume import Volume
from glusterio.graph.volfile import parse
from glusterio.graph.volume_options import OptionError
from glusterio.wire.control import ControlReply, ControlRequest
from glusterio.wire.fops.files import FsyncRequest
from glusterio.wire.fops.locks import Flock, LkRequest
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import (
    CALLBACK,
    CONTROL,
    AcceptStat,
    CallbackProc,
    ControlProc,
    Fop,
    LockCommand,
    LockType,
)
from tests.brick.raw import ROOT, RawClient, to_the_brick
from tests.brick.test_brick import descriptors
from tests.embedded import start_brick

T = TypeVar("T")


@pytest.fixture
def directories(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("one", "two", "three")]
    for each in made:
        each.mkdir()
    return made


def serving(
    volumes: list[Volume], check: Callable[[Daemon], Coroutine[Any, Any, None]]
) -> list[str]:
    """Run a check while a daemon serves; it leaves no descriptor."""

    async def main() -> list[str]:
        before = descriptors()
        async with Daemon(volumes, port=0) as daemon:
            urls = [daemon.url(name) for name in daemon.volumes]
            await check(daemon)
        assert descriptors() == before
        return urls

    return asyncio.run(main())


def in_thread(function: Callable[..., T], *args: Any) -> Coroutine[Any, Any, T]:
    return asyncio.to_thread(function, *args)


# -- several volumes --------------------------------------------------------------------------------


def test_each_directory_is_a_volume_of_its_own(directories: list[Path]) -> None:
    volumes = [Volume(each) for each in directories]

    def write(url: str) -> None:
        with glusterio.connect(url) as volume, volume.open("name", "w") as file:
            file.write(url)

    async def check(daemon: Daemon) -> None:
        assert list(daemon.volumes) == ["one", "two", "three"]
        assert len({daemon.port, *(each.port for each in volumes)}) == 4
        assert len({each.volume_id for each in volumes}) == 3
        for name in daemon.volumes:
            await in_thread(write, daemon.url(name))

    for directory, url in zip(directories, serving(volumes, check), strict=True):
        assert (directory / "name").read_text() == url


def test_volumes_get_into_each_others_way(directories: list[Path], tmp_path: Path) -> None:
    one, two, _ = directories
    (tmp_path / "link").symlink_to(one)
    for volumes, why in (
        ([Volume(one, "a"), Volume(two, "a")], "two volumes of the name 'a'"),
        ([Volume(one, "a"), Volume(one, "b")], "cannot be served beside"),
        ([Volume(one), Volume(tmp_path / "link", "b")], "cannot be served beside"),
        ([Volume(one), Volume(tmp_path)], "which holds it"),
        ([], "no volume"),
    ):
        with pytest.raises(ValueError, match=why):
            Daemon(volumes)


@pytest.mark.parametrize("name", ["a b", "a/b", ".", "..", ".a", "a\nb", "`a`", "a" * 255])
def test_what_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"no name for a volume|no volfile can hold"):
        Volume(tmp_path, name)
    Volume(tmp_path, "a" * 254)


def test_no_directory_is_served_twice(directories: list[Path]) -> None:
    async def check(daemon: Daemon) -> None:
        with pytest.raises(OSError, match="served already"):
            await Brick(directories[0], port=0).start()

    serving([Volume(directories[0])], check)
    serving([Volume(directories[0])], lambda daemon: asyncio.sleep(0))  # it is free again


def test_one_that_cannot_start_keeps_the_others_from_it(
    directories: list[Path], tmp_path: Path
) -> None:
    one, two, three = directories
    (two / OPTIONS_FILE).parent.mkdir(parents=True)
    (two / OPTIONS_FILE).write_text("{")
    id_of_three = uuid.uuid4()
    serving([Volume(three, volume_id=id_of_three)], lambda daemon: asyncio.sleep(0))

    async def main() -> None:
        before = descriptors()
        for last, why in (
            (Volume(tmp_path / "gone"), "No such file or directory"),
            (Volume(two), "damaged"),
            (Volume(three, volume_id=uuid.uuid4()), str(id_of_three)),
        ):
            first = Volume(one)
            with pytest.raises((OSError, ValueError), match=why) as caught:
                await Daemon([first, last], port=0).start()
            assert caught.value.__notes__ == [f"volume {last.name}, directory {last.path}"]
            assert descriptors() == before
            assert not first.is_running
            with pytest.raises(ConnectionRefusedError):
                await in_thread(RawClient, first.port)

    asyncio.run(main())


def test_stopping_ends_even_when_something_hangs(
    directories: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A brick that does not end keeps neither the others nor the process."""
    monkeypatch.setattr(daemon_module, "STOPPING", 0.1)
    volumes = [Volume(each) for each in directories[:2]]

    async def main() -> None:
        daemon = Daemon(volumes, port=0)
        await daemon.start()
        server, graph = volumes[1].server, volumes[1]._graph
        assert graph is not None
        closing = server.close

        async def hang() -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(server, "close", hang)
        with caplog.at_level(logging.ERROR):
            assert not await daemon.stop()
        await closing()
        await server.run(graph.fini())
        assert not any(each.is_running for each in volumes)

    asyncio.run(main())
    assert "not everything has ended" in caplog.text


# -- options ----------------------------------------------------------------------------------------


def test_who_has_the_volfile_is_told_when_it_changes(directories: list[Path]) -> None:
    def told(client: RawClient) -> None:
        header = client.receive_call()
        asked = (header.program, header.version, header.procedure)
        assert asked == (*CALLBACK, CallbackProc.FETCHSPEC)

    def name_of(client: RawClient) -> str:
        host, port = client.sock.getsockname()
        return f"{host}:{port}"

    async def check(daemon: Daemon) -> None:
        with RawClient(daemon.port) as one, RawClient(daemon.port) as two:
            with RawClient(daemon.port) as gone:
                await in_thread(gone.getspec, "one")
                assert daemon.dump("one")["told_of_changes"] == [name_of(gone)]
            while daemon.dump("one")["told_of_changes"]:
                await asyncio.sleep(0.001)
            before = (await in_thread(one.getspec, "one")).spec
            other = (await in_thread(two.getspec, "/two")).spec
            assert daemon.dump("one")["told_of_changes"] == [name_of(one)]
            await daemon.change_options("one", {"performance.read-ahead": "on"})
            await in_thread(told, one)
            after = (await in_thread(one.getspec, "one")).spec
            assert "performance/read-ahead" in after
            # the other volume's client has heard nothing: the next thing it gets is an answer
            assert (await in_thread(two.getspec, "two")).spec == other
            await daemon.change_options("one", {"performance.read-ahead": "on"})  # nothing new
            await daemon.change_options("one", {"performance.read-ahead-page-count": "8"})
            await in_thread(told, one)
            await daemon.change_options("one", {"auth.allow": "127.*"})  # no concern of clients
            await daemon.change_options("one", dict.fromkeys(daemon.volumes["one"].options.given))
            await in_thread(told, one)
            assert (await in_thread(one.getspec, "one")).spec == before

    serving([Volume(each) for each in directories[:2]], check)


def test_options_outlive_a_restart(directories: list[Path]) -> None:
    async def change(daemon: Daemon) -> None:
        await daemon.change_options(
            "one", {"performance.io-cache": "on", "network.ping-timeout": "9"}
        )

    async def look(daemon: Daemon) -> None:
        with RawClient(daemon.port) as client:
            spec = (await in_thread(client.getspec, "one")).spec
        assert "performance/io-cache" in [each.type for each in parse(spec).volumes]
        assert to_the_brick(spec)["ping-timeout"] == "9"

    serving([Volume(directories[0])], change)
    serving([Volume(directories[0])], look)


def test_a_change_that_cannot_be_kept_is_not_made(
    directories: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(daemon: Daemon) -> None:
        with pytest.raises(OptionError, match="no option"):
            await daemon.change_options("one", {"performance.nonsense": "on"})
        with pytest.raises(KeyError):
            await daemon.change_options("other", {})
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", lambda *_: os.stat("/no/such/file"))
            with pytest.raises(FileNotFoundError):
                await daemon.change_options("one", {"performance.io-cache": "on"})
        assert daemon.volumes["one"].options.given == {}
        with RawClient(daemon.port) as client:
            assert "io-cache" not in (await in_thread(client.getspec, "one")).spec

    serving([Volume(directories[0])], check)


def test_a_disk_that_hangs_keeps_nobody_else(
    directories: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options are written down aside; changes of one volume wait for each other, in order."""
    one, two, _ = directories
    hanging, goes_on = threading.Event(), threading.Event()

    def store(directory: str, options: dict[str, str]) -> None:
        hanging.set()
        assert goes_on.wait(20)
        store_options(directory, options)

    async def check(daemon: Daemon) -> None:
        monkeypatch.setattr(volume_module, "store_options", store)
        changes: list[dict[str, str | None]] = [
            {"limits.fds": "7", "limits.locks": "8"},
            {"limits.fds": "9"},
            {"limits.locks": None},
        ]
        tasks = [asyncio.ensure_future(daemon.change_options("one", each)) for each in changes]
        await in_thread(hanging.wait, 20)
        with RawClient(daemon.volumes["two"].port) as client:
            await in_thread(client.setvolume, str(two))
            await in_thread(client.create, "served")
        wrong = asyncio.ensure_future(daemon.change_options("one", {"x": "y"}))
        goes_on.set()
        with pytest.raises(OptionError):  # in its turn
            await wrong
        await asyncio.gather(*tasks)
        assert daemon.volumes["one"].options.given == {"limits.fds": "9"}

    serving([Volume(one), Volume(two)], check)
    assert load_options(str(one)) == {"limits.fds": "9"}


def test_a_slow_disk_holds_up_its_own_volume_only(
    directories: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of its calls wait for it."""
    one, two, _ = directories
    goes_on = threading.Event()
    really = os.fsync

    def fsync(descriptor: int) -> None:
        if os.path.samefile(one / "file", f"/proc/self/fd/{descriptor}"):
            assert goes_on.wait(20)
        really(descriptor)

    async def check(daemon: Daemon) -> None:
        with (
            RawClient(daemon.volumes["one"].port) as waiting,
            RawClient(daemon.volumes["two"].port) as client,
        ):
            await in_thread(waiting.setvolume, str(one))
            made = await in_thread(waiting.create, "file")
            monkeypatch.setattr(os, "fsync", fsync)
            for _ in range(100):
                waiting.post(Fop.FSYNC, FsyncRequest(made.stat.gfid, made.fd, 0))
            while daemon.volumes["one"].dump()["pending"] < 100:
                await asyncio.sleep(0.001)
            await in_thread(client.setvolume, str(two))
            other = await in_thread(client.create, "file")
            request = FsyncRequest(other.stat.gfid, other.fd, 0)
            await in_thread(client.do, Fop.FSYNC, request)
            goes_on.set()
            for _ in range(100):
                reply, _ = await in_thread(waiting.take, Fop.FSYNC)
                assert reply.op_ret == 0

    serving([Volume(one), Volume(two)], check)


def test_access_counts_for_clients_that_are_connected(directories: list[Path]) -> None:
    path = str(directories[0])

    async def check(daemon: Daemon) -> None:
        port = daemon.volumes["one"].port
        with RawClient(port) as client, RawClient(port) as stranger:
            assert (await in_thread(client.setvolume, path)).op_ret == 0
            await daemon.change_options("one", {"auth.allow": "127.*,10.*"})
            await in_thread(client.create, "still there")
            await daemon.change_options("one", {"auth.reject": "127.0.0.1"})
            assert await in_thread(client.is_closed)
            refused = await in_thread(stranger.setvolume, path)  # it may hear why
            assert (refused.op_ret, refused.op_errno) == (-1, 13)
            await daemon.change_options("one", {"auth.reject": None})
            assert (await in_thread(stranger.setvolume, path)).op_ret == 0

    serving([Volume(directories[0])], check)


def test_access_by_the_name_of_a_host(directories: list[Path]) -> None:
    """Names are looked up, which may take long, while the others are served."""
    path = str(directories[0])

    async def check(daemon: Daemon) -> None:
        port = daemon.volumes["one"].port
        with RawClient(port) as client:
            assert (await in_thread(client.setvolume, path)).op_ret == 0
            await daemon.change_options("one", {"auth.allow": "localhost"})
            await in_thread(client.create, "still there")
            await daemon.change_options("one", {"auth.reject": "localhost"})
            assert await in_thread(client.is_closed)

    serving([Volume(directories[0])], check)


def test_a_volume_becomes_read_only_and_back(directories: list[Path]) -> None:
    """Under clients that are connected, and in files that are open; and it outlives a restart."""
    path = str(directories[0])

    def refused(function: Callable[..., Any], *args: Any) -> None:
        with pytest.raises(OSError, match="Read-only file system"):
            function(*args)

    async def check(daemon: Daemon) -> None:
        with RawClient(daemon.volumes["one"].port) as client:
            await in_thread(client.setvolume, path)
            made = await in_thread(client.create, "file")
            where = (made.stat.gfid, made.fd)
            await in_thread(client.write, *where, b"before")
            await daemon.change_options("one", {"features.read-only": "on"})
            await in_thread(refused, client.write, *where, b"within")
            await in_thread(refused, client.create, "other")
            await in_thread(refused, client.mkdir, "other")
            assert await in_thread(client.read, *where) == b"before"
            await daemon.change_options("one", {"features.read-only": "off"})
            await in_thread(client.write, *where, b"behind")
            await daemon.change_options("one", {"features.read-only": "on"})

    async def again(daemon: Daemon) -> None:
        with RawClient(daemon.volumes["one"].port) as client:
            await in_thread(client.setvolume, path)
            await in_thread(refused, client.create, "other")

    serving([Volume(directories[0])], check)
    serving([Volume(directories[0])], again)
    assert (directories[0] / "file").read_bytes() == b"behind"


def test_limits_count_from_now_on(directories: list[Path]) -> None:
    path = str(directories[0])

    async def check(daemon: Daemon) -> None:
        port = daemon.volumes["one"].port
        await daemon.change_options("one", {"limits.fds": "2", "limits.connections": "1"})
        with RawClient(port) as client, RawClient(port) as other:
            assert (await in_thread(client.setvolume, path)).op_ret == 0
            for name in ("a", "b"):
                await in_thread(client.create, name)
            with pytest.raises(OSError, match="Too many open files"):
                await in_thread(client.create, "c")
            assert (await in_thread(other.setvolume, path)).op_ret == -1
            await daemon.change_options("one", {"limits.connections": None})
            assert (await in_thread(other.setvolume, path)).op_ret == 0

    serving([Volume(directories[0])], check)


def test_the_limit_of_locks(directories: list[Path]) -> None:
    def lock(client: RawClient, made: Any, start: int) -> int:
        flock = Flock(LockType.WRITE, 0, start, 1, 1, ROOT.lk_owner)
        request = LkRequest(made.stat.gfid, made.fd, LockCommand.SETLK, LockType.WRITE, flock)
        reply, _ = client.fop(Fop.LK, request)
        return reply.op_errno if reply.op_ret < 0 else 0

    async def check(daemon: Daemon) -> None:
        with RawClient(daemon.volumes["one"].port) as client:
            await in_thread(client.setvolume, str(directories[0]))
            made = await in_thread(client.create, "file")
            await daemon.change_options("one", {"limits.locks": "2"})
            results = [await in_thread(lock, client, made, 2 * number) for number in range(3)]
            assert results == [0, 0, errno.ENOLCK]
            await daemon.change_options("one", {"limits.locks": None})
            assert await in_thread(lock, client, made, 100) == 0

    serving([Volume(directories[0])], check)


def test_stored_options_that_are_not_known(directories: list[Path]) -> None:
    """As a later version may leave them. The message says where they are."""
    store_options(str(directories[0]), {"performance.of-tomorrow": "on"})

    async def main() -> None:
        with pytest.raises(OptionError, match=r"no option 'performance\.of-tomorrow'.*\.json"):
            await Daemon([Volume(directories[0])], port=0).start()

    asyncio.run(main())


def test_a_client_that_does_not_listen_is_let_go(
    directories: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is told does not pile up; it comes back, and asks anew."""
    monkeypatch.setattr(daemon_module, "_UNREAD", 0)

    async def check(daemon: Daemon) -> None:
        with RawClient(daemon.port) as client:
            await in_thread(client.getspec, "one")
            (served,) = daemon.server.clients
            served.connection.queued_bytes += 1  # as if something could not be sent
            await daemon.change_options("one", {"performance.io-cache": "on"})
            assert await in_thread(client.is_closed)

    serving([Volume(directories[0])], check)


# -- the process ------------------------------------------------------------------------------------


def test_a_daemon_that_was_killed_leaves_its_directory_free(tmp_path: Path) -> None:
    with start_brick(tmp_path) as brick:
        os.kill(brick.pid, signal.SIGKILL)
        brick.wait()
    with start_brick(tmp_path):
        pass


# -- the control socket -------------------------------------------------------------------------------


def test_orders_that_make_no_sense(directories: list[Path], tmp_path: Path) -> None:
    """They are refused one by one, and the daemon goes on."""
    path = str(tmp_path / "control")

    def order(client: RawClient, procedure: int, request: ControlRequest) -> ControlReply:
        return decode(ControlReply, client.call(*CONTROL, procedure, encode(request)))

    def orders() -> None:
        one, option = "one", "performance.read-ahead"
        with RawClient(path) as client:
            for procedure, body, stat in (
                (ControlProc.SET, b"\0\0", AcceptStat.GARBAGE_ARGS),
                (ControlProc.SET, b"\xff" * 64, AcceptStat.GARBAGE_ARGS),
                (ControlProc.NULL, b"", AcceptStat.PROC_UNAVAIL),
                (99, b"", AcceptStat.PROC_UNAVAIL),
            ):
                client.send(*CONTROL, procedure, body)
                assert client.receive()[0].accept_stat == stat
            for procedure, request, code in (
                (ControlProc.SET, ControlRequest("", {option: "on"}), errno.ENOENT),
                (ControlProc.SET, ControlRequest("two", {option: "on"}), errno.ENOENT),
                (ControlProc.SET, ControlRequest(one, {option: b"\xff\xfe\0"}), errno.EINVAL),
                (ControlProc.SET, ControlRequest(one, {"\udcff\n": "on"}), errno.EINVAL),
                (ControlProc.SET, ControlRequest(one, {option: "on", "": ""}), errno.EINVAL),
                (ControlProc.RESET, ControlRequest(one, {"x": ""}), errno.EINVAL),
                (ControlProc.STATEDUMP, ControlRequest("/", {}), errno.ENOENT),
            ):
                reply = order(client, procedure, request)
                assert (reply.op_ret, reply.op_errno, reply.answer) == (-1, code, "")
                assert reply.error
            found = json.loads(order(client, ControlProc.VOLUMES, ControlRequest()).answer)
            assert [each["options"] for each in found["volumes"]] == [{}]

    async def check(daemon: Daemon) -> None:
        assert daemon.listen_for_control(path) == path
        with pytest.raises(OSError, match="in use"):
            daemon.listen_for_control(path)
        await in_thread(orders)

    serving([Volume(directories[0])], check)
    assert not os.path.exists(path)


# -- where control sockets are ------------------------------------------------------------------------


def test_runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = tmp_path / "session"
    session.mkdir(mode=0o700)
    user = os.geteuid() or 1234
    os.chown(session, user, -1)
    without = f"/tmp/glusterio-{user}"
    monkeypatch.delenv("GLUSTERIO_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    assert runtime_directory() == f"{session}/glusterio"
    session.chmod(0o770)  # others could put a socket of their own there
    assert runtime_directory() == without
    for no_session in ("session", str(tmp_path / "none"), ""):
        monkeypatch.setenv("XDG_RUNTIME_DIR", no_session)
        assert runtime_directory() == without
    session.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)  # the session is another user's
    assert runtime_directory() == f"/tmp/glusterio-{user + 1}"
    monkeypatch.setattr(os, "geteuid", lambda: 0)  # as a service, and in a session
    assert runtime_directory() == "/run/glusterio"


def test_a_runtime_directory_is_made_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, others, link = tmp_path / "given", tmp_path / "others", tmp_path / "link"
    others.mkdir()
    others.chmod(0o777)
    link.symlink_to(given)
    for _ in range(2):
        monkeypatch.setenv("GLUSTERIO_RUNTIME_DIR", str(given))
        assert make_runtime_directory() == str(given)
        assert given.stat().st_mode & 0o777 == 0o700
    for bad in (others, link):
        monkeypatch.setenv("GLUSTERIO_RUNTIME_DIR", str(bad))
        with pytest.raises(PermissionError, match="only its owner"):
            make_runtime_directory()


def test_ipv6(directories: list[Path]) -> None:
    def use(url: str) -> None:
        with glusterio.connect(url) as volume, volume.open("name", "w") as file:
            file.write("six")

    async def main() -> None:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
        async with Daemon([Volume(directories[0], host="::1")], host="::1", port=0) as daemon:
            url = daemon.url("one")
            assert url == f"gluster://[::1]:{daemon.port}/one"
            await in_thread(use, url)

    asyncio.run(main())
    assert (directories[0] / "name").read_text() == "six"
