"""What a shell is offered when somebody presses the tabulator."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import PATIENCE, Result, Run
from tests.embedded import BrickProcess


@pytest.fixture
def root(root: Path) -> Path:
    (root / "dir" / "inside").mkdir(parents=True)
    (root / "dir" / "file").touch()
    (root / "document").touch()
    (root / "with space").touch()
    (root / "with=sign:s").touch()
    (root / ".hidden").touch()
    Path(os.fsdecode(os.fsencode(root) + b"/doc\xff")).touch()
    (root / "doc\nline").touch()
    return root


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A search path with `glusterio` in it."""
    command = tmp_path / "bin" / "glusterio"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -W error -m glusterio.cli "$@"\n')
    command.chmod(0o755)
    return f"{command.parent}:{os.environ['PATH']}"


BREAKS = str.maketrans({":": "\n:\n", "=": "\n=\n"})


def pieces(line: str) -> list[str]:
    """How bash cuts a line into words."""
    *words, last = [word.translate(BREAKS).split("\n") for word in line.split(" ")]
    return [piece for word in [*words, last[:-1]] for piece in word if piece] + [last[-1]]


@pytest.fixture
def in_bash(gl: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """What bash is told behind a line."""

    def complete(line: str) -> list[str]:
        words = pieces(line)
        monkeypatch.setenv("_GLUSTERIO_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        return [line for line in gl().check().text.splitlines() if line]

    return complete


@pytest.fixture
def in_other(gl: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """What another shell is told."""

    def complete(shell: str, line: str, action: str = "") -> Result:
        monkeypatch.setenv("_GLUSTERIO_COMPLETE", f"complete_{shell}")
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", action)
        return gl()

    return complete


@pytest.mark.usefixtures("root")
def test_bash_itself(path: str, place: str) -> None:
    # bash replaces what is behind the last ":", so that is what it has to be offered
    rest = place.rpartition(":")[2]
    program = """
        source <(glusterio --show-completion bash)
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _glusterio_completion glusterio
        printf "%s\\n" "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", program, "bash", *pieces(f"glusterio cat {place}/with")],
        env={**os.environ, "PATH": path, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [f"{rest}/with\\ space", f"{rest}/with=sign:s"]


@pytest.mark.usefixtures("root")
def test_bash(in_bash: Callable[[str], list[str]], place: str) -> None:
    rest = place.rpartition(":")[2]
    assert in_bash(f"glusterio ls {place}/d") == [f"{rest}/dir/", f"{rest}/document"]
    assert in_bash(f"glusterio cp -r here {place}/dir/") == [
        f"{rest}/dir/file",
        f"{rest}/dir/inside/",
    ]
    assert in_bash(f"glusterio cat {place}/with=s") == ["sign:s"]
    assert in_bash("glusterio ls gl") == ["gluster://", "gluster+tls://", "gluster+unix:///"]
    assert "--recursive" in in_bash("glusterio rm --r")
    assert in_bash("glusterio check") == ["checksum"]


@pytest.mark.usefixtures("root")
def test_zsh_and_fish(in_other: Callable[..., Result], place: str) -> None:
    escaped = place.replace(":", r"\\:")
    assert in_other("zsh", f"glusterio ls {place}/di").text.splitlines() == [
        f'_arguments \'*: :(("{escaped}/dir/"',
        f'"{escaped}/dir/file"',
        f'"{escaped}/dir/inside/"))\'',
    ]
    told = in_other("fish", f"glusterio ls {place}/d", "get-args").text
    assert told.splitlines() == [f"{place}/dir/", f"{place}/document"]
    result = in_other("fish", "glusterio cp loc", "is-args")
    assert (result.code, result.out) == (1, b"")  # let fish offer files


def test_with_an_url_that_ends_with_a_hash(
    in_bash: Callable[[str], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "one").touch()
    url = f"embedded://{tmp_path}/served"
    assert in_bash(f"glusterio ls {url}#/o") == [f"//{tmp_path}/served#/one"]
    assert in_bash(f"glusterio ls {url}") == []


def test_what_does_not_answer_is_no_news(
    in_bash: Callable[[str], list[str]],
    place: str,
    brick: BrickProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("glusterio.cli.completion.PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert in_bash(f"glusterio ls gluster://127.0.0.1:{port}/vol/d") == []
    assert in_bash(f"glusterio ls gluster://127.0.0.1:{port}/vol/d") == []
    assert in_bash(f"glusterio ls {place}/no/such/d") == []
    assert in_bash("glusterio ls nfs://server/d") == []
    brick.wait_for(fds=0)


def test_it_is_installed(path: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        ["bash", "-c", "glusterio --install-completion; exit $?"],
        env={"PATH": path, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    script = home / ".bash_completions" / "glusterio.sh"
    assert "_glusterio_completion" in script.read_text()
    assert "%q" in script.read_text()
    assert str(script) in (home / ".bashrc").read_text()


def test_the_help_tells_of_it(gl: Run) -> None:
    assert "--install-completion" in gl("--help").check().text


def test_a_configuration_of_the_specification(in_bash: Callable[[str], list[str]]) -> None:
    assert in_bash("glusterio verify FdLifecycle/no-") == [
        "FdLifecycle/no-drain",
        "FdLifecycle/no-drain-from-new",
    ]
