"""Accepting writes, having them carried to the brick, and waiting for that.

Whoever writes hands the data over and goes on. As a rule a WRITE is then a request that no coroutine
waits for (``_post``), whose answer is taken note of where it comes in (``_came``): that is 340 of the
interpreter's instructions less, of 1,900 for a write. Where something is unusual, a brick that is away
or an answer that does not simply say "written", a sub-call carries it (``_carry``), or takes over from
the request. Both outlive the caller, and RELEASE of the file waits for them: so each WRITE is accounted
for with the handle that is in the session's ledger.

A writer that finds the window full waits until half of it is free, and meanwhile, on the threads
driver, is the one that receives: so replies are taken in batches.

One lock for all files, held for bookkeeping alone; events are set when it has been let go.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from glusterio.errors import fs_error
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.graph.options import boolean, option
from glusterio.graph.options import size as size_of
from glusterio.traps import Cancelled, Event, Reply, Spawn, Wait
from glusterio.types import Buffer, Gfid
from glusterio.xlators.base import Rest, Task, Written, Xlator
from glusterio.xlators.write_behind.order import Order, Write
from glusterio.xlators.write_behind.writer import Deferred, Losses, Writer

#: What may be under way of one file, and up to where small writes are joined, in bytes.
WINDOW: Final = 1 << 20
AGGREGATE: Final = 128 << 10

#: So many writes may be under way as long as they are not more than so many bytes, however small the
#: window is. With eight of 128 KiB, as in a window of 1 MiB, client and brick wait for each other by
#: turns; with 32 a write costs the client 15 us of CPU time less.
LARGE: Final = 32
LARGE_SIZE: Final = 4 << 20

#: What may be under way of all files together, in bytes.
SESSION_WINDOW: Final = 64 << 20

#: While so many writes are on their way to the brick, which keeps it busy, further ones are sent
#: several at a time, up to so many of them, or so many bytes: one system call for all, and but for one
#: of them no fiber for the call. At 4 KiB eight at a time take 4 us off the client's CPU time of 31 us
#: for a write, and 32 another 2; at 128 KiB it is a fifth. The brick, which is woken less often, gains
#: a little, too. Larger ones are not kept.
BUSY: Final = 8
TOGETHER: Final = 32
TOGETHER_SIZE: Final = 1 << 20
SMALL: Final = 128 << 10

#: What reaches further is not deferred: a file system that cannot do it should say so at once.
FAR: Final = 1 << 43


class _Carried(Frame):
    """The frame of a deferred WRITE: hears of the answer also when who carries it was interrupted."""

    def __init__(self, writes: Writes, deferred: Deferred, write: Write) -> None:
        super().__init__(None, write.identity)
        self._writes = writes
        self._deferred = deferred
        self._write = write
        self.done = 0  # bytes that the brick has, of what it took in part only

    def came(self, rest: Rest | None) -> None:
        """The brick has answered, or is gone, and no coroutine waited for it."""
        self._writes._came(self, self._deferred, self._write, rest)

    async def late(self, fd: Fd, error: Exception | None) -> None:
        """The brick has answered after all, or never will. Harmless when repeated."""
        writes, write = self._writes, self._write
        if write.number not in self._deferred.order.writes:
            return
        done = self.done if error is not None else len(write.data)
        noting: tuple[Any, ...] = (self._deferred, write, error, done)
        try:
            start = writes._answered(*noting)
            noting = ()
            if start:
                await writes._start(start)
        except GeneratorExit:
            raise
        except BaseException:
            await writes._recover(*noting)
            raise


class Writes(Xlator):
    """The writing part of the translator."""

    def set_up(self) -> None:
        self._lock = self.services.new_lock()
        self._files: dict[Gfid, Deferred] = {}  # those that some open file writes
        self._dirty: dict[Gfid, Deferred] = {}  # those of which a write is under way
        self._size = 0  # bytes under way, of all files
        self._room: list[Event] = []  # who waits until that is less
        self._carried = 0  # writes that are on their way
        self._kept: list[tuple[Deferred, Write]] = []  # those that will be sent together
        self._kept_size = 0  # their bytes

    def configure(self, options: Mapping[str, str]) -> None:
        window = option(options, "window-size", size_of, WINDOW)
        window = option(options, "cache-size", size_of, window)
        self._aggregate = option(options, "aggregate-size", size_of, AGGREGATE)
        self._window = max(window, self._aggregate)
        self._small_size = self._window // LARGE
        self._small = self._limits(self._small_size)
        self._flush_behind = option(options, "flush-behind", boolean, False)
        self._strict_o_direct = option(options, "strict-O_DIRECT", boolean, False)
        self._strict_order = option(options, "strict-write-ordering", boolean, False)

    def counts(self) -> dict[str, int]:
        """Tell what is under way: ``deferred_writes`` of ``deferred_bytes``, in ``dirty_files``."""
        with self._lock:
            writes = sum(len(deferred.order.writes) for deferred in self._dirty.values())
            files = len(self._dirty)
            return {
                "deferred_writes": writes,
                "deferred_bytes": self._size,
                "dirty_files": files,
            }

    # -- accepting --------------------------------------------------------------------------------

    async def writev(self, frame: Frame, fd: Fd, data: Buffer, offset: int) -> Written:
        """Accept a write; or have it carried and wait, where it must not be deferred.

        Raises:
            OSError: a deferred write of the file has failed. Nothing of this one was accepted.
        """
        size = len(data)
        if not size or not fd.flags & os.O_ACCMODE:  # the brick has to say what that means
            return await self.child.writev(frame, fd, data, offset)
        if (
            frame.closing
            and not (self._flush_behind or self._strict_order)
            and self not in fd.context
            and fd.gfid not in self._dirty
        ):
            # Nothing is under way that it could overtake, and its caller waits for the answer anyway.
            return await self.child.writev(frame, fd, data, offset)
        writer = fd.context.get(self) or self._writer(fd)
        if type(data) is not bytes:
            data = _kept(data)
        deferred = writer.deferred
        order = deferred.order
        direct = writer.through or offset + size > FAR
        limit, enough = self._small if size <= self._small_size else self._limits(size)
        try:
            while True:
                with self._lock:
                    through = direct or fd.through
                    if writer.losses.count:
                        error, writer.losses = self._error_for(writer), Losses()
                        raise error
                    if order.size and order.size + size > limit:
                        room = self.services.new_event()
                        deferred.wait_for_room(enough, room)
                    elif self._size + size > SESSION_WINDOW and self._size:
                        room = self.services.new_event()
                        self._room.append(room)
                    else:
                        write, ready = order.accept(writer, frame.identity, data, offset, through)
                        if through:
                            write.told = self.services.new_event()
                        self._size += size
                        self._dirty[deferred.gfid] = deferred
                        together = size <= SMALL and not through
                        start = self._to_start(deferred, ready, together) if ready else None
                        break
                    start = self._to_start(deferred, [])
                if start:
                    await self._start(start)
                await Wait(room)
            if start:
                start = self._post(start)
                if start:
                    await self._start(start)
        except (Exception, GeneratorExit, Cancelled):
            raise
        except BaseException:  # interrupted, in the middle of anything
            await self._recover()
            raise
        if write.told is not None:
            await Wait(write.told)
            if write.error is not None:
                raise write.error
        return Written(size)

    def _limits(self, size: int) -> tuple[int, int]:
        """Return what may be under way of a file once a write of this size is, and from where on room
        is made for who waits with one: in bytes.
        """
        limit = max(self._window, min(size * LARGE, LARGE_SIZE))
        # Who has to wait with a small write waits for half the window, so that replies come in batches.
        return limit, limit // 2 if size * 8 <= limit else max(limit - size, 0)

    def _writer(self, fd: Fd) -> Writer:
        """Make an open file known as one that writes, or wants to hear of failures."""
        with self._lock:
            writer: Writer | None = fd.context.get(self)
            if writer is not None:
                return writer
            deferred = self._files.get(fd.gfid)
            if deferred is None:
                deferred = Deferred(fd.gfid, Order(self._aggregate, self._strict_order))
                self._files[fd.gfid] = deferred
            writer = Writer(fd, deferred, self._strict_o_direct)
            if fd.anonymous:  # nobody could be told later
                writer.through = True
                return writer
            deferred.writers[writer] = None
            fd.context[self] = writer
            if not self._flush_behind:
                fd.settle = lambda: self._settle(writer)
            return writer

    # -- carrying ---------------------------------------------------------------------------------

    def _to_start(
        self, deferred: Deferred, ready: list[Write], together: bool = False
    ) -> list[tuple[Deferred, Write]]:
        """Return the writes to be carried now. Called with the lock held.

        Args:
            deferred: a file.
            ready: writes of its that may go.
            together: whether they may be kept until there are several.
        """
        kept = self._kept
        for write in ready:
            kept.append((deferred, write))
            self._kept_size += len(write.data)
        if not kept or (
            together
            and self._carried >= BUSY
            and len(kept) < TOGETHER
            and self._kept_size < TOGETHER_SIZE
        ):
            return []
        self._kept = []
        self._kept_size = 0
        self._carried += len(kept)
        return kept

    def _post(self, start: list[tuple[Deferred, Write]]) -> list[tuple[Deferred, Write]]:
        """Send writes to the brick, from anywhere; return those that a coroutine has to carry."""
        post = self.services.post
        if post is None:
            return start
        requests: list[Reply] = []
        left: list[tuple[Deferred, Write]] = []
        try:
            for each in start:
                deferred, write = each
                if write.begun:  # since an interrupt, by somebody else
                    continue
                frame = _Carried(self, deferred, write)
                try:
                    request = self.child.writev_now(
                        frame, write.writer.fd, write.data, write.offset, frame.came
                    )
                except Exception:
                    request = None  # the coroutine comes to the same, and tells it
                if request is None:
                    left.append(each)
                else:
                    write.request = request
                    write.begun = True
                    requests.append(request)
            if requests:
                post(requests)
        except BaseException:  # interrupted: whoever recovers shall find those that were not sent
            for _, write in start:
                request = write.request
                if request is not None and not request.submitted and not request.done:
                    write.request = None
                    write.begun = False
            raise
        return left

    def _came(self, frame: _Carried, deferred: Deferred, write: Write, rest: Rest | None) -> None:
        """A request was answered that no coroutine waits for. Called in the middle of receiving."""
        if write.answered:  # told again: who told was interrupted
            return
        write.answered = True
        write.request = None
        try:
            if rest is not None:
                write.rest = frame, rest
                self._carry_later(deferred, write)
                return
            start = self._answered(deferred, write, None, len(write.data))
            if start:
                for each in self._post(start):
                    self._carry_later(*each)
        except BaseException:  # interrupted
            if rest is not None:
                start = self._mend()
            else:
                start = self._mend(deferred, write, None, len(write.data))
            for each in start:
                self._carry_later(*each)
            raise

    def _carry_later(self, deferred: Deferred, write: Write) -> None:
        """Have a write carried, from where nothing may be stepped."""
        later = self.services.start_later
        assert later is not None

        def ended(task: Task) -> None:
            error = task.error
            if error is None:
                return
            for each in self._mend():  # an interrupt, perhaps before it had begun
                self._carry_later(*each)
            raise error  # nobody else would hear of it

        later(self._carry(deferred, write), ended)

    async def _start(self, start: list[tuple[Deferred, Write]]) -> None:
        """Have writes brought to the brick; nobody waits for it."""
        try:
            left = self._post(start)
            if left:
                await Spawn(*[self._carry(deferred, write) for deferred, write in left])
        except GeneratorExit:
            raise
        except BaseException:  # interrupted in the middle of anything: what was accepted is written
            await self._recover()
            raise

    async def _carry(self, deferred: Deferred, write: Write) -> None:
        """Bring a write to the brick, or to its end; then one of those that may go now, and so on."""
        while True:
            with self._lock:
                begun, write.rest = write.rest, None
            if write.begun and begun is None:  # since an interrupt, by somebody else
                return
            write.begun = True
            done = 0
            error: Exception | None = None
            interrupt: BaseException | None = None
            data, fd = write.data, write.writer.fd
            frame: _Carried | None = None
            try:
                if begun is None:
                    frame = _Carried(self, deferred, write)
                    done = (await self.child.writev(frame, fd, data, write.offset)).written
                else:
                    frame, rest = begun
                    done = (await rest()).written
                while 0 < done < len(data):  # the disk is full, say: what is left will tell
                    frame.done = done
                    left = memoryview(data)[done:]
                    count = (await self.child.writev(frame, fd, left, write.offset + done)).written
                    done += count
                    if not count:
                        break
            except Exception as failure:
                error = failure
            except GeneratorExit:
                raise
            except BaseException as given_up:  # an interrupt of whoever steps this
                if frame is not None and frame.adopted:
                    raise  # the brick may have it: it stays in flight until that is known
                interrupt = given_up
                error = fs_error(errno.EINTR)
            if error is None and done < len(data):
                error = fs_error(errno.EIO)
            try:
                start = self._answered(deferred, write, error, done)
            except GeneratorExit:
                raise
            except BaseException as given_up:
                interrupt = given_up
                await self._recover(deferred, write, error, done)
                start = []
            if interrupt is not None:
                if start:
                    await self._start(start)
                raise interrupt
            if not start:
                return
            if len(start) > 1:
                try:
                    await self._start(start[1:])
                except GeneratorExit:
                    raise
                except BaseException:  # interrupted, perhaps just before it
                    await self._recover()
                    raise
            deferred, write = start[0]

    def _answered(
        self, deferred: Deferred, write: Write, error: Exception | None, done: int
    ) -> list[tuple[Deferred, Write]]:
        """Take note of an answer, wake whom it concerns, and return what must be sent now."""
        size = len(write.data)
        with self._lock:
            self._carried -= 1
            ready = deferred.order.answered(write)
            start = self._to_start(deferred, ready, True) if ready or self._kept else []
            self._size -= size
            if not deferred.order.writes:
                self._dirty.pop(deferred.gfid, None)
                if not deferred.writers:
                    self._files.pop(deferred.gfid, None)
            if error is not None:
                if write.told is not None:
                    write.error = error
                else:
                    for writer in deferred.writers:
                        writer.losses.add(error, write, write.offset + done, size - done)
            woken = deferred.take_woken() if deferred.barriers or deferred.room else []
            if self._room and self._size <= SESSION_WINDOW // 2:
                self._room = [room for room in self._room if not room.is_set]
                woken += self._room
            if write.told is not None:
                woken.append(write.told)
        for event in woken:
            event.set()
        return start

    async def _recover(self, *noting: Any) -> None:
        """After an interrupt: do what :meth:`_mend` does, and have carried what nobody carries."""
        for deferred, write in self._mend(*noting):
            if not write.begun or write.rest is not None:
                await Spawn(self._carry(deferred, write))

    def _mend(
        self,
        answered: Deferred | None = None,
        write: Write | None = None,
        error: Exception | None = None,
        done: int = 0,
    ) -> list[tuple[Deferred, Write]]:
        """After an interrupt in the middle of the bookkeeping: put it right, and let nobody wait.

        Args:
            answered: a file, if an answer was being taken note of.
            write: which write that was of.
            error: why it failed, if it did.
            done: bytes of it that the brick has.

        Returns:
            The writes that nobody carries.
        """
        start: list[tuple[Deferred, Write]] = []
        with self._lock:
            self._kept = []
            self._kept_size = self._size = self._carried = 0
            woken, self._room = self._room, []
            for gfid, deferred in {**self._files, **self._dirty}.items():
                order = deferred.order
                unbegun = order.mend(write if deferred is answered else None)
                start += [(deferred, each) for each in unbegun]
                self._size += order.size
                self._carried += order.in_flight
                if order.writes:
                    self._dirty[gfid] = deferred
                else:
                    self._dirty.pop(gfid, None)
                woken += [event for number, event in deferred.barriers if order.has_passed(number)]
                woken += [event for _, event in deferred.room]  # they look again
            if answered is not None and write is not None:
                write.error = error
                if write.told is not None:
                    woken.append(write.told)
                elif error is not None:
                    for writer in answered.writers:
                        if not writer.losses.count:  # else there is something to be told anyway
                            size = len(write.data) - done
                            writer.losses.add(error, write, write.offset + done, size)
        for event in woken:
            event.set()
        return start

    # -- waiting ----------------------------------------------------------------------------------

    async def _until(self, deferred: Deferred, number: int | None = None) -> None:
        """Wait until the brick has answered all writes up to a number; by default, all until now."""
        try:
            with self._lock:
                order = deferred.order
                if number is None:
                    number = order.last
                if order.has_passed(number):
                    return
                answered = self.services.new_event()
                deferred.barriers.append((number, answered))
                start = self._to_start(deferred, order.urge(number))
            if start:
                await self._start(start)
        except (Exception, GeneratorExit, Cancelled):
            raise
        except BaseException:  # interrupted, in the middle of anything
            await self._recover()
            raise
        await Wait(answered)

    async def _settle(self, writer: Writer) -> None:
        """Wait until what was accepted by now is answered.

        Raises:
            OSError: some of it, or something before, has failed, and this open file was not told yet.
        """
        await self._until(writer.deferred)
        self._tell(writer)

    def _tell(self, writer: Writer) -> None:
        """Raise the error that an open file was not told yet, if there is one."""
        with self._lock:
            if writer.losses.count:
                error, writer.losses = self._error_for(writer), Losses()
                raise error

    def _error_for(self, writer: Writer) -> Exception:
        """Return the error that an open file is to be told, once. Called with the lock held."""
        error = writer.losses.error()
        error.put_back = partial(  # type: ignore[attr-defined]
            self._put_back, writer, writer.losses
        )
        return error

    def _put_back(self, writer: Writer, losses: Losses) -> bool:
        """Nobody heard of an error: tell it again. Returns whether there is somebody to be told."""
        with self._lock:
            losses.add_all(writer.losses)
            writer.losses = losses
            return self in writer.fd.context


def _kept(data: Buffer) -> Buffer:
    """Return data that stays as it is, whatever its owner does with the buffer."""
    if isinstance(data, memoryview) and type(data.obj) is bytes:
        return data
    return bytes(data)
