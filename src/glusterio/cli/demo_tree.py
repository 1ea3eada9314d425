"""The demo's first half: a tree goes into the volume, and comes back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from rich.console import Console

from glusterio.cli.digests import digest_of
from glusterio.cli.errors import CommandError, reason, trying_to
from glusterio.cli.progress import Bar
from glusterio.cli.sides import LocalSide, VolumeSide
from glusterio.cli.tasks import each
from glusterio.cli.transfer import FILES_AT_ONCE, SpecialFileError, Transfer
from glusterio.cli.trees import Item, below, is_fatal, survey
from glusterio.cli.units import duration, number, rate, size
from glusterio.cli.volumes import connect

#: Left out, and said so: what was installed, and what git keeps, are not what was made.
LEFT_OUT = (".git", ".venv")

Say = Callable[[str, str], None]


class TreeStep:
    """Copies a directory into the volume, lists it, and reads it back.

    Attributes:
        failures: what was not as it should be; empty, or the demo has failed.
        paths: everything that is on the volume now.
    """

    def __init__(self, console: Console, say: Say, source: str, url: str, target: str) -> None:
        self._console = console
        self._say = say
        self._source = source
        self._url = url
        self._target = target
        self.failures: list[str] = []
        self.paths: list[str] = []

    async def run(self) -> None:
        """Do it all, on one connection."""
        async with await connect(self._url) as volume:
            side = VolumeSide(volume, self._url)
            with trying_to("copy", self._source):
                await self._copy(side)
            await self._list(side)
            await self._read_back(side)

    async def _copy(self, side: VolumeSide) -> None:
        unfit: dict[str, None] = {}  # as a set, but in order

        def complain(path: str, error: Exception) -> None:
            original = below(self._source, path)
            if isinstance(error, SpecialFileError) or (
                isinstance(error, OSError) and error.filename == original
            ):
                unfit[path] = None
            else:
                self.failures.append(f"{path!r} was not copied: {reason(error)}")

        local = LocalSide()
        root = Item("", await local.stat(self._source, follow=True))
        if not root.is_directory:
            raise CommandError(f"cannot copy {self._source!r}: it is no directory")
        left_out = [name for name in LEFT_OUT if os.path.exists(os.path.join(self._source, name))]
        with Bar(self._console, "   copying   ") as bar:
            transfer = Transfer(
                local,
                side,
                complain=complain,
                progress=bar,
                with_digests=True,
            )
            items = await survey(
                local,
                self._source,
                complain=complain,
                leave_out=lambda path: path in LEFT_OUT,
            )
            if "" in unfit:
                raise CommandError(f"cannot list {self._source!r}")
            readable = [item for item in items if item.path not in unfit]
            await transfer.tree([root, *readable], self._source, self._target)
        tally = self._tally = transfer.tally
        self.paths = [below(self._target, path) for path in tally.paths]
        self._say(
            "copied",
            f"{number(tally.files, 'file')}, "
            f"{number(tally.directories, 'directory', 'directories')}, "
            f"{number(tally.links, 'symbolic link')}: {size(tally.size)} in "
            f"{duration(bar.seconds)} ({rate(tally.size, bar.seconds)}), "
            f"{FILES_AT_ONCE} files in flight",
        )
        if left_out:
            self._say("", f"without {' and '.join(left_out)}")
        if unfit:
            first = next(iter(unfit))
            self._say(
                "", f"without {number(len(unfit), 'name')} that cannot be read: {first!r} ..."
            )

    async def _list(self, side: VolumeSide) -> None:
        started = time.monotonic()
        self._found = await survey(side, self._target, complain=self._unreadable)
        self._say(
            "listed",
            f"{number(len(self._found), 'name')} in {duration(time.monotonic() - started)}",
        )
        there = {item.path for item in self._found}
        copied = set(self._tally.paths) - {""}
        for path in sorted(copied - there)[:5]:
            self.failures.append(f"{path!r} was copied, but is not listed")
        for path in sorted(there - copied)[:5]:
            self.failures.append(f"{path!r} is listed, but was not copied")

    async def _read_back(self, side: VolumeSide) -> None:
        files = [item for item in self._found if item.is_file]
        total = sum(item.stat.st_size for item in files)
        same = 0
        with Bar(self._console, "   reading   ") as bar:
            bar.expect(len(files), total)

            async def check(item: Item) -> None:
                nonlocal same
                try:
                    digest = await digest_of(side, item, self._target, bar)
                except OSError as error:
                    if is_fatal(error):
                        raise
                    self._unreadable(item.path, error)
                    return
                if digest == self._tally.digests.get(item.path):
                    same += 1
                else:
                    self.failures.append(f"{item.path!r} has another digest than its original")

            await each(files, check, FILES_AT_ONCE)
        verdict = (
            "every SHA-256 digest is the original's"
            if same == self._tally.files
            else f"only {same:,} of {self._tally.files:,} digests are the original's"
        )
        self._say(
            "read back",
            f"{size(total)} in {duration(bar.seconds)} ({rate(total, bar.seconds)}): {verdict}",
        )
        if same != self._tally.files:
            self.failures.append(verdict)

    def _unreadable(self, path: str, error: Exception) -> None:
        self.failures.append(f"{path!r} cannot be read back: {reason(error)}")
