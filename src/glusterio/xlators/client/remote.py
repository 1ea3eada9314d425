"""What the client keeps for an open file or directory: the brick's number for it, and more."""

from __future__ import annotations

from typing import Final

from glusterio.rpc.connection import Connection
from glusterio.traps import Event, Reply
from glusterio.wire.programs import ANONYMOUS_FD
from glusterio.xlators.client.held_locks import HeldLocks


class RemoteFd:
    """What the client keeps for an fd.

    Args:
        number: the brick's number for it.
        connection: on which that number means something; when it is lost the brick has closed the fd.
        is_directory: whether it was opened by OPENDIR.

    Attributes:
        unanswered: requests about it that the brick has not answered, by xid: so one that is told of
            twice, because of an interrupt, is not counted twice.
        quiet: while a RELEASE waits for that count to fall to zero, the event that says so.
        release: the RELEASE, once it has been made: there is never a second one.
        reopening: while it is being opened on a new connection: set when that has been answered.
        locks: the byte ranges that are locked through it, once there was one.
        unsynced: its contents were changed since the last FSYNC.
        syncing: how many FSYNCs are under way that are to bring such changes to the disk.
        doubtful: changes may be gone, for the brick's process is another one; an FSYNC has to tell.
    """

    # What each begins with is the class's: to set all of it would cost as much as a dictionary's entry.
    quiet: Event | None = None
    release: Reply | None = None
    reopening: Event | None = None
    locks: HeldLocks | None = None
    unsynced = False
    syncing = 0
    doubtful = False

    def __init__(self, number: int, connection: Connection, is_directory: bool = False) -> None:
        self.number = number
        self.connection = connection
        self.is_directory = is_directory
        self.unanswered: set[int] = set()

    def answered(self, reply: Reply) -> None:
        """The brick has answered a request about this fd, or never will."""
        self.unanswered.discard(reply.xid)
        if self.quiet is not None and not self.unanswered:
            self.quiet.set()


#: What stands for an fd of which no brick was told: READ and WRITE go by the gfid alone.
ANONYMOUS: Final = RemoteFd(ANONYMOUS_FD, Connection("any brick"))
