"""The two servers that every program runs against, and what it leaves on each.

A program gets a directory of its own on either side. What it says is made comparable by taking out
the names of the servers, what the machine's speed decides, and libgfapi's log.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import glusterio

T = TypeVar("T")

#: A client's volfile with nothing above protocol/client that could keep a call from the wire.
PLAIN_VOLFILE = """\
volume plain-client-0
  type protocol/client
  option transport-type tcp
  option transport.address-family inet
  option remote-host {host}
  option remote-port {brick_port}
  option remote-subvolume {brick}
  option ping-timeout 20
end-volume

volume plain
  type debug/io-stats
  subvolumes plain-client-0
end-volume
"""

#: libgfapi's log, which goes to the standard error of programs that do not say where else.
_LOG = re.compile(r"^\[\d{4}-\d\d-\d\d [^\n]*\n", re.MULTILINE)


@dataclass(frozen=True)
class Side:
    """One server, and a directory on it.

    Attributes:
        name: ``"glusterio"`` or ``"GlusterFS"``, for messages.
        host: where its management daemon is.
        port: at this port; 0 when there is none.
        volume: the volume.
        brick_port: where its brick is.
        brick: what the brick calls itself.
        data: what the brick serves, on this machine's disk.
        work: somewhere for files of the program's that are not on the volume.
        directory: the directory on the volume, with a slash before it.
    """

    name: str
    host: str
    port: int
    volume: str
    brick_port: int
    brick: str
    data: Path
    work: Path
    directory: str = ""

    @property
    def url(self) -> str:
        """The directory's URL, for QEMU and for glusterio."""
        port = "" if self.port == 24007 else f":{self.port}"
        return f"gluster://{self.host}{port}/{self.volume}{self.directory}"

    @property
    def volume_url(self) -> str:
        """The volume's URL, for glusterio."""
        if not self.port:
            return f"volfile://{self.plain_volfile}"
        return f"gluster://{self.host}:{self.port}/{self.volume}"

    @property
    def plain_volfile(self) -> Path:
        """A volfile by which each call goes to the brick."""
        file = self.work / "plain.vol"
        values = {"host": self.host, "brick_port": self.brick_port, "brick": self.brick}
        file.write_text(PLAIN_VOLFILE.format(**values))
        return file

    @property
    def path(self) -> Path:
        """The directory, on this machine's disk."""
        return self.data / self.directory.lstrip("/")

    def run(self, words: Sequence[str | Path], **options: Any) -> Outcome:
        """Run a program to its end; it gets half a minute.

        Args:
            words: the command.
            options: ``preload``: a library to be loaded first; ``timeout``: how long it gets, in
                seconds; ``input``: its standard input.
        """
        environment = dict(os.environ, LC_ALL="C", TZ="UTC")
        if options.get("preload") is not None:
            environment["LD_PRELOAD"] = str(options["preload"])
        done = subprocess.run(
            [str(word) for word in words],
            env=environment,
            cwd=self.work,
            input=options.get("input", b""),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=options.get("timeout", 30),
        )
        return Outcome(self.comparable(done.stdout.decode(errors="replace")), done.returncode)

    def comparable(self, text: str) -> str:
        """Take the server's names, and libgfapi's log, out of what a program says."""
        text = _LOG.sub("", text)
        for found, instead in (
            (self.url, "URL"),
            (self.directory, "/DIRECTORY"),
            (str(self.work), "WORK"),
        ):
            text = text.replace(found, instead)
        return text

    def tree(self) -> dict[str, str]:
        """What is in the directory, by name: kind, mode, owner, size, digest, attributes."""
        found = {}
        for parent, directories, files in os.walk(self.path):
            for name in directories + files:
                path = Path(parent) / name
                found[str(path.relative_to(self.path))] = _description(path)
        return found


class Outcome(NamedTuple):
    """How a program ended.

    Attributes:
        output: what it wrote, to either output.
        code: its exit code; what ended it, negative, if that was a signal.
    """

    output: str
    code: int


def _description(path: Path) -> str:
    status = path.lstat()
    words = [f"{status.st_mode:o}", f"{status.st_uid}:{status.st_gid}"]
    if stat.S_ISREG(status.st_mode):
        words += [str(status.st_size), hashlib.sha256(path.read_bytes()).hexdigest()]
    elif stat.S_ISLNK(status.st_mode):
        words.append(f"-> {os.readlink(path)}")
    with contextlib.suppress(OSError):
        for name in sorted(os.listxattr(path, follow_symlinks=False)):
            if name.startswith(("user.", "system.")):
                words.append(f"{name}={os.getxattr(path, name, follow_symlinks=False)!r}")
    return " ".join(words)


R = TypeVar("R", bound=tuple[Any, ...])


def unless_it_crashes(run: Callable[[], R]) -> R:
    """Run a program without the shim; again, at most twice, when it crashes.

    libgfapi does, once in fifty sessions, at their end; ``c/prompt_fini.c`` tells why.

    Args:
        run: runs it; the exit code is the last thing in what it returns.
    """
    for _ in range(2):
        result = run()
        if result[-1] >= 0:
            return result
    return run()


def on_both(sides: Sequence[Side], do: Callable[[Side], T]) -> list[T]:
    """Do something on both sides at the same time; libgfapi spends its time waiting."""
    with ThreadPoolExecutor(len(sides)) as pool:
        return list(pool.map(do, sides))


@contextlib.contextmanager
def directory_on(side: Side, name: str) -> Iterator[str]:
    """Make a directory in the root of a volume; remove it at the end, with all that is in it."""
    with glusterio.connect(side.volume_url) as volume:
        volume.mkdir(name)
        # A program may do things on somebody else's behalf.
        volume.chmod(name, 0o755)
    try:
        yield f"/{name}"
    finally:
        with glusterio.connect(side.volume_url) as volume:
            _remove(volume, f"/{name}")


def _remove(volume: glusterio.Volume, path: str) -> None:
    with volume.scandir(path) as entries:
        found = list(entries)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            _remove(volume, f"{path}/{entry.name}")
        else:
            volume.unlink(f"{path}/{entry.name}")
    volume.rmdir(path)
