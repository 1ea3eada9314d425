"""Both faces of a volume behind one: tests of behaviour are written once, as if for threads.

``connect_face("asyncio", url)`` returns an object that is used like a :class:`glusterio.Volume`, though
behind every call a coroutine of :mod:`glusterio.aio` runs on an event loop of its own, until it ends.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
from collections.abc import Iterator
from typing import Any

import glusterio
from glusterio import aio
from glusterio.api.aio.methods.upcalls import UpcallRegistration
from glusterio.api.aio.opening import Opening

#: No call waits longer for the loop, in seconds.
PATIENCE = 20.0

#: The faces, by the driver that runs them.
FACES = ("threads", "asyncio")

_FACADES = (
    aio.Volume, aio.File, aio.FileLock, aio.Lease, aio.Object, aio.Stream, aio.DirEntry, aio.VolumePath,
    UpcallRegistration,
)  # fmt: skip


class Awaited:
    """An object of :mod:`glusterio.aio` whose methods wait for their results."""

    def __init__(self, runner: asyncio.Runner, it: Any) -> None:
        self._runner = runner
        self._it = it

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._it, name)
        if not inspect.ismethod(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            given = {name: _own(value) for name, value in kwargs.items()}
            for name in given.keys() & _ASKED:
                given[name] = _beside_the_loop(given[name])
            return self._result(found, tuple(map(_own, args)), given)

        call.__wrapped__ = found  # type: ignore[attr-defined]
        return call

    def _result(self, function: Any, args: Any, kwargs: Any) -> Any:
        async def run() -> Any:
            result = function(*args, **kwargs)
            if inspect.isawaitable(result) or isinstance(result, Opening):
                result = await result
            return result

        loop = self._runner.get_loop()
        if loop.is_running():  # in a function that is called beside it
            return self._seen(asyncio.run_coroutine_threadsafe(run(), loop).result(PATIENCE))
        return self._seen(loop.run_until_complete(run()))

    def _seen(self, value: Any) -> Any:
        if isinstance(value, _FACADES) or hasattr(value, "__anext__"):
            return Awaited(self._runner, value)
        if type(value) is tuple:  # what has been made, and what it was opened as
            return tuple(map(self._seen, value))
        return value

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self._result(self._it.__anext__, (), {})
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> Any:
        return self._result(self._it.__aenter__, (), {})

    def __exit__(self, *error: Any) -> None:
        self._result(self._it.__aexit__, error, {})

    def __fspath__(self) -> str:
        path: str = self._it.__fspath__()
        return path

    def __str__(self) -> str:
        return str(self._it)

    def __truediv__(self, key: Any) -> Any:
        return self._seen(self._it / _own(key))

    def __volume_path__(self) -> str:
        path: str = self._it.__volume_path__()
        return path


#: Arguments that are functions which may use the volume.
_ASKED = frozenset({"copy_function", "ignore", "onerror", "onexc", "on_error"})


def _beside_the_loop(function: Any) -> Any:
    """Have a function that uses this face called in a thread, and awaited; the face's own stay."""
    if not inspect.isfunction(function) or function.__module__ == "shutil":
        return function

    async def call(*args: Any) -> Any:
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()

        def run() -> None:
            try:
                future.set_result(function(*args))
            except BaseException as error:
                future.set_exception(error)

        thread = threading.Thread(target=run, name="beside the loop")
        thread.start()
        try:
            return await asyncio.wrap_future(future)
        finally:
            thread.join()

    return call


def _own(value: Any) -> Any:
    """What the face itself knows: an open file given as an argument."""
    if inspect.ismethod(wrapped := getattr(value, "__wrapped__", None)):
        return wrapped
    if isinstance(value, list):
        return [_own(one) for one in value]
    return value._it if isinstance(value, Awaited) else value


class AwaitedVolume(Awaited):
    """A volume with an event loop of its own; closing the one closes the other."""

    def close(self, *args: Any, **kwargs: Any) -> glusterio.TeardownReport:
        report: glusterio.TeardownReport = self._result(self._it.close, args, kwargs)
        self._runner.close()
        self.close = lambda *_, **__: report  # type: ignore[method-assign]
        return report

    def __enter__(self) -> AwaitedVolume:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def connect_face(face: str, url: str, **options: Any) -> Any:
    """Connect to a volume by one of `FACES`; the result is used as a ``glusterio.Volume``."""
    if face == "threads":
        return glusterio.connect(url, **options)
    runner = asyncio.Runner()

    async def connect() -> aio.Volume:
        return await aio.connect(url, **options)

    try:
        return AwaitedVolume(runner, runner.run(connect()))
    except BaseException:
        runner.close()
        raise
