"""The operations on a volume, written once over the core, and their two faces.

:mod:`~glusterio.api.threads` is the face for threads, :mod:`~glusterio.api.aio` the one for asyncio.
Both are thin: what they do is in the coroutines of the modules here.
"""
