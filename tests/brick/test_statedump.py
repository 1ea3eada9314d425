"""A look into a brick."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from glusterio.brick.clients import Client
from glusterio.brick.limits import Limits
from glusterio.brick.statedump import as_text, procedure_name
from glusterio.wire.callbacks import InodelkContention
from glusterio.wire.fops import directories, files, names
from glusterio.wire.fops.locks import Flock
from glusterio.wire.messages import decode
from glusterio.wire.programs import CALLBACK, ROOT_GFID, CallbackProc, Fop
from glusterio.wire.records import CallHeader, parse_message
from tests.brick.inside import InsideBrick
from tests.brick.raw import RawClient


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[InsideBrick]:
    with InsideBrick(tmp_path, Limits(fds=77)) as brick:
        yield brick


def test_what_it_tells(inside: InsideBrick) -> None:
    with inside.connect(process_uuid="me", process_name="fio") as client:
        directory = client.mkdir("d")
        made = client.create("f", directory, os.O_WRONLY)
        client.write(made.stat.gfid, made.fd, b"data")
        opened = client.do(Fop.OPENDIR, directories.OpendirRequest(directory)).fd
        inside.hold_up()
        xid = client.post(Fop.FSYNC, files.FsyncRequest(made.stat.gfid, made.fd))
        found = inside.wait_for(pending=1)
        assert json.loads(json.dumps(found)) == found
        assert (found["fds"], found["open_files"], found["open_directories"]) == (2, 1, 1)
        assert found["limits"]["fds"] == 77
        (entry,) = found["clients"]
        assert entry["name"] == f"127.0.0.1:{client.sock.getsockname()[1]}"
        assert (entry["uid"], entry["process"]) == ("me", "fio")
        assert abs(time.time() - entry["accepted"]) < 20
        assert abs(time.time() - entry["connected"]) < 20
        assert entry["bytes_in"] > 500
        assert entry["bytes_out"] > 500
        file_fd, directory_fd = entry["open"]
        assert file_fd == {
            "fd": made.fd,
            "kind": "file",
            "gfid": str(uuid.UUID(bytes=made.stat.gfid)),
            "path": "/d/f",
            "flags": os.O_WRONLY,
            "users": 1,
        }
        assert (directory_fd["fd"], directory_fd["kind"]) == (opened, "directory")
        assert directory_fd["path"] == "/d"
        (call,) = entry["calls"]
        assert (call["xid"], call["procedure"]) == (xid, "FSYNC")
        assert 0 <= call["age"] < 20
        assert {inode["path"]: inode["opens"] for inode in found["inodes"]} == {"/d": 1, "/d/f": 1}
        counters = found["fops"]
        assert (counters["CREATE"]["count"], counters["WRITE"]["count"]) == (1, 1)
        assert counters["WRITE"]["failed"] == 0
        assert 0 < counters["WRITE"]["mean_us"] <= counters["WRITE"]["longest_us"] < 20e6
        assert "FSYNC" not in counters  # it has not ended
        inside.let_go()
        client.take(Fop.FSYNC)
        assert inside.wait_for(pending=0)["fops"]["FSYNC"]["count"] == 1


def test_as_text(inside: InsideBrick) -> None:
    with inside.connect(process_uuid="me", process_name="a\nb"):
        text = inside.ask(lambda: as_text(inside.brick.dump()))
    lines = text.splitlines()
    assert lines[0] == "[brick]"
    for line in ("fds=0", "[clients.0]", "uid=me", r"process=a\nb", "[limits]", "strangers=256"):
        assert line in lines
    assert all(line.startswith("[") or "=" in line for line in lines if line)


def test_failures_are_counted(inside: InsideBrick) -> None:
    with inside.connect() as client, pytest.raises(FileNotFoundError):
        client.lookup("none")
    assert inside.dump()["fops"]["LOOKUP"]["failed"] == 1


def test_names_of_procedures() -> None:
    assert procedure_name(1298437, 12) == "READ"
    assert procedure_name(14398633, 1) == "SETVOLUME"
    assert procedure_name(1298437, 99) == "1298437.99"
    assert procedure_name(5, 6) == "5.6"


# -- calls to clients ---------------------------------------------------------------------------------


def called(client: RawClient) -> tuple[CallHeader, bytes]:
    record = client.record()
    header = parse_message(record)
    assert isinstance(header, CallHeader)
    assert (header.program, header.version) == CALLBACK
    return header, record[header.body :]


def the_client(inside: InsideBrick) -> Client:
    (served,) = inside.brick.server.clients
    client = served.session.client  # type: ignore[attr-defined]
    assert isinstance(client, Client)
    return client


def test_clients_are_called(inside: InsideBrick) -> None:
    contention = InodelkContention(ROOT_GFID, Flock(lk_owner=b"owner"), 5, "domain", {"a": "b"})
    with inside.connect() as client:
        peer = inside.ask(lambda: the_client(inside))
        assert inside.ask(lambda: peer.notify(CallbackProc.FETCHSPEC))
        assert inside.ask(lambda: peer.notify(CallbackProc.INODELK_CONTENTION, contention))
        header, body = called(client)
        assert (header.procedure, body) == (CallbackProc.FETCHSPEC, b"")
        header, body = called(client)
        assert header.procedure == CallbackProc.INODELK_CONTENTION
        told = decode(InodelkContention, body)
        assert (told.domain, told.flock.lk_owner) == ("domain", b"owner")
        client.create("f")  # and everything goes on
        with pytest.raises(TypeError, match="FETCHSPEC"):
            peer.notify(CallbackProc.FETCHSPEC, contention)
        with pytest.raises(TypeError, match="RECALL_LEASE"):
            peer.notify(CallbackProc.RECALL_LEASE)
    inside.wait_for(fds=0)
    assert not inside.ask(lambda: peer.notify(CallbackProc.FETCHSPEC))


def test_client_that_does_not_listen_is_not_called_for_ever(tmp_path: Path) -> None:
    with InsideBrick(tmp_path, Limits(queued_bytes=100_000)) as inside, inside.connect():
        peer = inside.ask(lambda: the_client(inside))
        contention = InodelkContention(ROOT_GFID, Flock(), 5, "d" * 50_000)
        calls = inside.ask(
            lambda: [peer.notify(CallbackProc.INODELK_CONTENTION, contention) for _ in range(20)]
        )
        assert calls == [True] * 2 + [False] * 18
        assert inside.dump()["clients"][0]["queued_bytes"] < 200_000


def test_names_follow_a_rename(inside: InsideBrick) -> None:
    with inside.connect() as client:
        client.create("f")
        directory = client.mkdir("d")
        client.do(Fop.RENAME, names.RenameRequest(ROOT_GFID, directory, "f", "g"))
        assert [each["path"] for each in inside.dump()["clients"][0]["open"]] == ["/d/g"]
