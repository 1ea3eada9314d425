"""Where in the application something was opened, for warnings and the teardown's report."""

from __future__ import annotations

import sys
from types import FrameType

_OWN = "glusterio."


def call_site() -> str:
    """Return ``file:line`` of the innermost caller outside glusterio; empty when there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name != "glusterio" and not name.startswith(_OWN):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
