"""A volume of one brick: a directory, the graph above it, its options, and where it is served."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from glusterio.brick import statedump
from glusterio.brick.access import Access
from glusterio.brick.connection import Connection, Programs
from glusterio.brick.handshake import Handshake, Offer
from glusterio.brick.limits import Limits
from glusterio.brick.options import VolumeOptions
from glusterio.brick.server import FopProgram
from glusterio.brick.stored_options import OPTIONS_FILE, load_options, store_options
from glusterio.brick.tls import server_tls
from glusterio.brick.volfiles import brick_volfile, client_volfile
from glusterio.graph.graph import Graph, build
from glusterio.graph.volfile import parse
from glusterio.graph.volume_options import OptionError
from glusterio.runtime.serve import Served, Server, ServerTls
from glusterio.traps import Event, Offload, Wait
from glusterio.wire.xdr import raw
from glusterio.xlators.base import Services, Xlator
from glusterio.xlators.leases import Leases
from glusterio.xlators.locks import Locks
from glusterio.xlators.posix import Posix
from glusterio.xlators.read_only import ReadOnly
from glusterio.xlators.upcall import Upcall

log = logging.getLogger("glusterio.brick")

#: The translators of bricks.
XLATORS: Mapping[str, Callable[..., Xlator]] = {
    xlator.xlator_type: xlator for xlator in (Posix, Locks, Leases, Upcall, ReadOnly)
}

#: Calls to the system that one brick waits for at the same time, each on a thread of the brick's own: a
#: disk that is slow holds up its own volume only. GlusterFS's default (performance.io-thread-count).
THREADS: Final = 16

#: A volume's name is shorter, in bytes; clients cannot ask for a longer one.
NAME_MAX: Final = 255

#: Addresses that mean "all of this machine's".
_ANY = frozenset({"", "0.0.0.0", "::"})


def reachable(host: str) -> str:
    """Return a host that can be connected to, for an address that is listened on."""
    return "127.0.0.1" if host in _ANY else host


class Volume:
    """A directory served as a volume.

    Args:
        directory: the directory; it must exist.
        name: the volume's name; by default the directory's.
        host: the address to listen on.
        port: the brick's port; 0 takes any that is free.
        access: who may use it, unless its options say otherwise.
        volume_id: its id; by default the one that the directory is marked with.
        defaults: defaults of options, where they are not the usual ones.
        limits: what clients may ask for.

    Attributes:
        name: its name.
        path: the directory, which names the brick.
        host: the address on which it listens.
        port: the brick's port; once started, the one that it has.
        options: its options.
        tls: how its clients are secured; ``None`` for in the clear.

    Raises:
        ValueError: it cannot have this name or this directory.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        name: str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        access: Access | None = None,
        volume_id: uuid.UUID | None = None,
        defaults: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.path = os.path.realpath(directory)
        self.name = name or os.path.basename(self.path) or "root"
        if (
            "/" in self.name
            or self.name.split() != [self.name]
            or self.name.startswith(".")
            or len(raw(self.name)) >= NAME_MAX
        ):
            raise ValueError(f"no name for a volume: {self.name!r}; give it another one")
        brick_volfile(self.name, self.path)  # both can be written
        self.host = host
        self.port = port
        self.options = VolumeOptions({}, defaults)
        self.tls: ServerTls | None = None
        self._defaults = defaults
        self._access = access or Access()
        self._limits = limits or Limits()
        self._offer = Offer(
            self.path, volume_id or uuid.UUID(int=0), self._access, limits=self._limits
        )
        self._wanted_id = volume_id
        self._claim: int | None = None
        self._threads: ThreadPoolExecutor | None = None
        #: set when the change of options that is under way has ended
        self._changing: Event | None = None
        self._server: Server | None = None
        self._graph: Graph[Xlator] | None = None
        self._fops: FopProgram | None = None

    @property
    def volume_id(self) -> uuid.UUID:
        """The volume's id."""
        return self._offer.volume_id

    @property
    def is_running(self) -> bool:
        """Whether clients can connect to the brick."""
        return self._offer.ready

    @property
    def server(self) -> Server:
        """What serves the brick's clients, while it runs."""
        assert self._server is not None
        return self._server

    # -- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen, and serve from now on. When it fails, nothing is left.

        Raises:
            OSError: the directory is not there, cannot be used or is another volume's, or the port
                is taken.
            ValueError: its stored options are no good.
        """
        try:
            self._claim = _claim(self.path)
            options = self._stored_options()
            self._take_options(options, server_tls(options))
            await self._start_brick()
        except BaseException:
            await self.stop()
            raise

    def _stored_options(self) -> VolumeOptions:
        try:
            return VolumeOptions(load_options(self.path), self._defaults)
        except OptionError as error:
            raise OptionError(f"{error} ({os.path.join(self.path, OPTIONS_FILE)})") from None

    async def _start_brick(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, f"glusterio-{self.name}")
        text = brick_volfile(self.name, self.path, self._wanted_id, self.options)
        services = Services(new_event=Event, wall_clock=time.time_ns, volume=self.name, log=log)
        self._graph = build(parse(text), XLATORS, services)
        self._fops = fops = FopProgram(self._graph.top)
        programs = Programs([fops, Handshake(self._offer, fops).program()])
        self._server = Server(
            lambda endpoint: Connection(endpoint, programs, fops.close_all, self._offer.limits),
            self._offer.limits.patience(),
            self._threads,
        )
        self._server.tls = self.tls
        await self._server.run(self._graph.init())
        self._offer.volume_id = self._marked_id()
        self.port = await self._server.listen(self.host, self.port)
        self._offer.ready = True

    def _marked_id(self) -> uuid.UUID:
        assert self._graph is not None
        return next(each.volume_id for each in self._graph.leaves if isinstance(each, Posix))

    async def stop(self) -> None:
        """Stop accepting, close every client and what it had open, and end. Harmless when repeated."""
        self._offer.ready = False
        server, self._server = self._server, None
        graph, self._graph, self._fops = self._graph, None, None
        claim, self._claim = self._claim, None
        threads, self._threads = self._threads, None
        idle = False
        try:
            if server is not None:
                await server.close()
                if graph is not None:
                    for error in await server.run(graph.fini()):
                        log.error("%s: ending the brick's graph: %s", self.name, error)
            idle = True
        finally:
            if threads is not None:
                threads.shutdown(wait=idle)
            if claim is not None:
                os.close(claim)

    # -- options ----------------------------------------------------------------------------------

    async def change_options(self, changes: Mapping[str, str | None]) -> bool:
        """Set options, and put others (``None``) back to their default. A coroutine of the core.

        They are on the disk before they act, and nobody waits for the disk but who changes options.
        Who may use the volume counts for clients that are connected, too: those that no longer may
        are disconnected, as a GlusterFS brick does it (``server.dynamic-auth``).

        Returns:
            Whether the volfile of its clients has changed.

        Raises:
            OptionError: one of them is no good; none has changed.
            OSError: they could not be written down; none has changed.
        """
        while self._changing is not None:
            await Wait(self._changing)
        self._changing = changing = Event()
        try:
            options = self.options.with_changes(changes)
            tls = await Offload(server_tls, options)
            if options.given != self.options.given:
                await Offload(store_options, self.path, options.given)
            before = self.volfile()
            self._take_options(options, tls)
            return self.volfile() != before
        finally:
            self._changing = None
            changing.set()

    def _take_options(self, options: VolumeOptions, tls: ServerTls | None) -> None:
        self.options = options
        self.tls = tls
        allow, reject = options.addresses("auth.allow"), options.addresses("auth.reject")
        self._offer.access = replace(
            self._access,
            allow=self._access.allow if allow is None else allow,
            reject=self._access.reject if reject is None else reject,
            ssl_allow=options.names("auth.ssl-allow") or self._access.ssl_allow,
            insecure=self._access.insecure and options.is_on("server.allow-insecure"),
        )
        self._offer.limits = options.limits(self._limits)
        if self._server is not None and self._graph is not None:
            self._server.patience = self._offer.limits.patience()
            self._server.tls = tls
            for xlator in self._graph.xlators:
                if xlator not in self._graph.leaves:
                    xlator.reconfigure(options.for_xlator(xlator.xlator_type))
            for served in list(self._server.clients):
                self._look_again(served)

    def _look_again(self, served: Served) -> None:
        """Let a client go that may not use the volume any more."""
        session, access = served.session, self._offer.access
        assert isinstance(session, Connection)
        client, endpoint = session.client, session.endpoint
        if client is None:
            return

        def decide(permitted: bool) -> None:
            if not permitted:
                log.warning("%s: %s may no longer use the volume", self.name, session.name)
                served.close()

        if not access.permits_port(endpoint.peer, endpoint.port) or not access.permits_certificate(
            endpoint.certificate
        ):
            decide(False)
        elif not access.names_hosts:
            decide(access.permits_address(endpoint.peer, client.directory))
        else:  # which may have to be looked up
            looking = self.server.loop.run_in_executor(
                self._threads, access.permits_address, endpoint.peer, client.directory
            )
            looking.add_done_callback(lambda looked: decide(looked.result()))

    # -- what is told ------------------------------------------------------------------------------

    def volfile(self, local: str = "", management_port: int = 0) -> str:
        """Return the volfile for clients.

        Args:
            local: the address of this machine that the client came to.
            management_port: where it finds the management daemon, if not on the usual port.
        """
        host = local if self.host in _ANY and local else self.host
        return client_volfile(
            self.name,
            reachable(host),
            self.path,
            port=management_port,
            login=self._access.login,
            options=self.options,
        )

    def brick_volfile(self) -> str:
        """Return the brick's own volfile."""
        return brick_volfile(self.name, self.path, self.volume_id, self.options)

    def dump(self) -> dict[str, Any]:
        """Tell what is going on: see :func:`glusterio.brick.statedump.dump`."""
        return statedump.dump(self._server, self._graph, self._fops, self._offer.limits)


def _claim(path: str) -> int:
    """Make a directory ours, so that no other daemon serves it at the same time.

    Returns:
        A descriptor; the directory is free again when it is closed, at the latest with the process.

    Raises:
        OSError: it is not there, or it is served already (EBUSY).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise OSError(errno.EBUSY, "the directory is served already", path) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
