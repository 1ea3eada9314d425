"""The threads driver's house-keeper: the thread that leads while no caller does.

It leads for callbacks and late releases, and looks at the ping clocks. It costs the callers nothing: a
caller takes the lead from it without asking, and it then stays away for a while. It is started when it
is needed: by the first handle, which can become stale while nobody waits; by the first detached fiber;
or by a leader to whom nobody has spoken for a tick, since then the ping clock must run. A connect has
none of these, and a thread is a tenth of what it costs.
"""

from __future__ import annotations

import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Final

from glusterio.runtime.home import Home

if TYPE_CHECKING:
    from glusterio.runtime.threads import ThreadsDriver

#: How long the house-keeper stays away after a caller took the lead from it, and how often the ping
#: clocks are looked at, in seconds.
TICK: Final = 0.25

#: How long it rests, in seconds, after work that nobody waits for (deferred writes, reads ahead, late
#: releases). Else it would be woken by each reply, and contend with the calling thread for the
#: interpreter each time. A caller that waits takes the lead meanwhile, and finds all of them at once.
REST: Final = 0.01


class HouseKeeper:
    """Leads while no caller does, and looks at the ping clocks every tick.

    Args:
        driver: whose it is.

    Attributes:
        home: its own, by which the driver says that it leads.
        may_go: set when it need not stay away any longer.
        thread: its thread, once it was needed.
    """

    __slots__ = ("_whose", "home", "may_go", "thread")

    def __init__(self, driver: ThreadsDriver) -> None:
        self._whose = weakref.ref(driver)  # no cycle: it goes when its session is let go of
        self.home = Home()
        self.home.thread = 0  # it has none yet
        self.may_go = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Start its thread, unless there is one, or another thread has stopped all.

        Raises:
            RuntimeError: the process may not have another thread.
        """
        driver = self._driver()
        with driver.lock:
            if self.thread is None and not driver.stopping:
                self.thread = threading.Thread(
                    target=partial(self._keep_house, driver),
                    name="glusterio-housekeeper",
                    daemon=True,
                )
                try:
                    self.thread.start()
                except RuntimeError:
                    self.thread = None
                    raise

    def nudge(self) -> None:
        """There is detached work: have somebody look after it."""
        driver = self._driver()
        if driver._leader is None:
            self.may_go.set()
            if self.home.polling:  # still, though a caller had taken the lead from it
                driver._interrupt_poll()

    def join(self) -> None:
        """Have its thread end; the driver is stopping.

        An interrupt is raised when it has: it waits for nobody, and uses what is closed after it.
        """
        interrupt: BaseException | None = None
        self.may_go.set()
        self._driver()._interrupt_poll()
        while self.thread is not None and self.thread.is_alive():
            try:
                self.thread.join()
            except BaseException as error:
                interrupt = error
        if interrupt is not None:
            try:
                raise interrupt
            finally:
                interrupt = None  # no cycle through the traceback

    def _driver(self) -> ThreadsDriver:
        driver = self._whose()
        assert driver is not None, "it calls us"
        return driver

    def _keep_house(self, driver: ThreadsDriver) -> None:
        home = self.home
        home.thread = threading.get_ident()
        next_tick = driver.now() + TICK
        while not driver.stopping:
            with driver.lock:
                if driver._leader is None:
                    driver._leader = home
            if driver._leader is home:
                self._lead(driver, next_tick)
            else:
                self._stay_away(max(0.0, next_tick - driver.now()))
            if driver.now() >= next_tick:
                driver.look_at_clocks(next_tick)
                next_tick = driver.now() + TICK

    def _lead(self, driver: ThreadsDriver, until: float) -> None:
        home = self.home
        worked = False
        try:
            worked = driver._lead(home, until)
        finally:
            leads = driver._leader is home
            driver._pass_the_lead(home)
        worked = worked or bool(driver._loose)
        if leads:  # else a caller has taken the lead meanwhile, and with it what came
            driver._step_loose()
        driver._step_ready(home)
        if worked and not driver._detached:
            self._stay_away(REST)

    def _stay_away(self, seconds: float) -> None:
        self.may_go.wait(seconds)
        self.may_go.clear()
