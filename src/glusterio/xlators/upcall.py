"""features/upcall: tells clients what others have changed, while its option is on.

Whoever used a file is told when another client changes it, until so many seconds after its last use:
that what it keeps of the file is true no more, with the new attributes where there are any. It is told
as well when the brick no longer keeps in mind that it used the file. Nobody answers, and a client that
has gone or does not read is told nothing.

Options ``cache-invalidation`` and ``cache-invalidation-timeout``; they may change while the brick runs.

Changes of extended attributes are not told: GlusterFS tells them to clients that have asked for that,
with an IPC, which is refused here.

Source: GlusterFS xlators/features/upcall/src (upcall.c, ``upcall_cache_invalidate`` in
upcall-internal.c), libglusterfs/src/glusterfs/upcall-utils.h.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.graph.options import boolean, option, seconds
from glusterio.traps import Coro
from glusterio.types import NULL_GFID, Gfid
from glusterio.wire.callbacks import CacheInvalidation
from glusterio.wire.callbacks import UpcallFlag as Changed
from glusterio.wire.fops.names import LookupReply, LookupRequest, RenameReply
from glusterio.wire.iatt import Iatt, OldIatt
from glusterio.wire.programs import CallbackProc
from glusterio.xlators.base import Xlator

#: Seconds after its last use of a file for which a client is told of changes.
TIMEOUT: Final = 60

#: For how many files it is kept in mind who used them.
MOST_FILES: Final = 65536

_EVENT_TYPE: Final = 1  # GF_UPCALL_CACHE_INVALIDATION
_SECOND: Final = 1_000_000_000


_DATA: Final = Changed.SIZE | Changed.TIMES
_ATTRIBUTES: Final = _DATA | Changed.OWNER | Changed.MODE | Changed.PERMISSIONS
_NAMES: Final = Changed.NLINK | Changed.TIMES | Changed.PARENT_TIMES

#: Fops that change a file's data; each answers with the attributes after it.
WRITES: Final = ("writev", "truncate", "ftruncate", "fallocate", "discard", "zerofill")
#: Those that make an entry: its directory changes.
MAKES: Final = ("mknod", "mkdir", "symlink", "create")
#: Those that remove one.
REMOVES: Final = ("unlink", "rmdir")
#: Those that only use a file.
USES: Final = (
    "open",
    "opendir",
    "readv",
    "readdir",
    "stat",
    "fstat",
    "statfs",
    "access",
    "readlink",
    "getxattr",
    "fgetxattr",
    "seek",
    "lk",
)


class Rule(NamedTuple):
    """What follows from a fop.

    Attributes:
        changed: what changes; nothing, if the file is only used.
        stat: where the answer has the file's attributes after it.
        of_parent: whether it is the entry's directory that changes, and the new file is used.
    """

    changed: Changed = Changed(0)
    stat: str = ""
    of_parent: bool = False


RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(WRITES, Rule(_DATA, "poststat")),
    **dict.fromkeys(("setattr", "fsetattr"), Rule(_ATTRIBUTES, "poststat")),
    **dict.fromkeys(MAKES, Rule(Changed.TIMES, "postparent", of_parent=True)),
    **dict.fromkeys(USES, Rule()),
}


class Upcall(Xlator):
    """Keeps in mind who used what."""

    xlator_type = "features/upcall"

    def set_up(self) -> None:
        #: by gfid, that used last at the end: each client's last use, in nanoseconds
        self._users: dict[Gfid, dict[Any, int]] = {}

    def configure(self, options: Mapping[str, str]) -> None:
        self.is_on = option(options, "cache-invalidation", boolean, False)
        self.timeout = option(options, "cache-invalidation-timeout", seconds, TIMEOUT)
        if not self.is_on:
            self._users.clear()

    def counts(self) -> dict[str, int]:
        return {"watched_files": len(self._users)}

    async def client_gone(self, frame: Frame) -> None:
        for users in self._users.values():
            users.pop(frame.client, None)
        await super().client_gone(frame)

    # -- what is kept in mind, and told -----------------------------------------------------------

    def _used(self, frame: Frame, gfid: Gfid) -> None:
        users = self._users.pop(gfid, {})
        users[frame.client] = self.services.wall_clock()
        self._users[gfid] = users
        if len(self._users) > MOST_FILES:
            oldest = next(iter(self._users))
            message = CacheInvalidation(
                _text(oldest),
                _EVENT_TYPE,
                Changed.FORGOTTEN,
                self.timeout,
                OldIatt(),
                OldIatt(),
                OldIatt(),
            )
            for client in self._users.pop(oldest):
                client.notify(CallbackProc.CACHE_INVALIDATION, message)

    def _changed(
        self,
        frame: Frame,
        gfid: Gfid,
        changed: Changed,
        stat: Iatt | None,
        parent: Iatt | None = None,
        old_parent: Iatt | None = None,
    ) -> None:
        """Tell the others, and note that this one used the file."""
        users = self._users.get(gfid, {})
        others = [client for client in users if client is not frame.client]
        if others:
            message = CacheInvalidation(
                _text(gfid),
                _EVENT_TYPE,
                changed,
                self.timeout,
                _old(stat),
                _old(parent),
                _old(old_parent),
            )
            oldest = self.services.wall_clock() - self.timeout * _SECOND
            for client in others:
                is_told = users[client] >= oldest
                if not is_told or not client.notify(CallbackProc.CACHE_INVALIDATION, message):
                    del users[client]
        self._used(frame, gfid)

    # -- fops -------------------------------------------------------------------------------------

    async def _follow(self, frame: Frame, target: Any, rule: Rule, fop: Coro[Any]) -> Any:
        answer = await fop
        if rule.of_parent:
            self._changed(frame, target.pargfid, rule.changed, answer.postparent)
            self._used(frame, answer.stat.gfid)
            return answer
        gfid = target.gfid
        if not rule.changed:
            self._used(frame, gfid)
            return answer
        after: Iatt | None = getattr(answer, rule.stat)
        changed = rule.changed
        if changed == _ATTRIBUTES and after is not None and answer.prestat.mode != after.mode:
            changed |= Changed.XATTR  # there are permissions among them
        self._changed(frame, gfid, changed, after)
        return answer

    def lookup(self, frame: Frame, request: LookupRequest) -> Coro[LookupReply]:
        fop = self.child.lookup(frame, request)
        return self._found(frame, fop) if self.is_on else fop

    async def _found(self, frame: Frame, fop: Coro[LookupReply]) -> LookupReply:
        answer = await fop
        self._used(frame, answer.stat.gfid)
        return answer

    def readdirp(self, frame: Frame, fd: Fd, request: Any) -> Coro[Any]:
        fop = self.child.readdirp(frame, fd, request)
        return self._listed(frame, fd, fop) if self.is_on else fop

    async def _listed(self, frame: Frame, fd: Fd, fop: Coro[Any]) -> Any:
        answer = await fop
        self._used(frame, fd.gfid)
        for entry in answer.entries:
            if entry.stat.gfid != NULL_GFID:
                self._used(frame, entry.stat.gfid)
        return answer

    def link(self, frame: Frame, request: Any) -> Coro[Any]:
        fop = self.child.link(frame, request)
        return self._linked(frame, request, fop) if self.is_on else fop

    async def _linked(self, frame: Frame, request: Any, fop: Coro[Any]) -> Any:
        answer = await fop
        self._changed(frame, request.gfid, _NAMES, answer.stat, answer.postparent)
        self._used(frame, request.new_pargfid)
        return answer

    def rename(self, frame: Frame, request: Any) -> Coro[RenameReply]:
        fop = self.child.rename(frame, request)
        return self._renamed(frame, request, fop) if self.is_on else fop

    async def _renamed(self, frame: Frame, request: Any, fop: Coro[RenameReply]) -> RenameReply:
        answer = await fop
        self._changed(
            frame,
            answer.stat.gfid,
            Changed.RENAMED | Changed.PARENT_TIMES,
            answer.stat,
            answer.post_new_parent,
            answer.post_old_parent,
        )
        self._used(frame, request.old_pargfid)
        self._used(frame, request.new_pargfid)
        return answer

    async def _remove(self, frame: Frame, name: str, request: Any) -> Any:
        """Remove an entry; whose it was has to be found out first."""
        gfid = NULL_GFID
        try:
            there = await self.child.lookup(
                frame, LookupRequest(NULL_GFID, request.pargfid, 0, request.name)
            )
            gfid = there.stat.gfid
        except OSError:
            pass  # as the fop itself will say
        answer = await getattr(self.child, name)(frame, request)
        if gfid != NULL_GFID:
            self._changed(frame, gfid, _NAMES, None, answer.postparent)
        self._used(frame, request.pargfid)
        return answer


def _text(gfid: Gfid) -> str:
    return str(uuid.UUID(bytes=gfid))


def _old(stat: Iatt | None) -> OldIatt:
    if stat is None:
        return OldIatt()
    return OldIatt(*(getattr(stat, name) for name in OldIatt._fields))


def _add(name: str, rule: Rule) -> None:
    def method(self: Upcall, frame: Frame, target: Any, *arguments: Any) -> Coro[Any]:
        fop = getattr(self.child, name)(frame, target, *arguments)
        return self._follow(frame, target, rule, fop) if self.is_on else fop

    def making(self: Upcall, frame: Frame, *arguments: Any) -> Coro[Any]:
        fop = getattr(self.child, name)(frame, *arguments)
        return self._follow(frame, arguments[-1], rule, fop) if self.is_on else fop

    setattr(Upcall, name, making if rule.of_parent else method)


def _add_removal(name: str) -> None:
    def method(self: Upcall, frame: Frame, request: Any) -> Coro[Any]:
        if self.is_on:
            return self._remove(frame, name, request)
        return getattr(self.child, name)(frame, request)  # type: ignore[no-any-return]

    setattr(Upcall, name, method)


for _name, _rule in RULES.items():
    _add(_name, _rule)
for _name in REMOVES:
    _add_removal(_name)
