"""Every trouble really made, and what the doctor says of it."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import glusterio
from glusterio.api.url import parse_url
from glusterio.brick.access import Access
from glusterio.brick.connection import Connection, Programs, SimpleProgram
from glusterio.brick.limits import Limits
from glusterio.cli.doctor import FAILED, OK, WARNING, Doctor, Finding
from glusterio.cli.remedies import Trouble
from glusterio.runtime.serve import Server
from glusterio.wire.programs import FOPS, HANDSHAKE, Program
from tests.brick.inside import InsideBrick
from tests.brick.raw import accepted
from tests.certificates import Authority
from tests.cli.conftest import run_command
from tests.embedded import BrickProcess, start_brick

CERTIFICATE = Path(__file__).parent / "tls_server.pem"
PATIENCE = 0.4


def examine(url: str, path: str = "", patience: float = 5.0) -> tuple[bool, list[Finding]]:
    findings: list[Finding] = []
    doctor = Doctor(patience, findings.append)
    usable = asyncio.run(doctor.examine(parse_url(url), path))
    return usable, findings


def trouble(url: str, path: str = "", patience: float = 5.0) -> tuple[str, Trouble | None]:
    """The step that failed, as the last one, and what the trouble is."""
    usable, findings = examine(url, path, patience)
    assert not usable
    assert [each.verdict for each in findings].count(FAILED) == 1
    last = findings[-1]
    assert last.verdict == FAILED
    assert last.said
    return last.step, last.trouble


@pytest.fixture(scope="module")
def brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrickProcess]:
    with start_brick(tmp_path_factory.mktemp("served")) as process:
        yield process


# -- when all is well ---------------------------------------------------------------------------------


def test_volume_that_can_be_used(brick: BrickProcess) -> None:
    usable, findings = examine(brick.url)
    assert usable
    assert {each.verdict for each in findings} == {OK}
    steps = [each.step for each in findings]
    for step in ("name", "connect", "programs", "getspec", "graph", "portmap", "setvolume", "ping"):
        assert step in steps


def test_by_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "glusterd.socket"
    (tmp_path / "served").mkdir()
    with start_brick(tmp_path / "served", "vol", "--unix", str(path)):
        assert examine(f"gluster+unix:///vol?socket={path}")[0]
    assert trouble(f"gluster+unix:///vol?socket={path}") == ("connect", Trouble.NO_SOCKET)


def test_directory_without_a_server(tmp_path: Path) -> None:
    assert examine(f"embedded://{tmp_path}")[0]
    assert trouble(f"embedded://{tmp_path}/none") == ("directory", Trouble.UNREADABLE)


# -- the management daemon ----------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_unknown_host() -> None:
    assert trouble("gluster://no.such.host.invalid/vol") == ("name", Trouble.UNKNOWN_HOST)


def test_closed_port() -> None:
    assert trouble(f"gluster://127.0.0.1:{free_port()}/vol") == ("connect", Trouble.NOBODY_LISTENS)


def test_port_that_swallows_everything() -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # more than it takes: what comes now is dropped
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect(full.getsockname())
        url = f"gluster://127.0.0.1:{full.getsockname()[1]}/vol"
        assert trouble(url, patience=PATIENCE) == ("connect", Trouble.BLACK_HOLE)


@contextlib.contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve connections one after the other, each by a function; its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def run() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with sock, contextlib.suppress(OSError):
                    serve(sock)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"gluster://127.0.0.1:{listener.getsockname()[1]}/vol"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def silence(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def closing(sock: socket.socket) -> None:
    sock.recv(1)


def banner(sock: socket.socket) -> None:
    sock.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    sock.recv(65536)


def tls(sock: socket.socket) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with contextlib.suppress(ssl.SSLError), context.wrap_socket(sock, server_side=True) as wrapped:
        wrapped.recv(65536)


@pytest.mark.parametrize(
    ("serve", "kind"),
    [
        (silence, Trouble.SILENT),
        (closing, Trouble.CLOSED),
        (banner, Trouble.NOT_RPC),
        (tls, Trouble.TLS),
    ],
)
def test_what_is_no_gluster(serve: Callable[[socket.socket], None], kind: Trouble) -> None:
    with serving(serve) as url:
        assert trouble(url, patience=PATIENCE) == ("programs", kind)


def test_web_server() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"gluster://127.0.0.1:{server.server_address[1]}/vol"
        assert trouble(url, patience=PATIENCE) == ("programs", Trouble.HTTP)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    timeout = 5

    def log_message(self, *_: object) -> None: ...


def test_brick_instead_of_the_daemon(brick: BrickProcess) -> None:
    url = f"gluster://127.0.0.1:{brick.brick_port}/vol"
    assert trouble(url) == ("programs", Trouble.NOT_MANAGEMENT)


def test_unknown_volume(brick: BrickProcess) -> None:
    url = f"gluster://127.0.0.1:{brick.port}/other"
    assert trouble(url) == ("getspec", Trouble.UNKNOWN_VOLUME)


def test_one_of_several_servers_is_enough(brick: BrickProcess) -> None:
    usable, findings = examine(f"gluster://127.0.0.1:{free_port()},127.0.0.1:{brick.port}/vol")
    assert usable
    assert [each.trouble for each in findings if each.verdict != OK] == [Trouble.NOBODY_LISTENS]
    assert [each.verdict for each in findings if each.verdict != OK] == [WARNING]


# -- the volfile --------------------------------------------------------------------------------------

CLIENT = """\
volume brick
  type protocol/client
  option remote-host 127.0.0.1
  option remote-port {port}
  option remote-subvolume {path}
  {more}
