"""GlusterFS's wire protocol as pure functions: bytes to values and back, no input or output.

========================  =====================================================================
:mod:`~.xdr`              the primitives of RFC 4506, bounded
:mod:`~.records`          record marks and RPC headers (RFC 5531)
:mod:`~.credentials`      who is calling: AUTH_NONE and GlusterFS's own flavors
:mod:`~.programs`         the numbers: programs, versions, procedures, flags
:mod:`~.iatt`             file attributes
:mod:`~.dictionary`       the two dictionary encodings
:mod:`~.messages`         from annotated classes to codecs
:mod:`~.fops`             one request and one reply class for each file operation
:mod:`~.handshake`        the programs spoken before the first file operation
:mod:`~.callbacks`        what a server sends unasked
:mod:`~.hot`              the same bytes, quicker, for the operations that dominate
========================  =====================================================================

Whatever a peer sends either decodes or raises :class:`glusterio.errors.RemoteProtocolError`.
"""
