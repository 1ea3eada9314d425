"""The drivers: what runs the core's coroutines. The only place with sockets, clocks, threads, loops.

:mod:`~glusterio.runtime.fiber` is common to all drivers: a running coroutine and what each trap does.
:mod:`~glusterio.runtime.threads` lets calling threads run it, :mod:`~glusterio.runtime.aio` asyncio.
"""
