"""The graphs that are explored: volfiles, by name, in a directory that this process makes."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from glusterio.api.url import Target

ADDRESS = ("brick", 49152)

#: Where the management daemon listens; whoever plays the brick plays it, too.
DAEMON = ("brick", 24007)

_CLIENT = """\
volume client
  type protocol/client
  option remote-host brick
  option remote-port 49152
  option remote-subvolume /brick
  option ping-timeout {ping}
end-volume
"""

_ABOVE = """\
volume {name}
  type performance/{name}
  subvolumes {below}
end-volume
"""


def _stack(*names: str) -> str:
    text, below = _CLIENT.format(ping=42), "client"
    for name in names:
        text += _ABOVE.format(name=name, below=below)
        below = name
    return text


VOLFILES = {
    "client": _stack(),
    "ping": _CLIENT.format(ping=4),
    "lax-locks": _CLIENT.format(ping=42).replace(
        "end-volume", "  option strict-locks off\nend-volume"
    ),
    "write-behind": _stack("write-behind"),
    "small-window": _stack("write-behind").replace(
        "  type performance/write-behind\n",
        "  type performance/write-behind\n  option cache-size 1MB\n",
    ),
    "open-behind": _stack("open-behind"),
    "all": _stack("write-behind", "read-ahead", "quick-read", "open-behind", "md-cache"),
}


@cache
def _directory(pid: int) -> Path:
    path = Path(tempfile.mkdtemp(prefix="glusterio-explore-"))
    atexit.register(lambda: shutil.rmtree(path) if os.getpid() == pid else None)
    return path


@cache
def _path(name: str, pid: int) -> str:
    path = _directory(pid) / f"{name}.vol"
    path.write_text(VOLFILES[name])
    return str(path)


def target_of(name: str, reconnect: bool = False, follow: bool = False) -> Target:
    """Return the volume with this graph; one that a daemon tells of, if it is to be followed."""
    if follow:
        return Target("gluster", name, (DAEMON,), reconnect=reconnect)
    return Target("volfile", name, path=_path(name, os.getpid()), reconnect=reconnect)
