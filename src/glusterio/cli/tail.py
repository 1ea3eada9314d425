"""``glusterio head`` and ``glusterio tail``: how files begin, how they end, and what is added to them.

To follow a file is to follow its name, as ``tail -F`` does: it is asked for its length again and again,
because GlusterFS tells nobody of changes that another client makes. A file that has become shorter is
read from its beginning; when another file has got the name, the old one is read to its end and then
the new one from its beginning.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from glusterio import aio
from glusterio.cli import output
from glusterio.cli.errors import PartlyFailedError, trying_to
from glusterio.cli.locations import Location, on_volume
from glusterio.cli.output import shown, tell, tell_error
from glusterio.cli.sides import BLOCK, SMALL, VolumeSide
from glusterio.cli.tasks import in_thread
from glusterio.cli.trees import is_fatal
from glusterio.cli.volumes import Complaints, Volumes, at_each
from glusterio.errors import HandleStaleError


@dataclass(frozen=True)
class Amount:
    """How much of a file.

    Attributes:
        count: so many lines, or bytes.
        in_bytes: bytes.
        from_start: ``+COUNT``: all from the line, or byte, with that number on.
    """

    count: int = 10
    in_bytes: bool = False
    from_start: bool = False


@dataclass(frozen=True)
class Following:
    """How ``tail`` follows.

    Attributes:
        retry: go on trying when the file is not, or no more, there.
        interval: how often it is looked for more, in seconds.
    """

    retry: bool = False
    interval: float = 1.0


class _Printer:
    """Writes what is read, with heads where several files are read from."""

    def __init__(self, with_heads: bool) -> None:
        self._with_heads = with_heads
        self._current = ""
        self._rest: dict[str, bytes] = {}

    async def write(self, place: Location, data: bytes) -> None:
        """Write some bytes of a file; in JSON line by line, and what is no line yet is kept."""
        if output.as_json:
            lines = (self._rest.get(place.text, b"") + data).split(b"\n")
            self._rest[place.text] = lines.pop()
            for line in lines:
                self._tell(place.text, line)
            sys.stdout.flush()
            return
        self.head(place)
        await in_thread(_write_all, data)

    def head(self, place: Location) -> None:
        """Say which file it is that comes."""
        if self._with_heads and not output.as_json and self._current != place.text:
            print(f"{'' if not self._current else chr(10)}==> {shown(place.text)} <==")
            sys.stdout.flush()
            self._current = place.text

    def end(self) -> None:
        """No more comes: what is no line is told of, too."""
        for text, rest in self._rest.items():
            if rest:
                self._tell(text, rest)
        self._rest = {}
        sys.stdout.flush()

    def _tell(self, text: str, line: bytes) -> None:
        tell({"path": text, "line": line.decode(errors="surrogateescape")})


def _write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sys.stdout.fileno(), view) :]


# -- head -----------------------------------------------------------------------------------------


async def head(targets: list[str], amount: Amount) -> None:
    """Write the beginning of files."""
    printer = _Printer(len(targets) > 1)

    async def one(side: VolumeSide, place: Location, _: Complaints) -> None:
        async with side.volume.open_handle(place.path or "/", os.O_RDONLY) as file:
            printer.head(place)
            left = amount.count
            async with contextlib.aclosing(_from(file, 0)) as blocks:
                while left and (data := await anext(blocks, None)):
                    part, left = _beginning(data, left, amount.in_bytes)
                    await printer.write(place, part)
        printer.end()

    await at_each(targets, "read", one)


def _beginning(data: bytes, left: int, in_bytes: bool) -> tuple[bytes, int]:
    """Return what of the data is within so many bytes, or lines, and how many are left then."""
    if in_bytes:
        return data[:left], max(0, left - len(data))
    lines = data.split(b"\n", left)
    if len(lines) <= left:
        return data, left - len(lines) + 1
    return data[: len(data) - len(lines[-1])], 0


async def _from(file: aio.File, offset: int) -> AsyncGenerator[bytes, None]:
    """Read a file to its end; a beginning of it is soon there."""
    size = SMALL
    while data := await file.pread(size, offset):
        yield data
        offset += len(data)
        size = BLOCK


# -- tail -----------------------------------------------------------------------------------------


async def tail(targets: list[str], amount: Amount, following: Following | None) -> None:
    """Write the end of files, and what is added to them.

    Args:
        targets: the places.
        amount: how much of the end.
        following: how what is added is waited for, until Ctrl-C; or not at all.
    """
    places = [on_volume(target) for target in targets]
    complaints = Complaints()
    printer = _Printer(len(places) > 1)
    async with Volumes() as volumes:
        followed = [
            _Followed(await volumes.volume(place), place, amount, complaints, printer)
            for place in places
        ]
        try:
            for file in followed:
                with trying_to("read", file.place.text):
                    await file.begin(retry=following is not None and following.retry)
            if following is not None:
                await _follow(followed, following)
            printer.end()
        finally:
            for file in followed:
                await file.close()
    complaints.check()


async def _follow(followed: list[_Followed], following: Following) -> None:
    while True:
        for file in followed:
            with trying_to("read", file.place.text):
                await file.look(following.retry)
        if not any(file.is_followed for file in followed):
            tell_error("no files remaining")
            raise PartlyFailedError
        await asyncio.sleep(following.interval)


class _Followed:
    """One file.

    Attributes:
        place: where it is.
        is_followed: whether there is, or may be, more to come.
    """

    def __init__(
        self,
        side: VolumeSide,
        place: Location,
        amount: Amount,
        complaints: Complaints,
        printer: _Printer,
    ) -> None:
        self.is_followed = True
        self._side = side
        self.place = place
        self._amount = amount
        self._complaints = complaints
        self._printer = printer
        self._file: aio.File | None = None
        self._inode = 0
        self._position = 0
        self._is_missed = False  # it has been said that it is not there

    async def begin(self, retry: bool) -> None:
        """Open the file and write its end."""
        try:
            await self._open()
            assert self._file is not None
            size = (await self._file.fstat()).st_size
            self._printer.head(self.place)
            self._position = await _start(self._file, size, self._amount)
            await self._read()
        except OSError as error:
            if is_fatal(error) or isinstance(error, BrokenPipeError):
                raise
            self._complaints("read", self.place.text, error)
            await self.close()
            self.is_followed = retry
            self._is_missed = True

    async def look(self, retry: bool) -> None:
        """Write what is new."""
        if not self.is_followed:
            return
        try:
            inode = (await self._side.stat(self.place.path, follow=True)).st_ino
        except (FileNotFoundError, NotADirectoryError):
            inode = 0
        try:
            if self._file is not None:
                if (await self._file.fstat()).st_size < self._position:
                    self._say("has become shorter")
                    self._position = 0
                await self._read()
            if inode and inode != self._inode:
                await self._replace()
            elif not inode and not self._is_missed:
                self._is_missed = True
                self._say("is not there any more")
                await self.close()
                self.is_followed = retry
        except FileNotFoundError:
            return  # it has just gone: the next look says so

    async def _replace(self) -> None:
        self._say("has appeared" if self._is_missed else "is another file now")
        self._is_missed = False
        await self.close()
        await self._open()
        self._position = 0
        await self._read()

    async def _open(self) -> None:
        file = await self._side.volume.open_handle(self.place.path or "/", os.O_RDONLY)
        self._file = file
        self._inode = (await file.fstat()).st_ino

    async def _read(self) -> None:
        assert self._file is not None
        async with contextlib.aclosing(_from(self._file, self._position)) as blocks:
            async for data in blocks:
                self._position += len(data)
                await self._printer.write(self.place, data)

    def _say(self, what: str) -> None:
        tell_error(f"{self.place.text!r} {what}", self.place.text)

    async def close(self) -> None:
        """Close the file."""
        self._inode = 0
        if self._file is not None:
            with contextlib.suppress(HandleStaleError):  # why it is so has been said
                await self._file.close()
            self._file = None


async def _start(file: aio.File, size: int, amount: Amount) -> int:
    """Return where the wanted end of a file begins."""
    count = amount.count
    if amount.in_bytes:
        return min(size, max(0, count - 1)) if amount.from_start else max(0, size - count)
    if amount.from_start:
        return await _line_start(file, max(0, count - 1))
    if not count:
        return size
    end = size
    newlines = 0
    while end:
        begin = max(0, end - SMALL)
        data = await file.pread(end - begin, begin)
        at = len(data)
        while (at := data.rfind(b"\n", 0, at)) >= 0:
            # the newline at the very end ends the last line, and begins none
            newlines += begin + at + 1 != size
            if newlines == count:
                return begin + at + 1
        end = begin
    return 0


async def _line_start(file: aio.File, lines: int) -> int:
    """Return where the line behind so many lines begins."""
    offset = 0
    if not lines:
        return 0
    async with contextlib.aclosing(_from(file, 0)) as blocks:
        async for data in blocks:
            found = data.count(b"\n")
            if found < lines:
                lines -= found
                offset += len(data)
                continue
            at = -1
            for _ in range(lines):
                at = data.index(b"\n", at + 1)
            return offset + at + 1
    return offset


def parse_amount(lines: str | None, size: str | None, *, may_count_on: bool) -> Amount:
    """Understand ``-n`` and ``-c``.

    Args:
        lines: a number of lines.
        size: a number of bytes, which is stronger.
        may_count_on: whether ``+5`` is allowed.

    Raises:
        ValueError: it is no number.
    """
    text = size if size is not None else lines if lines is not None else "10"
    from_start = text.startswith("+") and may_count_on
    digits = text.removeprefix("+" if from_start else "-" if may_count_on else "")
    if not digits.isdecimal():
        raise ValueError(f"{text!r} is no number of {'lines' if size is None else 'bytes'}")
    return Amount(int(digits), size is not None, from_start)
