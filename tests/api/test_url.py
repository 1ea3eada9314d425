"""The URLs that name a volume, and what each kind of them leads to."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import glusterio
from glusterio.api.url import MANAGEMENT_PORT, MANAGEMENT_SOCKET, parse_url
from glusterio.brick.volfiles import client_volfile
from tests.api.faces import FACES, connect_face
from tests.embedded import BrickProcess


@pytest.mark.parametrize(
    ("url", "scheme", "volume", "servers", "path"),
    [
        ("gluster://h/v", "gluster", "v", (("h", MANAGEMENT_PORT),), ""),
        ("gluster://h:1/v/", "gluster", "v", (("h", 1),), ""),
        (
            "gluster://a,b:2,10.0.0.1:3/v-1_x.y",
            "gluster",
            "v-1_x.y",
            (("a", MANAGEMENT_PORT), ("b", 2), ("10.0.0.1", 3)),
            "",
        ),
        ("gluster://[::1]/v", "gluster", "v", (("::1", MANAGEMENT_PORT),), ""),
        ("gluster://[::1]:5,[fe80::1%25eth0]/v", "gluster", "v",
         (("::1", 5), ("fe80::1%25eth0", MANAGEMENT_PORT)), ""),
        ("gluster://fe80::2/v", "gluster", "v", (("fe80::2", MANAGEMENT_PORT),), ""),
        ("gluster+unix:///v", "gluster+unix", "v", (MANAGEMENT_SOCKET,), ""),
        ("gluster+unix:///v?socket=/run/x.sock", "gluster+unix", "v", ("/run/x.sock",), ""),
        ("gluster+unix:///v?socket=/run/%20x", "gluster+unix", "v", ("/run/ x",), ""),
        ("volfile:///etc/glusterfs/my%20volume.vol", "volfile", "my volume", (),
         "/etc/glusterfs/my volume.vol"),
        ("embedded:///srv/data", "embedded", "data", (), "/srv/data"),
        ("embedded:///srv/%C3%BC/", "embedded", "\u00fc", (), "/srv/\u00fc/"),
    ],
)  # fmt: skip
def test_what_a_url_names(
    url: str, scheme: str, volume: str, servers: tuple[object, ...], path: str
) -> None:
    target = parse_url(url)
    assert (target.scheme, target.volume, target.servers, target.path, target.url) == (
        scheme, volume, servers, path, url,
    )  # fmt: skip


@pytest.mark.parametrize(
    "url",
    [
        "", "v", "h/v", "/srv/data", "file:///x", "http://h/v", "gluster:h/v", "gluster:/h/v",
        "gluster://", "gluster://h", "gluster://h/", "gluster:///v", "gluster://h/v/w", "gluster://,/v",
        "gluster://h:x/v", "gluster://h:65536/v", "gluster://h:-1/v", "gluster://:5/v", "gluster://h:/",
        "gluster://[::1/v", "gluster://[::1]x/v", "gluster://[]/v", "gluster+unix://h/v",
        "gluster+unix:///", "gluster+unix:///a/b", "volfile://x.vol", "volfile:///", "volfile://",
        "embedded://data", "embedded:///", "embedded://", "gluster://h:\u0661/v",
    ],
)  # fmt: skip
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        glusterio.connect(url)
    assert repr(url) in str(caught.value)


@given(st.text())
def test_any_text_is_a_url_or_a_value_error(text: str) -> None:
    for url in (text, f"gluster://{text}", f"gluster://h/{text}", f"gluster://[{text}]/v"):
        try:
            target = parse_url(url)
        except ValueError:
            continue
        assert target.volume
        assert "/" not in target.volume


# -- where they lead --------------------------------------------------------------------------------


@pytest.mark.parametrize("face", FACES)
class TestConnecting:
    def test_to_a_management_daemon(self, face: str, brick: BrickProcess) -> None:
        with connect_face(face, brick.url) as volume:
            assert volume.name == "vol"
            assert not volume.closed
            assert volume.exists("/")
        assert volume.closed

    def test_to_the_first_of_several_that_answers(self, face: str, brick: BrickProcess) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        with connect_face(
            face, f"gluster://127.0.0.1:{port},no.such.host.invalid,127.0.0.1:{brick.port}/vol"
        ) as volume:
            assert volume.listdir() == []

    def test_to_nobody(self, face: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            connect_face(face, f"gluster://127.0.0.1:{port}/vol")
        with pytest.raises(OSError, match="no management daemon answers") as caught:
            connect_face(face, f"gluster://127.0.0.1:{port},127.0.0.1:{port}/vol")
        assert caught.value.errno == errno.ENOTCONN

    def test_to_nobody_behind_a_unix_socket(self, face: str, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            connect_face(face, f"gluster+unix:///vol?socket={tmp_path}/none")

    def test_by_a_volfile(self, face: str, brick: BrickProcess, tmp_path: Path) -> None:
        volfile = tmp_path / "my volume.vol"
        volfile.write_text(
            client_volfile("vol", "127.0.0.1", str(brick.directory), port=brick.brick_port)
        )
        with connect_face(face, f"volfile://{tmp_path}/my%20volume.vol") as volume:
            assert volume.name == "my volume"
            assert volume.listdir() == []

    def test_by_a_volfile_that_is_missing(self, face: str, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            connect_face(face, f"volfile://{tmp_path}/none.vol")
        assert caught.value.filename == f"{tmp_path}/none.vol"

    def test_to_a_directory(self, face: str, tmp_path: Path) -> None:
        directory = tmp_path / "my \N{SNOWMAN} data"
        directory.mkdir()
        with connect_face(face, f"embedded://{tmp_path}/my%20\N{SNOWMAN}%20data") as volume:
            assert volume.name == "my \N{SNOWMAN} data"
            volume.mkdir("made")
        assert (directory / "made").is_dir()

    def test_to_a_directory_with_a_name_like_a_volfile(self, face: str, tmp_path: Path) -> None:
        directory = tmp_path / 'quote " backslash \\ backtick ` end'
        directory.mkdir()
        with connect_face(face, f"embedded://{directory}") as volume:
            volume.mkdir("made")
        assert (directory / "made").is_dir()

    def test_to_a_directory_with_an_undecodable_name(self, face: str, tmp_path: Path) -> None:
        (tmp_path / "\udcff").mkdir()
        with connect_face(face, f"embedded://{tmp_path}/%ff") as volume:
            volume.mkdir("made")
        assert (tmp_path / "\udcff" / "made").is_dir()

    def test_to_a_directory_that_is_missing_or_none(self, face: str, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            connect_face(face, f"embedded://{tmp_path}/none")
        (tmp_path / "file").touch()
        with pytest.raises(NotADirectoryError):
            connect_face(face, f"embedded://{tmp_path}/file")
