"""`mkdir -m`, `rmdir`, `touch`, `truncate`, `rm -v`."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from tests.cli.conftest import Run


def test_mkdir_with_a_mode(gl: Run, place: str, root: Path) -> None:
    before = os.umask(0o077)
    try:
        gl("mkdir", "-m", "1770", f"{place}/a").check()
        gl("mkdir", "-pm", "g=rwx,o=", f"{place}/b/c").check()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((root / name).stat().st_mode) for name in ("a", "b", "b/c")]
    assert [f"{mode:o}" for mode in modes] == ["1770", "700", "770"]
    gl("mkdir", "-pm", "700", f"{place}/a").check()
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o1770
    assert gl("mkdir", "-m", "no", f"{place}/d").code == 2
    (done,) = gl("mkdir", "-p", "--json", f"{place}/x/y/z", f"{place}/a").check().records
    assert done == {"made": 3}


def test_rmdir(gl: Run, place: str, root: Path) -> None:
    (root / "a").mkdir()
    (root / "b" / "c").mkdir(parents=True)
    (root / "f").touch()
    assert gl("rmdir", f"{place}/a", f"{place}/b", f"{place}/f").failed() == [
        f"cannot remove the directory '{place}/b': Directory not empty",
        f"cannot remove the directory '{place}/f': Not a directory",
    ]
    assert sorted(os.listdir(root)) == ["b", "f"]


def test_rm_tells(gl: Run, place: str, root: Path) -> None:
    (root / "d" / "e").mkdir(parents=True)
    (root / "d" / "f").touch()
    (root / "g").touch()
    assert gl("rm", "-v", f"{place}/g").check().text == f"removed {place}/g\n"
    (done,) = gl("rm", "-r", "--json", f"{place}/d").check().records
    assert done == {"removed": 1}


def test_touch(gl: Run, place: str, root: Path) -> None:
    (root / "old").write_text("kept")
    os.utime(root / "old", (0, 0))
    before = time.time() - 1
    gl("touch", f"{place}/old", f"{place}/new").check()
    assert all((root / name).stat().st_mtime >= before for name in ("old", "new"))
    assert (root / "old").read_text() == "kept"
    gl("touch", "-c", f"{place}/never").check()
    assert sorted(os.listdir(root)) == ["new", "old"]
    assert len(gl("touch", f"{place}/no/such").failed()) == 1


def test_truncate(gl: Run, place: str, root: Path) -> None:
    (root / "f").write_text("0123456789")
    gl("truncate", "-s", "4", f"{place}/f").check()
    assert (root / "f").read_text() == "0123"
    gl("truncate", "-s", "1.5M", f"{place}/f", f"{place}/new").check()
    assert (root / "new").stat().st_size == (root / "f").stat().st_size == 1536 * 1024
    gl("truncate", "-cs", "0", f"{place}/never").check()
    assert not (root / "never").exists()
    assert gl("truncate", "-s", "much", f"{place}/f").code == 2
    assert gl("truncate", f"{place}/f").code == 2
