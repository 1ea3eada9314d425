"""Where the demo works: a brick of its own, or a directory of its own on a given volume."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import tempfile
import uuid
from types import TracebackType

from glusterio.cli.errors import CommandError
from glusterio.cli.interrupts import run, undisturbed
from glusterio.cli.locations import Location, on_volume
from glusterio.cli.output import tell_error
from glusterio.cli.trees import remove_tree
from glusterio.cli.volumes import Complaints, Volumes

#: How long the brick may take to start, and to stop, in seconds.
PATIENCE = 20.0


class DemoPlace:
    """A directory on a volume, there for the time of a ``with`` statement.

    Attributes:
        url: the volume's URL.
        root: the directory's path on it; empty for all of it.
        description: what it is, for people.
        farewell: how it ended, for people; empty until it has.
    """

    url = ""
    root = ""
    description = ""
    farewell = ""

    def __enter__(self) -> DemoPlace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class OwnBrick(DemoPlace):
    """``glusterio serve`` as a process of its own, in a temporary directory."""

    def __enter__(self) -> DemoPlace:
        with undisturbed():
            self._directory = tempfile.mkdtemp(prefix="glusterio-demo-")
        try:
            self._start()
        except BaseException:
            with undisturbed():
                self._remove()
            raise
        return self

    def _start(self) -> None:
        brick = os.path.join(self._directory, "brick")
        os.mkdir(brick)
        # In a session of its own, so that a Ctrl-C ends the demo and the demo ends the brick; the
        # standard input, so that the brick ends even if the demo is killed.
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "glusterio.cli", "serve", brick),
                *("--volume", "demo", "--port", "0", "--with-stdin"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self.url = self._ready()
        except BaseException:
            self._stop()
            raise
        self.description = f"{self.url}, the embedded brick as process {self._process.pid}"

    def _ready(self) -> str:
        out = self._process.stdout
        assert out is not None
        line = out.readline() if select.select([out], [], [], PATIENCE)[0] else b""
        if not line.startswith(b"serving "):
            raise CommandError("cannot start the embedded brick")
        return line.decode().split()[1]

    def _stop(self) -> int:
        process = self._process
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            return process.wait(PATIENCE)
        except BaseException:
            process.kill()
            process.wait()
            raise

    def _remove(self) -> None:
        shutil.rmtree(self._directory, onerror=_make_removable)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with undisturbed():
            try:
                code = self._stop()
            finally:
                self._remove()
        self.farewell = f"the brick has ended with exit code {code}, its directory is removed"
        if code and kind is None:
            raise CommandError(f"the brick ended with exit code {code}")


def _make_removable(function: object, path: str, error: object) -> None:
    """A directory of the copied tree that may not be written to: remove it all the same."""
    parent = os.path.dirname(path)
    os.chmod(parent, 0o700)
    if os.path.isdir(path) and not os.path.islink(path):
        os.chmod(path, 0o700)
        shutil.rmtree(path)
    else:
        os.unlink(path)


class GivenVolume(DemoPlace):
    """A fresh directory on a volume that is there."""

    def __init__(self, text: str) -> None:
        self._place = on_volume(text).join(f"glusterio-demo-{uuid.uuid4().hex[:12]}")
        self.url = self._place.volume
        self.root = self._place.path

    def __enter__(self) -> DemoPlace:
        run(self._make(self._place))
        self.description = f"{self.url}, in the new directory {self.root}"
        return self

    @staticmethod
    async def _make(place: Location) -> None:
        async with Volumes() as volumes:
            await (await volumes.volume(place)).mkdir(place.path, 0o755)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            run(self._remove())
        except BaseException:
            tell_error(f"{self.root!r} is left on {self.url}")
            if kind is None:
                raise
            return  # why it came to this is the better error
        self.farewell = f"{self.root} is removed"

    async def _remove(self) -> None:
        complaints = Complaints()
        async with Volumes() as volumes:
            side = await volumes.volume(self._place)
            await remove_tree(
                side,
                self.root,
                lambda path, error: complaints("remove", path, error),
                by_force=True,
            )
        complaints.check()
