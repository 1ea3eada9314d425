"""What becomes of what is dropped, left behind, or ended from inside: programs, and what each says.

Each runs as a program of its own with warnings shown; ``connect``, ``say`` and the like are in
:data:`PRELUDE`. What it says to itself by ``assert`` is its test.
"""

from __future__ import annotations

from typing import Final, NamedTuple

PRELUDE: Final = """\
import asyncio, gc, os, sys, threading, time, weakref
import glusterio
from glusterio import aio, CloseFromCallbackError, SessionClosedError
from glusterio.xlators.base import Notice
url = sys.argv[1]
CREATING = os.O_RDWR | os.O_CREAT

def dropped(function):
    function()
    gc.collect()

def tell(vol):
    # the graph tells something, so callbacks for upcalls are called
    core = vol._session.core
    core.upcalls.heard(core, Notice.CHILD_UP, None)

def is_main():
    return threading.current_thread() is threading.main_thread()
"""

#: What is left open warns once more, or for the first time, at exit.
AT_EXIT: Final = (
    r"ResourceWarning: unclosed session on volume 'vol', connected at <string>:\d+: it was"
)
VOLUME: Final = (
    r"ResourceWarning: unclosed <glusterio\S*Volume 'vol' active>, connected at <string>:\d+"
)
#: uvloop's own: of each connection that is open when it is closed, here a brick's and the daemon's.
UVLOOP_CLOSED: Final = r"ResourceWarning: unclosed resource <TCPTransport closed=False"
FILE: Final = r"ResourceWarning: unclosed <glusterio\S*File '/g-file' open>, opened at <string>:\d+"


class Program(NamedTuple):
    """One program.

    Attributes:
        about: what is dropped, for the page.
        seen: what is seen, for the page.
        text: the program.
        says: regular expressions for its warnings, in their order; there are no others.
        on_uvloop: likewise, where asyncio's event loops are uvloop's; ``None`` if it has none.
    """

    about: str
    seen: str
    text: str
    says: tuple[str, ...] = ()
    on_uvloop: tuple[str, ...] | None = None


#: What a program begins with whose event loops are uvloop's.
ON_UVLOOP: Final = """\
import asyncio, uvloop
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
"""

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
        (VOLUME, UVLOOP_CLOSED, UVLOOP_CLOSED, AT_EXIT),
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
    "SystemExit ends a thread": Program(
        "a thread that has opened a session, or a file, ends by `sys.exit`",
        "a `with` closes what is its own on the way out; else nothing: the thread ends as any does, and"
        " session and file can be used on",
        """
        vol, opened = glusterio.connect(url), []
        def work():
            opened.append(vol.open_handle("/g-file", CREATING))
            with glusterio.connect(url) as own:
                opened.append(own)
                opened.append(own.open_handle("/g-file", CREATING))
                sys.exit(3)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        file, own, own_file = opened
        assert own.closed and own_file.closed and own.close().graceful
        assert file.pwrite(b"goes on", 0) == 7
        file.close()
        assert vol.close().graceful
        """,
    ),
    "sys.exit in a completion callback": Program(
        "a callback of a future calls `sys.exit`, or raises anything, not on the main thread",
        "it is logged; the future is completed, and so are those that come after it",
        """
        with glusterio.connect(url) as vol, vol.open_handle("/g-file", CREATING) as file:
            file.pwrite(b"goes on", 0)
            called = []
            def leaves(future):
                if not is_main():
                    called.append(1)
                    sys.exit(3)
            while not called:  # it may be done before it has a callback, which is then called here
                future = file.pread_async(7, 0)
                try:
                    future.add_done_callback(leaves)
                finally:
                    assert future.result(10) == b"goes on"
            for _ in range(3):
                assert file.pread_async(7, 0).result(10) == b"goes on"
        assert vol.close().graceful
        """,
    ),
    "sys.exit in a callback for upcalls": Program(
        "a callback for upcalls calls `sys.exit`, or raises anything, not on the main thread",
        "it is logged; the callback is called for what comes next, as before",
        """
        with glusterio.connect(url) as vol:
            called = threading.Semaphore(0)
            def leaves(upcall):
                assert not is_main()
                called.release()
                sys.exit(3)
            vol.register_upcall(leaves)
            for _ in range(3):
                tell(vol)
                assert called.acquire(timeout=10)
        assert vol.close().graceful
        """,
    ),
    "sys.exit in a callback, main thread": Program(
        "likewise, on the main thread, in the middle of a call",
        "`SystemExit` out of the call, as of a signal's handler; the session goes on",
        """
        with glusterio.connect(url) as vol:
            def leaves(upcall):
                if is_main():
                    sys.exit(3)
            vol.register_upcall(leaves)
            try:
                while True:
                    tell(vol)
                    vol.stat("/")
            except SystemExit as error:
                assert error.code == 3
            vol.stat("/")
        assert vol.close().graceful
        """,
    ),
    "sys.exit in a callback, asyncio": Program(
        "likewise, asyncio",
        "`SystemExit` out of `asyncio.run`, as of any callback of the loop; `async with` closes the"
        " volume",
        """
        async def main():
            global vol
            async with aio.connect(url) as vol:
                vol.register_upcall(lambda upcall: sys.exit(3))
                tell(vol)
                await asyncio.sleep(10)
        try:
            asyncio.run(main())
        except SystemExit as error:
            assert error.code == 3
        else:
            raise AssertionError("it was kept")
        assert vol.closed
        """,
        on_uvloop=(),
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
        (AT_EXIT,),
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
        (UVLOOP_CLOSED, UVLOOP_CLOSED, AT_EXIT),
    ),
}
