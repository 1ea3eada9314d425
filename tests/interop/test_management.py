"""The answers of a management daemon, as a real glusterd gives them."""

from __future__ import annotations

import pytest

from tests.brick.questions import QUESTIONS, check
from tests.brick.raw import RawClient
from tests.interop.real_gluster import GlusterVolume


@pytest.mark.parametrize("name", QUESTIONS)
def test_glusterd_answers_so(gluster_volume: GlusterVolume, name: str) -> None:
    with RawClient(gluster_volume.glusterd_port) as client:
        reply = QUESTIONS[name].ask(client, gluster_volume.volume, str(gluster_volume.data_dir))
    check(QUESTIONS[name], reply)
