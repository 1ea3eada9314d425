"""Reading into several buffers as one operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glusterio.api.handles import pread, read_into
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.types import Buffer

if TYPE_CHECKING:
    from glusterio.api.core import Core


async def preadv(
    core: Core, frame: Frame, handle: Handle, sinks: Sequence[memoryview], offset: int
) -> int:
    """Read at ``offset`` into writable buffers of bytes, one after the other; return the bytes read.

    One READ for all: a round trip costs more than to copy what comes.
    """
    if len(sinks) == 1:
        return await read_into(core, frame, handle, sinks[0], offset)
    return scatter(await pread(core, frame, handle, sum(map(len, sinks)), offset), sinks)


def scatter(data: Buffer, sinks: Sequence[memoryview]) -> int:
    """Put bytes into buffers, one after the other; return how many."""
    left = memoryview(data)
    for sink in sinks:
        part, left = left[: len(sink)], left[len(sink) :]
        sink[: len(part)] = part
    return len(data)
