"""The faults, as data: how each begins, how it ends, and what may be seen of it."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tests.reliability.faults.venue import PING_TIMEOUT, Venue

#: In the middle of what the fault comes.
ACTIVITIES: Final = {
    "idle": "files are open, nobody calls",
    "reading": "4 readers, each read compared with what the file holds",
    "writing": "4 writers, each syncs after 4 blocks and knows from then on that they are there",
    "closing": "the volume is being closed, 8 files with deferred writes",
}


class After(Enum):
    """What a session is good for afterwards."""

    #: Everything goes on, and no call failed because of the connection.
    UNHARMED = "nothing was noticed"
    #: Who is concerned hears of it. Nobody else does.
    OTHERS = "whoever it came to hears so; the session goes on"
    #: The connection is lost, and comes back with all that was open.
    BACK = "the session goes on, with the same handles"
    #: The connection comes back; the files are not there any more.
    STALE = "the session goes on; what was open is stale"
    #: The connection comes back; what was open for writing does not.
    READABLE = "the session goes on; what was open for writing is stale, all else is as it was"
    #: There is no brick to connect to any more.
    GONE = "every call fails"


LOST: Final = ("ConnectionLostError", "HandleStaleError")


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        about: what it is.
        begin: does it.
        end: heals it, as far as it can be healed.
        after: what the session is good for then.
        errors: the names of what calls may end with meanwhile, and nothing else.
        seconds: how long it lasts.
        small: the brick's file system has so many bytes.
        idle: what a session is good for that had asked for nothing meanwhile, if that is different.
        activities: in the middle of what.
        by_daemon: clients come by a management daemon, and follow it again in the end.
        close_in: a close begins after the fault, and gets so many seconds.
    """

    about: str
    begin: Callable[[Venue], None]
    end: Callable[[Venue], None]
    after: After
    errors: tuple[str, ...] = LOST
    seconds: float = 0.1
    small: int | None = None
    idle: After | None = None
    activities: tuple[str, ...] = tuple(ACTIVITIES)
    by_daemon: bool = False
    close_in: float | None = None


def _nothing(venue: Venue) -> None:
    """It needs no healing, or there is none."""


def _fill(venue: Venue) -> None:
    """Leave a few blocks for everybody."""
    path = venue.directory / "ballast"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    with path.open("rb+") as file:
        file.truncate(max(0, path.stat().st_size - 16 * 4096))


def _make_room(venue: Venue) -> None:
    (venue.directory / "ballast").unlink()


def _truncate(venue: Venue) -> None:
    """The stream ends in the middle of the next record; whoever comes then is served."""
    venue.relay.truncate_after(30)
    time.sleep(0.05)
    venue.relay.refuse()
    venue.relay.cut()


def _refuse(venue: Venue) -> None:
    venue.relay.refuse()
    venue.relay.cut()


def _too_late(venue: Venue) -> None:
    venue.relay.delay(0.2)
    venue.users.hurry(0.02)


def _in_time(venue: Venue) -> None:
    venue.users.hurry(None)
    venue.relay.heal()


SILENT: Final = PING_TIMEOUT + 1.2

