"""What a brick does that has no rights of its own: run in a child process that is nobody."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

PR_SET_DUMPABLE = 4
NOBODY = 65534


def unprivileged(
    test: Callable[[Path], None], afterwards: Callable[[Path], None] | None = None
) -> None:
    """Run a function in a child process that is nobody, on a directory of its own."""
    directory = Path(tempfile.mkdtemp(prefix="glusterio-"))
    directory.chmod(0o777)
    try:
        if not os.geteuid():
            os.chown(directory, NOBODY, NOBODY)
        child = os.fork()
        if not child:
            status = 1
            try:
                signal.alarm(30)
                if not os.geteuid():
                    os.setgroups([])
                    os.setgid(NOBODY)
                    os.setuid(NOBODY)
                    # Who has changed his user may not look into /proc/self any more.
                    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
                test(directory)
                status = 0
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        if afterwards is not None:
            afterwards(directory)
    finally:
        shutil.rmtree(directory)
