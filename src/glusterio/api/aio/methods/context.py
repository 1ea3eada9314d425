"""A volume's methods that say what is so for the calls in a ``with`` block."""

from __future__ import annotations

from collections.abc import Iterable

from glusterio.api import calling
from glusterio.api.aio.base import AsyncVolumeBase
from glusterio.api.calling import Setting


class AsyncContext(AsyncVolumeBase):
    """On whose behalf calls are, who locks, and how long they may take.

    Each makes a block for a plain ``with`` statement. What it says is so for all calls of this session
    that are begun in the block, by whichever functions are called there, and by the tasks that are made
    there; not for those of other threads. Blocks may be nested.
    """

    def identity(
        self,
        uid: int | None = None,
        gid: int | None = None,
        groups: Iterable[int] | None = None,
    ) -> Setting:
        """Let calls be on behalf of another user: ``with vol.identity(uid=1000, gid=1000): ...``.

        A brick checks permissions for that user, who owns what is made. A file that is open stays open
        for whoever has it. Numbers that are not given stay as they are; the further groups do so
        only if no number is given at all, so that nobody inherits those of the superuser.

        Raises:
            ValueError: a number that can be no id; or more groups than a request holds, which is 91,
                fewer by the bytes of a lock owner.
        """
        return calling.identity(self._session.core, uid, gid, groups)

    def lock_owner(self, owner: bytes) -> Setting:
        """Let locks be an owner's, and not the open file's: ``with vol.lock_owner(b"client-7"): ...``.

        Locks of one owner do not keep each other out, whichever of the session's open files they were
        taken through; those of others do. A lock that was taken in the block is dropped in its owner's
        name, wherever that is done. Open files have names of their own, of 8 bytes.

        Raises:
            ValueError: an empty name, or one of more than 91 bytes.
        """
        return calling.lock_owner(self._session.core, owner)

    def lease_id(self, name: bytes) -> Setting:
        """Let calls be in the name of a holder of leases: ``with vol.lease_id(b"client-7"): ...``.

        A lease keeps all others off, so what its holder does with the file himself has to be done in
        such a block. Only leases taken in one have a holder.

        Raises:
            ValueError: an empty name, or one of more than 15 bytes.
        """
        return calling.lease_id(self._session.core, name)

    def deadline(self, seconds: float) -> Setting:
        """Let calls end within so many seconds of the block: ``with vol.deadline(0.5): ...``.

        What has not ended then is given up, with ``TimeoutError``; what it had opened or locked by then
        is closed again. Whether a change that was asked for has happened is not known. Later calls in
        the block are refused, but files are closed, and locks dropped.

        Raises:
            ValueError: a negative number.
        """
        return calling.deadline(self._session.core, seconds)
