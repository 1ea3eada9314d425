"""The volfiles: of clients, which learn from it where the brick is, and of the brick itself.

The grammar is GlusterFS's (libglusterfs/src/graph.y).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence


def section(
    name: str, xlator_type: str, options: Mapping[str, str], subvolumes: Sequence[str] = ()
) -> str:
    """Write one translator's section."""
    lines = [f"volume {name}", f"    type {xlator_type}"]
    lines += [f"    option {key} {value}" for key, value in options.items()]
    if subvolumes:
        lines.append(f"    subvolumes {' '.join(subvolumes)}")
    return "\n".join([*lines, "end-volume", ""])


def client_volfile(
    volume: str,
    host: str,
    path: str,
    *,
    ping_timeout: int = 42,
    login: tuple[str, str] | None = None,
) -> str:
    """Write a client's volfile for a volume of one brick.

    Args:
        volume: the volume's name.
        host: where the client finds the brick.
        path: the brick's name, which is the path of its directory.
        ping_timeout: seconds of silence after which the brick counts as dead.
        login: user name and password for SETVOLUME.
    """
    options = {
        "ping-timeout": str(ping_timeout),
        "remote-host": host,
        "remote-subvolume": path,
        "transport-type": "socket",
        "transport.address-family": "inet6" if ":" in host else "inet",
        "send-gids": "true",
    }
    if login is not None:
        options["username"], options["password"] = login
    return section(f"{volume}-client-0", "protocol/client", options)


def brick_volfile(volume: str, path: str, volume_id: uuid.UUID | None = None) -> str:
    """Write the brick's own volfile: what is below protocol/server.

    Args:
        volume: the volume's name.
        path: the directory that is served.
        volume_id: the volume's id, if it is given.
    """
    options = {"directory": path}
    if volume_id is not None:
        options["volume-id"] = str(volume_id)
    return section(f"{volume}-posix", "storage/posix", options)
