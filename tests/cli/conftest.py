"""The `glusterio` command as a process of its own, and a volume for it to work on."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

import glusterio as library
from tests.embedded import BrickProcess, start_brick

PATIENCE = 50.0


@pytest.fixture(scope="session", autouse=True)
def _runtime_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Control sockets of daemons of the tests are their own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GLUSTERIO_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        yield


COMMAND = [sys.executable, "-m", "glusterio.cli"]


@dataclass(frozen=True)
class Result:
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    def check(self) -> Result:
        assert (self.code, self.err) == (0, "")
        return self

    @property
    def records(self) -> list[dict[str, Any]]:
        """What `--json` printed."""
        return [json.loads(line) for line in self.text.splitlines()]

    def errors(self, code: int = 1) -> list[dict[str, Any]]:
        """It failed, and said why with `--json`."""
        assert self.code == code, self.err
        return [json.loads(line) for line in self.err.splitlines()]

    def failed(self, code: int = 1) -> list[str]:
        """It failed, and said why in a line each, and nothing else."""
        assert self.code == code
        assert "Traceback" not in self.err
        lines = self.err.splitlines()
        assert all(line.startswith("glusterio: ") for line in lines), self.err
        return [line.removeprefix("glusterio: ") for line in lines]


class Run(Protocol):
    def __call__(self, *words: str | os.PathLike[str]) -> Result: ...


def run_command(*words: str | os.PathLike[str], cwd: Path | None = None) -> Result:
    done = subprocess.run(
        [*COMMAND, *(os.fspath(word) for word in words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        cwd=cwd,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    return Result(done.returncode, done.stdout, done.stderr.decode(errors="surrogateescape"))


@pytest.fixture
def glusterio(tmp_path: Path) -> Run:
    """Run `glusterio WORDS...` in `tmp_path`."""

    def run(*words: str | os.PathLike[str]) -> Result:
        return run_command(*words, cwd=tmp_path)

    return run


def call_command(*words: str | os.PathLike[str]) -> Result:
    """As `run_command`, in this very process, which is quicker."""
    from glusterio.cli import errors, output
    from glusterio.cli.app import run_app

    code = 0
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        streams = [
            io.TextIOWrapper(raw, encoding="utf-8", write_through=True) for raw in (out, err)
        ]
        with (
            contextlib.redirect_stdout(streams[0]),
            contextlib.redirect_stderr(streams[1]),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("error")
            output.prepare_streams()
            try:
                run_app([os.fspath(word) for word in words])
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
            finally:
                output.as_json = errors.debug_everywhere = False
        for stream in streams:
            stream.flush()
            stream.seek(0)
        result = Result(code, out.read(), err.read().decode(errors="surrogateescape"))
        for stream in streams:
            stream.detach()
    return result


@pytest.fixture
def gl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `glusterio WORDS...` in `tmp_path`, in this very process."""
    monkeypatch.chdir(tmp_path)
    return call_command


@pytest.fixture
def root(brick: BrickProcess, place: str) -> Path:
    """The directory that the brick keeps `place` in."""
    return brick.directory / place.removeprefix(brick.url + "/")


@pytest.fixture(scope="module")
def module_brick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrickProcess]:
    with start_brick(tmp_path_factory.mktemp("brick")) as brick:
        yield brick


@pytest.fixture
def brick(module_brick: BrickProcess) -> Iterator[BrickProcess]:
    """A brick. When the test is over, nobody may hold anything on it."""
    yield module_brick
    module_brick.wait_for(fds=0, open_files=0, locks=0)


@pytest.fixture
def place(brick: BrickProcess, request: pytest.FixtureRequest) -> str:
    """An empty directory on the volume, to be written behind with `/name`."""
    name = request.node.name.replace("/", "-").replace("[", "-").replace("]", "")
    with library.connect(brick.url) as volume:
        volume.mkdir(name)
    return f"{brick.url}/{name}"


def described(root: Path) -> dict[bytes, tuple[object, ...]]:
    """All that a copy with `-p` keeps of a tree."""
    found: dict[bytes, tuple[object, ...]] = {}
    for directory, directories, files in os.walk(os.fsencode(root)):
        for name in directories + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            content: bytes | None = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = Path(os.fsdecode(path)).read_bytes()
            key = os.path.relpath(path, os.fsencode(root))
            found[key] = (status.st_mode, status.st_mtime_ns, content)
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with everything that a tree may have in it."""
    return make_tree(tmp_path / "tree")


def make_tree(root: Path) -> Path:
    """Make a tree with everything that a tree may have in it."""
    (root / "empty directory").mkdir(parents=True)
    (root / "deep" / "er" / "still").mkdir(parents=True)
    (root / "deep" / "er" / "file").write_text("below\n")
    (root / "empty").touch()
    (root / "small").write_bytes(b"\0\1\2\n")
    (root / "big").write_bytes(os.urandom(10 * 1024 * 1024 + 17))
    (root / "block").write_bytes(bytes(256 * 1024))
    (root / "ünïcödé 文").write_text("text")
    Path(os.fsdecode(os.fsencode(root) + b"/not \xff\xfe text")).write_text("bytes")
    (root / "new\nline").write_text("name")
    (root / "-l").write_text("no option")
    (root / "a#b").write_text("hash")
    (root / "link").symlink_to("small")
    (root / "link to directory").symlink_to("deep")
    (root / "link to nowhere").symlink_to("/no/where")
    (root / "script").write_text("#!/bin/sh\n")
    (root / "script").chmod(0o750)
    (root / "read only").write_text("kept")
    (root / "read only").chmod(0o444)
    (root / "closed directory").mkdir()
    (root / "closed directory" / "inside").write_text("inside")
    (root / "closed directory").chmod(0o555)
    os.utime(root / "small", ns=(10**18, 987654321_123456789))
    os.utime(root / "link", ns=(10**18, 10**18), follow_symlinks=False)
    os.utime(root / "deep", ns=(10**18, 10**18))
    return root
