"""Leases: a brick's promise that nobody else changes a file, or uses it at all, without a word before.

Who is about to break the promise waits, and the holder is asked to give the lease back
(:mod:`glusterio.api.upcalls`); when he does not, the brick takes it in the end. Holders are told apart
by the lease id of the caller's context (:mod:`glusterio.api.calling`), whichever open files they use.

A request whose caller gives up is not forgotten: what it is granted all the same is given back.

Sources: GlusterFS api/src/glfs-fops.c (``glfs_lease``), xlators/features/leases/src/leases.c.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from glusterio.errors import fs_error
from glusterio.graph.frame import Frame
from glusterio.traps import Event, Spawn, Wait
from glusterio.types import Gfid
from glusterio.wire.credentials import Credentials
from glusterio.wire.fops.locks import Lease, LeaseRequest
from glusterio.wire.programs import LeaseCommand, LeaseType

if TYPE_CHECKING:
    from glusterio.api.core import Core


#: What a brick says of a file that is not there any more, and so has no leases.
_GONE = frozenset({errno.ESTALE, errno.ENOENT})


class _Asked:
    """A request for a lease, which goes on by itself.

    Attributes:
        answered: set when the brick has answered, or never will.
        granted: whether the lease was granted.
        error: why it was not, or ``None``.
        given_up: whether its caller does not wait any more.
    """

    __slots__ = ("answered", "error", "given_up", "granted")

    def __init__(self, answered: Event) -> None:
        self.answered = answered
        self.granted = False
        self.error: Exception | None = None
        self.given_up = False


async def take(core: Core, frame: Frame, gfid: Gfid, kind: LeaseType) -> Credentials:
    """Take a lease on a file, in the name that is so for the caller.

    Returns:
        In whose name, for :func:`drop`.

    Raises:
        ValueError: the caller's context has no lease id.
        OSError: EINVAL, or what the brick says: others have the file open, or a lease on it; ENOSYS:
            the volume has leases turned off.
    """
    who = frame.identity
    if who is None or not who.lease_id:
        raise ValueError("leases need a lease id: with vol.lease_id(...)")
    asked = _Asked(core.driver.new_event())
    await Spawn(_ask(core, who, gfid, kind, asked))
    try:
        await Wait(asked.answered)
    except GeneratorExit:
        raise
    except BaseException:
        asked.given_up = True
        if asked.granted:
            await Spawn(_give_up(core, who, gfid, kind))
        raise
    if asked.error is not None:
        raise asked.error
    return who


async def _ask(core: Core, who: Credentials, gfid: Gfid, kind: LeaseType, asked: _Asked) -> None:
    try:
        await core.top.lease(Frame(identity=who), _request(gfid, LeaseCommand.SET, kind, who))
        asked.granted = True
    except Exception as error:
        asked.error = error
    finally:
        asked.answered.set()
    if asked.given_up and asked.granted:
        await _give_up(core, who, gfid, kind)


async def drop(core: Core, frame: Frame, gfid: Gfid, kind: LeaseType, who: Credentials) -> None:
    """Give a lease back.

    Raises:
        OSError: what the brick says: it may have taken it back, since that was asked for and not done
            in time. A file that is gone has no leases, which is no error.
    """
    asked = _Asked(core.driver.new_event())
    await Spawn(_dropping(core, gfid, kind, who, asked))
    await Wait(asked.answered)
    if asked.error is not None:
        raise asked.error


async def _dropping(
    core: Core, gfid: Gfid, kind: LeaseType, who: Credentials, asked: _Asked
) -> None:
    try:
        await core.top.lease(Frame(identity=who), _request(gfid, LeaseCommand.UNLOCK, kind, who))
    except Exception as error:
        if not (isinstance(error, OSError) and error.errno in _GONE):
            asked.error = error
    finally:
        asked.answered.set()


async def _give_up(core: Core, who: Credentials, gfid: Gfid, kind: LeaseType) -> None:
    """Give back what nobody wants; if that fails it is not held anyway."""
    await _dropping(core, gfid, kind, who, _Asked(core.driver.new_event()))


async def give_back(
    core: Core, frame: Frame, handle: None, taken: tuple[Gfid, LeaseType, Credentials]
) -> None:
    """Give back what was taken for somebody who has given up."""
    gfid, kind, who = taken
    await _give_up(core, who, gfid, kind)


async def take_of(
    core: Core, frame: Frame, gfid: Gfid, kind: LeaseType
) -> tuple[Gfid, LeaseType, Credentials]:
    """As :func:`take`, with all that :func:`give_back` needs."""
    return gfid, kind, await take(core, frame, gfid, kind)


async def held(core: Core, frame: Frame, gfid: Gfid) -> LeaseType:
    """Return which lease there is on a file, whoever holds it."""
    who = core.user(frame)
    found = await core.top.lease(frame, _request(gfid, LeaseCommand.GET, LeaseType.NONE, who))
    kind = found.lease.type
    if kind not in list(LeaseType):
        raise fs_error(errno.EIO)
    return LeaseType(kind)


def _request(gfid: Gfid, command: LeaseCommand, kind: LeaseType, who: Credentials) -> LeaseRequest:
    return LeaseRequest(gfid, Lease(command, kind, who.lease_id.ljust(16, b"\0")))