FAULTS: Final[dict[str, Fault]] = {
    "killed, restarted": Fault(
        "the brick's process is killed (-9) and started again, on another port",
        Venue.kill,
        Venue.come_back,
        After.BACK,
    ),
    "killed for good": Fault(
        "the brick's process is killed and does not come back",
        Venue.kill,
        _nothing,
        After.GONE,
    ),
    "comes back empty": Fault(
        "killed; what comes back under its name is another volume, without the files",
        Venue.kill,
        Venue.come_back_empty,
        After.STALE,
        (*LOST, "FileNotFoundError"),
    ),
    "comes back and refuses us": Fault(
        "killed; what comes back has us refused, by our address",
        Venue.kill,
        Venue.come_back_for_others,
        After.GONE,
        (*LOST, "AuthRejectedError"),
    ),
    "comes back read-only": Fault(
        "killed; what comes back lets nothing be changed (EROFS)",
        Venue.kill,
        Venue.come_back_read_only,
        After.READABLE,
        (*LOST, "OSError"),
    ),
    "killed with its daemon": Fault(
        "brick and management daemon are killed (-9), and started again: the daemon where it was,"
        " the brick on another port",
        Venue.kill,
        Venue.come_back,
        After.BACK,
        by_daemon=True,
    ),
    "management daemons gone for a while": Fault(
        "the management daemons end, and come back; the brick stays",
        Venue.lose_daemons,
        Venue.find_daemons,
        After.UNHARMED,
        (),
        seconds=0.3,
        by_daemon=True,
    ),
    "management daemon gone for good": Fault(
        "the management daemon that is followed ends, and another one is followed; the brick stays",
        Venue.lose_daemon,
        _nothing,
        After.UNHARMED,
        (),
        by_daemon=True,
    ),
    "stopped beyond the ping time-out": Fault(
        "the brick is stopped (SIGSTOP) for longer than the ping time-out, and goes on",
        Venue.stop,
        Venue.go_on,
        After.BACK,
        idle=After.UNHARMED,
        seconds=SILENT,
    ),
    "stopped for a moment": Fault(
        "the brick is stopped for less than that",
        Venue.stop,
        Venue.go_on,
        After.UNHARMED,
        (),
        seconds=0.3,
    ),
    "reset": Fault(
        "the connection is reset (RST)", lambda venue: venue.relay.cut(), _nothing, After.BACK
    ),
    "hung up": Fault(
        "the connection is closed in the ordinary way (FIN)",
        lambda venue: venue.relay.cut(reset=False),
        _nothing,
        After.BACK,
    ),
    "reset, and refused for a while": Fault(
        "the connection is reset, and new ones are, too, for half a second",
        _refuse,
        lambda venue: venue.relay.heal(),
        After.BACK,
        seconds=0.5,
    ),
    "network stalls": Fault(
        "nothing passes any more, for longer than the ping time-out; then all that waited does",
        lambda venue: venue.relay.pause(),
        lambda venue: venue.relay.resume(),
        After.BACK,
        idle=After.UNHARMED,
        seconds=SILENT,
    ),
    "black hole": Fault(
        "what is sent is swallowed, for longer than the ping time-out",
        lambda venue: venue.relay.black_hole(),
        lambda venue: venue.relay.heal(),
        After.BACK,
        idle=After.UNHARMED,
        seconds=SILENT,
    ),
    "cut in the middle of a record": Fault(
        "the stream ends 30 bytes into what comes next",
        _truncate,
        lambda venue: venue.relay.heal(),
        After.BACK,
    ),
    "delay": Fault(
        "every answer comes 0.2 s late",
        lambda venue: venue.relay.delay(0.2),
        lambda venue: venue.relay.heal(),
        After.UNHARMED,
        (),
        seconds=0.5,
    ),
    "a length that cannot be": Fault(
        "the first byte of an answer's length is wrong",
        lambda venue: venue.relay.garble(0),
        lambda venue: venue.relay.heal(),
        After.BACK,
        (*LOST, "RecordTooLongError", "RemoteProtocolError", "XdrError"),
        idle=After.UNHARMED,
    ),
    "graph switch": Fault(
        "the graph is replaced three times (`vol.reload`)",
        Venue.switch,
        _nothing,
        After.UNHARMED,
        (),
    ),
    "callers interrupted": Fault(
        "every other caller is: his task is cancelled, KeyboardInterrupt comes in his thread",
        lambda venue: venue.users.interrupt(),
        _nothing,
        After.OTHERS,
    ),
    "deadlines pass": Fault(
        "calls have 20 ms (`vol.deadline`), a close 0.1 s, while every answer comes 0.2 s late",
        _too_late,
        _in_time,
        After.OTHERS,
        ("TimeoutError",),
        seconds=0.6,
        close_in=0.1,
    ),
    "fork": Fault(
        "the process forks; the child calls what it has, and ends",
        lambda venue: venue.users.fork(),
        _nothing,
        After.UNHARMED,
        (),
    ),
    "disk full": Fault(
        "the brick's file system has no room left (ENOSPC), and then has again",
        _fill,
        _make_room,
        After.UNHARMED,
        ("OSError",),
        small=8 << 20,
        seconds=0.3,
    ),
    "file too large": Fault(
        "the brick's system lets no file grow (EFBIG), and then does again",
        lambda venue: venue.no_file_beyond(8192),
        lambda venue: venue.no_file_beyond(None),
        After.UNHARMED,
        ("OSError",),
        seconds=0.3,
    ),
    "EIO": Fault(
        "every WRITE is answered by EIO",
        lambda venue: venue.relay.refuse_writes(errno.EIO),
        lambda venue: venue.relay.refuse_writes(0),
        After.UNHARMED,
        ("OSError",),
        seconds=0.3,
    ),
}
