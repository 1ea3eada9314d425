"""A call that is dropped where it stands, as with an event loop that was closed: it says nothing.

Python says of a coroutine that awaits something then that it "ignored GeneratorExit".
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

import glusterio
from glusterio.api.copying import Besides, copy
from glusterio.api.listing import list_by_gfid
from glusterio.api.whole_file import read_file
from glusterio.types import ROOT_GFID
from glusterio.wire.programs import Fop
from tests.api.deferring import held
from tests.api.tap import Tap
from tests.embedded import BrickProcess

#: Operations that have something open, with what they ask for then.
OPERATIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], tuple[Fop, ...]]] = {
    "a file": (read_file, ("/file",), (Fop.READ,)),
    "a directory": (list_by_gfid, ("/", ROOT_GFID), (Fop.READDIRP,)),
    "a copy": (
        copy,
        ("/file", "/copy", Besides.NOTHING, True, 0o022),
        (Fop.READ, Fop.COPY_FILE_RANGE),
    ),
}


@pytest.mark.parametrize(("op", "args", "asks"), OPERATIONS.values(), ids=OPERATIONS)
def test_a_dropped_call_awaits_nothing(
    brick: BrickProcess,
    tap: Tap,
    url: str,
    op: Callable[..., Any],
    args: tuple[Any, ...],
    asks: tuple[Fop, ...],
) -> None:
    (brick.directory / "file").write_bytes(os.urandom(1 << 20))
    with glusterio.connect(url) as volume:
        core = volume._session.core
        with held(tap, *asks):
            coro, call = core.begin(op, None, *args, "here")
            core.driver.start_detached(coro, lambda fiber: core.left(call), call)
            tap.wait_for(lambda: len(tap.kept) > 0)
            coro.close()
        volume.stat("/")
    assert volume.close().handles
    brick.wait_for(fds=0)
