"""The server that a session is to go over to is another one than before, and means ill.

No handle leads to another file than the one that it was opened on. Where the new server cannot be
relied on the session stays with the graph that it has, and says why.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable

import pytest

from glusterio.errors import ConnectionLostError, GlusterError, RemoteProtocolError
from glusterio.wire.fops.attributes import StatReply
from glusterio.wire.fops.files import OpenReply
from glusterio.wire.messages import encode, failure
from glusterio.wire.programs import Fop
from tests.embedded import BrickProcess
from tests.hostile.opened import BROKEN, Opened, opening
from tests.hostile.server import Asked, Script, honest, reply, volfile


def another(opened: Opened, brick: BrickProcess) -> str:
    """Return the text of another graph, of the same server."""
    return volfile(opened.server.port, str(brick.directory), "performance/write-behind")


def goes_on(opened: Opened) -> None:
    """Whatever was tried, each handle leads to its file."""
    for name in opened.files:
        assert opened.read(name) == name.encode()
    opened.driver.do(opened.folder.fstat)


#: How that is told.
ANOTHERS = "another file was opened|one number for two open files"

OTHERS: dict[str, Script] = {
    "changed-about": opening(lambda xid, told: reply(xid, encode(told._replace(fd=told.fd ^ 1)))),
    "one-for-all": opening(lambda xid, told: reply(xid, encode(told._replace(fd=0)))),
}


@pytest.mark.parametrize("script", OTHERS.values(), ids=OTHERS)
def test_another_files_number(opened: Opened, brick: BrickProcess, script: Script) -> None:
    """Whoever had it would read another's file, and close it: the graph is not taken."""
    opened.server.script = script
    with pytest.raises((RemoteProtocolError, ConnectionLostError), match=ANOTHERS):
        opened.driver.do(opened.vol.reload, another(opened, brick))
    opened.server.script = honest
    goes_on(opened)
    brick.wait_for(fds=3)
    assert opened.driver.do(opened.vol.reload, another(opened, brick)).carried == 3
    goes_on(opened)
    assert opened.closes().handles_drained == 3


def test_one_number_for_one_file_that_is_open_twice(opened: Opened, brick: BrickProcess) -> None:
    """It is the right file; but whoever closes one of them would close both."""
    opened.driver.do(opened.files["two"].close)
    opened.files["two"] = opened.driver.do(opened.vol.open_handle, "one")
    opened.server.script = opening(lambda xid, told: reply(xid, encode(told._replace(fd=0))))
    with pytest.raises((RemoteProtocolError, ConnectionLostError)):
        opened.driver.do(opened.vol.reload, another(opened, brick))
    opened.server.script = honest
    assert opened.read("one") == opened.read("two") == b"one"
    assert opened.closes().handles_drained == 3


def test_a_file_of_which_nothing_can_be_told(opened: Opened, brick: BrickProcess) -> None:
    """It stays where it is, and the new graph's fd is closed again: the others are carried."""
    first = iter([encode(failure(StatReply, errno.EIO))])

    def script(asked: Asked, record: bytes) -> Iterable[bytes]:
        if asked.fop is Fop.FSTAT and (body := next(first, None)) is not None:
            return (reply(asked.header.xid, body),)
        return (record,)

    opened.server.script = script
    report = opened.driver.do(opened.vol.reload, another(opened, brick))
    assert report.carried == 2
    ((_, why),) = report.left_behind
    assert isinstance(why, OSError)
    assert why.errno == errno.EIO
    brick.wait_for(fds=3)
    goes_on(opened)
    assert opened.closes().handles_drained == 3


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_no_server_at_all(opened: Opened, brick: BrickProcess, script: Script) -> None:
    """The switch fails in time, and says why."""
    opened.server.script = script
    began = time.monotonic()
    try:
        report = opened.driver.do(opened.vol.reload, another(opened, brick), timeout=0.5)
    except (GlusterError, ConnectionError, TimeoutError) as error:
        why: BaseException | None = error
    else:  # it has gone over: a second reply does no harm, for instance
        why = None
        assert report.carried + len(report.left_behind) == 3
    assert time.monotonic() - began < 3.0
    assert why is None or str(why)
    opened.server.script = honest
    goes_on(opened)
    brick.wait_for(fds=3)
    assert opened.closes().handles_drained == 3


@pytest.mark.parametrize("code", [0, errno.EACCES, errno.ESTALE, errno.ENOTCONN, 2**31 - 1, -1])
def test_errors_of_every_kind(opened: Opened, brick: BrickProcess, code: int) -> None:
    """The files stay in the old graph, which is used by nobody else, until they are closed."""
    opened.server.script = opening(
        lambda xid, _: reply(xid, encode(OpenReply(op_ret=-1, op_errno=code)))
    )
    report = opened.driver.do(opened.vol.reload, another(opened, brick))
    assert report.switched
    assert len(report.left_behind) == 3
    goes_on(opened)
    opened.server.script = honest
    assert opened.closes().handles_drained == 3