end-volume
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "client.vol"
    path.write_text(text)
    return f"volfile://{path}"


def test_volfile_that_is_not_there(tmp_path: Path) -> None:
    assert trouble(f"volfile://{tmp_path}/none.vol") == ("volfile", Trouble.UNREADABLE)


def test_volfile_that_does_not_parse(tmp_path: Path) -> None:
    url = written(tmp_path, "volume x\n  type protocol/client\n")
    assert trouble(url) == ("graph", Trouble.BROKEN_VOLFILE)


def test_volume_of_parts_that_are_not_known(tmp_path: Path) -> None:
    text = CLIENT.format(port=1, path="/b", more="")
    text += "volume top\n  type cluster/disperse\n  subvolumes brick\nend-volume\n"
    usable, findings = examine(written(tmp_path, text))
    assert not usable
    assert findings[-1].trouble is Trouble.UNSUPPORTED
    assert findings[-1].said == "cluster/disperse (top)"


def test_volfile_that_wants_tls(tmp_path: Path) -> None:
    more = "option transport.socket.ssl-enabled on"
    url = written(tmp_path, CLIENT.format(port=1, path="/b", more=more))
    assert trouble(url) == ("connect", Trouble.TLS_FILES)


def test_tls(tmp_path: Path) -> None:
    authority, strangers = Authority(tmp_path / "authority"), Authority(tmp_path / "strangers")
    server, stranger = authority.vouch("server"), strangers.vouch("client")
    (tmp_path / "served").mkdir()
    with InsideBrick(tmp_path / "served") as brick:
        files = {"ssl.own-cert": server.certificate, "ssl.private-key": server.key}
        on = {"server.ssl": "on", "client.ssl": "on", "ssl.ca-list": server.authorities}
        brick.set_options({**files, **on})
        usable, findings = examine(brick.brick.url)
        assert usable
        assert any("by TLS" in each.said for each in findings)
        with glusterio.connect(brick.brick.url) as vol:
            text = vol.volfile
        ours = tmp_path / "ours.vol"

        def verdict(*changes: tuple[str, str]) -> Trouble | None:
            changed = text
            for old, new in changes:
                changed = changed.replace(old, new)
            ours.write_text(changed)
            return examine(f"volfile://{ours}")[1][-1].trouble

        assert verdict() is None
        certificate = server.certificate, stranger.certificate
        authorities = server.authorities, stranger.authorities
        assert verdict(authorities) is Trouble.ITS_CERTIFICATE
        assert verdict(certificate) is Trouble.TLS_FILES
        key = server.key, stranger.key
        assert verdict(certificate, key) is Trouble.OUR_CERTIFICATE
        brick.set_options({"client.ssl": "off"})
        assert trouble(brick.brick.url) == ("programs", Trouble.TLS)
        brick.set_options({"server.ssl": "off"})
        assert verdict() is Trouble.NO_TLS


