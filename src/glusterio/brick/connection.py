"""One client of a brick or of the management daemon, and what it may call."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from glusterio.brick.clients import Client
from glusterio.brick.fds import FdTable
from glusterio.brick.limits import Limits
from glusterio.errors import RemoteProtocolError, fs_error
from glusterio.rpc.service import Request, ServerConnection
from glusterio.runtime.serve import Endpoint
from glusterio.traps import Coro
from glusterio.types import Buffer
from glusterio.wire.credentials import Credentials
from glusterio.wire.handshake import DUMP_CALLS as _DUMP_CALLS
from glusterio.wire.handshake import CallSpec, DumpReply, DumpRequest, PingReply, ProgramDetail
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import AUTH_BAD_CREDENTIAL, DUMP, FOPS, AcceptStat, DumpProc, Program

log = logging.getLogger("glusterio.brick")

#: Answers a request with the buffers of the reply's body.
Procedure: TypeAlias = "Callable[[Connection, Request], Coro[Sequence[Buffer]]]"


class ServedProgram(Protocol):
    """An RPC program that is offered."""

    #: its name in the answer to DUMP
    name: str
    #: its number and version
    program: Program

    def find(self, procedure: int) -> Procedure | None:
        """Return what answers a procedure, ``None`` when nothing does."""

    def failure(self, procedure: int, number: int) -> bytes | None:
        """Return the reply of a procedure that fails with an errno; ``None`` if it cannot say so."""


class CallDenied(Exception):
    """The caller's credential is refused.

    Args:
        reason: an ``auth_stat``.
    """

    def __init__(self, reason: int = AUTH_BAD_CREDENTIAL) -> None:
        super().__init__(reason)
        self.reason = reason


class Answer(NamedTuple):
    """How a simple procedure is answered: its messages, and a function from one to the other, which may
    be a coroutine.
    """

    spec: CallSpec
    function: Callable[[Connection, Any], Any]


class SimpleProgram:
    """A program of a few procedures that are called now and then.

    Args:
        name: its name in the answer to DUMP.
        program: its number and version.
        answers: its procedures.
    """

    def __init__(self, name: str, program: Program, answers: Mapping[int, Answer]) -> None:
        self.name = name
        self.program = program
        self._answers = answers

    @property
    def procedures(self) -> frozenset[int]:
        """The procedures that are answered."""
        return frozenset(self._answers)

    def find(self, procedure: int) -> Procedure | None:
        """Return what answers a procedure, ``None`` when nothing does."""
        answer = self._answers.get(procedure)
        if answer is None:
            return None

        async def answering(connection: Connection, request: Request) -> Sequence[Buffer]:
            spec, function = answer
            message = decode(spec.request_class, memoryview(request.record), request.body)
            reply = function(connection, message)
            if isinstance(reply, Coroutine):
                reply = await reply
            return (encode(reply),)

        return answering

    def failure(self, procedure: int, number: int) -> bytes | None:
        """Return ``None``: what fails here is no call of anybody's."""
        return None


class Programs:
    """The programs of a server. DUMP, which tells about them, is always one of them.

    Args:
        programs: the others.
    """

    def __init__(self, programs: Iterable[ServedProgram]) -> None:
        dump = SimpleProgram(
            "GF-DUMP",
            DUMP,
            {
                DumpProc.DUMP: Answer(_DUMP_CALLS[DumpProc.DUMP], self._dump),
                DumpProc.PING: Answer(_DUMP_CALLS[DumpProc.PING], lambda *_: PingReply()),
            },
        )
        self._programs = {each.program.number: each for each in (*programs, dump)}

    def _dump(self, connection: Connection, request: DumpRequest) -> DumpReply:
        details = [
            ProgramDetail(each.name, each.program.number, each.program.version)
            for each in self._programs.values()
        ]
        return DumpReply(request.id, 0, 0, tuple(details))

    def __iter__(self) -> Iterator[ServedProgram]:
        return iter(self._programs.values())

    def get(self, number: int) -> ServedProgram | None:
        """Return a program."""
        return self._programs.get(number)

    def with_other(self, program: ServedProgram) -> Programs:
        """Return the same programs, with one in the place of that with its number."""
        programs = Programs(())
        programs._programs = {**self._programs, program.program.number: program}
        return programs


