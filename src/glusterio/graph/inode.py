"""The inode table: what a client remembers of a volume's files, so that it need not ask again.

Two kinds of knowledge, with different lives:

* **An inode** stands for one gfid. It carries the file's kind and what translators keep for the file
  (``context``). It stays while somebody holds a reference, and after that, if it has a name or
  something is kept for it, as long as there is room: of the inodes that nobody holds, those used last
  are kept, ``lru_limit`` of them.
* **A name** (GlusterFS: dentry) says which inode a directory's entry led to when a brick last told.
  Another client may change that at any moment, so a name is trusted only for ``entry_timeout``
  seconds, as long as a FUSE mount trusts one by default.

A LOOKUP's reply may be overtaken: while it travels, another call of this client removes that name,
and the reply would bring it back to life. So who asks a brick takes a :meth:`InodeTable.mark` first
and hands it to :meth:`InodeTable.link`, which then does not trust an answer older than a change.

There is no clock in here; the time is handed in. Everything happens under one lock, which is never
held while a callback runs. A reference is taken in the name of a *holder*, so that one that is left
at the end of a session can be blamed: :meth:`InodeTable.check`.

Sources: GlusterFS libglusterfs/src/inode.c (``inode_link``, ``inode_unlink``, ``inode_rename``,
``inode_table_prune``); xlators/mount/fuse/src/fuse-bridge.c (``entry-timeout``, 1.0 s); libgfapi's
limit of 131072 (api/src/glfs-master.c).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from glusterio.errors import LocalProtocolError
from glusterio.types import Gfid

#: Unreferenced inodes kept, unless said otherwise.
LRU_LIMIT: Final = 131_072

#: Seconds for which a name is trusted, unless said otherwise.
ENTRY_TIMEOUT: Final = 1.0

#: Names remembered for one inode; a file with more hard links loses the oldest.
MAX_NAMES: Final = 64

# Changes are remembered by a hash of the name; a collision costs one LOOKUP.
_SLOTS: Final = 1024


class Inode:
    """A file of the volume, as one table knows it.

    Attributes:
        gfid: its identity.
        kind: its file type, as ``stat.S_IFMT`` gives it; 0 while nobody has said.
        context: what each translator keeps for it, by translator; dropped after the forgetting.
        refs: references held.
        holders: who holds them: how many by holder.
        names: the names that are remembered for it: (directory's gfid, name), oldest first.
        doomed: the file is gone: forgotten as soon as nobody holds it.
    """

    __slots__ = ("__weakref__", "context", "doomed", "gfid", "holders", "kind", "names", "refs")

    def __init__(self, gfid: Gfid, kind: int = 0) -> None:
        self.gfid = gfid
        self.kind = kind
        self.context: dict[object, Any] = {}
        self.refs = 0
        self.holders: dict[Hashable, int] = {}
        self.names: dict[tuple[Gfid, str], None] = {}
        self.doomed = False

    def __repr__(self) -> str:
        return f"<Inode {self.gfid.hex()} refs={self.refs}>"


class InodeTable:
    """The inodes of one graph.

    Args:
        lru_limit: how many inodes to keep that nobody holds.
        entry_timeout: seconds for which a name is trusted; 0: never, ``math.inf``: until changed.
        lock: a mutual-exclusion lock, not re-entrant; the default is for a single thread.

    Attributes:
        on_forget: called with each inode that is forgotten, without the lock, after it has left the
            table. A callback may use the table, unless it is being cleared; it must neither wait nor
            raise.
    """

    def __init__(
        self,
        lru_limit: int = LRU_LIMIT,
        entry_timeout: float = ENTRY_TIMEOUT,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        self.lru_limit = lru_limit
        self.entry_timeout = entry_timeout
        self.on_forget: list[Callable[[Inode], None]] = []
        self._lock = nullcontext() if lock is None else lock
        self._inodes: dict[Gfid, Inode] = {}
        self._lru: OrderedDict[Gfid, Inode] = (
            OrderedDict()
        )  # those without references, oldest first
        # directory -> name -> (inode, when to stop trusting)
        self._entries: dict[Gfid, dict[str, tuple[Inode, float]]] = {}
        self._changes = 0
        self._all_changed = 0
        self._changed = [0] * _SLOTS
        self._cleared = False

    # -- names ------------------------------------------------------------------------------------

    def mark(self) -> int:
        """Return a mark in the history of changes: take one before asking a brick for a name."""
        return self._changes

    def lookup(self, parent: Gfid, name: str, now: float) -> Inode | None:
        """Return the inode that a name leads to, or ``None``: then a brick must be asked.

        Args:
            parent: the directory.
            name: the entry's name.
            now: the time, in seconds on any clock that never goes back; the same for all calls.
        """
        with self._lock:
            self._check_alive()
            entry = self._entries.get(parent, {}).get(name)
            if entry is None:
                return None
            inode, until = entry
            if now >= until:
                self._drop_name(parent, name)
                return None
            if not inode.refs:
                self._lru.move_to_end(inode.gfid)
            return inode

    def peek(self, parent: Gfid, name: str, now: float) -> Gfid | None:
        """Return which file a name leads to, as :meth:`lookup` does; nothing else happens, and no lock
        is taken. After :meth:`clear` nothing is known.
        """
        names = self._entries.get(parent)
        entry = names.get(name) if names is not None else None
        return entry[0].gfid if entry is not None and now < entry[1] else None

    def link(
        self,
        parent: Gfid,
        name: str,
        gfid: Gfid,
        now: float,
        kind: int = 0,
        since: int | None = None,
    ) -> Inode:
        """Take note of a brick's answer: the name leads to the file.

        Args:
            parent: the directory.
            name: the entry's name.
            gfid: the file.
            now: the time of the answer.
            kind: the file's type, as ``stat.S_IFMT`` gives it.
            since: the :meth:`mark` taken before asking. When the name was changed after it the
                inode is noted, but the name is not. ``None`` for an answer that is itself the change
                (CREATE, MKDIR, LINK).

        Returns:
            The inode.
        """
        with self._lock:
            self._check_alive()
            inode = self._obtain(gfid)
            inode.kind = kind or inode.kind
            inode.doomed = False
            if since is None:
                self._note_change(parent, name)
                self._drop_name(parent, name)
            if since is None or not self._changed_since(parent, name, since):
                self._add_name(parent, name, inode, now)
            forgotten = self._prune()
        self._tell(forgotten)
        return inode

    def unlink(self, parent: Gfid, name: str) -> None:
        """Take note that the name leads nowhere: it was removed, or a brick did not find it."""
        with self._lock:
            self._check_alive()
            self._note_change(parent, name)
            self._drop_name(parent, name)

    def rename(
        self, old_parent: Gfid, old_name: str, new_parent: Gfid, new_name: str, now: float
    ) -> None:
        """Take note that a name was moved, and replaced what the new name meant.

        Args:
            old_parent: the directory that it left.
            old_name: its name there.
            new_parent: the directory that it came to.
            new_name: its name now.
            now: the time of the answer.
        """
        with self._lock:
            self._check_alive()
            entry = self._entries.get(old_parent, {}).get(old_name)
            for parent, name in ((old_parent, old_name), (new_parent, new_name)):
                self._note_change(parent, name)
                self._drop_name(parent, name)
            if entry is not None:
                self._add_name(new_parent, new_name, entry[0], now)

    def invalidate(self, gfid: Gfid) -> None:
        """Trust no name of the file, nor below it, any more: another client changed something."""
        with self._lock:
            self._check_alive()
            self._changes = self._all_changed = self._changes + 1
            self._drop_names_of(gfid)

    def invalidate_all(self) -> None:
        """Trust no name any more: a brick was away, and nobody told what happened meanwhile."""
        with self._lock:
            self._check_alive()
            self._changes = self._all_changed = self._changes + 1
            self._entries.clear()
            for inode in self._inodes.values():
                inode.names.clear()

    # -- inodes -----------------------------------------------------------------------------------

    def get(self, gfid: Gfid) -> Inode | None:
        """Return the inode if the table knows it."""
        with self._lock:
            self._check_alive()
            return self._inodes.get(gfid)

    def ref(self, gfid: Gfid, holder: Hashable) -> Inode:
        """Take a reference, noting the inode if it is new.

        Args:
            gfid: the file.
            holder: who takes it; its ``str`` is what :meth:`check` shows. A holder may take several.
        """
        with self._lock:
            if self._cleared:
                self._check_alive()
            inode = self._inodes.get(gfid)
            if inode is None:
                inode = self._inodes[gfid] = Inode(gfid)
            elif not inode.refs:
                del self._lru[gfid]
            holders = inode.holders
            count = holders.get(holder, 0) + 1
            inode.refs += 1  # no interrupt comes between this and the next
            holders[holder] = count
            return inode

    def is_held(self, gfid: Gfid, holder: Hashable) -> bool:
        """Tell whether a holder has a reference."""
        with self._lock:
            inode = self._inodes.get(gfid)
            return inode is not None and holder in inode.holders

    def unref(self, gfid: Gfid, holder: Hashable) -> None:
        """Give a reference back.

        Raises:
            LocalProtocolError: the holder has none.
        """
        with self._lock:
            if self._cleared:
                self._check_alive()
            inode = self._inodes.get(gfid)
            count = inode.holders.pop(holder, 0) if inode is not None else 0
            if inode is None or not count:
                raise LocalProtocolError(f"inode {gfid.hex()}: {holder} holds no reference")
            if count > 1:
                inode.holders[holder] = count - 1
            inode.refs -= 1
            if inode.refs:
                return
            if not (inode.names or inode.context or self.on_forget):
                del self._inodes[gfid]  # nothing is known of it, and nobody wants to hear of it
                return
            self._lru[gfid] = inode
            if inode.doomed:
                forgotten = [self._remove(inode)]
            elif len(self._lru) <= self.lru_limit:
                return
            else:
                forgotten = self._prune()
        self._tell(forgotten)

    def forget(self, gfid: Gfid) -> None:
        """Forget a file that is gone, with its names: at once, or when its last reference is back."""
        with self._lock:
            self._check_alive()
            self._changes = self._all_changed = self._changes + 1
            self._drop_names_of(gfid)
            inode = self._inodes.get(gfid)
            forgotten: list[Inode] = []
            if inode is not None:
                inode.doomed = True
                if not inode.refs:
                    forgotten.append(self._remove(inode))
        self._tell(forgotten)

    def __len__(self) -> int:
        return len(self._inodes)

    # -- the end ----------------------------------------------------------------------------------

    def check(self) -> list[str]:
        """Name every reference that is held, and its holder; empty when all were given back."""
        with self._lock:
            return [
                f"inode {inode.gfid.hex()}: {count} reference{'s' * (count != 1)} held by {holder}"
                for inode in self._inodes.values()
                for holder, count in inode.holders.items()
            ]

    def clear(self) -> None:
        """Forget everything, references or not. Whoever uses the table afterwards has a defect.

        Harmless when repeated.
        """
        with self._lock:
            self._cleared = True
            forgotten = list(self._inodes.values())
            self._inodes.clear()
            self._lru.clear()
            self._entries.clear()
            for inode in forgotten:
                inode.names.clear()
                inode.holders.clear()
        self._tell(forgotten)
        self.on_forget.clear()

    def violations(self) -> list[str]:
        """Return what is wrong with the table itself, as sentences; empty unless glusterio is."""
        with self._lock:
            found = [
                f"{inode!r} has {sum(inode.holders.values())} holders"
                for inode in self._inodes.values()
                if inode.refs != sum(inode.holders.values())
            ]
            found += [
                f"{inode!r} is {'' if inode.gfid in self._lru else 'not '}among the unreferenced"
                for inode in self._inodes.values()
                if (inode.gfid in self._lru) != (inode.refs == 0)
            ]
            found += [
                f"{gfid.hex()} is among the unreferenced, but not in the table"
                for gfid, inode in self._lru.items()
                if self._inodes.get(gfid) is not inode
            ]
            entries = {
                (parent, name): entry[0]
                for parent, names in self._entries.items()
                for name, entry in names.items()
            }
            named = {key: inode for inode in self._inodes.values() for key in inode.names}
            found += [
                f"name {name!r} in {parent.hex()} is known on one side only"
                for parent, name in entries.keys() | named.keys()
                if entries.get((parent, name)) is not named.get((parent, name))
            ]
            if len(self._lru) > self.lru_limit:
                found.append(f"{len(self._lru)} unreferenced inodes; the limit is {self.lru_limit}")
            return found

    # -- under the lock ---------------------------------------------------------------------------

    def _check_alive(self) -> None:
        if self._cleared:
            raise LocalProtocolError("the inode table is gone")

    def _obtain(self, gfid: Gfid) -> Inode:
        inode = self._inodes.get(gfid)
        if inode is None:
            inode = self._inodes[gfid] = self._lru[gfid] = Inode(gfid)
        elif not inode.refs:
            self._lru.move_to_end(gfid)
        return inode

    def _note_change(self, parent: Gfid, name: str) -> None:
        self._changes += 1
        self._changed[hash((parent, name)) % _SLOTS] = self._changes

    def _changed_since(self, parent: Gfid, name: str, mark: int) -> bool:
        return max(self._all_changed, self._changed[hash((parent, name)) % _SLOTS]) > mark

    def _add_name(self, parent: Gfid, name: str, inode: Inode, now: float) -> None:
        self._drop_name(parent, name)
        if self.entry_timeout <= 0:
            return
        if len(inode.names) >= MAX_NAMES:
            self._drop_name(*next(iter(inode.names)))
        self._entries.setdefault(parent, {})[name] = (inode, now + self.entry_timeout)
        inode.names[parent, name] = None

    def _drop_name(self, parent: Gfid, name: str) -> None:
        names = self._entries.get(parent)
        entry = names.pop(name, None) if names is not None else None
        if entry is not None:
            del entry[0].names[parent, name]
        if not names:
            self._entries.pop(parent, None)

    def _drop_names_of(self, gfid: Gfid) -> None:
        """Drop the names of the file, and those below it."""
        inode = self._inodes.get(gfid)
        for parent, name in list(inode.names) if inode is not None else ():
            self._drop_name(parent, name)
        for name in list(self._entries.get(gfid, ())):
            self._drop_name(gfid, name)

    def _prune(self) -> list[Inode]:
        """Take the oldest unreferenced inodes out until the limit holds."""
        forgotten = []
        while len(self._lru) > self.lru_limit:
            forgotten.append(self._remove(next(iter(self._lru.values()))))
        return forgotten

    def _remove(self, inode: Inode) -> Inode:
        # Names below it may stay: they are true of the gfid, and are the children's to keep.
        for parent, name in list(inode.names):
            self._drop_name(parent, name)
        del self._lru[inode.gfid]
        del self._inodes[inode.gfid]
        return inode

    # -- without the lock -------------------------------------------------------------------------

    def _tell(self, forgotten: Sequence[Inode]) -> None:
        """Run the callbacks: every one for every inode, whatever one of them raises."""
        errors: list[Exception] = []
        for inode in forgotten:
            for callback in list(self.on_forget):
                try:
                    callback(inode)
                except Exception as error:
                    errors.append(error)
            inode.context.clear()
        if errors:
            raise errors[0]
