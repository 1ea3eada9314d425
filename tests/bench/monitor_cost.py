"""What GLUSTERIO_MONITOR=1 costs on a 4 KiB pread.

    python -m tests.bench.monitor_cost

How it is measured is told in :mod:`tests.bench.in_turns`. The exit status is 1 when the median of the
pairs is more than ten percent, of the time or of the client's own processor time.
"""

from __future__ import annotations

import os
import sys
from functools import partial

import glusterio
from glusterio.api.core import MONITOR
from tests.bench.in_turns import compared

#: What was asked for.
AT_MOST = 1.10


def _connect(watched: str, url: str) -> glusterio.Volume:
    os.environ[MONITOR] = watched
    try:
        return glusterio.connect(url)
    finally:
        del os.environ[MONITOR]


def main() -> int:
    """Measure, and print."""
    rows = compared(
        "What the monitor costs on a 4 KiB pread.",
        "watched",
        partial(_connect, "0"),
        partial(_connect, "1"),
    )
    return int(any(row.median > AT_MOST for row in rows))


if __name__ == "__main__":
    sys.exit(main())
