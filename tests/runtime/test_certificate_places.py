"""Where GlusterFS's certificate files are, if nobody says where."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from glusterio.errors import TlsError
from glusterio.runtime import certificates
from glusterio.traps import Tls
from tests.certificates import Authority


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The usual place and another one, both empty."""
    usual, other = tmp_path / "usual", tmp_path / "other"
    usual.mkdir()
    other.mkdir()
    monkeypatch.setattr(certificates, "_PLACE", str(usual))
    monkeypatch.setattr(certificates, "_OTHER_PLACES", (str(tmp_path / "none"), str(other)))
    return usual, other


def test_where_a_package_of_glusterfs_looks(tmp_path: Path, places: tuple[Path, Path]) -> None:
    """The files are looked for one by one; what is in the usual place is taken from there."""
    usual, other = places
    tls = Authority(tmp_path / "authority").vouch("me")
    certificate, key, authorities = (
        str(usual / f"glusterfs.{end}") for end in ("pem", "key", "ca")
    )
    there = Tls(None, certificate, key, authorities)
    with pytest.raises(TlsError, match=r"usual/glusterfs\.pem: No such file"):
        certificates.context_of(there)
    shutil.copy(tls.certificate, other / "glusterfs.pem")
    shutil.copy(tls.key, other / "glusterfs.key")
    shutil.copy(tls.authorities, usual / "glusterfs.ca")
    assert certificates.context_of(there).cert_store_stats()["x509_ca"] == 1
    (usual / "glusterfs.pem").write_text("not a certificate")
    with pytest.raises(TlsError, match=r"usual/glusterfs\.pem and .*other/glusterfs\.key"):
        certificates.context_of(there)


def test_a_name_of_the_callers_is_taken_as_it_is(tmp_path: Path, places: tuple[Path, Path]) -> None:
    usual, other = places
    tls = Authority(tmp_path / "authority").vouch("me")
    shutil.copy(tls.certificate, other / "mine.pem")
    with pytest.raises(TlsError, match=r"usual/mine\.pem: No such file"):
        certificates.context_of(tls._replace(certificate=str(usual / "mine.pem")))
