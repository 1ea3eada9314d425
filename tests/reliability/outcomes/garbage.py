"""What becomes of what is dropped, or left behind: programs, and what each is to say on standard error.

Each runs as a program of its own with warnings shown; ``connect``, ``say`` and the like are in
:data:`PRELUDE`. What it says to itself by ``assert`` is its test.
"""

from __future__ import annotations

from typing import Final, NamedTuple

PRELUDE: Final = """\
import asyncio, gc, os, sys, threading, time, weakref
import glusterio
from glusterio import aio, CloseFromCallbackError, SessionClosedError
url = sys.argv[1]
CREATING = os.O_RDWR | os.O_CREAT

def dropped(function):
    function()
    gc.collect()
"""

#: What is left open warns once more, or for the first time, at exit.
AT_EXIT: Final = (
    r"ResourceWarning: unclosed session on volume 'vol', connected at <string>:\d+: it was"
)
VOLUME: Final = (
    r"ResourceWarning: unclosed <glusterio\S*Volume 'vol' active>, connected at <string>:\d+"
)
FILE: Final = r"ResourceWarning: unclosed <glusterio\S*File '/g-file' open>, opened at <string>:\d+"


class Program(NamedTuple):
    """One program.

    Attributes:
        about: what is dropped, for the page.
        seen: what is seen, for the page.
        text: the program.
        says: regular expressions for its warnings, in their order; there are no others.
    """

    about: str
    seen: str
    text: str
    says: tuple[str, ...] = ()


