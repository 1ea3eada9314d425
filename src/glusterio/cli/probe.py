"""A connection that tells what is at its other end, also when that is no GlusterFS server.

The library's own connections need to know only that something went wrong. Here it is the question what:
so this one looks at the bytes, and where they say nothing it tries what else the server may speak.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from typing import Any

from glusterio.cli.remedies import Trouble
from glusterio.errors import ProtocolError, Refusal, TlsError
from glusterio.runtime.certificates import context_of
from glusterio.runtime.link import bind_privileged
from glusterio.runtime.secured import tls_error
from glusterio.traps import Tls
from glusterio.wire import credentials
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import DUMP, AcceptStat, DumpProc, ReplyStat
from glusterio.wire.records import ReplyHeader, encode_call, parse_message, record_length

#: Nothing that is asked here has a longer answer, in bytes.
MAX_ANSWER = 4 * 1024 * 1024

Address = tuple[str, int] | str


class TroubleError(Exception):
    """What keeps us from going on.

    Attributes:
        trouble: which kind it is.
        detail: what in particular.
    """

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.detail = detail


def where(address: Address) -> str:
    """Write an address as people do."""
    if isinstance(address, str):
        return address
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def addresses_of(host: str, port: int) -> list[tuple[str, int]]:
    """Look a host's name up.

    Raises:
        TroubleError: it has no address.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TroubleError(Trouble.UNKNOWN_HOST, error.strerror or str(error)) from None
    return list(dict.fromkeys((str(entry[4][0]), port) for entry in found))


class Probe:
    """A connection.

    Args:
        address: where to.
        reader: what comes.
        writer: what goes.
        patience: how long an answer may take, in seconds.
    """

    def __init__(
        self,
        address: Address,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        patience: float,
    ) -> None:
        self.address = address
        self._reader = reader
        self._writer = writer
        self._patience = patience
        self._xids = itertools.count(1)

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        peer = self._writer.get_extra_info("peername")
        mine = self._writer.get_extra_info("sockname")
        return isinstance(self.address, str) or (bool(peer) and peer[0] == mine[0])

    async def call(
        self, program: tuple[int, int], procedure: int, request: Any, reply_class: type[Any]
    ) -> Any:
        """Call a procedure, and return its reply.

        Raises:
            TroubleError: there is no answer, or none that could be one.
        """
        body = encode(request)
        caller = credentials.encode_v2(
            credentials.Credentials(os.getpid(), os.geteuid(), os.getegid(), (), bytes(8))
        )
        head = encode_call(next(self._xids), *program, procedure, caller, len(body))
        record = await self._answer(head + body)
        try:
            header = parse_message(record)
            if not isinstance(header, ReplyHeader):
                raise TroubleError(Trouble.NOT_RPC, "it calls instead of answering")
            self._check(header)
            return decode(reply_class, memoryview(record), header.body)
        except ProtocolError as error:
            raise TroubleError(Trouble.NOT_RPC, str(error.args[-1])) from None

    async def _answer(self, packet: bytes) -> bytes:
        """Send a request, and return the record that comes back."""
        start = b""
        try:
            async with asyncio.timeout(self._patience):
                self._writer.write(packet)
                await self._writer.drain()
                start = await self._reader.readexactly(4)
                length = record_length(struct.unpack(">I", start)[0])
                if length > MAX_ANSWER:
                    raise TroubleError(Trouble.NOT_RPC, f"it begins with {start!r}")
                return await self._reader.readexactly(length)
        except ProtocolError:
            raise await self._what_is_it(Trouble.NOT_RPC, f"it begins with {start!r}") from None
        except TimeoutError:
            detail = f"no answer within {self._patience:g} s"
            raise await self._what_is_it(Trouble.SILENT, detail) from None
        except ssl.SSLError as error:  # after the handshake: what it has against our certificate
            raise _tls_trouble(error, self.address) from None
        except (OSError, asyncio.IncompleteReadError):
            detail = "it closed the connection instead of answering"
            raise await self._what_is_it(Trouble.CLOSED, detail) from None

    @staticmethod
    def _check(header: ReplyHeader) -> None:
        if header.reply_stat == ReplyStat.DENIED:
            raise TroubleError(Trouble.DENIED, f"reject_stat {header.reject_stat}, {header.low}")
        if header.accept_stat in (AcceptStat.PROG_UNAVAIL, AcceptStat.PROC_UNAVAIL):
            raise TroubleError(Trouble.NO_PROGRAM, AcceptStat(header.accept_stat).name)
        if header.accept_stat == AcceptStat.PROG_MISMATCH:
            offered = f"it offers versions {header.low} to {header.high}"
            raise TroubleError(Trouble.VERSION, offered)
        if header.accept_stat != AcceptStat.SUCCESS:
            raise TroubleError(Trouble.NOT_RPC, AcceptStat(header.accept_stat).name)

    async def _what_is_it(self, otherwise: Trouble, detail: str) -> TroubleError:
        """Find out what speaks there that does not answer as it should."""
        if await _speaks_tls(self.address, self._patience):
            return TroubleError(Trouble.TLS, "it speaks TLS")
        if await _speaks_http(self.address, self._patience):
            return TroubleError(Trouble.HTTP, "it speaks HTTP")
        return TroubleError(otherwise, detail)


