"""The volfiles: of clients, which learn from it where the brick is, and of the brick itself.

The grammar is GlusterFS's (libglusterfs/src/graph.y). A client's volfile is what glusterd writes for a
volume of one brick (xlators/mgmt/glusterd/src/glusterd-volgen.c, ``client_graph_builder``), but for
cluster/distribute and features/utime: the first has nothing to distribute, and the brick keeps no times
of its own beside the file system's.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from glusterio.brick.options import VolumeOptions

#: The translators of a brick, from the bottom to the top.
BRICK_LAYERS: Final = (
    "storage/posix",
    "features/locks",
    "features/leases",
    "features/upcall",
    "features/read-only",
)

#: A word that may stand without quotes: no keyword of the grammar itself is.
_PLAIN = re.compile(r"[A-Za-z0-9_./:-]+")
_KEYWORDS = frozenset({"volume", "end-volume", "type", "option", "subvolumes", "subvolumeS"})
#: What no volfile can hold; GlusterFS runs what stands between backticks.
_IMPOSSIBLE = re.compile("[\x00-\x1f\x7f`]")


def quoted(word: str) -> str:
    """Write a word so that it is read as one.

    Raises:
        ValueError: it cannot be written.
    """
    if not word or _IMPOSSIBLE.search(word):
        raise ValueError(f"no volfile can hold {word!r}")
    if _PLAIN.fullmatch(word) and word not in _KEYWORDS:
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def section(
    name: str, xlator_type: str, options: Mapping[str, str], subvolumes: Sequence[str] = ()
) -> str:
    """Write one translator's section."""
    lines = [f"volume {quoted(name)}", f"    type {xlator_type}"]
    lines += [f"    option {key} {quoted(value)}" for key, value in options.items()]
    if subvolumes:
        lines.append(f"    subvolumes {' '.join(map(quoted, subvolumes))}")
    return "\n".join([*lines, "end-volume", ""])


def client_volfile(
    volume: str,
    host: str,
    path: str,
    *,
    port: int = 0,
    ping_timeout: int = 42,
    login: tuple[str, str] | None = None,
    options: VolumeOptions | None = None,
) -> str:
    """Write a client's volfile for a volume of one brick.

    Args:
        volume: the volume's name.
        host: where the client finds the brick.
        path: the brick's name, which is the path of its directory.
        port: where the client finds the brick, or the management daemon that tells it: a client that
            meets a portmapper asks it, and connects anew. 0 for a daemon on port 24007.
        ping_timeout: seconds of silence after which the brick counts as dead, unless the options say.
        login: user name and password for SETVOLUME.
        options: the volume's options. With them come the performance translators that they ask for,
            and debug/io-stats at the top; without them, it is protocol/client alone.
    """
    client = {
        "ping-timeout": str(ping_timeout),
        "remote-host": host,
        "remote-subvolume": path,
        "transport-type": "tcp",
        "transport.address-family": "inet6" if ":" in host else "inet",
        "send-gids": "true",
    }
    if port:
        client["remote-port"] = str(port)
    if login is not None:
        client["username"], client["password"] = login
    if options is None:
        return section(f"{volume}-client-0", "protocol/client", client)

    client |= options.for_xlator("protocol/client")
    top = f"{volume}-client-0"
    sections = [section(top, "protocol/client", client)]
    for xlator in options.layers():
        name = f"{volume}-{xlator.rpartition('/')[2]}"
        sections.append(section(name, xlator, options.for_xlator(xlator), (top,)))
        top = name
    # The top bears the volume's name, as in every volfile that glusterd writes.
    sections.append(section(volume, "debug/io-stats", {}, (top,)))
    return "\n".join(sections)


def brick_volfile(
    volume: str,
    path: str,
    volume_id: uuid.UUID | None = None,
    options: VolumeOptions | None = None,
) -> str:
    """Write the brick's own volfile: what is below protocol/server.

    Args:
        volume: the volume's name.
        path: the directory that is served.
        volume_id: the volume's id, if it is given.
        options: the volume's options.
    """
    posix = {"directory": path}
    if volume_id is not None:
        posix["volume-id"] = str(volume_id)
    sections: list[str] = []
    below: tuple[str, ...] = ()
    for xlator in BRICK_LAYERS:
        name = f"{volume}-{xlator.rpartition('/')[2]}"
        given = {} if options is None else options.for_xlator(xlator)
        sections.append(section(name, xlator, {**given, **(posix if not below else {})}, below))
        below = (name,)
    return "\n".join(sections)
