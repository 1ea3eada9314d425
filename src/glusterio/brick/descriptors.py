"""How many descriptors the process may have, and what that means for its clients."""

from __future__ import annotations

import contextlib
import resource
from dataclasses import replace
from typing import Final

from glusterio.brick.limits import Limits

#: More are of no use, and some systems set no bound at all.
_ENOUGH: Final = 2**20

#: What one client may have of the process's descriptors at the most: the others need some, too.
_SHARE: Final = 0.75


def raise_descriptor_limit() -> int:
    """Have as many descriptors as one may: clients open files.

    Returns:
        How many that are.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft


def limits_within(descriptors: int) -> Limits:
    """Return the usual limits, with so few open files a client that none can have all descriptors."""
    usual = Limits()
    return replace(usual, fds=max(1, min(usual.fds, int(_SHARE * descriptors))))
