"""What can be asked of a management daemon: a table for ours, and for glusterd itself.

``VOL`` stands for a volume that there is, ``BRICK`` for its brick.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from glusterio.wire import handshake as messages
from glusterio.wire.handshake import HANDSHAKE_CALLS, PORTMAP_CALLS, CallSpec
from glusterio.wire.messages import decode, encode
from glusterio.wire.programs import HANDSHAKE, PORTMAP, HandshakeProc, PortmapProc
from tests.brick.raw import RawClient

VERSIONS = {"min-op-version": "1", "max-op-version": "100000"}


class Question(NamedTuple):
    """A request and how it is answered: whether ``op_ret`` is a failure, and ``op_errno``."""

    procedure: HandshakeProc | PortmapProc
    request: Any
    fails: bool
    errno: int

    def ask(self, client: RawClient, volume: str, brick: str) -> Any:
        """Return the whole reply."""
        program, calls = (
            (HANDSHAKE, HANDSHAKE_CALLS)
            if isinstance(self.procedure, HandshakeProc)
            else (PORTMAP, PORTMAP_CALLS)
        )
        spec: CallSpec = calls[self.procedure]  # type: ignore[index]
        known = {"VOL": volume, "BRICK": brick, "BRICKID": brick.strip("/").replace("/", "-")}

        def named(text: str) -> str:
            for word in sorted(known, key=len, reverse=True):
                text = text.replace(word, known[word])
            return text

        fields = {
            name: named(value)
            if isinstance(value, str)
            else {key: named(text) for key, text in value.items()}
            if isinstance(value, dict)
            else value
            for name, value in self.request._asdict().items()
        }
        body = encode(type(self.request)(**fields))
        return decode(spec.reply_class, client.call(*program, self.procedure, body))


def _getspec(key: str, fails: bool, errno: int, versions: dict[str, str] = VERSIONS) -> Question:
    request = messages.GetspecRequest(0, key, versions)
    return Question(HandshakeProc.GETSPEC, request, fails, errno)


def _info(options: dict[str, str], fails: bool, errno: int) -> Question:
    request = messages.GetVolumeInfoRequest(options)
    return Question(HandshakeProc.GET_VOLUME_INFO, request, fails, errno)


def _snapshots(options: dict[str, str], fails: bool, errno: int) -> Question:
    request = messages.GetSnapshotInfoRequest(options)
    return Question(HandshakeProc.GET_SNAPSHOT_INFO, request, fails, errno)


def _port(brick: str, fails: bool, errno: int) -> Question:
    return Question(PortmapProc.PORTBYBRICK, messages.PortByBrickRequest(brick), fails, errno)


QUESTIONS = {
    "volume": _getspec("VOL", False, 0),
    "volume with a slash": _getspec("/VOL", False, 0),
    "volume over tcp": _getspec("VOL.tcp", False, 0),
    "unknown volume": _getspec("no-such-volume", True, 2),
    "unknown volume over tcp": _getspec("no-such-volume.tcp", True, 2),
    "no name": _getspec("", True, 2),
    "a dot": _getspec(".", True, 2),
    "two slashes": _getspec("//VOL", True, 2),
    "a slash behind": _getspec("VOL/", True, 2),
    "a way up": _getspec("VOL/../VOL", True, 2),
    "another ending": _getspec("VOL.x", True, 2),
    "over rdma": _getspec("VOL.rdma", True, 2),
    "a service": _getspec("gluster/VOL", True, 2),
    "the longest name": _getspec("x" * 254, True, 2),
    "no versions": _getspec("VOL", True, 95, {}),
    "other words": _getspec("VOL", True, 2, {"a": "b"}),
    "one version": _getspec("VOL", True, 2, {"min-op-version": "1"}),
    "too old": _getspec("VOL", True, 95, {"min-op-version": "1", "max-op-version": "1"}),
    "old": _getspec("VOL", False, 0, {"min-op-version": "1", "max-op-version": "2"}),
    "too new": _getspec("VOL", True, 95, {"min-op-version": "900000", "max-op-version": "900000"}),
    "info": _info({"volname": "VOL", "flags": "1"}, False, 2),
    "info of an unknown volume": _info({"volname": "no-such-volume", "flags": "1"}, True, 22),
    "info of no volume": _info({"flags": "1"}, True, 22),
    "info of what": _info({"volname": "VOL", "flags": "0"}, False, 2),
    "info of something else": _info({"volname": "VOL", "flags": "2"}, True, 22),
    "info without flags": _info({"volname": "VOL"}, True, 2),
    "info without anything": _info({}, True, 22),
    "snapshots": _snapshots({"volname": "VOL"}, False, 2),
    "snapshots of an unknown volume": _snapshots({"volname": "no-such-volume"}, True, 22),
    "snapshots of no volume": _snapshots({}, True, 22),
    "port": _port("BRICK", False, 0),
    "port of an unknown brick": _port("/no/such/brick", True, 0),
    "port of nothing": _port("", True, 0),
    "port over rdma": _port("BRICK.rdma", True, 0),
    "an event": Question(
        HandshakeProc.EVENT_NOTIFY, messages.EventNotifyRequest(7, {"a": "b"}), True, 0
    ),
    "an unknown brick goes": Question(
        PortmapProc.SIGNOUT, messages.SignoutRequest("/no/such/brick", 1, 0), False, 0
    ),
}


def check(question: Question, reply: Any) -> None:
    """The reply is glusterd's."""
    assert (reply.op_ret < 0, reply.op_errno) == (question.fails, question.errno), reply
