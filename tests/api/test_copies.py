"""Copies by a user who is not root: what a kernel sees to before it asks a file system."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from tests.api.drivers import PATIENCE
from tests.embedded import BrickProcess

#: What a user does who is not root, with the volume that is named.
BY_ANOTHER = textwrap.dedent(
    """
    import os, shutil, sys, glusterio
    with glusterio.connect(sys.argv[1]) as vol:
        vol.chmod("/", 0o755)
        for name in ("d", "home"):
            vol.mkdir(name)
            vol.chmod(name, 0o777)
        for name in ("theirs", "d/theirs"):
            vol.write_bytes(name, b"old")
            vol.chmod(name, 0o666)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    with glusterio.connect(sys.argv[1]) as vol:
        vol.mkdir("home/d")
        vol.write_bytes("home/d/theirs", b"new")
        vol.write_bytes("home/d/mine", b"mine")
        vol.utime("home/d/mine", (1, 1))
        try:
            vol.copy2("home/d/theirs", "theirs")
        except PermissionError as error:
            assert error.filename == "theirs", error
        else:
            raise AssertionError("somebody else's times were set")
        assert vol.read_bytes("theirs") == b"new"
        try:
            vol.copytree("home/d", "d", dirs_exist_ok=True)
        except shutil.Error as error:
            assert [one[:2] for one in error.args[0]] == [
                ("home/d", "d"), ("home/d/theirs", "d/theirs")
            ], error
        else:
            raise AssertionError("somebody else's times were set")
        assert vol.read_bytes("d/mine") == b"mine"
        assert vol.stat("d/mine").st_mtime == 1
        assert vol.copytree("home/d", "home/copy") == "home/copy"
        assert vol.stat("home/copy/mine").st_mtime == 1
    """
)


@pytest.mark.skipif(os.geteuid() != 0, reason="to be somebody else takes root")
def test_attributes_of_somebody_elses_file_are_not_set(brick: BrickProcess) -> None:
    """It may be written to; its times and bits are its owner's, as with shutil."""
    subprocess.run(
        [sys.executable, "-W", "error", "-c", BY_ANOTHER, brick.url], check=True, timeout=PATIENCE
    )
    brick.wait_for(fds=0)
