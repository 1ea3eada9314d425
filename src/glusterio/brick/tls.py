"""The TLS of a brick: what its volume's options say of it."""

from __future__ import annotations

from glusterio.brick.options import VolumeOptions
from glusterio.errors import TlsError
from glusterio.graph.volume_options import OptionError
from glusterio.runtime.certificates import context_of
from glusterio.runtime.serve import ServerTls
from glusterio.traps import Tls


def server_tls(options: VolumeOptions) -> ServerTls | None:
    """Return how a brick's clients are secured; ``None`` for in the clear. It reads files.

    Raises:
        OptionError: one of the files is no good; it says which.
    """
    if not options.is_on("server.ssl"):
        return None
    tls = Tls(
        certificate=options.text("ssl.own-cert"),
        key=options.text("ssl.private-key"),
        authorities=options.text("ssl.ca-list"),
        ciphers=options.text("ssl.cipher-list"),
        revoked=options.text("ssl.crl-path"),
    )
    try:
        return ServerTls(context_of(tls, server_side=True))
    except TlsError as error:
        raise OptionError(f"server.ssl: {error.args[-1]}") from error
