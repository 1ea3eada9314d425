"""A storage/posix translator on a directory, and a driver that runs its operations."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glusterio.graph.fd import Fd
from glusterio.graph.frame import Frame
from glusterio.runtime.threads import ThreadsDriver
from glusterio.traps import Coro, Event
from glusterio.types import NULL_GFID, ROOT_GFID
from glusterio.wire.credentials import Credentials
from glusterio.wire.dictionary import Dict
from glusterio.wire.fops import attributes, directories, files, names
from glusterio.wire.iatt import Iatt
from glusterio.xlators.base import Services
from glusterio.xlators.posix import Posix

#: The brick itself, whom no permission concerns.
NOBODY_IN_PARTICULAR = Frame()


def user(uid: int, gid: int | None = None, *groups: int) -> Frame:
    """A caller."""
    return Frame(identity=Credentials(1, uid, uid if gid is None else gid, groups))


def new_gfid() -> Dict:
    """An ``xdata`` with a fresh gfid for what is to be made."""
    return {"gfid-req": uuid.uuid4()}


class PosixBed:
    """Short words for long operations.

    Args:
        directory: what is served.
        driver: what runs the operations.
        options: the translator's options.
    """

    def __init__(self, directory: Path, driver: ThreadsDriver, **options: str) -> None:
        self.directory = directory
        self.driver = driver
        self.posix = Posix(
            "posix", {"directory": str(directory), **options}, (), Services(new_event=Event)
        )

    def run(self, coro: Coro[Any]) -> Any:
        return self.driver.run(coro)

    def lookup(
        self,
        name: str,
        parent: bytes = ROOT_GFID,
        xdata: Dict | None = None,
        frame: Frame = NOBODY_IN_PARTICULAR,
    ) -> names.LookupReply:
        request = names.LookupRequest(pargfid=parent, name=name, xdata=xdata)
        reply: names.LookupReply = self.run(self.posix.lookup(frame, request))
        return reply

    def gfid(self, *path: str) -> bytes:
        found = ROOT_GFID
        for name in path:
            found = self.lookup(name, found).stat.gfid
        return found

    def stat(self, gfid: bytes) -> Iatt:
        request = attributes.StatRequest(gfid)
        found: Iatt = self.run(self.posix.stat(NOBODY_IN_PARTICULAR, request)).stat
        return found

    def mkdir(
        self,
        name: str,
        parent: bytes = ROOT_GFID,
        mode: int = 0o755,
        umask: int = 0,
        frame: Frame = NOBODY_IN_PARTICULAR,
    ) -> bytes:
        request = names.MkdirRequest(parent, mode, umask, name, new_gfid())
        gfid: bytes = self.run(self.posix.mkdir(frame, request)).stat.gfid
        return gfid

    def create(
        self,
        name: str,
        parent: bytes = ROOT_GFID,
        flags: int = os.O_RDWR,
        mode: int = 0o644,
        umask: int = 0,
        frame: Frame = NOBODY_IN_PARTICULAR,
    ) -> Fd:
        fd = Fd(NULL_GFID, flags)
        request = names.CreateRequest(parent, flags, mode, umask, name, new_gfid())
        self.run(self.posix.create(frame, fd, request))
        return fd

    def make(self, name: str, data: bytes = b"", parent: bytes = ROOT_GFID) -> bytes:
        """Make a file and close it."""
        fd = self.create(name, parent)
        self.write(fd, data)
        self.release(fd)
        return fd.gfid

    def symlink(self, name: str, target: str, parent: bytes = ROOT_GFID) -> bytes:
        request = names.SymlinkRequest(parent, name, 0, target, new_gfid())
        gfid: bytes = self.run(self.posix.symlink(NOBODY_IN_PARTICULAR, request)).stat.gfid
        return gfid

    def open(self, gfid: bytes, flags: int = os.O_RDWR, frame: Frame = NOBODY_IN_PARTICULAR) -> Fd:
        fd = Fd(gfid, flags)
        self.run(self.posix.open(frame, fd, files.OpenRequest(gfid, flags)))
        return fd

    def release(self, fd: Fd) -> None:
        self.run(self.posix.release(NOBODY_IN_PARTICULAR, fd))

    def read(
        self, fd: Fd, size: int = 65536, offset: int = 0, frame: Frame = NOBODY_IN_PARTICULAR
    ) -> bytes:
        return bytes(self.run(self.posix.readv(frame, fd, size, offset)).data)

    def write(
        self, fd: Fd, data: bytes, offset: int = 0, frame: Frame = NOBODY_IN_PARTICULAR
    ) -> int:
        written: int = self.run(self.posix.writev(frame, fd, data, offset)).written
        return written

    def unlink(
        self, name: str, parent: bytes = ROOT_GFID, frame: Frame = NOBODY_IN_PARTICULAR
    ) -> None:
        self.run(self.posix.unlink(frame, names.UnlinkRequest(parent, name)))

    def rmdir(self, name: str, parent: bytes = ROOT_GFID, xflags: int = 0) -> None:
        request = names.RmdirRequest(parent, xflags, name)
        self.run(self.posix.rmdir(NOBODY_IN_PARTICULAR, request))

    def link(self, gfid: bytes, name: str, parent: bytes = ROOT_GFID) -> names.NewEntryReply:
        request = names.LinkRequest(gfid, parent, name)
        reply: names.NewEntryReply = self.run(self.posix.link(NOBODY_IN_PARTICULAR, request))
        return reply

    def rename(
        self,
        old: str,
        new: str,
        old_parent: bytes = ROOT_GFID,
        new_parent: bytes = ROOT_GFID,
        frame: Frame = NOBODY_IN_PARTICULAR,
    ) -> names.RenameReply:
        request = names.RenameRequest(old_parent, new_parent, old, new)
        reply: names.RenameReply = self.run(self.posix.rename(frame, request))
        return reply

    def opendir(self, gfid: bytes = ROOT_GFID) -> Fd:
        fd = Fd(gfid)
        self.run(self.posix.opendir(NOBODY_IN_PARTICULAR, fd, directories.OpendirRequest(gfid)))
        return fd

    def releasedir(self, fd: Fd) -> None:
        self.run(self.posix.releasedir(NOBODY_IN_PARTICULAR, fd))

    def batch(self, fd: Fd, offset: int = 0, size: int = 65536) -> directories.ReaddirpReply:
        request = directories.ReaddirpRequest(fd.gfid, 0, offset, size)
        reply: directories.ReaddirpReply = self.run(
            self.posix.readdirp(NOBODY_IN_PARTICULAR, fd, request)
        )
        return reply

    def entries(self, gfid: bytes = ROOT_GFID, size: int = 65536) -> list[str]:
        fd = self.opendir(gfid)
        found: list[str] = []
        offset, is_last = 0, False
        while not is_last:
            reply = self.batch(fd, offset, size)
            found += [entry.name for entry in reply.entries]
            is_last = reply.op_errno == 2
            if reply.entries:
                offset = reply.entries[-1].d_off
        self.releasedir(fd)
        return found

    def handles(self) -> set[str]:
        """The handles that there are, the root's aside."""
        return {path.name for path in (self.directory / ".glusterfs").glob("[0-9a-f][0-9a-f]/*/*")}


@contextmanager
def posix_bed(directory: Path, **options: str) -> Iterator[PosixBed]:
    """Serve a directory, and check in the end that nothing is left open."""
    driver = ThreadsDriver()
    bed = PosixBed(directory, driver, **options)
    try:
        bed.run(bed.posix.init())
        yield bed
    finally:
        bed.run(bed.posix.fini())
        driver.stop()
