"""What ``connect(metrics=True)`` costs on a 4 KiB pread.

    python -m tests.bench.metrics_cost

How it is measured is told in :mod:`tests.bench.in_turns`. The exit status is 1 when the processor time
of the smallest rounds is more than ten percent more with metrics.
"""

from __future__ import annotations

import sys
from functools import partial

import glusterio
from tests.bench.in_turns import compared

#: What was asked for.
AT_MOST = 1.10


def main() -> int:
    """Measure, and print."""
    _, processor = compared(
        "What metrics cost on a 4 KiB pread.",
        "with metrics",
        glusterio.connect,
        partial(glusterio.connect, metrics=True),
    )
    return int(processor.smallest > AT_MOST)


if __name__ == "__main__":
    sys.exit(main())
