"""RPC without I/O: bytes in, replies and requests out.

:mod:`~glusterio.rpc.stream` cuts a byte stream into records, :mod:`~glusterio.rpc.connection` is the
client's side of a connection, :mod:`~glusterio.rpc.service` the server's. None of them knows a socket
or a clock; a driver moves the bytes and tells the time.
"""
