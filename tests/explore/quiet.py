"""Errors of which no caller hears are logged, and in these worlds that is as it should be."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Have glusterio log nothing."""
    log = logging.getLogger("glusterio")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
