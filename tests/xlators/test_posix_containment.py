"""storage/posix: nothing leads out of the directory that is served."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glusterio.graph.fd import Fd
from glusterio.types import NULL_GFID, ROOT_GFID
from glusterio.wire.fops import attributes, files, names, xattrs
from glusterio.wire.iatt import Iatt
from glusterio.xlators.posix.virtual import REAL_FILENAME
from tests.xlators.posix_bed import NOBODY_IN_PARTICULAR as FRAME
from tests.xlators.posix_bed import PosixBed, new_gfid, posix_bed

HOSTILE = [
    "",
    ".",
    "..",
    "/",
    "/etc",
    "../outside",
    "a/b",
    "d/../../outside",
    "nul\0nul",
    "\0",
    "trailing/",
]

ENTRY_OPERATIONS: dict[str, Callable[[PosixBed, str], object]] = {
    "create": lambda bed, name: bed.create(name),
    "mkdir": lambda bed, name: bed.mkdir(name),
    "mknod": lambda bed, name: bed.run(
        bed.posix.mknod(FRAME, names.MknodRequest(ROOT_GFID, 0, 0o100644, 0, name, new_gfid()))
    ),
    "symlink": lambda bed, name: bed.symlink(name, "target"),
    "link": lambda bed, name: bed.link(bed.make("source"), name),
    "unlink": lambda bed, name: bed.unlink(name),
    "rmdir": lambda bed, name: bed.rmdir(name),
    "rename from": lambda bed, name: bed.rename(name, "x"),
    "rename to": lambda bed, name: bed.rename("f", name),
}


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[PosixBed]:
    served = tmp_path / "served"
    served.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    with posix_bed(served) as made:
        made.make("f")
        made.mkdir("d")
        yield made


def outside(bed: PosixBed) -> list[str]:
    found = sorted(os.listdir(bed.directory.parent / "outside"))
    assert (bed.directory.parent / "outside" / "secret").read_text() == "secret"
    return found


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("operation", ENTRY_OPERATIONS)
def test_hostile_names_are_refused(bed: PosixBed, operation: str, name: str) -> None:
    with pytest.raises(OSError, match="Invalid") as caught:
        ENTRY_OPERATIONS[operation](bed, name)
    assert caught.value.errno == errno.EINVAL
    assert outside(bed) == ["secret"]
    assert sorted(os.listdir(bed.directory.parent)) == ["outside", "served"]


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ("", ".", "..")])
def test_hostile_names_are_not_looked_up(bed: PosixBed, name: str) -> None:
    with pytest.raises(OSError, match="Invalid") as caught:
        bed.lookup(name)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("operation", ENTRY_OPERATIONS)
def test_long_names_are_refused(bed: PosixBed, operation: str) -> None:
    with pytest.raises(OSError, match="too long") as caught:
        ENTRY_OPERATIONS[operation](bed, "x" * 256)
    assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize("operation", ENTRY_OPERATIONS)
def test_the_bricks_own_directory_is_refused(bed: PosixBed, operation: str) -> None:
    with pytest.raises(PermissionError):
        ENTRY_OPERATIONS[operation](bed, ".glusterfs")
    assert (bed.directory / ".glusterfs").is_dir()


def test_the_bricks_own_directory_is_hidden(bed: PosixBed) -> None:
    with pytest.raises(PermissionError):
        bed.lookup(".glusterfs")
    assert ".glusterfs" not in bed.entries()
    below = bed.mkdir(".glusterfs", bed.gfid("d"))  # elsewhere it is a name like any other
    assert sorted(bed.entries(bed.gfid("d"))) == [".", "..", ".glusterfs"]
    assert bed.gfid("d", ".glusterfs") == below


@pytest.mark.parametrize("target", ["/", "..", "../outside", "../outside/secret", "/etc/passwd"])
def test_symbolic_links_are_not_followed(bed: PosixBed, target: str) -> None:
    gfid = bed.symlink("s", target)
    for attempt in (
        lambda: bed.lookup("secret", gfid),
        lambda: bed.make("new", parent=gfid),
        lambda: bed.mkdir("new", gfid),
        lambda: bed.entries(gfid),
        lambda: bed.open(gfid),
        lambda: bed.create("s", flags=os.O_RDWR | os.O_TRUNC),
        lambda: bed.rename("f", "new", new_parent=gfid),
        lambda: bed.link(bed.gfid("f"), "new", gfid),
        lambda: bed.read(Fd(gfid, anonymous=True)),
        lambda: bed.write(Fd(gfid, anonymous=True), b"overwritten"),
    ):
        with pytest.raises(OSError):  # noqa: PT011 - ENOTDIR or ELOOP, as it happens
            attempt()
    assert outside(bed) == ["secret"]
    assert bed.link(gfid, "t").stat.gfid == gfid  # the link itself, not its target
    assert os.readlink(bed.directory / "t") == target


def test_link_in_the_place_of_a_directory_is_not_followed(bed: PosixBed) -> None:
    gfid = bed.gfid("d")
    with posix_bed(bed.directory) as fresh:  # which has not got the directory open
        (bed.directory / "d").rmdir()
        (bed.directory / "d").symlink_to(bed.directory.parent / "outside")
        for each in (bed, fresh):
            with pytest.raises(OSError, match="Stale"):
                each.make("new", parent=gfid)
            with pytest.raises(OSError, match="Stale"):
                each.lookup("secret", gfid)
    assert outside(bed) == ["secret"]


def test_other_directory_in_the_place_of_one_is_another(bed: PosixBed) -> None:
    gfid = bed.gfid("d")
    with posix_bed(bed.directory) as fresh:
        (bed.directory / "d").rmdir()
        (bed.directory / "d").mkdir()
        with pytest.raises(OSError, match="Stale"):
            fresh.make("new", parent=gfid)
        assert fresh.gfid("d") != gfid


@pytest.mark.parametrize(
    "target",
    [
        "/etc",
        "../../../../outside",
        "../../00/00/00000000-0000-0000-0000-000000000001/../outside",
        "../../00/00/00000000-0000-0000-0000-000000000001/..",
        "../../00/00/00000000-0000-0000-0000-000000000001/",
        "../../00/00/00000000-0000-0000-0000-000000000001",
        "../../00/00/nothing/d",
        "",
    ],
)
def test_forged_handles_lead_nowhere(bed: PosixBed, target: str) -> None:
    gfid = bed.symlink("x", target) if target else bed.mkdir("x")
    name = next(iter(bed.handles() - {*map(handle_text, (bed.gfid("f"), bed.gfid("d")))}))
    (bed.directory / "x").unlink() if target else (bed.directory / "x").rmdir()
    assert name == handle_text(gfid)
    for attempt in (
        lambda: bed.lookup("secret", gfid),
        lambda: bed.make("new", parent=gfid),
        lambda: bed.entries(gfid),
    ):
        with pytest.raises(OSError):  # noqa: PT011 - ENOTDIR or ESTALE, as it happens
            attempt()
    assert outside(bed) == ["secret"]


def test_handles_in_a_circle_end(bed: PosixBed) -> None:
    outer = bed.mkdir("outer")
    inner = bed.mkdir("inner", outer)
    with posix_bed(bed.directory) as fresh:
        text, up = handle_text(outer), handle_text(inner)
        handle = bed.directory / ".glusterfs" / text[:2] / text[2:4] / text
        handle.unlink()
        handle.symlink_to(f"../../{up[:2]}/{up[2:4]}/{up}/outer")
        with pytest.raises(OSError, match="symbolic links"):
            fresh.make("new", parent=inner)


def test_the_brick_does_not_serve_through_a_link_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / ".glusterfs").symlink_to("../elsewhere")
    with pytest.raises(OSError), posix_bed(tmp_path / "served"):  # noqa: PT011 - ELOOP or ENOTDIR
        pass
    assert os.listdir(tmp_path / "elsewhere") == []


def test_anonymous_fd_of_nothing(bed: PosixBed) -> None:
    for gfid in (NULL_GFID, b"\xff" * 16):
        with pytest.raises(OSError, match="Stale"):
            bed.read(Fd(gfid, anonymous=True))


def handle_path(bed: PosixBed, gfid: bytes) -> Path:
    text = handle_text(gfid)
    path = bed.directory / ".glusterfs" / text[:2] / text[2:4]
    path.mkdir(parents=True, exist_ok=True)
    return path / text


def attempts(bed: PosixBed, gfid: bytes) -> dict[str, Callable[[], object]]:
    """All that a client can do with a gfid."""
    anonymous = Fd(gfid, anonymous=True)
    user = {"user.a": b"1"}
    return {
        "lookup": lambda: bed.lookup("secret", gfid),
        "lookup by gfid": lambda: bed.run(bed.posix.lookup(FRAME, names.LookupRequest(gfid))),
        "stat": lambda: bed.stat(gfid),
        "open": lambda: bed.release(bed.open(gfid)),
        "read": lambda: bed.read(anonymous),
        "write": lambda: bed.write(anonymous, b"overwritten"),
        "truncate": lambda: bed.run(bed.posix.truncate(FRAME, files.TruncateRequest(gfid, 0))),
        "opendir": lambda: bed.entries(gfid),
        "create": lambda: bed.make("new", parent=gfid),
        "mkdir": lambda: bed.mkdir("new", gfid),
        "unlink": lambda: bed.unlink("secret", gfid),
        "rename out": lambda: bed.rename("f", "new", new_parent=gfid),
        "rename in": lambda: bed.rename("secret", "new", old_parent=gfid),
        "link": lambda: bed.link(gfid, "linked"),
        "setxattr": lambda: bed.run(
            bed.posix.setxattr(FRAME, xattrs.SetxattrRequest(gfid, 0, user))
        ),
        "paths": lambda: bed.run(
            bed.posix.getxattr(FRAME, xattrs.GetxattrRequest(gfid, 1, "glusterfs.gfidtopath"))
        ),
        "names": lambda: bed.run(
            bed.posix.getxattr(FRAME, xattrs.GetxattrRequest(gfid, 1, f"{REAL_FILENAME}SECRET"))
        ),
        "setattr": lambda: bed.run(
            bed.posix.setattr(FRAME, attributes.SetattrRequest(gfid, Iatt(mode=0), 1))
        ),
    }


@pytest.mark.parametrize(
    "target", ["{outside}", "{outside}/secret", "../../../../outside", "../../../../outside/secret"]
)
def test_handle_that_is_a_link_out(bed: PosixBed, target: str) -> None:
    """At most the link itself is seen and changed, as any symbolic link of the volume is."""
    gfid = uuid.uuid4().bytes
    out = bed.directory.parent / "outside"
    before = os.stat(out / "secret")
    handle_path(bed, gfid).symlink_to(target.format(outside=out))
    for what, attempt in attempts(bed, gfid).items():
        with contextlib.suppress(OSError):
            found = attempt()
            assert what in ("lookup by gfid", "stat", "link", "setattr", "paths"), what
            if what == "stat":
                assert found.mode & 0o170000 == 0o120000  # type: ignore[attr-defined]
    assert outside(bed) == ["secret"]
    after = os.stat(out / "secret")
    assert (after.st_mode, after.st_nlink, after.st_mtime) == (
        before.st_mode,
        before.st_nlink,
        before.st_mtime,
    )
    assert "user.a" not in os.listxattr(out / "secret")
    assert sorted(os.listdir(bed.directory.parent)) == ["outside", "served"]


@pytest.mark.parametrize("name", ["..", ".", "../../outside", "d/../../outside", "", "a/b"])
def test_handle_whose_name_leads_out(bed: PosixBed, name: str) -> None:
    gfid = uuid.uuid4().bytes
    root = "../../00/00/00000000-0000-0000-0000-000000000001"
    handle_path(bed, gfid).symlink_to(f"{root}/{name}")
    for what, attempt in attempts(bed, gfid).items():
        with contextlib.suppress(OSError):
            attempt()
            assert what in ("lookup by gfid", "stat", "link", "setattr", "paths"), what
    assert outside(bed) == ["secret"]
    assert sorted(os.listdir(bed.directory.parent)) == ["outside", "served"]


def test_handle_of_a_directory_outside_by_its_gfid(bed: PosixBed) -> None:
    """Not even where the directory outside bears the gfid."""
    gfid = uuid.uuid4().bytes
    out = bed.directory.parent / "outside"
    for key in ("trusted.gfid", "user.glusterio.gfid"):
        with contextlib.suppress(OSError):
            os.setxattr(out, key, gfid)
    (bed.directory / "way").symlink_to(out)
    root = "../../00/00/00000000-0000-0000-0000-000000000001"
    handle_path(bed, gfid).symlink_to(f"{root}/way")
    for what in ("lookup", "create", "mkdir", "opendir", "unlink", "rename out", "names"):
        with pytest.raises(OSError):  # noqa: PT011 - ENOTDIR or ESTALE, as it happens
            attempts(bed, gfid)[what]()
    assert outside(bed) == ["secret"]


def test_directory_that_changes_places_with_a_link_out(bed: PosixBed) -> None:
    """Somebody else in the directory plays tricks, as fast as he can, while the brick works there."""
    out = bed.directory.parent / "outside"
    (bed.directory / "evil").symlink_to(out)
    gfid = bed.gfid("d")
    ending = threading.Event()

    def play() -> None:
        here = os.open(bed.directory, os.O_RDONLY)
        try:
            while not ending.is_set():
                for old, new in (("d", "aside"), ("evil", "d"), ("d", "evil"), ("aside", "d")):
                    os.rename(old, new, src_dir_fd=here, dst_dir_fd=here)
        finally:
            os.close(here)

    player = threading.Thread(target=play)
    player.start()
    done = 0
    try:
        for number in range(1000):
            with posix_bed(bed.directory) as fresh:  # which has not got the directory open
                for attempt in (
                    lambda number=number, fresh=fresh: fresh.make(f"n{number}", parent=gfid),
                    lambda number=number, fresh=fresh: fresh.mkdir(f"d{number}", gfid),
                    lambda fresh=fresh: fresh.entries(gfid),
                    lambda fresh=fresh: fresh.entries(fresh.gfid("d")),
                    lambda fresh=fresh: fresh.lookup("secret", gfid),
                ):
                    with contextlib.suppress(OSError):
                        found = attempt()
                        assert not isinstance(found, names.LookupReply)
                        assert not isinstance(found, list) or "secret" not in found
                        done += 1
    finally:
        ending.set()
        player.join()
    assert outside(bed) == ["secret"]
    assert done


def handle_text(gfid: bytes) -> str:
    text = gfid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@pytest.mark.parametrize("level", [1, 2])
def test_a_link_in_the_place_of_a_directory_of_handles(
    bed: PosixBed, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    """What lies there is no handle, and nothing is put there."""
    gfid = uuid.uuid4().bytes
    hidden = bed.directory / ".glusterfs"
    text = str(uuid.UUID(bytes=gfid))
    parts = [text[:2], text[2:4]]
    out = bed.directory.parent / "outside"
    below = out.joinpath(*parts[level:])
    below.mkdir(parents=True, exist_ok=True)
    os.link(out / "secret", below / text)
    place = hidden.joinpath(*parts[:level])
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(out)
    before = os.stat(out / "secret")
    listed = sorted(str(path) for path in out.rglob("*"))
    for what, attempt in attempts(bed, gfid).items():
        with pytest.raises(OSError, match=r"error|Stale|No such|No data") as caught:
            attempt()
        assert caught.value.errno in (errno.EIO, errno.ESTALE, errno.ENOENT, errno.ENODATA), what
    request = names.MkdirRequest(ROOT_GFID, 0o755, 0, "new", {"gfid-req": uuid.UUID(bytes=gfid)})
    with pytest.raises(OSError, match="error"):
        bed.run(bed.posix.mkdir(FRAME, request))
    after = os.stat(out / "secret")
    assert (after.st_mode, after.st_nlink) == (before.st_mode, before.st_nlink)
    assert sorted(str(path) for path in out.rglob("*")) == listed
    assert "is no directory" in caplog.text