# -- the brick ----------------------------------------------------------------------------------------


def test_brick_that_does_not_run(tmp_path: Path, brick: BrickProcess) -> None:
    url = written(tmp_path, CLIENT.format(port=brick.port, path="/other", more=""))
    assert trouble(url) == ("portmap", Trouble.BRICK_DOWN)
    url = written(tmp_path, CLIENT.format(port=free_port(), path="/other", more=""))
    assert trouble(url) == ("connect", Trouble.NOBODY_LISTENS)


def test_brick_that_speaks_tls(tmp_path: Path) -> None:
    with serving(tls) as other:
        port = parse_url(other).servers[0][1]
        url = written(tmp_path, CLIENT.format(port=port, path="/b", more=""))
        assert trouble(url, patience=PATIENCE) == ("programs", Trouble.TLS)


def test_another_brick(tmp_path: Path, brick: BrickProcess) -> None:
    url = written(tmp_path, CLIENT.format(port=brick.brick_port, path="/other", more=""))
    assert trouble(url) == ("setvolume", Trouble.ANOTHER_BRICK)


def test_directory_for_the_root_that_is_not_there(tmp_path: Path, brick: BrickProcess) -> None:
    more = "option subdir-mount /none"
    text = CLIENT.format(port=brick.brick_port, path=brick.directory, more=more)
    assert trouble(written(tmp_path, text)) == ("setvolume", Trouble.NO_DIRECTORY)


@pytest.mark.parametrize(
    ("access", "limits", "kind"),
    [
        (Access(allow=["10.*"]), None, Trouble.NOT_ALLOWED),
        (Access(reject=["127.0.0.1"]), None, Trouble.NOT_ALLOWED),
        (None, Limits(connections=1), Trouble.TOO_MANY),
    ],
)
def test_refused(
    tmp_path: Path, access: Access | None, limits: Limits | None, kind: Trouble
) -> None:
    with InsideBrick(tmp_path, limits, access=access) as inside, contextlib.ExitStack() as stack:
        if limits is not None:
            stack.enter_context(inside.connect())
        assert trouble(inside.brick.url) == ("setvolume", kind)


def test_login(tmp_path: Path) -> None:
    with InsideBrick(tmp_path, access=Access(login=("user", "secret"))) as inside:
        assert examine(inside.brick.url)[0]  # the volfile has it
        more = "option username user\n  option password wrong"
        text = CLIENT.format(port=inside.brick_port, path=tmp_path, more=more)
        assert trouble(written(tmp_path, text)) == ("setvolume", Trouble.NOT_ALLOWED)


def test_source_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with InsideBrick(tmp_path, access=Access(insecure=False)) as inside:
        if os.geteuid() == 0:
            usable, findings = examine(inside.brick.url)
            assert usable
            assert any("below 1024" in each.said for each in findings)
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
        assert trouble(inside.brick.url) == ("setvolume", Trouble.DENIED)


def test_brick_that_is_starting(tmp_path: Path) -> None:
    with InsideBrick(tmp_path) as inside:
        text = CLIENT.format(port=inside.brick_port, path=tmp_path, more="")
        inside.brick._volume._offer.ready = False
        assert trouble(written(tmp_path, text)) == ("setvolume", Trouble.STARTING)
        inside.brick._volume._offer.ready = True


