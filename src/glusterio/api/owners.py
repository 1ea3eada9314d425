"""Users and groups by their names on this machine."""

from __future__ import annotations

import grp
import pwd


def user_id(user: str | int) -> int:
    """Return a user's number.

    Raises:
        LookupError: this machine has no user of the name.
    """
    if not isinstance(user, str):
        return user
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise LookupError(f"no such user: {user!r}") from None


def group_id(group: str | int) -> int:
    """Return a group's number.

    Raises:
        LookupError: this machine has no group of the name.
    """
    if not isinstance(group, str):
        return group
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise LookupError(f"no such group: {group!r}") from None
