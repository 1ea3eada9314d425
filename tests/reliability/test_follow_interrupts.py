"""An interrupt (Ctrl-C) anywhere in the following of a volume: the next note is followed all the same.

Also where it comes while the daemon is lost and another one is looked for. As in the tests of switches
it is always the calling thread that is interrupted, and the house-keeper is kept away meanwhile.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from glusterio.api import management
from glusterio.runtime.housekeeper import HouseKeeper
from glusterio.traps import Wait
from tests.api.faces import connect_face
from tests.api.test_follow import ANOTHER_GRAPH, ANOTHER_OPTION, Served
from tests.api.test_interrupts import Interrupt, interrupted, made_in_vain
from tests.interop.real_gluster import poll
from tests.reliability.test_switch_interrupts import Every

#: The functions at whose beginning and end it is interrupted, by their files.
FOLLOWING: dict[str, set[str]] = {
    "management.py": Every(),
    "core.py": {"start", "begin", "done", "keep_house"},
    "session.py": {"leave"},
    "fiber.py": {"start_later", "step", "_finish", "wake"},
    "connection.py": {"fail"},
    "link.py": {"close"},
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("served"))
    try:
        yield made
    finally:
        made.finish()


def _changed(served: Served, volume: Any) -> None:
    served.set(ANOTHER_GRAPH)


def _lost(served: Served, volume: Any) -> None:
    lost = volume._session.core.management.server.address[1]
    for tap in served.taps:
        if tap.port == lost:
            tap.refuse()
            tap.cut()
        else:
            tap.heal()
    served.set(ANOTHER_GRAPH)


#: What happens, and what is interrupted for certain then.
HAPPENS: dict[str, tuple[Callable[[Served, Any], None], set[str]]] = {
    "a change": (_changed, {"_told", "_attend", "_begin", "_work", "_follow", "catch_up", "_ends"}),
    "a loss": (_lost, {"_lost", "_attend", "_begin", "_work", "_regain", "_take", "keep", "fail"}),
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("happens", "passes"), HAPPENS.values(), ids=HAPPENS)
def test_the_next_note_is_followed(
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[Served, Any], None],
    passes: set[str],
) -> None:
    monkeypatch.setattr(management, "FIRST_PAUSE", 0.002)
    monkeypatch.setattr(management, "LONGEST_PAUSE", 0.004)
    at, missed = 1, 0
    seen: set[str] = set()
    with made_in_vain():
        while missed < 3:
            where = _try(served, partial(happens, served), at)
            seen |= {each for each in passes if f" of {each}," in where}
            missed = 0 if where else missed + 1
            at += 1
    assert passes <= seen


def _try(served: Served, happens: Callable[[Any], None], at: int) -> str:
    """Return where it was interrupted, or an empty string."""
    where = ""
    for tap in served.taps:
        tap.heal()
    served.reset()
    with connect_face("threads", served.url) as volume:
        core = volume._session.core

        async def a_moment() -> None:
            await Wait(core.driver.new_event(), 0.002)

        def comes(condition: Callable[[], bool]) -> bool:
            def look() -> bool:
                core.driver.run(a_moment())
                return condition()

            return poll(look, 5)

        def followed_it() -> bool:
            """The new graph is in use, and nobody is at it any more."""
            attendant = core.management._attendant
            at_rest = attendant is None or attendant.done
            return core.graph.generation == 2 and at_rest and not core.session.calls

        def followed() -> None:
            nonlocal where
            happens(volume)
            try:
                comes(followed_it)
            except Interrupt as interrupt:
                where = str(interrupt)
                raise

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HouseKeeper, "start", lambda keeper: None)
            interrupted(at, FOLLOWING, followed)
            gc.collect(0)
        core.driver.keep_house()
        served.set(ANOTHER_OPTION)
        text = "md-cache-timeout 7"
        assert comes(lambda: text in core.volfile), f"{at}, {where}: not followed any more"
        assert comes(lambda: not core.session.calls), f"{at}, {where}: {core.session.calls}"
        volume.stat("/")
        report = volume.close(timeout=2)
    assert (report.errors, report.defects) == ([], []), f"{at}, {where}"
    return where
