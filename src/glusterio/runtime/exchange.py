"""The solo exchange: a request and its reply on one thread that nobody else gets in the way of.

Most requests of most programs are such: one thread asks, waits, and gets its answer. The general way
(:mod:`~glusterio.runtime.threads`) queues the fiber when the reply comes, looks who is to be woken, and
goes twice through the lock on its way there. Here the thread takes the lead and the reply's place in
its fiber in one step, sends, receives, and when what came is that reply and nothing else, gives
the lead up, claims the reply, and goes on. That is a third of the Python instructions of a request.

Where something else is the matter it stops short, with all as the general way expects it:

* The reply was asked for before, or the fiber shall give up: nothing has been done, and the fiber is
  stepped the usual way.
* Somebody leads already: the request is sent, and the fiber rests on its reply.
* Not all of the request could be sent, there is a timer, or a detached fiber waits for its step; or it
  was not a reply that ended the wait (a cancellation and a new timer come by the wake pipe), or
  only a part of one: the fiber rests on its reply, and the thread polls once more, in
  :meth:`~glusterio.runtime.threads.ThreadsDriver._wait`, and finds what has come.
* Several replies came, its own among them, a callback, or the connection's end: they are handed out
  first.

Replies for others alone are handed out, and it goes on.

Why it ends: it waits in ``recv``, as long as that is patient, and then in ``poll``, as a leader, and
whoever wakes a leader wakes it; and as long as there is no house-keeper, whose ping clock would, it
does not wait for longer than a tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glusterio.runtime.fiber import not_sent
from glusterio.runtime.link import ALONE, NOT_WAITING, WAITING

if TYPE_CHECKING:
    from glusterio.runtime.fiber import Fiber
    from glusterio.runtime.link import Link
    from glusterio.runtime.threads import ThreadsDriver
    from glusterio.traps import Reply


def exchange(driver: ThreadsDriver, fiber: Fiber, reply: Reply) -> bool:
    """Send a request and wait for its reply, as long as nothing else comes in between.

    Args:
        driver: the driver.
        fiber: whose coroutine has come to this reply, on the thread that runs it.
        reply: the request.

    Returns:
        Whether the coroutine can go on. Else the fiber rests on the reply; or it has no trap, and is to
        be stepped, with the error that it got for its ``resume_error``, or else to the same reply.
    """
    home = fiber.home
    link: Link | None = reply.connection.link
    with driver.lock:
        if link is None or reply.submitted or fiber.wanted_cancel is not None:
            return False
        leader = driver._leader
        leads = leader is None or leader is driver._keeper_home
        if leads:
            driver._leader = home
        fiber.trap = reply
        reply.fiber = fiber
    try:
        if not leads and not link.shared:
            link.share()
        if link.submit(reply):
            driver._watch_writing(link)
            return False
    except Exception as error:
        driver._pass_the_lead(home)
        with driver.lock:
            if fiber.trap is not reply:  # cancelled meanwhile: so it will be queued
                return False
            fiber.trap = None
        not_sent(reply, error)
        fiber.resume_error = error
        return False
    if not leads:
        return False
    try:
        while True:
            if link is driver._sole and not (driver._timers or driver._loose):
                replies = link.receive(WAITING, reply)  # one call less than with the poller
            else:
                replies = None
            if replies is None:
                home.polling = True  # first say so, then look: whoever queues looks after queueing
                try:
                    if home.ready or driver._loose or driver._timers:
                        return False
                    # Where nobody keeps house, the ping clock begins to run when the peer has been
                    # silent for a tick: the general way sees to that.
                    driver._poller.poll(None if driver._keeper.thread is not None else driver.tick)
                finally:
                    home.polling = False
                replies = link.receive(NOT_WAITING, reply)
                if replies is None:
                    return False
            if replies is ALONE:
                break
            driver._hand_out(link, replies)
            if driver._loose:
                driver._pass_the_lead(home)
                driver._step_loose()
                return False
            if not replies or fiber.trap is not reply or link.closed:
                return False
            # It was something that nobody waits for, the answer to the RELEASE of a file, say.
        if reply.settled is not None:
            reply.settled(reply)
        link.connection.came = []
    except BaseException:  # KeyboardInterrupt, perhaps with replies in hand, others' too
        driver._hand_out_again()
        raise
    with driver.lock:
        driver._leader = None
        if driver._followers or driver._detached:
            driver._wake_a_follower()
        if fiber.trap is not reply:  # cancelled meanwhile: so it will be queued
            return False
        fiber.trap = None
    return True
