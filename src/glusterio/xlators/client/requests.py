"""Requests to a brick and their answers, for every fop alike: encoding, decoding, errors."""

from __future__ import annotations

from typing import Any

from glusterio.errors import ConnectionLostError, RemoteProtocolError, fs_error
from glusterio.graph.frame import Frame
from glusterio.rpc.connection import Connection
from glusterio.traps import Disconnect, Reply
from glusterio.wire import hot
from glusterio.wire.credentials import encode_v3, stamped
from glusterio.wire.fops import FOPS, names
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import FOPS as FOP_PROGRAM
from glusterio.wire.programs import LEASE_ID, Fop
from glusterio.wire.records import REPLY_HEADER_SIZE, encode_call
from glusterio.xlators.base import Xlator
from glusterio.xlators.client.remote import RemoteFd


class Requests(Xlator):
    """The part of the client that asks."""

    def set_up(self) -> None:
        #: where requests go; ``None`` before the brick has accepted us, and while it is away
        self._connection: Connection | None = None
        self._hot = hot.hot_path(self.services.credentials)

    def _connected(self) -> Connection:
        connection = self._connection
        if connection is None:
            raise self._away()
        return connection

    def _away(self) -> ConnectionLostError:
        return ConnectionLostError(f"{self.name}: not connected", may_have_happened=False)

    def _request(
        self,
        fop: Fop,
        frame: Frame,
        message: Any,
        remote: RemoteFd | None = None,
        connection: Connection | None = None,
    ) -> Reply:
        """Make the request for a fop; it is sent when it is awaited.

        Args:
            fop: which.
            frame: on whose behalf.
            message: the request.
            remote: the open file that it is about, if it is about one.
            connection: where it goes; by default where all requests go.

        Raises:
            ConnectionLostError: nowhere: the brick is away.
        """
        if connection is None:
            connection = self._connected()
        xid = connection.next_xid()
        reply = Reply(connection, xid, (self._packed(xid, fop, frame, message),))
        if remote is not None:
            remote.unanswered.add(xid)
            reply.settled = remote.answered
        return reply

    def _packed(self, xid: int, fop: Fop, frame: Frame, message: Any, tail: int = 0) -> bytes:
        """Encode a request, in front of ``tail`` bytes of data, and say in whose lease's name it is."""
        identity = frame.identity
        if identity is not None and identity.lease_id and "xdata" in message._fields:
            message = message._replace(xdata={**(message.xdata or {}), LEASE_ID: identity.lease_id})
        body = encode(message)
        credentials = self._credentials_for(frame)
        return encode_call(xid, *FOP_PROGRAM, fop, credentials, len(body) + tail) + body

    def _credentials_for(self, frame: Frame) -> bytes:
        identity, stamp = frame.identity, frame.stamp
        credentials = self.services.credentials if identity is None else encode_v3(identity)
        return credentials if stamp is None else stamped(credentials, *stamp)

    async def _answer(self, fop: Fop, reply: Reply) -> Any:
        """Wait for a reply and decode it.

        Raises:
            OSError: the brick says that the operation failed.
            RemoteProtocolError: the reply does not decode; the connection has been ended.
            ConnectionLostError: no reply, since the connection is gone.
        """
        await reply
        try:
            if fop is Fop.CREATE:
                message: Any = _created(reply.record)
            else:
                message = decode(FOPS[fop].reply_class, memoryview(reply.record), REPLY_HEADER_SIZE)
        except RemoteProtocolError as error:
            await Disconnect(reply.connection, error)
            raise reply.connection.blame(error) from None
        if message.op_ret < 0:
            raise fs_error(message.op_errno)
        return message


def _created(record: hot.View) -> names.CreateReply:
    op_ret, op_errno, stat, fd = hot.create_reply(record, REPLY_HEADER_SIZE)
    return names.CreateReply(op_ret, op_errno, None, stat, fd)
