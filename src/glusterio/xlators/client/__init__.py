"""protocol/client: one brick, over one connection."""

from glusterio.xlators.client.client import Client

__all__ = ["Client"]
