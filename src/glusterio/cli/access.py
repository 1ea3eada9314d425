"""``glusterio chmod`` and ``glusterio chown``: who may do what, and whose it is."""

from __future__ import annotations

import pwd
from typing import NamedTuple

from glusterio.api.umask import process_umask
from glusterio.cli.attributes import group_number, user_number
from glusterio.cli.locations import Location
from glusterio.cli.modes import Change
from glusterio.cli.output import shown, tell
from glusterio.cli.sides import VolumeSide
from glusterio.cli.trees import Item, below, top_down
from glusterio.cli.volumes import Complaints, at_each


async def change_modes(targets: list[str], change: Change, recursive: bool, verbose: bool) -> None:
    """Change the permission bits of what is at places; symbolic links below them are left alone.

    Args:
        targets: the places; of a symbolic link it is what it leads to.
        change: what becomes of the bits.
        recursive: also of what is below.
        verbose: tell of each that is changed.
    """
    umask = process_umask()
    seen = changed = 0

    async def one(side: VolumeSide, place: Location, complaints: Complaints) -> None:
        async def apply(item: Item) -> None:
            nonlocal seen, changed
            if item.is_link:
                return
            old = item.stat.st_mode & 0o7777
            new = change(old, is_directory=item.is_directory, umask=umask)
            seen += 1
            if new != old:
                path = below(place.path, item.path) or "/"
                # What has become a link since it was listed is not followed.
                await side.volume.chmod(path, new, follow_symlinks=not item.depth)
                changed += 1
                if verbose:
                    text = place.join(item.path).text
                    tell(
                        {"path": text, "mode": f"{new:04o}", "was": f"{old:04o}"},
                        f"{shown(text)}: {old:04o} -> {new:04o}",
                    )

        top = Item("", await side.stat(place.path, follow=True))
        if recursive:

            def complain(path: str, error: Exception) -> None:
                complaints("change the mode of", place.join(path).text, error)

            await top_down(side, top, place.path, apply, complain)
        else:
            await apply(top)

    await at_each(targets, "change the mode of", one, lambda: {"files": seen, "changed": changed})


class Owner(NamedTuple):
    """Whose a file shall be; -1 leaves it as it is.

    Attributes:
        uid: the user.
        gid: the group.
    """

    uid: int = -1
    gid: int = -1


def parse_owner(text: str) -> Owner:
    """Understand ``USER``, ``USER:GROUP``, ``:GROUP``, or ``USER:`` with the user's own group.

    Names are this machine's, as on a mounted volume.

    Raises:
        ValueError: there is no such user or group here.
    """
    user, colon, group = text.partition(":")
    uid = user_number(user) if user else -1
    if group:
        return Owner(uid, group_number(group))
    if not (user and colon):
        return Owner(uid)
    try:
        return Owner(uid, pwd.getpwuid(uid).pw_gid)
    except KeyError:
        raise ValueError(f"{user!r} is no user of this machine, so it has no group") from None


async def change_owners(
    targets: list[str], owner: Owner, recursive: bool, follow: bool, verbose: bool
) -> None:
    """Change whose the things at places are; below them symbolic links themselves.

    Args:
        targets: the places.
        owner: whose they shall be.
        recursive: also of what is below.
        follow: what symbolic links lead to, instead of them; not with ``recursive``.
        verbose: tell of each that is changed.
    """
    seen = changed = 0

    async def one(side: VolumeSide, place: Location, complaints: Complaints) -> None:
        async def apply(item: Item) -> None:
            nonlocal seen, changed
            old = Owner(item.stat.st_uid, item.stat.st_gid)
            new = Owner(*(o if n == -1 else n for o, n in zip(old, owner, strict=True)))
            seen += 1
            if new != old:
                path = below(place.path, item.path) or "/"
                await side.volume.chown(path, owner.uid, owner.gid, follow_symlinks=follow)
                changed += 1
                if verbose:
                    text = place.join(item.path).text
                    tell(
                        {"path": text, "uid": new.uid, "gid": new.gid},
                        f"{shown(text)}: {old.uid}:{old.gid} -> {new.uid}:{new.gid}",
                    )

        top = Item("", await side.stat(place.path, follow=follow))
        if recursive:

            def complain(path: str, error: Exception) -> None:
                complaints("change the owner of", place.join(path).text, error)

            await top_down(side, top, place.path, apply, complain)
        else:
            await apply(top)

    await at_each(targets, "change the owner of", one, lambda: {"files": seen, "changed": changed})
