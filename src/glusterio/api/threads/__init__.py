"""The face for threads. What is in ``methods`` is generated from ``glusterio.api.aio.methods``."""
