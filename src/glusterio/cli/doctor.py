"""``glusterio doctor``: why a volume cannot be used, found out from outside, step by step.

The steps are those of a client that connects. Each has a verdict; the first that fails says what the
matter is. Nothing is taken for granted: it is looked at the bytes that come back, by
:mod:`glusterio.cli.probe`. What a trouble means, and what to do, is in :mod:`glusterio.cli.remedies`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, NamedTuple

from glusterio.api.registry import REGISTRY, check_from_afar
from glusterio.api.url import Target, parse_url
from glusterio.cli.errors import PartlyFailedError
from glusterio.cli.holders import clients, counts, described, dump_of
from glusterio.cli.locations import on_volume
from glusterio.cli.output import shown, tell
from glusterio.cli.probe import (
    Address,
    Probe,
    TroubleError,
    addresses_of,
    connected,
    where,
)
from glusterio.cli.remedies import Trouble
from glusterio.errors import VolfileError
from glusterio.graph import volfile
from glusterio.graph.passing import why_passed
from glusterio.traps import Event, Tls
from glusterio.wire.dictionary import old_text
from glusterio.wire.handshake import (
    DumpReply,
    DumpRequest,
    GetspecReply,
    GetspecRequest,
    PingReply,
    PingRequest,
    PortByBrickReply,
    PortByBrickRequest,
    SetvolumeReply,
    SetvolumeRequest,
)
from glusterio.wire.programs import (
    DUMP,
    FOPS,
    HANDSHAKE,
    PORTMAP,
    DumpProc,
    HandshakeProc,
    PortmapProc,
    Program,
)
from glusterio.xlators.base import Services
from glusterio.xlators.client.handshake import tls_for

GLUSTERD_PORT = 24007
PINGS = 5
#: A ping that takes longer is worth a word, in seconds.
SLOW = 0.05

OK, WARNING, FAILED = "ok", "warning", "failed"

_OP_VERSIONS = {"min-op-version": "1", "max-op-version": "100000"}


class Finding(NamedTuple):
    """What a step has found.

    Attributes:
        step: which step.
        place: where it was made.
        verdict: ``ok``, ``warning`` or ``failed``.
        said: what was found.
        trouble: what kind of trouble, unless all is well.
        seconds: how long it took.
        more: what else is worth knowing, for programs.
    """

    step: str
    place: str
    verdict: str
    said: str
    trouble: Trouble | None = None
    seconds: float = 0.0
    more: Mapping[str, object] = {}


class _Stop(Exception):
    """There is no way on from here; it has been said why."""


class Doctor:
    """Examines a volume.

    Args:
        patience: how long anything may take, in seconds.
        report: takes each finding.
    """

    def __init__(self, patience: float, report: Callable[[Finding], None]) -> None:
        self._patience = patience
        self._report = report
        self._services = Services(Event)

    async def examine(self, target: Target, path: str = "") -> bool:
        """Go through all steps; tell whether the volume can be used.

        Args:
            target: the volume.
            path: a file in it of which the brick is asked who holds it.
        """
        self._services = Services(Event, management_tls=target.management_tls())
        try:
            text = await self._volfile(target)
            bricks = self._parts(text, target)
        except _Stop:
            return False
        usable = True
        for brick in bricks:
            try:
                await self._brick(brick, path)
            except _Stop:
                usable = False
        return usable

    @contextmanager
    def _step(self, step: str, place: str, *, verdict: str = FAILED) -> Iterator[dict[str, Any]]:
        """Make a step: what is put into the dictionary is told when it went well.

        Raises:
            _Stop: it did not, and that has been told.
        """
        told: dict[str, Any] = {}
        begun = time.monotonic()
        try:
            yield told
        except TroubleError as error:
            took = time.monotonic() - begun
            self._report(Finding(step, place, verdict, error.detail, error.trouble, took))
            raise _Stop from None
        said = str(told.pop("said", ""))
        self._report(Finding(step, place, OK, said, seconds=time.monotonic() - begun, more=told))

    # -- the volfile ------------------------------------------------------------------------------

    async def _volfile(self, target: Target) -> str:
        if target.scheme == "embedded":
            with self._step("directory", target.path) as told:
                if not os.path.isdir(target.path):
                    raise TroubleError(Trouble.UNREADABLE, "it is no directory")
                told["said"] = "it is there, and no server is needed"
            return ""
        if target.scheme == "volfile":
            with self._step("volfile", target.path) as told:
                try:
                    with open(target.path, encoding="utf-8", errors="surrogateescape") as file:
                        text = file.read()
                except OSError as error:
                    raise TroubleError(Trouble.UNREADABLE, error.strerror or str(error)) from None
                told["said"] = f"{len(text)} bytes"
            return text
        *others, last = target.servers
        for server in others:
            try:
                return await self._ask_management(server, target.volume, WARNING)
            except _Stop:
                continue
        return await self._ask_management(last, target.volume, FAILED)

    async def _ask_management(self, server: Address, volume: str, verdict: str) -> str:
        """Ask a management daemon for the volfile."""
        async with self._reach(server, verdict, tls=self._services.management_tls) as probe:
            place = where(probe.address)
            with self._step("programs", place, verdict=verdict) as told:
                offered = await _programs(probe)
                told["said"] = _listed(offered)
                if HANDSHAKE not in offered or (FOPS in offered and PORTMAP not in offered):
                    raise TroubleError(Trouble.NOT_MANAGEMENT, _listed(offered))
            with self._step("getspec", place, verdict=verdict) as told:
                request = GetspecRequest(0, volume, _OP_VERSIONS)
                reply = await probe.call(HANDSHAKE, HandshakeProc.GETSPEC, request, GetspecReply)
                if reply.op_ret < 0:
                    unknown = reply.op_errno == errno.ENOENT
                    raise TroubleError(
                        Trouble.UNKNOWN_VOLUME if unknown else Trouble.NO_VOLFILE,
                        f"{volume!r}: {os.strerror(reply.op_errno)}",
                    )
                told["said"] = f"volume {volume!r}, {len(reply.spec)} bytes"
            return str(reply.spec)

    def _parts(self, text: str, target: Target) -> list[volfile.Volume]:
        """Look whether we have what the volume is made of, and return its bricks."""
        if not text:
            return []
        with self._step("graph", "") as told:
            try:
                graph = volfile.parse(text)
                if target.servers:
                    check_from_afar(graph)
            except VolfileError as error:
                raise TroubleError(Trouble.BROKEN_VOLFILE, str(error)) from None
            strange = [
                f"{each.type} ({each.name})"
                for each in graph.volumes
                if each.type not in REGISTRY and why_passed(each) is None
            ]
            bricks = [each for each in graph.volumes if each.type == "protocol/client"]
            told["said"] = f"{len(graph.volumes)} translators, {len(bricks)} of them for bricks"
            if strange:
                raise TroubleError(Trouble.UNSUPPORTED, ", ".join(strange))
        return bricks

    # -- a brick ----------------------------------------------------------------------------------

    async def _brick(self, brick: volfile.Volume, path: str) -> None:
        options = brick.options
        server: Address
        if options.get("transport.socket.connect-path"):
            server = options["transport.socket.connect-path"]
        elif options.get("remote-port"):
            server = options["remote-host"], int(options["remote-port"])
        else:
            port = int(options.get("glusterd-port", GLUSTERD_PORT))
            server = await self._ask_port(options["remote-host"], port, options)
        privileged = False
        for _ in range(3):  # a portmapper in its place, and a port that only root may have
            tls = tls_for(server, options, self._services)
            async with self._reach(server, FAILED, privileged, tls) as probe:
                found = await self._visit(probe, brick, path, privileged)
            if found is _ACCEPTED:
                return
            if found is _DENIED:
                privileged = True
            elif not isinstance(server, str):
                server = await self._ask_port(*server, options)
        raise _Stop

    async def _ask_port(self, host: str, port: int, options: Mapping[str, str]) -> Address:
        """Ask a portmapper where a brick listens."""
        brick = options.get("remote-subvolume", "")
        tls = tls_for((host, port), options, self._services)
        async with self._reach((host, port), FAILED, tls=tls) as probe:
            with self._step("portmap", where(probe.address)) as told:
                request = PortByBrickRequest(brick)
                reply = await probe.call(
                    PORTMAP, PortmapProc.PORTBYBRICK, request, PortByBrickReply
                )
                if reply.op_ret < 0 or not reply.port:
                    raise TroubleError(Trouble.BRICK_DOWN, f"brick {brick} is not running")
                told["said"] = f"brick {brick} is on port {reply.port}"
            return host, reply.port

    async def _visit(self, probe: Probe, brick: volfile.Volume, path: str, privileged: bool) -> str:
        """Do what a client does that has connected to a brick; tell what became of it."""
        place = where(probe.address)
        may_try_again = not privileged and os.geteuid() == 0
        with self._step("programs", place) as told:
            try:
                offered = await _programs(probe)
            except TroubleError as error:
                if error.trouble is not Trouble.DENIED or not may_try_again:
                    raise
                told["said"] = "every call from our port is denied"
                return _DENIED
            told["said"] = _listed(offered)
            if FOPS not in offered and PORTMAP in offered:
                return _PORTMAPPER
            if FOPS not in offered:
                other = any(each.number == FOPS.number for each in offered)
                trouble = Trouble.VERSION if other else Trouble.NO_PROGRAM
                raise TroubleError(trouble, _listed(offered))
        with self._step("setvolume", place) as told:
            request = SetvolumeRequest(_introduction(brick.options))
            try:
                reply = await probe.call(
                    HANDSHAKE, HandshakeProc.SETVOLUME, request, SetvolumeReply
                )
            except TroubleError as error:
                if error.trouble is not Trouble.DENIED or not may_try_again:
                    raise
                told["said"] = "denied to who comes from our port"
                return _DENIED
            if reply.op_ret < 0:
                raise _refusal(reply)
            told["said"] = "accepted" + (", from a port below 1024" if privileged else "")
        await self._ping(probe, place)
        gfid = None
        if path:
            with self._step("held", path) as told:
                gfid, numbers = await counts(probe, path)
                told["said"] = ", ".join(f"{number} {what}" for what, number in numbers.items())
                told.update(numbers, gfid=gfid)
        if probe.is_local:
            await self._who(brick, gfid)
        return _ACCEPTED

    async def _ping(self, probe: Probe, place: str) -> None:
        with self._step("ping", place) as told:
            times = []
            for _ in range(PINGS):
                begun = time.monotonic()
                await probe.call(DUMP, DumpProc.PING, PingRequest(), PingReply)
                times.append(time.monotonic() - begun)
            middle = statistics.median(times)
            told["said"] = f"{1e3 * middle:.2f} ms ({1e3 * min(times):.2f} at best)"
            told["ms"] = round(1e3 * middle, 3)
        if middle > SLOW:
            said = f"a ping takes {1e3 * middle:.0f} ms"
            self._report(Finding("ping", place, WARNING, said, Trouble.SLOW))

    async def _who(self, brick: volfile.Volume, gfid: str | None) -> None:
        """Tell who holds what, if a daemon of ours serves the brick and may be asked."""
        dump = await dump_of(brick.options.get("remote-subvolume", ""))
        if dump is None:
            return
        found = clients(dump, gfid)
        said = f"{dump['fds']} fds and {dump['locks']} locks in all"
        self._report(Finding("clients", dump["url"], OK, said, more={"clients": found}))

    # -- what many steps are made of --------------------------------------------------------------

    @asynccontextmanager
    async def _reach(
        self, server: Address, verdict: str, privileged: bool = False, tls: Tls | None = None
    ) -> AsyncIterator[Probe]:
        """Connect to a server, at the first of its addresses that there is."""
        addresses: list[Address] = [server]
        if not isinstance(server, str):
            with self._step("name", server[0], verdict=verdict) as told:
                addresses = [*await addresses_of(*server)]
                told["said"] = ", ".join(dict.fromkeys(str(each[0]) for each in addresses))
        async with AsyncExitStack() as stack:
            for number, address in enumerate(addresses, 1):
                is_last = number == len(addresses)
                try:
                    with self._step(
                        "connect", where(address), verdict=verdict if is_last else WARNING
                    ) as told:
                        probe = await stack.enter_async_context(
                            connected(address, self._patience, privileged=privileged, tls=tls)
                        )
                        told["said"] = "connected" if tls is None else "connected, by TLS"
                    break
                except _Stop:
                    if is_last:
                        raise
            yield probe


_ACCEPTED, _DENIED, _PORTMAPPER = "accepted", "denied", "portmapper"


async def _programs(probe: Probe) -> list[Program]:
    """Return what a server offers."""
    reply = await probe.call(DUMP, DumpProc.DUMP, DumpRequest(1), DumpReply)
    return [Program(each.number, each.version) for each in reply.programs]


_NAMES = {FOPS.number: "fops", HANDSHAKE.number: "handshake", PORTMAP.number: "portmap"}


def _listed(offered: Sequence[Program]) -> str:
    known = [f"{_NAMES[n]} {version}" for n, version in offered if n in _NAMES]
    return "offers " + (", ".join(known) or "nothing that a client could use")


def _introduction(options: Mapping[str, str]) -> dict[str, str]:
    introduction = {
        key: options[key]
        for key in ("remote-subvolume", "username", "password", "subdir-mount")
        if options.get(key)
    }
    return introduction | {
        "process-uuid": f"CTX_ID:{uuid.uuid4()}-PID:{os.getpid()}-PC_NAME:doctor-RECON_NO:-0",
        "fops-version": str(FOPS.number),
        "mgmt-version": str(HANDSHAKE.number),
        "client-version": "10.3",
        "opversion": "100000",
        "process-name": "glusterio doctor",
    }


_REFUSALS = {
    errno.EACCES: Trouble.NOT_ALLOWED,
    errno.EPERM: Trouble.NOT_ALLOWED,
    errno.EAGAIN: Trouble.STARTING,
    errno.ENOENT: Trouble.ANOTHER_BRICK,
    errno.EUSERS: Trouble.TOO_MANY,
}


def _refusal(reply: SetvolumeReply) -> TroubleError:
    said = reply.options.get("ERROR", b"")
    words = old_text(said) if isinstance(said, bytes) else str(said)
    trouble = _REFUSALS.get(reply.op_errno, Trouble.REFUSED)
    if trouble is Trouble.ANOTHER_BRICK and words.startswith("subdirectory"):
        trouble = Trouble.NO_DIRECTORY
    return TroubleError(trouble, words or os.strerror(reply.op_errno))


# -- the command --------------------------------------------------------------------------------------


def doctor(text: str, patience: float) -> None:
    """Examine a volume, and say what was found.

    Args:
        text: the volume's URL, with a path in it or without.
        patience: how long anything may take, in seconds.

    Raises:
        PartlyFailedError: the volume cannot be used; it has been said why.
    """
    place = on_volume(text)
    examination = Doctor(patience, _tell).examine(parse_url(place.volume), place.path)
    usable = asyncio.run(examination)
    said = "the volume can be used" if usable else "the volume cannot be used"
    tell({"step": "end", "usable": usable}, said)
    if not usable:
        raise PartlyFailedError


def _tell(finding: Finding) -> None:
    remedy = finding.trouble.value if finding.trouble is not None else None
    record: dict[str, object] = {
        "step": finding.step,
        "place": finding.place,
        "verdict": finding.verdict,
        "said": finding.said,
        "trouble": finding.trouble.name if finding.trouble is not None else None,
        "meaning": remedy.meaning if remedy is not None else None,
        "advice": remedy.advice if remedy is not None else None,
        "ms": round(1e3 * finding.seconds, 3),
        **finding.more,
    }
    line = f"{finding.verdict:8}{finding.step:10}{shown(finding.place)}: {shown(finding.said)}"
    lines = [line if finding.place else line.replace(": ", "", 1)]
    if remedy is not None:
        lines += [f"{'':18}it means  {remedy.meaning}", f"{'':18}to do     {remedy.advice}"]
    clients = finding.more.get("clients")
    if isinstance(clients, list):
        lines += [f"{'':18}{described(each)}" for each in clients]
    tell(record, "\n".join(lines))
