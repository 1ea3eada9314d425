"""Permission bits, as GNU chmod has them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from glusterio.cli.modes import parse_mode
from tests.cli.conftest import Run

MODES = [
    "0", "7", "644", "755", "2755", "4711", "1777", "00755", "02750",
    "u+x", "g-w", "o=r", "a+x", "+x", "+w", "-w", "=r", "=", "u=", "u+rwX", "a+X", "-X",
    "u+rwX,go-w", "u=rwx,g=rx,o=", "ug+s", "u+s", "g+s", "+s", "-s", "u-s", "g-s", "=s", "a+s", "o+s",
    "+t", "-t", "o+t", "u+t", "a=rwxst", "g=u", "o=g", "u=o", "go=u", "g+u", "o-g", "u+w-x", "u=rw+x-w",
    "a=,u+rw", "ugo+x", "uo+w", "g=u,u=", "u=rwx,u=", "=u", "+g",
]  # fmt: skip
STARTS = [0o000, 0o644, 0o755, 0o711, 0o600, 0o7777, 0o2755, 0o4755, 0o1777, 0o6444]


def test_as_gnu_chmod(tmp_path: Path) -> None:
    paths = []
    for start in STARTS:
        (tmp_path / f"f{start:o}").touch()
        (tmp_path / f"d{start:o}").mkdir()
        paths += [(tmp_path / f"f{start:o}", start), (tmp_path / f"d{start:o}", start)]
    wrong = []
    for text in MODES:
        for path, start in paths:
            path.chmod(start)
        # It fails where the umask kept it from what the mode says, and does what it does all the same.
        subprocess.run(["chmod", "-f", "--", text, *(p for p, _ in paths)], umask=0o027)
        for path, start in paths:
            found = parse_mode(text)(start, is_directory=path.is_dir(), umask=0o027)
            expected = path.stat().st_mode & 0o7777
            if found != expected:
                wrong.append(f"{text} {path.name}: {found:04o}, not {expected:04o}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "text", ["", "8", "999", "u", "u+", "+q", "u+rg", "u+x,", "123456", "x", "u+x g-w"]
)
def test_no_modes(text: str) -> None:
    if text == "u+":
        assert parse_mode(text)(0o644, is_directory=False, umask=0) == 0o644
        return
    with pytest.raises(ValueError, match="no mode"):
        parse_mode(text)


def test_chmod(gl: Run, place: str, root: Path, tmp_path: Path) -> None:
    for base in (root, tmp_path / "twin"):
        (base / "d" / "e").mkdir(parents=True)
        (base / "d" / "f").touch(0o600)
        (base / "d" / "x").touch(0o711)
        (base / "d" / "e").chmod(0o700)
        (base / "d" / "l").symlink_to("../out")
        (base / "out").touch(0o600)
    for mode in ("g+rwX", "a-w", "u=rwX,go=", "750"):
        gl("chmod", "-R", mode, f"{place}/d").check()
        subprocess.run(["chmod", "-R", mode, tmp_path / "twin" / "d"], check=True)
        for name in (".", "e", "f", "x", "../out"):
            there, here = ((base / "d" / name).stat().st_mode for base in (root, tmp_path / "twin"))
            assert f"{there:o}" == f"{here:o}", (mode, name)
    (done,) = gl("chmod", "--json", "a-x", f"{place}/d/x", f"{place}/d/f").check().records
    assert done == {"files": 2, "changed": 2}
    lines = gl("chmod", "-v", "-R", "700", f"{place}/d").check().text.splitlines()
    assert f"{place}/d/x: 0640 -> 0700" in lines
    assert gl("chmod", "u+x", f"{place}/nope").failed() == [
        f"cannot change the mode of '{place}/nope': No such file or directory"
    ]
    assert gl("chmod", "zz", place).code == 2
    gl("chmod", "-w", f"{place}/d/x").check()
    assert (root / "d" / "x").stat().st_mode & 0o777 == 0o500
    assert (os.stat(root / "out").st_mode & 0o777) == 0o600
