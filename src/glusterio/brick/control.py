"""The control program: what ``glusterio volume`` and ``glusterio statedump`` ask a running daemon.

It is offered on a Unix socket alone, and only to the daemon's own user and to root, as the system says
who they are (``SO_PEERCRED``).
"""

from __future__ import annotations

import errno
import inspect
import json
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from glusterio.brick.connection import Answer, Connection, Programs, SimpleProgram
from glusterio.brick.option_table import OPTIONS
from glusterio.brick.options import VolumeOptions
from glusterio.graph.volume_options import OptionError, find_option
from glusterio.traps import Coro
from glusterio.wire.control import CONTROL_CALLS, ControlReply, ControlRequest
from glusterio.wire.dictionary import old_text
from glusterio.wire.programs import CONTROL, ControlProc

if TYPE_CHECKING:
    from glusterio.brick.daemon import Daemon

log = logging.getLogger("glusterio.brick")


class _Refusal(Exception):
    """An errno, and why a request is refused."""


class Control:
    """Answers for a daemon.

    Args:
        daemon: the daemon.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def programs(self) -> Programs:
        """Return the programs to be served."""
        calls: dict[ControlProc, Callable[[ControlRequest], Any]] = {
            ControlProc.VOLUMES: self._volumes,
            ControlProc.GET: self._get,
            ControlProc.SET: self._set,
            ControlProc.RESET: self._reset,
            ControlProc.STATEDUMP: self._statedump,
        }
        answers: dict[int, Answer] = {
            proc: Answer(CONTROL_CALLS[proc], _answering(calls[proc])) for proc in calls
        }
        return Programs([SimpleProgram("glusterio control", CONTROL, answers)])

    def _names(self, request: ControlRequest) -> list[str]:
        """Return the volumes that a request is about: the one that it names, or all.

        Raises:
            _Refusal: there is no such volume.
        """
        return [self._name(request)] if request.volume else list(self._daemon.volumes)

    def _name(self, request: ControlRequest) -> str:
        """Return the volume that a request names.

        Raises:
            _Refusal: it names none, or there is no such volume.
        """
        if request.volume not in self._daemon.volumes:
            said = (
                f"there is no volume {request.volume!r}" if request.volume else "of which volume?"
            )
            raise _Refusal(errno.ENOENT, said)
        return request.volume

    def _volumes(self, request: ControlRequest) -> dict[str, Any]:
        daemon = self._daemon
        return {
            "daemon": {"pid": os.getpid(), "host": daemon.host, "port": daemon.port},
            "volumes": [daemon.describe(name) for name in self._names(request)],
        }

    def _get(self, request: ControlRequest) -> dict[str, Any]:
        name = self._name(request)
        options = self._daemon.volumes[name].options
        wanted = [find_option(OPTIONS, each).name for each in request.options] or list(OPTIONS)
        return {"volume": name, "options": [_described(options, each) for each in wanted]}

    async def _set(self, request: ControlRequest) -> dict[str, Any]:
        changes: dict[str, str | None] = {
            name: old_text(value) if isinstance(value, bytes) else str(value)
            for name, value in request.options.items()
        }
        return await self._change(request, changes)

    async def _reset(self, request: ControlRequest) -> dict[str, Any]:
        name = self._name(request)
        wanted = list(request.options) or list(self._daemon.volumes[name].options.given)
        return await self._change(request, dict.fromkeys(wanted))

    async def _change(
        self, request: ControlRequest, changes: dict[str, str | None]
    ) -> dict[str, Any]:
        name = self._name(request)
        await self._daemon.changing_options(name, changes)
        options = self._daemon.volumes[name].options
        return {"volume": name, "options": [_described(options, each) for each in changes]}

    def _statedump(self, request: ControlRequest) -> dict[str, Any]:
        return {"volumes": [self._daemon.dump(name) for name in self._names(request)]}


def _described(options: VolumeOptions, name: str) -> dict[str, Any]:
    option = OPTIONS[name]
    return {
        "name": name,
        "value": options.text(name),
        "is_set": name in options.given,
        "kind": option.kind.word,
        "what": option.what,
    }


def _answering(
    call: Callable[[ControlRequest], Any],
) -> Callable[[Connection, Any], Coro[ControlReply]]:
    """Make of a function's result, or of its error, a reply; for those who may ask."""

    async def answer(connection: Connection, request: ControlRequest) -> ControlReply:
        if connection.endpoint.uid not in (0, os.geteuid()):
            log.warning("%s: user %d may not", connection.name, connection.endpoint.uid)
            return ControlReply(
                -1, errno.EACCES, "the daemon takes orders from its own user and from root only"
            )
        try:
            found = call(request)
            if inspect.isawaitable(found):
                found = await found
            return ControlReply(0, 0, "", json.dumps(found))
        except _Refusal as refusal:
            return ControlReply(-1, *refusal.args)
        except OptionError as error:
            return ControlReply(-1, errno.EINVAL, str(error))
        except OSError as error:
            return ControlReply(-1, error.errno or errno.EIO, str(error))

    return answer
