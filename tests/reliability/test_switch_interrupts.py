"""An interrupt (Ctrl-C) anywhere in a reload: the session goes on with one graph or the other."""

from __future__ import annotations

import gc
import os
from functools import partial

import glusterio
from glusterio.lifecycle.invariants import violations
from tests.api.test_interrupts import interrupted, made_in_vain
from tests.bench.switches import without
from tests.embedded import BrickProcess

#: The functions at whose beginning and end a reload is interrupted, by their files.
GOING_OVER = {"switching.py": {"_take_turn", "_swap", "_note_calls", "_change"}}

#: What is taken out of the graph.
KINDS = ("write-behind", "md-cache")


def test_a_reload_interrupted_when_it_goes_over(brick: BrickProcess) -> None:
    """The session is whole, whichever graph it uses then, and the next reload gets its turn."""
    at, came = 1, True
    with made_in_vain():
        while came:
            with glusterio.connect(brick.url) as volume:
                texts = [without(volume.volfile, f"performance/{kind}") for kind in KINDS]
                file = volume.open_handle("f", os.O_RDWR | os.O_CREAT)
                file.lockf(os.F_LOCK, 10)
                file.pwrite(b"data", 0)
                came = interrupted(at, GOING_OVER, partial(volume.reload, texts[0]))
                gc.collect(0)
                assert file.pread(4, 0) == b"data"
                assert file.pwrite(b"more", 4) == 4
                assert volume.stat("f").st_size == 8
                with volume.deadline(10.0):
                    volume.reload(texts[1])
                assert file.pread(8, 0) == b"datamore"
                assert file.lock_holder() is None
                file.lockf(os.F_ULOCK, 10)
                file.close()
                volume.unlink("f")
                assert violations(volume._session.core.session) == []
            report = volume.close()
            assert (report.errors, report.defects) == ([], []), at
            brick.wait_for(fds=0, locks=0)
            at += 1
    assert at > 5
