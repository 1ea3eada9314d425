"""The scenarios: small applications, and the accidents that may befall them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from glusterio.api import handles
from glusterio.errors import GlusterError, HandleClosedError
from glusterio.lifecycle.handle import Handle
from tests.explore.session import App, Interrupt, Interrupted
from tests.explore.world import FAULTS, Scenario

Script = Callable[[App], Coroutine[Any, Any, Any]]

#: All that can go wrong, in a life of some length.
ALL_FAULTS = {
    "time": 3, "stall": 1, "interrupt": 2, "lose": 1, "lose-answer": 1, "down": 1, "refuse": 1,
    "garble": 1, "split": 1, "jam": 1, "fork": 1,
}  # fmt: skip

_THERE = {"there": b"content", "other": b"others"}


async def make(app: App) -> None:
    """Make a file, write, close it."""
    file = await app.open("/made", "x")
    await app.write(file, b"made")
    await app.close_file(file)


async def leave(app: App) -> None:
    """Make a file and leave it open."""
    file = await app.open("/left", "x")
    await app.write(file, b"left")


async def read(app: App) -> None:
    """Open a file, read, close it."""
    file = await app.open("/there", "r")
    await app.read(file)
    await app.close_file(file)


async def open_it(app: App) -> None:
    """Open a file and leave it open."""
    await app.open("/there", "r")


def create(name: str) -> Script:
    """Make a file and leave it open: one request, and the RELEASE."""

    async def script(app: App) -> None:
        await app.open(f"/{name}", "x")

    return script


async def remove(app: App) -> None:
    """Remove a file that others have open."""
    await app.unlink("/there")


async def list_it(app: App) -> None:
    """List a directory, and close it."""
    directory = await app.opendir("/")
    await app.list(directory)
    await app.close_file(directory)


async def lock_it(app: App) -> None:
    """Lock a section of a file, write there, unlock."""
    file = await app.open("/there", "r+")
    await app.lock(file)
    await app.write(file, b"locked")
    await app.unlock(file)
    await app.close_file(file)


async def lock_for_a_while(app: App) -> None:
    """Lock a section, if it can be had in time, and leave the rest to the end of the session."""
    file = await app.open("/there", "r+")
    await app.lock(file, 1.0)


async def lock_for_long(app: App) -> None:
    """Lock a section for longer than another waits for it."""
    file = await app.open("/there", "r+")
    await app.lock(file)
    await app.sleep(3.0)
    await app.unlock(file)
    await app.sleep(3.0)


async def lock_in_vain(app: App) -> None:
    """Wait for a section for too short a time, and keep the file open."""
    file = await app.open("/there", "r+")
    with contextlib.suppress(TimeoutError):
        await app.lock(file, 1.0)
    await app.sleep(5.0)


async def write_thrice(app: App) -> None:
    """Write, write over it, and behind it; make sure; write once more."""
    file = await app.open("/made", "w")
    await app.write(file, b"first")
    await app.write(file, b"second", 2)
    await app.fsync(file)
    await app.write(file, b"third", 4)
    await app.close_file(file)


async def write_and_look(app: App) -> None:
    """Write, and ask what is there."""
    file = await app.open("/there", "r+")
    await app.write(file, b"new")
    await app.read(file)
    await app.fstat(file)


async def submit_some(app: App) -> None:
    """Start reads and writes and wait for none of them."""
    file = await app.open("/there", "r+")
    app.submit(handles.pread, file, 4, 0)
    app.submit(handles.pwrite, file, b"sent", 0)
    app.submit(handles.fsync, file, False)
    await app.fstat(file)


async def close_from_callback(app: App) -> None:
    """Start a read, whose completion has the session closed."""
    file = await app.open("/there", "r")
    accepted = app.submit(handles.pread, file, 4, 0)
    accepted.then = app.close_soon


async def use_while_closing(app: App) -> None:
    """Use an open file until it is gone."""
    file = await app.open("/there", "r")
    try:
        for _ in range(4):
            await app.read(file)
    except GlusterError:
        await app.close_file(file)


async def read_in_place(app: App) -> None:
    """Read into a buffer, twice."""
    file = await app.open("/there", "r")
    await app.read_into(file)
    await app.read_into(file, 4)


async def share(app: App) -> None:
    """Have a file open twice, with one descriptor, and close one of the two."""
    file = await app.open("/there", "r+")
    second = await app.dup(file)
    await app.write(file, b"shared")
    await app.close_file(file)
    await app.read(second)


async def hold_objects(app: App) -> None:
    """Hold files that are not open."""
    pin = await app.find("/there")
    await app.find("/other")
    await app.open("/there", "r")
    app.drop(pin)


async def close_under_way(app: App) -> None:
    """Close a file while operations that nobody waits for use it."""
    file = await app.open("/there", "r+")
    app.submit(handles.pread, file, 4, 0)
    app.submit(handles.pwrite, file, b"sent", 0)
    await app.close_file(file)
    again = await app.open("/there", "r")
    await app.read(again)


async def give_up_and_close(app: App) -> None:
    """Read; if that is interrupted, close the file nevertheless, and open it once more."""
    file = await app.open("/there", "r+")
    with contextlib.suppress(Interrupted, Interrupt):
        await app.read(file)
    await app.close_file(file)
    await app.open("/other", "r")


async def use_beside(app: App) -> None:
    """Have others read and close a file that one closes oneself."""
    file = await app.open("/there", "r+")
    app.beside("a reader", _read_on(app, file))
    app.beside("another who closes", app.close_file(file))
    await app.close_file(file)


async def _read_on(app: App, file: Handle) -> None:
    with contextlib.suppress(HandleClosedError):
        await app.read(file)
        await app.read(file)


def reload(*names: str) -> Script:
    """Use other volfiles, one after the other."""

    async def script(app: App) -> None:
        for name in names:
            with contextlib.suppress(OSError, GlusterError):
                await app.reload(name)

    return script


async def reload_anew(app: App) -> None:
    """Ask the daemon for the volfile."""
    with contextlib.suppress(OSError, GlusterError):
        await app.reload(None)


def change(*names: str) -> Script:
    """Let somebody change the volume, several times."""

    async def script(app: App) -> None:
        for name in names:
            await app.change(name)

    return script


async def lease_it(app: App) -> None:
    """Take a lease on an open file, use it, and give it back; take another, and keep it."""
    file = await app.open("/there", "r+")
    taken = await app.lease(file)
    await app.read(file)
    with contextlib.suppress(OSError):  # it may have gone with its connection
        await app.give_lease(taken)
    await app.lease(file, b"another")
    await app.read(file)


async def take(app: App) -> None:
    """Lock a section, however long that takes, and leave the rest to the end of the session."""
    file = await app.open("/there", "r+")
    await app.lock(file)


async def keep_using(app: App) -> None:
    """Use an open file for a while."""
    file = await app.open("/there", "r+")
    await app.read(file)
    await app.write(file, b"written")
    await app.fsync(file)
    await app.read(file)
    await app.close_file(file)


async def hold_a_lock(app: App) -> None:
    """Lock a section, and keep it until the end of the session."""
    file = await app.open("/there", "r+")
    await app.lock(file)
    await app.write(file, b"locked")
    await app.fstat(file)


async def share_all(app: App) -> None:
    """Have a file open twice, lock through one, unlock and close, and use the other."""
    file = await app.open("/there", "r+")
    second = await app.dup(file)
    await app.lock(file)
    await app.write(second, b"shared")
    await app.unlock(file)
    await app.close_file(file)
    await app.read(second)


async def close(app: App) -> None:
    """End the session."""
    await app.close()


async def close_quickly(app: App) -> None:
    """End the session, with no patience."""
    await app.close(0.5, 0.1)


#: With a graph switch: connections of both graphs may be lost.
_SWITCH_FAULTS = {**ALL_FAULTS, "lose": 2, "time": 4}

_SWITCHING: tuple[Scenario, ...] = tuple(
    scenario._replace(name=f"reload-{scenario.name}", faults=_SWITCH_FAULTS, files=_THERE)
    for scenario in (
        Scenario(
            "use",
            "a file is used while the graph changes",
            {"use": keep_using, "read": read, "reload": reload("write-behind")},
        ),
        Scenario(
            "write",
            "deferred writes while the graph changes",
            {"write": write_thrice, "look": write_and_look, "reload": reload("all")},
            volfile="write-behind",
        ),
        Scenario(
            "share",
            "a descriptor of two handles, and a listing, while the graph changes",
            {"share": share_all, "list": list_it, "reload": reload("write-behind")},
        ),
        Scenario(
            "locks",
            "locks while the graph changes",
            {"hold": hold_a_lock, "lock": lock_it, "reload": reload("write-behind")},
        ),
        Scenario(
            "locks-in-vain",
            "a lock that is waited for in vain while the graph changes",
            {"long": lock_for_long, "in vain": lock_in_vain, "reload": reload("ping", "client")},
            threads=True,
        ),
        Scenario(
            "unlinked",
            "a file that is removed while the graph changes",
            {"use": keep_using, "remove": remove, "reload": reload("all")},
        ),
        Scenario(
            "twice",
            "the graph changes several times",
            {
                "use": keep_using,
                "lock": lock_it,
                "reload": reload("all", "client"),
                "reload too": reload("write-behind"),
            },
        ),
        Scenario(
            "close",
            "the session is closed while the graph changes",
            {
                "leave": leave,
                "hold": hold_a_lock,
                "reload": reload("write-behind", "client"),
                "close": close,
            },
        ),
        Scenario(
            "beside",
            "files are closed while the graph changes",
            {"beside": use_beside, "under way": close_under_way, "reload": reload("all")},
        ),
        Scenario(
            "anew",
            "the volfile is asked for anew, and a daemon tells when it changes",
            {
                "use": keep_using,
                "hold": hold_a_lock,
                "change": change("write-behind", "client"),
                "reload": reload_anew,
            },
            follow=True,
        ),
        Scenario(
            "leases",
            "leases while the graph changes",
            {"lease": lease_it, "use": keep_using, "reload": reload("write-behind")},
        ),
        Scenario(
            "waiting",
            "a lock that is waited for while the graph changes, and the session is closed",
            {"hold": take, "wait": take, "reload": reload("write-behind"), "close": close},
        ),
        Scenario(
            "lax-locks",
            "locks that are taken anew, while the graph changes",
            {"hold": hold_a_lock, "lock": lock_it, "reload": reload("write-behind")},
            volfile="lax-locks",
        ),
        Scenario(
            "options",
            "translators take other options, and a file comes late",
            {"write": write_thrice, "reload": reload("small-window", "client")},
            volfile="write-behind",
        ),
    )
)

_ONCE: tuple[Scenario, ...] = (
    Scenario("make", "one caller makes a file", {"make": make}, faults=ALL_FAULTS),
    Scenario(
        "two", "one makes a file, one reads another", {"make": make, "read": read},
        faults=ALL_FAULTS, files=_THERE,
    ),
    Scenario(
        "connect", "connecting, and closing meanwhile", {"make": make, "close": close},
        faults=ALL_FAULTS, connected=False,
    ),
    Scenario(
        "three", "three callers leave files open, or not; two close",
        {"leave": leave, "read": read, "use": use_while_closing, "close": close,
         "close again": close_quickly},
        faults=ALL_FAULTS, files=_THERE,
    ),
    Scenario(
        "submit", "operations that nobody waits for", {"submit": submit_some, "read": read},
        faults=ALL_FAULTS, files=_THERE,
    ),
    Scenario(
        "under-way", "files are closed while they are used",
        {"under way": close_under_way, "give up": give_up_and_close, "beside": use_beside},
        faults=ALL_FAULTS, files=_THERE,
    ),
    Scenario(
        "callback", "a completion has the session closed",
        {"callback": close_from_callback, "leave": leave},
        faults=ALL_FAULTS, files=_THERE,
    ),
    Scenario(
        "locks", "three want the same section", {
            "first": lock_it, "second": lock_it, "third": lock_for_a_while,
        }, faults=ALL_FAULTS, files=_THERE,
    ),
    Scenario(
        "locks-in-vain", "one waits for a lock, and gives up", {
            "long": lock_for_long, "in vain": lock_in_vain,
        }, threads=True, faults=ALL_FAULTS, files=_THERE,
    ),
    Scenario(
        "lax-locks", "locks that are taken anew on a new connection", {
            "lock": lock_it, "again": lock_it, "wait": take,
        }, faults=ALL_FAULTS, files=_THERE, volfile="lax-locks",
    ),
    Scenario(
        "leases", "leases, and a file that is used beside", {"lease": lease_it, "use": keep_using},
        faults=ALL_FAULTS, files=_THERE,
    ),
    Scenario(
        "list", "a listing, while files come and go",
        {"list": list_it, "make": make, "remove": remove}, faults=ALL_FAULTS, files=_THERE,
    ),
    Scenario(
        "write-behind", "writes that are answered before the brick has them",
        {"write": write_thrice, "look": write_and_look, "leave": leave},
        faults=ALL_FAULTS, files=_THERE, volfile="write-behind",
    ),
    Scenario(
        "in-place", "reading into buffers", {"read": read_in_place, "other": read_in_place},
        faults=ALL_FAULTS, files=_THERE,
    ),
    Scenario(
        "share", "two handles with one descriptor, and objects", {
            "share": share, "hold": hold_objects, "lock": lock_it,
        }, faults=ALL_FAULTS, files=_THERE,
    ),
    Scenario(
        "all", "every translator of the client's graph",
        {"write": write_thrice, "read": read, "look": write_and_look, "list": list_it},
        faults=ALL_FAULTS, files=_THERE, volfile="all",
    ),
    Scenario(
        "ping", "a brick that falls silent", {"make": make, "read": read},
        faults={**ALL_FAULTS, "time": 12}, files=_THERE, volfile="ping",
    ),
    *_SWITCHING,
)  # fmt: skip

#: Those of them that are lived by threads, too: what an interrupted caller leaves behind differs.
_BY_THREADS_TOO = (
    "two", "connect", "three", "submit", "under-way", "write-behind", "in-place", "share",
    *(scenario.name for scenario in _SWITCHING if not scenario.threads),
)  # fmt: skip


def _by_threads(scenario: Scenario) -> Scenario:
    return scenario._replace(
        name=f"{scenario.name}-threads", about=f"{scenario.about}; by threads", threads=True
    )


#: Those that are lived by sessions that connect again, too.
_RECONNECTING_TOO = (
    "two", "three", "submit", "under-way", "locks", "lax-locks", "leases", "list", "write-behind",
    "share", "all", "ping",
    *(scenario.name for scenario in _SWITCHING),
)  # fmt: skip


def _reconnecting(scenario: Scenario) -> Scenario:
    return scenario._replace(
        name=f"{scenario.name}-reconnect",
        about=f"{scenario.about}; by a session that connects again",
        reconnect=True,
        faults={**scenario.faults, "lose": 2, "lose-answer": 2, "time": 6},
    )


_TASKS: tuple[Scenario, ...] = (
    *_ONCE,
    *(_reconnecting(scenario) for scenario in _ONCE if scenario.name in _RECONNECTING_TOO),
)

_ALL: tuple[Scenario, ...] = (
    *_TASKS,
    *(
        _by_threads(scenario)
        for scenario in _TASKS
        if scenario.name.removesuffix("-reconnect") in _BY_THREADS_TOO
    ),
)

#: One accident of each kind.
_EACH = {fault: 1 for fault in FAULTS if fault not in ("split", "down")}


def _scope(
    name: str, about: str, callers: Mapping[str, Script], most: int, **more: Any
) -> Scenario:
    """A small scope: at most so many accidents, of any kinds."""
    return Scenario(f"scope-{name}", about, callers, faults=_EACH, files=_THERE, most=most, **more)


_TWO_OPEN = {"open": open_it, "leave": leave}
_CLOSE_TWICE = {"open": open_it, "close": close, "close again": close_quickly}

_SCOPES: tuple[Scenario, ...] = (
    _scope("read", "open, read, close", {"read": read}, 3),
    _scope("make", "make, write, close", {"make": make}, 3),
    _scope("two", "two leave files open", _TWO_OPEN, 1),
    _scope("three", "three make files", {"a": create("a"), "b": create("b"), "c": create("c")}, 0),
    _scope("close-twice", "a file is open, and two close", _CLOSE_TWICE, 2),
    _scope("connect", "closed while connecting", {"open": open_it, "close": close}, 3,
           connected=False),
    _scope("submit", "operations that nobody waits for", {"submit": submit_some}, 1),
    _scope("give-up", "a file is closed whose reader gave up", {"give up": give_up_and_close}, 1),
    _scope("beside", "one reads, two close", {"beside": use_beside}, 0),
    _scope("beside-threads", "the same, by threads", {"beside": use_beside}, 0, threads=True),
    _scope("callback", "closed from a completion", {"callback": close_from_callback}, 3),
    _scope("locks", "two want the same section", {"a": lock_it, "b": lock_for_a_while}, 0),
    _scope("list", "a listing", {"list": list_it}, 2),
    _scope("write-behind", "deferred writes", {"write": write_thrice}, 2, volfile="write-behind"),
    _scope("open-threads", "a thread opens a file", {"open": open_it}, 2, threads=True),
    _scope("make-threads", "a thread makes a file", {"make": make}, 1, threads=True),
    _scope("two-threads", "two threads open files", {"a": open_it, "b": open_it}, 0, threads=True),
    _scope("close-twice-threads", "the same, by threads", _CLOSE_TWICE, 1, threads=True),
    _scope("connect-threads", "closed while connecting", {"open": open_it, "close": close}, 2,
           threads=True, connected=False),
    _scope("open-asyncio", "opened on a real loop", {"open": open_it}, 3, loop=True),
    _scope("make-asyncio", "made on a real loop", {"make": make}, 2, loop=True),
    _scope("close-twice-asyncio", "the same, on a real loop", _CLOSE_TWICE, 2, loop=True),
    _scope("connect-asyncio", "the same, on a real loop", {"open": open_it, "close": close}, 2,
           loop=True, connected=False),
    _scope("reload", "the graph changes, and nothing is open", {"reload": reload("write-behind")},
           1),
    _scope("reload-open", "with an open file", {"open": open_it, "reload": reload("ping")}, 0),
    _scope("reload-close", "closed by two meanwhile",
           {"reload": reload("ping"), "close": close, "close again": close_quickly}, 1),
    _scope("reload-lock", "with a lock", {"hold": hold_a_lock, "reload": reload("ping")}, 0),
    _scope("reload-threads", "by a thread", {"reload": reload("ping")}, 1, threads=True),
    _scope("reload-asyncio", "on a real loop", {"open": open_it, "reload": reload("ping")}, 0,
           loop=True),
    _scope("reload-reconnect", "by a session that connects again", {"reload": reload("ping")}, 1,
           reconnect=True),
    _scope("reconnect", "read by a session that connects again", {"read": read}, 2, reconnect=True),
    _scope("reconnect-make", "made by such a session", {"make": make}, 2, reconnect=True),
    _scope("reconnect-close", "closed meanwhile", {"open": open_it, "close": close}, 2,
           reconnect=True),
    _scope("reconnect-write-behind", "deferred writes", {"write": write_thrice}, 1,
           volfile="write-behind", reconnect=True),
    _scope("reconnect-threads", "opened by a thread of such a session", {"open": open_it}, 1,
           threads=True, reconnect=True),
    _scope("reconnect-asyncio", "opened on a real loop", {"open": open_it}, 1,
           loop=True, reconnect=True),
)  # fmt: skip

#: The same on the real asyncio session.
_ON_LOOPS: tuple[Scenario, ...] = tuple(
    scenario._replace(
        name=f"{scenario.name}-asyncio", about=f"{scenario.about}; the asyncio face", loop=True
    )
    for scenario in _ALL
    if not scenario.threads
)

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario for scenario in (*_ALL, *_ON_LOOPS, *_SCOPES)
}

#: Those of which random lives are lived.
RANDOM: tuple[str, ...] = tuple(scenario.name for scenario in (*_ALL, *_ON_LOOPS))

#: Those that are searched to the end.
EXHAUSTIVE: tuple[str, ...] = tuple(scenario.name for scenario in _SCOPES)
