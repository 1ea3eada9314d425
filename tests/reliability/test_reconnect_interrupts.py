"""An interrupt (Ctrl-C) anywhere in the thread that connects anew: the session does so all the same."""

from __future__ import annotations

from functools import partial

import glusterio
from tests.api import away
from tests.api.away import CREATING, Place
from tests.api.test_interrupts import interrupted, made_in_vain

#: The functions at whose beginning and end it is interrupted, by their files.
RECONNECTING = {
    "connected.py": {
        "_lost",
        "_begin",
        "_reconnect",
        "_connect_again",
        "_accepted",
        "_again",
        "_spread",
    },
    "reopening.py": {"_reopen_all", "_reopen", "_not_on", "_lose"},
    "requests.py": {"_request", "_answer"},
    "handshake.py": {"connect_to_brick"},
    "fiber.py": {"start_later", "step"},
    "core.py": {"_on_notice"},
    "threads.py": {"_step_loose"},
}


place = away.own_place


def test_a_reconnection_interrupted_anywhere(place: Place) -> None:
    (place.directory / "f").write_bytes(b"content")
    at, missed = 1, 0
    with made_in_vain():
        while missed < 5:  # now and then another thread does it
            with glusterio.connect(place.url) as vol:
                file, other = vol.open_handle("f", CREATING), vol.open_handle("f")
                place.tap.cut()
                came = interrupted(at, RECONNECTING, partial(file.pread, 10, 0))
                missed = 0 if came else missed + 1
                assert not vol._session.core.session.calls
                with vol.deadline(10):
                    assert file.pread(10, 0) == b"content", at
                    assert other.pread(10, 0) == b"content", at
            report = vol.close()
            assert (report.errors, report.defects) == ([], []), at
            at += 1
    assert at > 40
    place.brick.wait_for(fds=0)
