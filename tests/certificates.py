"""Certificates for tests, made by OpenSSL's command: an authority, and whoever it vouches for."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from glusterio.traps import Tls


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
        self._issue(["-x509", "-days", "2"], "authority", self._key, self.file)

    def vouch(self, name: str, alternative: str = "") -> Tls:
        """Make a certificate and its key; return the files, with those of the authority.

        Args:
            name: the common name in it.
            alternative: further names, as OpenSSL wants them: ``DNS:localhost,IP:127.0.0.1``.
        """
        certificate, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        signed = ["-x509", "-days", "2", "-CA", str(self.file), "-CAkey", str(self._key)]
        signed += ["-addext", "basicConstraints=critical,CA:FALSE"]
        if alternative:
            signed += ["-addext", f"subjectAltName={alternative}"]
        self._issue(signed, name, key, certificate)
        return Tls(None, str(certificate), str(key), str(self.file))

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
        subprocess.run(
            [
                *("openssl", "req", *how, *curve, "-subj", f"/O=tests/CN={name}"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return a server's context that wants clients' certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    context.load_verify_locations(tls.authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