@contextlib.asynccontextmanager
async def connected(
    address: Address, patience: float, *, privileged: bool = False, tls: Tls | None = None
) -> AsyncIterator[Probe]:
    """Connect.

    Args:
        address: where to.
        patience: how long that, and each answer, may take, in seconds.
        privileged: come from a source port below 1024, which only root may.
        tls: what to secure it with; ``None`` for in the clear.

    Raises:
        TroubleError: nobody there.
    """
    context = None
    if tls is not None:
        try:
            context = context_of(tls)
        except TlsError as error:
            raise TroubleError(Trouble.TLS_FILES, str(error.args[-1])) from None
    try:
        async with asyncio.timeout(patience):
            reader, writer = await _open(address, privileged)
            if context is not None:
                try:
                    await writer.start_tls(context, server_hostname=_name(address))
                except (OSError, ValueError) as error:
                    writer.transport.abort()
                    found = _tls_trouble(error, address)
                    if found.trouble is Trouble.TLS_FAILED and await _speaks_rpc(address, patience):
                        raise TroubleError(Trouble.NO_TLS, "it speaks RPC in the clear") from None
                    raise found from None
    except TimeoutError:
        detail = f"no answer within {patience:g} s"
        raise TroubleError(Trouble.BLACK_HOLE, detail) from None
    except OSError as error:
        trouble = _BY_ERRNO.get(error.errno or 0, Trouble.UNREACHABLE)
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise TroubleError(trouble, reason) from None
    try:
        yield Probe(address, reader, writer, patience)
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _name(address: Address) -> str | None:
    return None if isinstance(address, str) else address[0]


def _tls_trouble(error: Exception, address: Address) -> TroubleError:
    found = tls_error(error, where(address))
    return TroubleError(_BY_REASON[found.reason or Refusal.TLS], str(found.args[-1]))


_BY_REASON = {
    Refusal.TLS: Trouble.TLS_FAILED,
    Refusal.TLS_UNKNOWN: Trouble.NO_TLS,
    Refusal.OUR_CERTIFICATE: Trouble.OUR_CERTIFICATE,
    Refusal.ITS_CERTIFICATE: Trouble.ITS_CERTIFICATE,
}

_BY_ERRNO = {
    errno.ECONNREFUSED: Trouble.NOBODY_LISTENS,
    errno.ENOENT: Trouble.NO_SOCKET,
    errno.ETIMEDOUT: Trouble.BLACK_HOLE,
    errno.EACCES: Trouble.NO_SOCKET,
}


async def _open(
    address: Address, privileged: bool
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(address, str):
        return await asyncio.open_unix_connection(address)
    if not privileged:
        return await asyncio.open_connection(*address)
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        bind_privileged(sock)
        await asyncio.get_running_loop().sock_connect(sock, address)
        return await asyncio.open_connection(sock=sock)
    except BaseException:
        sock.close()
        raise


async def _speaks_tls(address: Address, patience: float) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(patience):
            if isinstance(address, str):
                _, writer = await asyncio.open_unix_connection(
                    address, ssl=context, server_hostname="brick"
                )
            else:
                _, writer = await asyncio.open_connection(*address, ssl=context)
    except ssl.SSLError as error:
        # Whoever complains in TLS speaks it: that we have no certificate, for instance.
        return error.reason not in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


async def _speaks_rpc(address: Address, patience: float) -> bool:
    return await _answers(
        address,
        encode_call(1, *DUMP, DumpProc.PING, credentials.encode_none(), 0),
        b"\x80",
        patience,
    )


async def _speaks_http(address: Address, patience: float) -> bool:
    return await _answers(address, b"HEAD / HTTP/1.0\r\n\r\n", b"HTTP/", patience)


async def _answers(address: Address, question: bytes, answer: bytes, patience: float) -> bool:
    """Tell whether the answer to a question begins as expected."""
    try:
        async with asyncio.timeout(patience):
            reader, writer = await _open(address, False)
            try:
                writer.write(question)
                return await reader.readexactly(len(answer)) == answer
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
