"""What is spoken with our own management daemon, over its control socket: program ``CONTROL``.

A program of glusterio's own; nothing of GlusterFS's knows it. All its calls have one request and one
reply. What is asked for varies, and grows, so it travels as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from glusterio.wire.dictionary import OldValue
from glusterio.wire.handshake import CallSpec
from glusterio.wire.messages import I32, OldDict, Str
from glusterio.wire.programs import ControlProc

_EMPTY: Final[Mapping[str, OldValue]] = MappingProxyType({})


class ControlRequest(NamedTuple):
    """Ask the daemon for something.

    ``volume`` is the volume that it is about, or empty for all. ``options`` are the volume's options:
    their values for SET, their names for GET and RESET, where none means all.
    """

    volume: Str = ""
    options: OldDict = _EMPTY


class ControlReply(NamedTuple):
    """The answer, as JSON; or, when ``op_ret`` is negative, an errno, and why not in words."""

    op_ret: I32 = 0
    op_errno: I32 = 0
    error: Str = ""
    answer: Str = ""


CONTROL_CALLS: Final[dict[ControlProc, CallSpec]] = {
    proc: CallSpec(ControlRequest, ControlReply) for proc in ControlProc if proc
}
