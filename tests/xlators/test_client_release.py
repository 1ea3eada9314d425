"""protocol/client: a RELEASE that was queued and taken back again is none."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

import glusterio
from glusterio.api.carrying import release
from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import HandleKind
from glusterio.runtime.fiber import Fiber
from glusterio.traps import Cancelled
from glusterio.wire.fops.directories import OpendirRequest
from glusterio.wire.fops.files import OpenRequest
from tests.embedded import PATIENCE, BrickProcess

CREATING = os.O_RDWR | os.O_CREAT


@pytest.mark.parametrize("kind", [HandleKind.FILE, HandleKind.DIRECTORY])
@pytest.mark.parametrize("begun", [True, False], ids=["queued", "not queued yet"])
def test_a_release_that_was_taken_back_is_sent_when_it_is_wanted_again(
    brick: BrickProcess, kind: HandleKind, begun: bool
) -> None:
    """As when an interrupt ends one of several that are sent together, and all are begun anew."""
    with glusterio.connect(brick.url) as volume:
        is_directory = kind is HandleKind.DIRECTORY
        handle = volume.open_handle(*("/", os.O_DIRECTORY) if is_directory else ("f", CREATING))
        core: Any = volume._session.core
        driver, (client,) = core.driver, core.graph.leaves
        fd = Fd(handle._handle.fd.gfid, os.O_RDWR, top=client)
        if is_directory:
            driver.run(client.opendir(Frame(), fd, OpendirRequest(fd.gfid)))
        else:
            driver.run(client.open(Frame(), fd, OpenRequest(fd.gfid, fd.flags)))
        brick.wait_for(fds=2)
        ended = threading.Event()
        with driver.corked():
            fiber = Fiber(release(fd, kind), driver, on_done=lambda _: ended.set())
            if begun:
                fiber.step()
                fiber.cancel(KeyboardInterrupt())
            else:
                fiber.cancel(KeyboardInterrupt())
                fiber.step()
        assert ended.wait(PATIENCE)
        assert isinstance(fiber.error, Cancelled)
        driver.run(release(fd, kind))
        brick.wait_for(fds=1)
