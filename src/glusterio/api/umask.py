"""The process's umask, without changing it for a moment as ``os.umask`` would."""

from __future__ import annotations

#: What is assumed where the kernel does not tell.
DEFAULT = 0o022


def process_umask() -> int:
    """Return the umask of this process (Linux: ``Umask`` in /proc/self/status)."""
    try:
        with open("/proc/self/status", "rb", buffering=0) as status:
            said = status.read(4096).partition(b"\nUmask:")[2].split(maxsplit=1)
    except OSError:
        said = []
    return int(said[0], 8) if said else DEFAULT