PROGRAMS: Final[dict[str, Program]] = {
    "volume dropped": Program(
        "the last name of a volume goes, without `close`",
        "`ResourceWarning`, with the place of `connect`; its files can be used on; the session is"
        " closed at exit",
        """
        def work():
            vol = glusterio.connect(url)
            return vol.open_handle("/g-file", CREATING)
        file = work()
        gc.collect()
        assert file.pwrite(b"goes on", 0) == 7
        file.close()
        """,
        (VOLUME, AT_EXIT),
    ),
    "volume dropped, asyncio": Program(
        "likewise, asyncio",
        "likewise; what has been acknowledged is there",
        """
        async def main():
            async def work():
                vol = await aio.connect(url)
                return await vol.open_handle("/g-file", CREATING)
            file = await work()
            gc.collect()
            assert await file.pwrite(b"goes on", 0) == 7
            await file.close()
        asyncio.run(main())
        """,
        (VOLUME, AT_EXIT),
    ),
    "file dropped": Program(
        "the last name of a file goes, without `close`",
        "`ResourceWarning`, with the place of opening; the close of the volume drains it and names it",
        """
        with glusterio.connect(url) as vol:
            vol.open_handle("/g-file", CREATING)
        report = vol.close()
        assert [each.path for each in report.handles] == ["/g-file"], report
        """,
        (FILE,),
    ),
    "file dropped, asyncio": Program(
        "likewise, asyncio",
        "likewise",
        """
        async def main():
            async with aio.connect(url) as vol:
                await vol.open_handle("/g-file", CREATING)
            report = await vol.close()
            assert [each.path for each in report.handles] == ["/g-file"], report
        asyncio.run(main())
        """,
        (FILE,),
    ),
    "reference cycle": Program(
        "a volume and a file in a reference cycle, which the collector finds",
        "one `ResourceWarning` for each, then as above",
        """
        class Holder: pass
        def work():
            holder = Holder()
            holder.vol = glusterio.connect(url)
            holder.file = holder.vol.open_handle("/g-file", CREATING)
            holder.self = holder
        gc.disable()
        work()
        assert gc.collect() > 0
        """,
        (VOLUME, FILE, AT_EXIT),
    ),
    "__del__ uses the volume": Program(
        "a destructor calls the volume, outside of the session's own work",
        "it works (inside: `ReentrantCallError`)",
        """
        class Uses:
            def __del__(self):
                found.append(vol.stat("/").st_mode)
        found = []
        with glusterio.connect(url) as vol:
            uses = Uses()
            uses.itself = uses
            del uses
            gc.collect()
            assert len(found) == 1
        """,
    ),
    "weakref.finalize closes it": Program(
        "`weakref.finalize(owner, vol.close)`",
        "the volume is closed when the owner goes, or at exit, before glusterio's own handler",
        """
        class Owner: pass
        one, other = glusterio.connect(url), glusterio.connect(url)
        owner = Owner()
        weakref.finalize(owner, one.close)
        del owner
        assert one.closed
        kept = Owner()
        weakref.finalize(kept, other.close)
        """,
    ),
    "thread ends": Program(
        "a thread ends that has opened a file and holds a lock of it",
        "nothing: both are the file's, and go when that is closed",
        """
        with glusterio.connect(url) as vol, glusterio.connect(url) as second:
            files = []
            def work():
                files.append(vol.open_handle("/g-file", CREATING))
                files[0].lockf(os.F_LOCK, 1)
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            with second.open_handle("/g-file", os.O_RDWR) as mine:
                try:
                    mine.lockf(os.F_TLOCK, 1)
                except OSError:
                    pass
                else:
                    raise AssertionError("it is not locked")
                assert files[0].pwrite(b"x", 0) == 1
                files[0].close()
                mine.lockf(os.F_TLOCK, 1)
        assert vol.close().graceful and not vol.close().handles_drained
        """,
    ),
    "sub-interpreter": Program(
        "glusterio in a sub-interpreter",
        "it works, where that may have threads; in an isolated one `RuntimeError`, and nothing is left",
        """
        import _xxsubinterpreters as interpreters
        program = f'''if True:
            import sys
            sys.path[:0] = {sys.path!r}
            import glusterio
            with glusterio.connect({url!r}) as vol, vol.open("/g-sub", "w") as text:
                text.write("here")
            assert vol.close().graceful
        '''
        for isolated in (False, True):
            one = interpreters.create(isolated=isolated)
            try:
                interpreters.run_string(one, program)
            except interpreters.RunFailedError as error:
                assert isolated and "not supported" in str(error), error
            else:
                assert not isolated
            interpreters.destroy(one)
        """,
    ),
    "loop on a daemon thread": Program(
        "the program ends while a daemon thread runs the event loop of a session",
        "that loop closes it: deferred writes are written",
        """
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, daemon=True).start()
        async def work():
            global vol, file
            vol = await aio.connect(url, options={"performance.write-behind": "on"})
            file = await vol.open_handle("/g-loop", CREATING)
            await file.pwrite(b"deferred", 0)
        asyncio.run_coroutine_threadsafe(work(), loop).result(10)
        """,
        (AT_EXIT,),
    ),
    "loop stopped": Program(
        "the program ends, the event loop of a session has stopped and is not closed",
        "it runs once more, and closes the session",
        """
        loop = asyncio.new_event_loop()
        async def work():
            global vol, file
            vol = await aio.connect(url, options={"performance.write-behind": "on"})
            file = await vol.open_handle("/g-stopped", CREATING)
            await file.pwrite(b"deferred", 0)
        loop.run_until_complete(work())
        """,
        (AT_EXIT, r"ResourceWarning: unclosed event loop"),
    ),
    "loop closed before the volume": Program(
        "the event loop is closed, then the volume, on another loop",
        "`CloseFromCallbackError`; the session is brought to its end at exit, and its sockets closed",
        """
        async def work():
            global vol, file
            vol = await aio.connect(url)
            file = await vol.open_handle("/g-file", CREATING)
        asyncio.run(work())
        async def close():
            await vol.close()
        try:
            asyncio.run(close())
        except CloseFromCallbackError:
            pass
        else:
            raise AssertionError("closed on another loop")
        """,
        (AT_EXIT,),
    ),
}
