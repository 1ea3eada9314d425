"""Certificates: contexts made of files, and what a peer's certificate says.

Where a session is given no ``ssl.SSLContext``, one is made of the files that GlusterFS has: our
certificate, its key, and the authorities that we trust. What is checked is what GlusterFS checks, on
both sides: the peer must have a certificate of one of these authorities. The host's name is not
looked for in it, since GlusterFS's certificates bear a name of any kind (the brick's
``auth.ssl-allow`` is about that name), and few bear the host's. A context of the caller's own decides
for itself: with ``check_hostname`` the certificate must be the host's.

Where the files are that nobody has named, a build of GlusterFS has from its OpenSSL (``openssl version
-d``): its documents say ``/etc/ssl``, Fedora's packages look in ``/etc/pki/tls``, Debian's in
``/usr/lib/ssl``. The first of these that has a file is taken, for each file.

Sources: GlusterFS rpc/rpc-transport/socket/src/socket.c (``ssl_setup_connection_params``,
``ssl_setup_connection_postfix``), configure.ac (``SSL_CERT_PATH``).
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Mapping
from ssl import SSLContext as SSLContext
from typing import Any, Final

from glusterio.errors import TlsError
from glusterio.traps import Tls

#: So long, in bytes, no file with certificates is: those of all authorities have 250 KB.
_LONGEST: Final = 16 << 20

#: Where the defaults of :class:`glusterio.traps.Tls` are, and where else they may be.
_PLACE: Final = "/etc/ssl"
_OTHER_PLACES: Final = ("/etc/pki/tls", "/usr/lib/ssl")


def context_of(tls: Tls, *, server_side: bool = False) -> SSLContext:
    """Return the context that a connection is secured with. It may read files.

    Args:
        tls: a context, or the files to make one of.
        server_side: whether it is for those who connect to us.

    Raises:
        TlsError: a file cannot be read, or does not hold what it should; the message names it.
    """
    if tls.context is not None:
        context: SSLContext = tls.context
        return context
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if tls.anybody:
        context.verify_mode = ssl.CERT_NONE
        return context
    context.verify_mode = ssl.CERT_REQUIRED
    # Once it is there, a TLS connection is never negotiated anew: see Secured.write().
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    certificate, key, authorities = map(_found, (tls.certificate, tls.key, tls.authorities))
    for path in (certificate, key, authorities):
        _check_readable(path)
    try:
        context.load_cert_chain(certificate, key, _no_password)
    except (OSError, ValueError) as error:
        what = f"{certificate} and {key} are no certificate and its key"
        raise TlsError(f"{what} ({_words(error)})") from error
    try:
        context.load_verify_locations(authorities)
        if tls.revoked:
            os.listdir(tls.revoked)  # says what is wrong: OpenSSL would only find nothing
            context.load_verify_locations(capath=tls.revoked)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    except OSError as error:
        if error.filename:
            what = os.strerror(error.errno or 0)
            raise TlsError(f"{tls.revoked}: {what}: no directory of revocations") from error
        raise TlsError(f"{authorities}: no certificates ({_words(error)})") from error
    if tls.ciphers:
        try:
            context.set_ciphers(tls.ciphers)
        except ssl.SSLError as error:
            raise TlsError(f"{tls.ciphers!r}: no cipher of this name") from error
    return context


def _found(path: str) -> str:
    """Return where a file is: elsewhere than said, if it is one of GlusterFS's and only there."""
    place, name = os.path.split(path)
    if place == _PLACE and name.startswith("glusterfs.") and not os.path.exists(path):
        for other in _OTHER_PLACES:
            if os.path.exists(there := os.path.join(other, name)):
                return there
    return path


def _no_password() -> bytes:
    # A server has nobody to ask, and a library must not ask.
    raise ValueError("the key is locked with a password")


def _check_readable(path: str) -> None:
    """Look whether a file can be read, since OpenSSL does not always say which one it could not.

    Raises:
        TlsError: it cannot.
    """
    try:
        # Not to wait for a pipe's other end: a volfile may name whatever there is.
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            what = os.fstat(opened)
        finally:
            os.close(opened)
        if not stat.S_ISREG(what.st_mode) or what.st_size > _LONGEST:
            raise TlsError(f"{path}: it is not a file of certificates")
    except TlsError:
        raise
    except OSError as error:
        raise TlsError(
            f"{path}: {os.strerror(error.errno or 0)}. TLS needs a certificate, its key and the"
            " certificates of its authorities: give connect() ssl=, an ssl.SSLContext, or put"
            " GlusterFS's files there"
        ) from error


def _words(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)


def name_in(certificate: Mapping[str, Any] | None) -> str:
    """Return the common name in a certificate, as ``SSLObject.getpeercert`` returns it; or nothing.

    As in GlusterFS it is the first, where there are several.
    """
    for part in (certificate or {}).get("subject", ()):
        for key, value in part:
            if key == "commonName":
                return str(value)
    return ""
