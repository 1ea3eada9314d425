"""The warning for what was dropped without being closed. A destructor does nothing else.

The handle stays in the session's ledger, and the session's end releases it.
"""

from __future__ import annotations

import warnings
from typing import Any

from glusterio.lifecycle.handle import HandleKind
from glusterio.lifecycle.states import HandleState

_WORDS = {
    HandleKind.FILE: "unclosed {owner!r}, opened at {place}",
    HandleKind.DIRECTORY: "unclosed listing of {path!r}, begun at {place}",
}


def warn_if_held(owner: Any) -> None:
    """Warn when a gfid object that is being dropped is not closed.

    Args:
        owner: the object; its ``_pin`` may be missing, when it was not made to the end.
    """
    pin = getattr(owner, "_pin", None)
    if pin is not None and not pin.closed:
        warnings.warn(
            f"unclosed {owner!r}, made at {pin.opened_at or 'an unknown place'}",
            ResourceWarning,
            stacklevel=3,
            source=owner,
        )


def warn_if_open(owner: Any, kind: HandleKind) -> None:
    """Warn when the handle of an object that is being dropped is still open.

    Args:
        owner: the object; its ``_handle`` may be missing, when it was not made to the end.
        kind: whether it is a file's object or a listing.
    """
    handle = getattr(owner, "_handle", None)
    if handle is not None and handle.state is HandleState.OPEN:
        place = handle.opened_at or "an unknown place"
        warnings.warn(
            _WORDS[kind].format(owner=owner, path=handle.path, place=place),
            ResourceWarning,
            stacklevel=3,
            source=owner,
        )
