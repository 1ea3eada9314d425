"""`glusterio volume` and `glusterio statedump` on a running daemon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

import glusterio as library
from glusterio.brick.control_socket import control_paths
from glusterio.brick.option_table import OPTIONS
from glusterio.cli import output, volume
from glusterio.cli.daemons import Choice, question
from glusterio.cli.errors import CommandError
from glusterio.cli.interrupts import run
from glusterio.cli.statedump import statedump
from glusterio.wire.programs import ControlProc
from tests.cli.conftest import PATIENCE, Run
from tests.cli.test_serve import serving


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A daemon with the volumes `a` and `b`: its port and the path of its control socket."""
    place = tmp_path_factory.mktemp("volumes")
    for name in ("a", "b"):
        (place / name).mkdir()
    with serving(place / "a", place / "b") as (process, url):
        port = url.split(":")[2].partition("/")[0]
        (control,) = control_paths(int(port))
        yield port, control
        process.terminate()
        process.wait(PATIENCE)
    assert not os.path.exists(control)


class Asked:
    """The commands' functions in this process: a process for each would take its time."""

    def __init__(self, control: str, capsys: pytest.CaptureFixture[str]) -> None:
        self._choice = Choice(control)
        self._capsys = capsys

    def __call__(self, function: Callable[..., Coroutine[Any, Any, None]], *words: Any) -> Any:
        """Return what a command tells programs."""
        run(function(self._choice, *words))
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]

    def text(self, function: Callable[..., Coroutine[Any, Any, None]], *words: Any) -> str:
        """Return what a command tells people."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(output, "as_json", False)
            run(function(self._choice, *words))
        return self._capsys.readouterr().out


@pytest.fixture
def asked(
    daemon: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Asked:
    monkeypatch.setattr(output, "as_json", True)
    return Asked(daemon[1], capsys)


def test_the_commands(daemon: tuple[str, str], glusterio: Run) -> None:
    port, control = daemon
    option = "performance.read-ahead-page-count"
    assert glusterio("volume", "list", "--port", port).check().text.split() == ["a", "b"]
    assert glusterio("volume", "set", "a", option, "8").check().text.split() == [option, "8"]
    told = glusterio("volume", "get", "a", option, "--control", control, "--json").check()
    assert json.loads(told.text)["value"] == "8"
    assert glusterio("volume", "reset", "a").check().text.split() == [option, "4", "(default)"]
    assert "volume=b\n" in glusterio("statedump", "b").check().text
    (line,) = glusterio("volume", "set", "a", "performance.read-ahea", "on").failed()
    assert line.startswith("there is no option 'performance.read-ahea'; did you mean performance.")


def test_list_of_the_options(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    volume.list_options()
    text = capsys.readouterr().out
    assert all(option.what in text for option in OPTIONS.values())
    monkeypatch.setattr(output, "as_json", True)
    volume.list_options()
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["name"] for each in told] == list(OPTIONS)


def test_what_is_served(daemon: tuple[str, str], asked: Asked) -> None:
    port, control = daemon
    assert [each["name"] for each in asked(volume.list_volumes)] == ["a", "b"]
    one, two = asked(volume.info, None)
    assert (one["name"], two["name"]) == ("a", "b")
    assert one["url"] == f"gluster://127.0.0.1:{port}/a"
    assert one["control"] == control
    assert asked(volume.info, "b") == [two]
    text = asked.text(volume.info, "a")
    assert one["volume_id"] in text
    assert one["directory"] in text


def test_options(daemon: tuple[str, str], asked: Asked) -> None:
    words = ("performance.read-ahead", "on", "performance.read-ahead-page-count", "8")
    told = asked(volume.change, "a", words)
    assert [each["value"] for each in told] == ["on", "8"]
    assert asked(volume.info, "a")[0]["options"] == {words[0]: words[1], words[2]: words[3]}
    (told,) = asked(volume.get, "a", [words[0]])
    assert (told["value"], told["is_set"]) == ("on", True)
    assert {each["name"]: each["value"] for each in asked(volume.get, "b", [])} == {
        name: option.default for name, option in OPTIONS.items()
    }
    asked(volume.reset, "a", [words[0]])
    assert asked(volume.info, "a")[0]["options"] == {words[2]: words[3]}
    assert asked.text(volume.reset, "a", []).split() == [words[2], "4", "(default)"]
    assert asked(volume.info, "a")[0]["options"] == {}
    library.connect(f"gluster://127.0.0.1:{daemon[0]}/a").close()


@pytest.mark.parametrize(
    ("function", "words", "why"),
    [
        (volume.change, ("a", ["performance.read-ahead", "maybe"]), "neither on nor off"),
        (volume.change, ("a", ["performance.read-ahead"]), "has no value"),
        (volume.change, ("c", ["performance.read-ahead", "on"]), "no volume 'c'; there is a, b"),
        (volume.get, ("a", ["nonsense"]), "there is no option 'nonsense'"),
        (volume.reset, ("a", ["nonsense"]), "there is no option 'nonsense'"),
        (volume.info, ("c",), "there is no volume 'c'"),
        (volume.status, ("c",), "there is no volume 'c'"),
        (statedump, ("c",), "there is no volume 'c'"),
    ],
)
def test_what_cannot_be_done(asked: Asked, function: Any, words: tuple[Any, ...], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        asked(function, *words)


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (Choice(None, 1), "no daemon is running on port 1: none has a control socket in /"),
        (Choice("/no/such/socket"), "no daemon answers on /no/such/socket: No such file"),
        (Choice("/dev/null"), "no daemon answers on /dev/null: Connection refused"),
    ],
)
def test_nobody_there(choice: Choice, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        run(volume.list_volumes(choice))


def test_a_volume_that_the_daemon_does_not_know(daemon: tuple[str, str]) -> None:
    for procedure in (ControlProc.GET, ControlProc.SET, ControlProc.RESET, ControlProc.STATEDUMP):
        with pytest.raises(CommandError, match="there is no volume 'c'"):
            run(question(daemon[1], procedure, "c"))


def test_state(daemon: tuple[str, str], asked: Asked) -> None:
    with (
        library.connect(f"gluster://127.0.0.1:{daemon[0]}/a") as connected,
        connected.open("opened", "w") as file,
    ):
        file.write("x")
        file.flush()
        one, two = asked(statedump, None)
        assert (one["volume"], one["fds"], two["volume"], two["fds"]) == ("a", 1, "b", 0)
        assert "path=/opened\n" in asked.text(statedump, "a")
        (status,) = asked(volume.status, "a")
        assert (status["clients"], status["fds"]) == (1, 1)
        assert "clients: 1" in asked.text(volume.status, "a")


def test_two_daemons_with_a_volume_of_one_name(daemon: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with serving(tmp_path / "a") as (process, url):
        port = int(url.split(":")[2].partition("/")[0])
        with pytest.raises(CommandError, match="several daemons serve a volume 'a'") as caught:
            run(volume.reset(Choice(), "a", []))
        assert f"--port {port}" in str(caught.value)
        run(volume.reset(Choice(None, port), "a", []))
        process.kill()  # what it leaves behind is not in the way, and goes with the next one
        process.wait(PATIENCE)
        (left,) = control_paths(port)
        run(volume.reset(Choice(), "a", []))
    with serving(tmp_path / "a", "--port", str(port)) as (process, _):
        run(volume.list_volumes(Choice(left)))
        process.terminate()
        process.wait(PATIENCE)
    assert not os.path.exists(left)


OTHER_USER = """
import asyncio, os, sys
from glusterio.cli.daemons import ControlProc, question
os.setresuid(65534, 65534, 65534)
asyncio.run(question(sys.argv[1], ControlProc.VOLUMES))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_orders_of_other_users_are_refused() -> None:
    """Even where the file's permissions let them in."""
    with (
        tempfile.TemporaryDirectory(prefix="glusterio-") as directory,
        tempfile.TemporaryDirectory(prefix="glusterio-") as served,
    ):
        os.chmod(directory, 0o755)
        control = f"{directory}/control"
        with serving(served, "--control", control):
            for mode, said in ((0o666, "from its own user and from root only"), (0o600, "denied")):
                os.chmod(control, mode)
                done = subprocess.run(
                    [sys.executable, "-c", OTHER_USER, control],
                    capture_output=True,
                    timeout=PATIENCE,
                )
                assert done.returncode == 1
                assert said in done.stderr.decode()


def test_a_runtime_directory_that_others_may_write(tmp_path: Path) -> None:
    """A socket there could be anybody's."""
    (tmp_path / "run").mkdir(mode=0o777)
    (tmp_path / "run").chmod(0o777)
    (tmp_path / "d").mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GLUSTERIO_RUNTIME_DIR", str(tmp_path / "run"))
        with serving(tmp_path / "d") as (process, url):
            library.connect(url).close()  # it serves all the same
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=PATIENCE)
    assert b"`glusterio volume` will not reach this" in err
    assert list((tmp_path / "run").iterdir()) == []