@pytest.mark.parametrize(
    ("offered", "kind"),
    [
        ([HANDSHAKE, Program(FOPS.number, 330)], Trouble.VERSION),
        ([HANDSHAKE], Trouble.NO_PROGRAM),
    ],
)
def test_other_versions(tmp_path: Path, offered: list[Program], kind: Trouble) -> None:
    async def main() -> None:
        programs = Programs([SimpleProgram("old", each, {}) for each in offered])
        server = Server(lambda endpoint: Connection(endpoint, programs))
        try:
            port = await server.listen("127.0.0.1", 0)
            url = written(tmp_path, CLIENT.format(port=port, path="/b", more=""))
            findings: list[Finding] = []
            assert not await Doctor(5.0, findings.append).examine(parse_url(url))
            assert (findings[-1].step, findings[-1].trouble) == ("programs", kind)
        finally:
            await server.close()

    asyncio.run(main())


# -- who holds what -----------------------------------------------------------------------------------


def test_what_is_held_of_a_file(brick: BrickProcess) -> None:
    with accepted(brick) as one, accepted(brick) as two:
        directory = one.mkdir("d")
        made = one.create("f", directory)
        two.create("g", directory)
        usable, findings = examine(brick.url, "d/f")
        assert usable
        told = next(each for each in findings if each.step == "held")
        assert told.said == "1 fds, 0 posix locks, 0 inode locks, 0 entry locks"
        one.release(made.stat.gfid, made.fd)
        _, findings = examine(brick.url, "d/f")
        assert next(each for each in findings if each.step == "held").said.startswith("0 fds")
    assert trouble(brick.url, "d/none") == ("held", Trouble.NO_FILE)


def test_who_holds_it(tmp_path: Path) -> None:
    """A daemon of ours that takes orders here is asked for its statedump."""
    with InsideBrick(tmp_path) as inside:
        inside.ask(inside.brick.daemon.listen_for_control)
        with (
            inside.connect(process_name="fio") as one,
            inside.connect(process_name="idle"),
        ):
            one.create("f")
            one.create("g")
            _, findings = examine(inside.brick.url)
            told = findings[-1]
            assert (told.step, told.said) == ("clients", "2 fds and 0 locks in all")
            clients = told.more["clients"]
            assert isinstance(clients, list)
            assert [(each["process"], each["fds"]) for each in clients] == [("fio", 2), ("idle", 0)]
            assert [each["path"] for each in clients[0]["open"]] == ["/f", "/g"]
            done = run_command("doctor", f"{inside.brick.url}/g").check()
            assert "(fio): 2 fds, 0 locks, 0 calls: /g" in done.text


# -- the command --------------------------------------------------------------------------------------


def test_command(brick: BrickProcess) -> None:
    lines = run_command("doctor", brick.url).check().text.splitlines()
    assert lines[-1] == "the volume can be used"
    assert all(line.startswith("ok ") for line in lines[:-1])


def test_command_that_finds_trouble(brick: BrickProcess) -> None:
    done = run_command("doctor", f"gluster://127.0.0.1:{brick.port}/other")
    assert (done.code, done.err) == (1, "")
    assert "failed  getspec" in done.text
    assert "it means  the management daemon has no volume of this name" in done.text
    assert "to do     check the spelling" in done.text
    assert done.text.endswith("the volume cannot be used\n")


def test_command_in_json(brick: BrickProcess) -> None:
    done = run_command("doctor", "--json", f"gluster://127.0.0.1:{brick.port}/other")
    assert done.code == 1
    *steps, end = map(json.loads, done.text.splitlines())
    assert end == {"step": "end", "usable": False}
    assert (steps[-1]["verdict"], steps[-1]["trouble"]) == ("failed", "UNKNOWN_VOLUME")
    assert steps[-1]["advice"]


def test_the_doctor_is_right(brick: BrickProcess) -> None:
    """What it calls usable can be connected to, and what not cannot."""
    glusterio.connect(brick.url).close()
    with pytest.raises(glusterio.VolumeNotFoundError):
        glusterio.connect(f"gluster://127.0.0.1:{brick.port}/other")