class Connection:
    """One client's connection: a :class:`~glusterio.runtime.serve.Session`.

    Args:
        endpoint: where the client comes from.
        programs: what it may call.
        close_all: closes every descriptor in the table, when the client has gone.
        limits: what the client may ask for.

    Attributes:
        client: who it is, once it has been accepted.
        fds: its descriptors.
        blocked: how many of its requests wait for a lock.
        is_closed: whether the connection has ended.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        programs: Programs,
        close_all: Callable[[Connection], Awaitable[None]] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.endpoint = endpoint
        self.connection = ServerConnection(
            endpoint.name,
            self.limits.first_record,
            self.limits.pending,
            self.limits.pending_bytes,
            self.limits.queued_bytes,
        )
        self.client: Client | None = None
        self.fds = FdTable(self.limits.fds)
        self.blocked = 0
        self.is_closed = False
        self._programs = programs
        self._close_all = close_all
        self._credential: tuple[int, bytes] = (-1, b"")
        self._caller: Credentials | None = None

    @property
    def name(self) -> str:
        """The client's address."""
        return self.connection.name

    def accept(self, client: Client) -> None:
        """Make the client one that may use the brick."""
        self.client = client
        client.waiting = self.waiting_for_a_lock
        self.connection.accept_records(self.limits.record)
        self.connection.too_long = self._too_long

    def use(self, program: ServedProgram) -> None:
        """Let the client call another program in the place of the one with its number."""
        self._programs = self._programs.with_other(program)

    @contextlib.contextmanager
    def waiting_for_a_lock(self) -> Iterator[None]:
        """While in it, a request may wait for long: it does not count among those under way.

        Else a client that waits for many locks would not be read from any more, not even its pings.

        Raises:
            OSError: ENOLCK, when too many of its requests wait already.
        """
        if self.blocked >= self.limits.blocked_locks:
            raise fs_error(errno.ENOLCK)
        self.blocked += 1
        self.connection.max_pending += 1
        try:
            yield
        finally:
            self.blocked -= 1
            self.connection.max_pending -= 1

    def caller(self, request: Request) -> Credentials:
        """Return on whose behalf a request is made.

        Raises:
            CallDenied: the credential is no good.
        """
        header = request.header
        credential = (header.flavor, header.credentials)
        if self._caller is None or credential != self._credential:
            try:
                self._caller = header.caller()
            except RemoteProtocolError:
                raise CallDenied from None
            self._credential = credential
        return self._caller

    # -- for the runtime --------------------------------------------------------------------------

    def identified(self, certificate: str) -> None:
        """The client has shown a certificate, in which there is this common name, or none."""
        self.endpoint = self.endpoint._replace(certificate=certificate)

    @property
    def is_known(self) -> bool:
        """Whether the client was accepted; where there is nothing to be accepted for, whether it was
        given an answer.
        """
        if self._programs.get(FOPS.number) is None:
            return self.connection.bytes_out > 0
        return self.client is not None

    def handle(self, request: Request) -> Coro[None] | None:
        """Begin to answer a request; ``None`` when it has been refused at once."""
        program = self._programs.get(request.program)
        if program is None:
            self.connection.refuse(request.xid, AcceptStat.PROG_UNAVAIL)
            return None
        version = program.program.version
        if request.version != version:
            self.connection.refuse_version(request.xid, version, version)
            return None
        procedure = program.find(request.procedure)
        if procedure is None:
            self.connection.refuse(request.xid, AcceptStat.PROC_UNAVAIL)
            return None
        return self._answer(request, procedure)

    async def _answer(self, request: Request, procedure: Procedure) -> None:
        try:
            self.connection.reply(request.xid, *await procedure(self, request))
        except RemoteProtocolError as error:
            log.debug("%s: procedure %d: %s", self.name, request.procedure, error)
            self.connection.refuse(request.xid, AcceptStat.GARBAGE_ARGS)
        except CallDenied as denied:
            self.connection.deny(request.xid, denied.reason)
        except Exception:
            log.exception("%s: procedure %d failed", self.name, request.procedure)
            self.connection.refuse(request.xid, AcceptStat.SYSTEM_ERR)

    def _too_long(self, request: Request, length: int) -> None:
        """Answer a request that is longer than the limit. Its arguments have not been kept."""
        limit = self.limits.record
        log.warning("%s: a record of %d bytes; the limit is %d", self.name, length, limit)
        program = self._programs.get(request.program)
        failure = None
        if program is not None:
            failure = program.failure(request.procedure, errno.EMSGSIZE)
        if failure is None:
            self.connection.refuse(request.xid, AcceptStat.GARBAGE_ARGS)
        else:
            self.connection.reply(request.xid, failure)

    def disconnected(self) -> None:
        """The client is gone."""
        self.is_closed = True

    async def clean_up(self) -> None:
        """Close what the client had open and nothing uses."""
        if self._close_all is not None:
            await self._close_all(self)
