"""The machine that is measured on: what it is, and how quiet."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path


def fixed_work() -> float:
    """How long the machine takes for the same bit of work, in milliseconds."""
    begun = time.perf_counter()
    total = 0
    for number in range(300_000):
        total += number * number
    return (time.perf_counter() - begun) * 1e3


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


def processor() -> str:
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def memory() -> int:
    """How much memory it has, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def file_system_of(place: Path) -> str:
    """The kind of file system that a directory is on."""
    found = subprocess.run(
        ["stat", "-f", "-c", "%T", str(place)], stdout=subprocess.PIPE, text=True, check=True
    )
    return found.stdout.strip()


def gluster_version() -> str:
    """The version of GlusterFS that is installed."""
    told = subprocess.run(
        ["glusterfsd", "--version"], stdout=subprocess.PIPE, text=True, check=True
    )
    return told.stdout.split()[1]


def cpu_of(pid: int) -> float:
    """The CPU time that a process has used so far, user and system, in seconds.

    It is the process's own clock (clock_getcpuclockid(3)), not the hundredths of ``/proc/PID/stat``.

    Raises:
        OSError: there is no such process.
    """
    return time.clock_gettime((~pid << 3) | 2)


def files_of(pid: int) -> int:
    """How many files a process may have open."""
    for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith("Max open files"):
            return int(line.split()[3])
    raise AssertionError("Linux always says so")


def processors() -> int:
    """How many of them this process may use."""
    return len(os.sched_getaffinity(0))
