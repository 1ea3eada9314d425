"""The table of outcomes, as data: what is seen when a thing happens to a program, by whom, and where.

:data:`EVENTS` says for each event what is so in general, and what is otherwise on some driver or in
some situation. :data:`ELSEWHERE` names the tests of the suite that are cells, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

#: What a program can be in the middle of.
SITUATIONS: Final = {
    "idle": "a file is open, nobody calls",
    "reading": "in a read that the brick has not answered",
    "writing": "in an fsync, 64 KiB of deferred data not yet acknowledged",
    "opening": "in the opening of a new file, which the brick has opened already",
    "listing": "in a listing",
    "locking": "waiting for a lock that another client holds",
    "closing": "in the close of the volume, the RELEASE not yet answered",
    "connecting": "connecting to a server that does not answer",
}

#: Who it is. ``both``: both faces in one process, asyncio's on the main thread.
DRIVERS: Final = ("threads", "asyncio", "uvloop", "both")

#: The asyncio driver on another event loop: what is said of asyncio is so there, too.
LIKE: Final = {"uvloop": "asyncio"}

#: In the middle of what something happens to it, as the faults do; the rest is in asyncio's column.
ON_UVLOOP: Final = ("idle", "reading", "writing", "closing")

UNCLOSED = (
    r"^.*ResourceWarning: unclosed session on volume 'cell-\d+', connected at .*subject\.py:\d+:"
    r" it was closed at interpreter exit\n(?:  warnings\.warn\(\n)?"
)
NOT_CLEAN = (
    r"^cell-\d+#\d+: at interpreter exit, session \S+: ended in .* ms, not gracefully\n(?:  .*\n)+"
)
#: uvloop's own: of a connection that is open when it is closed.
UVLOOP_CLOSED = (
    r"^.*ResourceWarning: unclosed resource <TCPTransport closed=False .*\n(?:  loop\.close\(\)\n)?"
)
ON_PURPOSE = r"(?s)^Traceback \(most recent call last\):\n.*?^RuntimeError: on purpose\n"


@dataclass(frozen=True)
class Outcome:
    """What is to be seen.

    Attributes:
        call: how the call under way ends: ``result``, or an error's name, or several joined by
            ``or``; empty where nobody is left to see it.
        use: how a further call of the same session ends.
        graceful: whether the close that the program makes then is graceful; ``None`` for one of two.
        handler: how the call that a signal's handler makes ends.
        status: the exit status.
        says: what standard error holds, and nothing else: regular expressions.
        within: from the event to the program's end, in seconds, at most.
        kept: whether the deferred data is on the brick.
        alone: nothing lets the call go: the program ends all the same.
    """

    call: str = "result"
    use: str = "result"
    graceful: bool | None = True
    handler: str = "result"
    status: int = 0
    says: tuple[str, ...] = ()
    within: float = 15.0
    kept: bool = True
    alone: bool = False


Where = tuple[str, str]  # driver and situation, either may be "*"


@dataclass(frozen=True)
class Event:
    """One thing that can happen.

    Attributes:
        about: what it is, for the page.
        seen: what the user sees, for the page.
        usual: what is to be seen.
        other: what is otherwise: for a driver and a situation.
        drivers: to whom it can happen.
        situations: in the middle of what.
    """

    about: str
    seen: str
    usual: Outcome = field(default_factory=Outcome)
    other: Mapping[Where, Mapping[str, Any]] = field(default_factory=dict)
    drivers: tuple[str, ...] = DRIVERS
    situations: tuple[str, ...] = tuple(SITUATIONS)

    def where(self, driver: str) -> tuple[str, ...]:
        """Return in the middle of what it comes to a driver."""
        if driver != "uvloop":
            return self.situations
        return tuple(each for each in self.situations if each in ON_UVLOOP)

    def outcome(self, driver: str, situation: str) -> Outcome:
        """Return what is to be seen in a cell."""
        outcome = self.usual
        for (who, where), changes in self.other.items():
            if who in ("*", driver, LIKE.get(driver)) and where in ("*", situation):
                outcome = replace(outcome, **changes)
        return outcome


def cells() -> Iterator[tuple[str, str, str, Outcome]]:
    """Every cell: event, driver, situation, outcome."""
    for name, event in EVENTS.items():
        for driver in event.drivers:
            for situation in event.where(driver):
                yield name, driver, situation, event.outcome(driver, situation)


CLOSED = {("*", "closing"): {"use": "SessionClosedError"}}
MOST = tuple(each for each in SITUATIONS if each != "connecting")
ALONE = ("threads", "asyncio", "uvloop")

#: Where an event loop has no part in it.
ANY_LOOP = ("threads", "asyncio")
DEAD_ON = ("threads", "asyncio", "both")

#: The program is gone at once: nobody sees anything.
DEAD = Outcome(call="", kept=False, alone=True, within=5.0)

#: It ends, and closes nothing; what is under way is ended by glusterio at exit, within two seconds.
LEFT = Outcome(call="SessionClosedError", says=(UNCLOSED, NOT_CLEAN), alone=True, within=8.0)

_LEFT: dict[Where, dict[str, Any]] = {
    ("threads", "idle"): {"call": "", "says": (UNCLOSED,)},
    ("threads", "connecting"): {"says": (UNCLOSED,)},
    ("threads", "closing"): {"call": "result", "says": (NOT_CLEAN,)},
    ("asyncio", "*"): {"call": "CancelledError", "says": (UNCLOSED,)},
    ("asyncio", "writing"): {"says": (UNCLOSED, NOT_CLEAN)},
    ("asyncio", "closing"): {"says": ()},
    ("asyncio", "connecting"): {"says": ()},
    ("uvloop", "*"): {"says": (UVLOOP_CLOSED, UNCLOSED)},
    ("uvloop", "writing"): {"says": (UVLOOP_CLOSED, UNCLOSED, NOT_CLEAN)},
    ("uvloop", "closing"): {"says": ()},
    ("uvloop", "connecting"): {"says": ()},
    ("both", "*"): {"call": "CancelledError or SessionClosedError"},
    ("both", "idle"): {"says": (UNCLOSED,)},
    ("both", "connecting"): {"says": (UNCLOSED,)},
    ("both", "closing"): {"call": "CancelledError or result", "says": (NOT_CLEAN,)},
}

EVENTS: Final[dict[str, Event]] = {
    "fork, the child uses it": Event(
        "the child of os.fork calls volume and file, and closes both",
        "`ForkedSessionError`, at once; the parent's call goes on",
        other=CLOSED,
    ),
    "fork, the child exits": Event(
        "the child ends as a program does, with all the parent's objects in it",
        "exit status 0, nothing on standard error; the parent's call goes on",
        other=CLOSED,
        drivers=("threads",),
    ),
    "fork, the child ends by os._exit": Event(
        "the child ends at once", "the parent's call goes on", other=CLOSED
    ),
    "fork, the child connects anew": Event(
        "the child makes sessions of its own, one of each face",
        "they work, and end well; the parent's call goes on",
        other=CLOSED,
        drivers=ALONE,
        situations=MOST,
    ),
    "fork twice": Event(
        "the child's child calls everything, too",
        "`ForkedSessionError`, in both; the parent's call goes on",
        other=CLOSED,
        drivers=ALONE,
        situations=("idle", "reading", "writing", "closing"),
    ),
    "multiprocessing: fork": Event(
        "a process of multiprocessing's connects anew",
        "it works; the parent's call goes on",
        drivers=ANY_LOOP,
        situations=("idle", "reading"),
    ),
    "multiprocessing: spawn": Event(
        "likewise", "likewise", drivers=ANY_LOOP, situations=("idle", "reading")
    ),
    "multiprocessing: forkserver": Event(
        "likewise", "likewise", drivers=ANY_LOOP, situations=("idle", "reading")
    ),
    "multiprocessing: a volume given by fork": Event(
        "a volume is an argument of a process that is forked",
        "there it raises `ForkedSessionError`",
        drivers=("threads",),
        situations=("idle", "reading"),
    ),
    "pickle": Event(
        "a volume or a file is pickled, or sent to a process",
        "`TypeError`, which says that it belongs to a session; nothing happens to it",
        drivers=ANY_LOOP,
        situations=("idle", "reading"),
    ),
    "garbage collection": Event(
        "the garbage collector runs",
        "nothing: whoever is under way is held by what he waits for",
        other=CLOSED,
        drivers=ANY_LOOP,
    ),
    "SIGINT": Event(
        "Ctrl-C, by Python's own handler",
        "`KeyboardInterrupt` out of the call (asyncio: the task is cancelled, then"
        " `KeyboardInterrupt` out of `asyncio.run`); the session goes on and can be closed",
        Outcome(call="KeyboardInterrupt"),
        {
            ("asyncio", "*"): {"call": "CancelledError"},
            ("both", "*"): {"call": "CancelledError or result"},
            ("*", "closing"): {"use": "SessionClosedError", "graceful": False},
            ("both", "closing"): {"graceful": None},
        },
    ),
    "SIGTERM": Event(
        "its default: the process is ended by the system",
        "exit status -15; the brick lets go of everything",
        replace(DEAD, status=-15),
        drivers=DEAD_ON,
    ),
    "SIGTERM, its handler exits": Event(
        "the handler raises SystemExit",
        "`SystemExit` out of the call; `with` closes the volume; the status is the handler's",
        Outcome(call="SystemExit", status=5),
        {
            ("asyncio", "*"): {"call": "CancelledError"},
            ("both", "*"): {"call": "CancelledError or result"},
            ("*", "closing"): {"graceful": False},
            ("both", "closing"): {"graceful": None},
        },
    ),
    "SIGTERM, its handler closes": Event(
        "the handler closes the volume (asyncio: by a task, of `loop.add_signal_handler`)",
        "threads: `CloseFromCallbackError` in the middle of a call of the same thread, which goes on;"
        " else the report. asyncio: the call ends with `SessionClosedError` after the grace",
        Outcome(handler="CloseFromCallbackError"),
        {
            ("threads", "idle"): {"handler": "result", "use": "SessionClosedError"},
            ("threads", "connecting"): {"handler": "result"},
            ("threads", "closing"): {"use": "SessionClosedError"},
            ("asyncio", "*"): {
                "call": "SessionClosedError",
                "handler": "result",
                "use": "SessionClosedError",
                "graceful": False,
            },
            ("asyncio", "idle"): {"call": "result", "graceful": True},
            ("asyncio", "closing"): {"call": "result", "graceful": True},
            ("asyncio", "connecting"): {"call": "result", "use": "result", "graceful": True},
        },
        drivers=ALONE,
    ),
    "SIGUSR1, its handler uses it": Event(
        "the handler calls the volume (asyncio: by a task)",
        "threads: `ReentrantCallError` in the middle of a call of the same thread, which goes on; else"
        " it works",
        Outcome(handler="ReentrantCallError"),
        {
            ("threads", "idle"): {"handler": "result"},
            ("threads", "connecting"): {"handler": "result"},
            ("asyncio", "*"): {"handler": "result"},
            ("*", "closing"): {"use": "SessionClosedError"},
            ("asyncio", "closing"): {"handler": "SessionClosedError"},
        },
        drivers=ALONE,
    ),
    "SIGKILL": Event(
        "the process is gone",
        "exit status -9; the brick lets go of everything",
        replace(DEAD, status=-9),
        drivers=DEAD_ON,
    ),
    "SIGSTOP, SIGCONT": Event(
        "the process is stopped for longer than the ping time-out, and goes on",
        "nothing: what came meanwhile is looked at first",
        other=CLOSED,
        drivers=ALONE,
        situations=MOST,
    ),
    "sys.exit": Event(
        "the main thread exits while another thread, a daemon, is in the call (asyncio: another task)",
        "threads: the call ends with `SessionClosedError`, the session is closed within two seconds,"
        " with a `ResourceWarning`; asyncio: the task is cancelled (uvloop warns of each connection,"
        " too)",
        replace(LEFT, status=3),
        _LEFT,
    ),
    "end of main": Event(
        "likewise, by the end of the program's text",
        "likewise",
        LEFT,
        _LEFT,
    ),
    "end of main, no daemon": Event(
        "likewise, and the other thread is no daemon",
        "Python waits for the thread: the call goes on to its end; then as above",
        Outcome(says=(UNCLOSED,)),
        {("*", "closing"): {"says": ()}},
        drivers=("threads",),
    ),
    "unhandled exception": Event(
        "likewise, by an exception that nobody catches",
        "likewise; the exception's traceback once, and no other",
        replace(LEFT, status=1, says=(ON_PURPOSE, *LEFT.says)),
        {
            where: {**other, "says": (ON_PURPOSE, *other["says"])} if "says" in other else other
            for where, other in _LEFT.items()
        },
    ),
    "SystemExit in a thread": Event(
        "SystemExit is raised in the thread that is in the call (`PyThreadState_SetAsyncExc`)",
        "`SystemExit` out of the call, when its answer is there; the session goes on and can be closed",
        Outcome(call="SystemExit"),
        {("*", "closing"): {"use": "SessionClosedError", "graceful": None}},
        drivers=("threads",),
    ),
    "os._exit": Event(
        "the process ends without Python's doing anything",
        "the status; the brick lets go of everything; deferred data may be lost",
        replace(DEAD, status=7),
        drivers=DEAD_ON,
    ),
    "atexit": Event(
        "atexit handlers use volume and file, registered after glusterio was imported, and before",
        "the former run while the session is open (asyncio: its loop is closed, `RuntimeError`); the"
        " latter get `SessionClosedError`"
        " (`HandleRevokedError` from a file), and the report from `close`",
        Outcome(call="", handler="result", says=(UNCLOSED,), alone=True),
        {
            ("asyncio", "*"): {"handler": "RuntimeError"},
            ("uvloop", "*"): {"says": (UVLOOP_CLOSED, UNCLOSED)},
        },
        drivers=ALONE,
        situations=("idle",),
    ),
}

#: Cells that tests of the suite are: event, where, and the test.
ELSEWHERE: Final = (
    (
        "fork while other threads are in the middle of calls",
        "tests/api/test_fork_exit.py",
        "test_fork_while_other_threads_are_inside",
    ),
)
