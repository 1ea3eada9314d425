"""Certificates for tests, made by OpenSSL's command: an authority, and whoever it vouches for."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from glusterio.traps import Tls

_SIGNED = ("-x509", "-days", "2")
#: What an authority's certificate has to say, since RFC 5280 and Python 3.13 ask for it.
_MAY_SIGN = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")


class Authority:
    """An authority of one's own, in a directory of its own.

    Attributes:
        file: the file with its certificate.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)
        self.file = directory / "authority.pem"
        self._key = directory / "authority.key"
        self._issue([*_SIGNED, *_MAY_SIGN], "authority", self._key, self.file)

    def vouch(self, name: str, alternative: str = "") -> Tls:
        """Make a certificate and its key; return the files, with those of the authority.

        Args:
            name: the common name in it.
            alternative: further names, as OpenSSL wants them: ``DNS:localhost,IP:127.0.0.1``.
        """
        certificate, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        signed = [*_SIGNED, "-CA", str(self.file), "-CAkey", str(self._key)]
        signed += ["-addext", "basicConstraints=critical,CA:FALSE"]
        if alternative:
            signed += ["-addext", f"subjectAltName={alternative}"]
        self._issue(signed, name, key, certificate)
        return Tls(None, str(certificate), str(key), str(self.file))

    def vouch_within(self, name: str, first: str, last: str) -> Tls:
        """As :meth:`vouch`, from a time to another: ``20250131000000Z``."""
        key, asked = self._directory / f"{name}.key", self._directory / f"{name}.csr"
        certificate = self._directory / f"{name}.pem"
        self._issue([], name, key, asked)
        times = ["-startdate", first, "-enddate", last]
        self._as_authority("-in", str(asked), "-out", str(certificate), "-notext", *times)
        return Tls(None, str(certificate), str(key), str(self.file))

    def revoke(self, *revoked: Tls) -> Path:
        """Take back what was vouched for; return the directory with the list of all that was."""
        for tls in revoked:
            self._as_authority("-revoke", tls.certificate)
        directory = self._directory / "revoked"
        directory.mkdir(exist_ok=True)
        revocations = directory / "list.pem"
        self._as_authority("-gencrl", "-crldays", "2", "-out", str(revocations))
        told = _openssl("crl", "-in", str(revocations), "-hash", "-noout")
        revocations.rename(directory / f"{told.strip()}.r0")
        return directory

    def _as_authority(self, *words: str) -> None:
        config = self._directory / "authority.cnf"
        if not config.exists():
            index = self._directory / "index.txt"
            index.touch()
            config.write_text(
                f"[ca]\ndefault_ca = one\n[one]\ndatabase = {index}\nrand_serial = yes\n"
                "unique_subject = no\n"
                f"new_certs_dir = {self._directory}\ndefault_md = sha256\npolicy = any\n"
                "[any]\norganizationName = optional\ncommonName = supplied\n"
            )
        files = ["-config", str(config), "-cert", str(self.file), "-keyfile", str(self._key)]
        _openssl("ca", "-batch", *files, *words)

    def context(self, name: str, *, check_hostname: bool = False) -> ssl.SSLContext:
        """Return a client's context, with a certificate of that name."""
        tls = self.vouch(name)
        context = ssl.create_default_context(cafile=tls.authorities)
        context.check_hostname = check_hostname
        context.load_cert_chain(tls.certificate, tls.key)
        return context

    @staticmethod
    def _issue(how: list[str], name: str, key: Path, certificate: Path) -> None:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
        _openssl(
            *("req", *how, *curve, "-subj", f"/O=tests/CN={name}"),
            *("-keyout", str(key), "-out", str(certificate)),
        )


def _openssl(*words: str) -> str:
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return a server's context that wants clients' certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    context.load_verify_locations(tls.authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
