"""The process's umask, without changing it for a moment as ``os.umask`` would."""

from __future__ import annotations

#: What is assumed where the kernel does not tell.
DEFAULT = 0o022


def process_umask() -> int:
    """Return the umask of this process (Linux: ``Umask`` in /proc/self/status)."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("Umask:"):
                    return int(line.split()[1], 8)
    except OSError:
        pass
    return DEFAULT
