"""What an operation asks a brick for, and what it does without."""

from __future__ import annotations

import os

import pytest

import glusterio
from glusterio.api.core import Core
from glusterio.api.handles import open_file
from glusterio.graph.frame import Frame
from glusterio.lifecycle.handle import Handle
from glusterio.wire.programs import Fop
from tests.api.tap import Tap
from tests.embedded import BrickProcess


def asked(tap: Tap) -> list[str]:
    """The requests since the last time, but for those that nobody waits for."""
    names = [seen.fop.name for seen in tap.log if seen.kind == "call"]
    tap.log.clear()
    return [name for name in names if not name.startswith("RELEASE")]


@pytest.fixture
def known(brick: BrickProcess) -> str:
    """A directory with a file; its name."""
    directory = brick.directory / "known"
    directory.mkdir(exist_ok=True)
    (directory / "file").touch()
    return directory.name


def test_a_name_is_removed_without_a_look_at_it(url: str, tap: Tap, known: str) -> None:
    with glusterio.connect(url) as volume:
        volume.listdir(known)  # which looks at the directory
        asked(tap)
        volume.unlink(f"{known}/file")
        assert asked(tap) == ["UNLINK"]
        with pytest.raises(FileNotFoundError) as missing:
            volume.unlink(f"{known}/file")
        assert missing.value.filename == f"{known}/file"


def test_a_look_comes_first_as_long_as_directories_may_have_one_link(
    url: str, tap: Tap, brick: BrickProcess
) -> None:
    (brick.directory / "at-the-top").touch()
    with glusterio.connect(url) as volume:
        volume.unlink("at-the-top")
        assert asked(tap) == ["LOOKUP", "UNLINK"]
        volume.mkdir("made")  # has two
        volume.open_handle("made/file", os.O_CREAT | os.O_WRONLY).close()
        asked(tap)
        volume.unlink("made/file")
        assert asked(tap) == ["UNLINK"]


def test_a_directory_is_not_unlinked_and_its_handle_stays(
    url: str, known: str, brick: BrickProcess
) -> None:
    (brick.directory / known / "below").mkdir(exist_ok=True)
    with glusterio.connect(url) as volume:
        volume.listdir(known)
        for path in (f"{known}/below", f"{known}/below/", f"{known}/below/.", f"{known}/.."):
            with pytest.raises(IsADirectoryError):
                volume.unlink(path)
        with pytest.raises(NotADirectoryError):
            volume.unlink(f"{known}/file/")
        assert volume.listdir(f"{known}/below") == []


def test_a_new_file_is_made_by_one_request(url: str, tap: Tap, known: str) -> None:
    with glusterio.connect(url) as volume:
        volume.listdir(known)
        asked(tap)
        for flags in (os.O_EXCL, os.O_TRUNC, os.O_APPEND, 0):
            volume.open_handle(f"{known}/new", os.O_CREAT | os.O_WRONLY | flags).close()
            assert asked(tap) == ["CREATE"]
            with pytest.raises(FileExistsError):
                volume.open(f"{known}/new", "xb")
            assert asked(tap) == ["CREATE"]
            volume.unlink(f"{known}/new")
            asked(tap)


def test_files_that_are_there_are_looked_for_before_they_are_made(
    url: str, tap: Tap, known: str
) -> None:
    with glusterio.connect(url) as volume:
        volume.listdir(known)
        asked(tap)
        requests = []
        for name in ("file", "file", "new", "newer", "file"):
            volume.open(f"{known}/{name}", "wb", buffering=0).close()
            requests.append(asked(tap))
        overwriting = ["LOOKUP", "OPEN"]
        assert requests == [
            ["CREATE", *overwriting],
            overwriting,
            ["LOOKUP", "CREATE"],
            ["CREATE"],
            ["CREATE", *overwriting],
        ]
        for name in ("new", "newer"):
            volume.unlink(f"{known}/{name}")


def test_no_name_is_looked_up_twice_whatever_it_is(
    url: str, tap: Tap, known: str, brick: BrickProcess
) -> None:
    (brick.directory / known / "below").mkdir(exist_ok=True)
    (brick.directory / known / "link").symlink_to("file")
    (brick.directory / known / "way").symlink_to("below")
    with glusterio.connect(url) as volume:
        volume.listdir(known)
        asked(tap)
        for start in ("", "/"):
            path = f"{start}{known}"
            volume.stat(f"{path}/file")
            assert asked(tap) == ["LOOKUP"]
            volume.lstat(f"{path}/link")
            assert asked(tap) == ["LOOKUP"]
            volume.stat(f"{path}/link")
            assert asked(tap) == ["LOOKUP", "READLINK", "LOOKUP"]
            assert volume.stat(f"{path}/way") == volume.stat(f"{path}/below")
            assert asked(tap) == ["LOOKUP", "READLINK", "LOOKUP", "LOOKUP"]
            assert not volume.exists(f"{path}/nothing")
            assert asked(tap) == ["LOOKUP"]
            volume.open_handle(f"{path}/below", os.O_DIRECTORY).close()
            assert asked(tap) == ["LOOKUP", "OPENDIR"]
            assert volume.read_bytes(f"{path}/link") == b""
            assert asked(tap) == ["LOOKUP", "READLINK", "LOOKUP"]
        (brick.directory / known / "link").unlink()
        (brick.directory / known / "way").unlink()


def test_a_link_that_is_there_is_followed_in_the_volume_alone(
    url: str, known: str, brick: BrickProcess
) -> None:
    outside = brick.directory.parent / "outside"
    (brick.directory / known / "out").symlink_to(outside)
    (brick.directory / known / "link").symlink_to("target")
    with glusterio.connect(url) as volume:
        with volume.open(f"{known}/link", "wb") as file:
            file.write(b"through")
        assert (brick.directory / known / "target").read_bytes() == b"through"
        with pytest.raises(FileNotFoundError):  # its directory is none of the volume's
            volume.open(f"{known}/out", "wb")
        assert not outside.exists()
        with pytest.raises(FileExistsError):
            volume.open_handle(f"{known}/link", os.O_CREAT | os.O_EXCL | os.O_WRONLY)


def test_a_file_that_somebody_else_makes_meanwhile_is_opened(
    url: str, tap: Tap, known: str, brick: BrickProcess
) -> None:
    """Between the LOOKUP that did not find it and the CREATE."""
    theirs = brick.directory / known / "theirs"
    with glusterio.connect(url) as volume:
        volume.open(f"{known}/file", "wb").close()  # what is made next is looked for first
        tap.hold(Fop.LOOKUP)
        future = volume._session.submit(_open, None, f"{known}/theirs")
        tap.wait_for(lambda: bool(tap.kept))
        theirs.write_bytes(b"theirs")
        tap.let_go()
        handle = future.result(timeout=10)
        volume._session.close_handle(handle)
    assert tap.calls(Fop.CREATE) >= 2  # for "file", and for this one
    assert theirs.read_bytes() == b"theirs"


async def _open(core: Core, frame: Frame, path: str) -> Handle:
    return await open_file(core, frame, path, os.O_CREAT | os.O_WRONLY, 0o644, 0o022, "")
