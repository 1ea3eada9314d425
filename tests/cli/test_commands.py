from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, PATIENCE, Run
from tests.embedded import BrickProcess


@pytest.fixture
def root(root: Path) -> Path:
    """The directory, with something in it."""
    (root / "d" / "e").mkdir(parents=True)
    (root / "d" / "f").write_text("12345")
    (root / ".hidden").touch()
    (root / "l").symlink_to("d/f")
    return root


@pytest.mark.usefixtures("root")
def test_ls(gl: Run, place: str) -> None:
    assert gl("ls", place).check().text == "d\nl\n"
    assert gl("ls", "-a", place).check().text == ".hidden\nd\nl\n"
    assert gl("ls", f"{place}/d/f").check().text == f"{place}/d/f\n"
    assert gl("ls", f"{place}/l").check().text == f"{place}/l\n"
    assert gl("ls", "-R", place).check().text == (
        f"{place}:\nd\nl\n\n{place}/d:\ne\nf\n\n{place}/d/e:\n"
    )
    lines = gl("ls", "-l", place, f"{place}/d").check().text.splitlines()
    assert lines[0] == f"{place}:"
    assert re.fullmatch(r"drwxr-xr-x +3 \w+ +\w+ +\d+ \w\w\w [ \d]\d \d\d:\d\d d", lines[1])
    assert re.fullmatch(r"lrwxrwxrwx +1 .* 3 .* l -> d/f", lines[2].replace("  ", " "))
    assert re.fullmatch(r"-rw-r--r-- 1 .* +5 .* f", lines[-1])


def test_ls_writes_names_as_they_are(glusterio: Run, place: str, root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/d/\xff\xfe")).touch()
    assert glusterio("ls", f"{place}/d").check().out == b"e\nf\n\xff\xfe\n"


@pytest.mark.usefixtures("root")
def test_cat(gl: Run, place: str, tmp_path: Path) -> None:
    big = os.urandom(5 * 1024 * 1024 + 3)
    (tmp_path / "big").write_bytes(big)
    gl("cp", "big", place).check()
    assert gl("cat", f"{place}/big", f"{place}/l").check().out == big + b"12345"
    assert gl("cat", f"{place}/nope").failed() == [
        f"cannot read '{place}/nope': No such file or directory"
    ]
    assert gl("cat", f"{place}/d").failed() == [f"cannot read '{place}/d': Is a directory"]


@pytest.mark.usefixtures("brick")
def test_nobody_reads_what_cat_writes(glusterio: Run, place: str, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(8 * 1024 * 1024))
    glusterio("cp", "big", place).check()
    with subprocess.Popen(
        [*COMMAND, "cat", f"{place}/big"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 141


@pytest.mark.usefixtures("root")
def test_stat(gl: Run, place: str) -> None:
    text = gl("stat", f"{place}/d/f").check().text
    assert f"File: {place}/d/f\n" in text
    assert "Type: regular file\n" in text
    assert "Size: 5 " in text
    assert "Mode: 0644  -rw-r--r--\n" in text
    assert f"File: {place}/l -> d/f\n" in gl("stat", f"{place}/l").check().text
    (line,) = gl("stat", f"{place}/nope").failed()
    assert line == f"cannot stat '{place}/nope': No such file or directory"


def test_mkdir(gl: Run, place: str, root: Path) -> None:
    gl("mkdir", f"{place}/one", f"{place}/two").check()
    assert (root / "two").is_dir()
    assert gl("mkdir", f"{place}/one", f"{place}/a/b").failed() == [
        f"cannot make the directory '{place}/one': File exists",
        f"cannot make the directory '{place}/a/b': No such file or directory",
    ]
    gl("mkdir", "-p", f"{place}/a/b", f"{place}/one").check()
    assert (root / "a" / "b").is_dir()
    assert len(gl("mkdir", "-p", f"{place}/d/f").failed()) == 1


def test_rm(gl: Run, place: str, root: Path) -> None:
    gl("rm", f"{place}/l").check()
    assert (root / "d" / "f").exists()
    assert gl("rm", f"{place}/nope", f"{place}/d").failed() == [
        f"cannot remove '{place}/nope': No such file or directory",
        f"cannot remove '{place}/d': it is a directory (-r removes those)",
    ]
    gl("rm", "-f", f"{place}/nope").check()
    (root / "d" / "link").symlink_to("../.hidden")
    gl("rm", "-r", f"{place}/d").check()
    assert os.listdir(root) == [".hidden"]


def test_rm_leaves_the_volume_itself(gl: Run, brick: BrickProcess) -> None:
    (line,) = gl("rm", "-rf", brick.url).failed()
    assert line == f"cannot remove '{brick.url}': it has no name"


def test_a_volume_in_this_very_process(glusterio: Run, tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "f").write_text("here")
    url = f"embedded://{tmp_path}/dir"
    glusterio("cp", "f", url).check()
    assert glusterio("cat", f"{url}#/f").check().text == "here"
    assert (tmp_path / "dir" / "f").read_text() == "here"


def test_no_such_volume(gl: Run, tmp_path: Path) -> None:
    def says(url: str) -> str:
        (line,) = gl("ls", url).failed()
        return line

    assert says("here") == "'here' is not on a volume: gluster://HOST/VOLUME/PATH, for instance"
    assert "a volume's URL begins with" in says("nfs://host/volume")
    assert says("volfile:///nope.vol#/x") == (
        "cannot connect to volfile:///nope.vol: No such file or directory"
    )
    (tmp_path / "bad.vol").write_text("volume x\n type cluster/disperse\nend-volume\n")
    assert "cluster/disperse" in says(f"volfile://{tmp_path}/bad.vol")


def test_debug_shows_the_traceback(glusterio: Run) -> None:
    for words in (["--debug", "ls"], ["ls", "--debug"]):
        result = glusterio(*words, "volfile:///nope.vol")
        assert result.code == 1
        assert "Traceback (most recent call last)" in result.err
        assert result.err.splitlines()[-1].startswith("glusterio: cannot connect")


def test_wrong_words(glusterio: Run) -> None:
    assert glusterio("cp", "alone").code == 2
    assert glusterio("fly").code == 2
    without_arguments = glusterio("ls")
    assert without_arguments.code == 2
    assert without_arguments.err.startswith("Usage: glusterio ls [OPTIONS] URL/PATH...\n")


def test_help_and_version(glusterio: Run) -> None:
    assert "volfile:///etc/gv0.vol#/dir/file" in glusterio("--help").check().text
    assert glusterio("--version").check().text.startswith("glusterio 0.")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra(missing: str) -> None:
    program = (
        f"import sys, runpy; sys.modules[{missing!r}] = None;"
        " runpy.run_module('glusterio', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert done.stderr.startswith(
        b"glusterio: the command line needs more: pip install 'glusterio[cli]'\n"
    )
