"""The specification travels with the package: what is installed can check itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

PIP_WHEEL = [
    *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
    *("--no-deps", "--no-index", "--no-build-isolation"),
]
VERIFY = [sys.executable, "-P", "-m", "glusterio.cli", "verify", "FdLifecycle", "--json"]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Where a wheel of this very tree has been unpacked."""
    sources = tmp_path / "sources"
    sources.mkdir()  # a build leaves things beside what it builds
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    for name in ("src", "spec"):
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, sources / name, symlinks=True, ignore=ignore)
    subprocess.run(
        [*PIP_WHEEL, "--wheel-dir", tmp_path, sources],
        check=True,
        timeout=50,
    )
    (wheel,) = tmp_path.glob("glusterio-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    return tmp_path / "installed"


def test_a_wheel_has_all_of_the_specification_and_checks_it(installed: Path, tmp_path: Path):
    there = {path.relative_to(ROOT / "spec") for path in (ROOT / "spec").rglob("*.cfg")}
    there |= {path.relative_to(ROOT / "spec") for path in (ROOT / "spec").glob("*.tla")}
    packed = {
        path.relative_to(installed / "glusterio" / "spec")
        for suffix in ("cfg", "tla")
        for path in (installed / "glusterio" / "spec").rglob(f"*.{suffix}")
    }
    assert packed == there
    page = tmp_path / "page.html"
    run = subprocess.run(
        [*VERIFY, "--html", page],
        env=dict(os.environ, PYTHONPATH=str(installed)),
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=50,
    )
    verdicts = {(told := json.loads(line))["config"]: told for line in run.stdout.splitlines()}
    assert verdicts.keys() == {
        "FdLifecycle/drain",
        "FdLifecycle/no-drain",
        "FdLifecycle/no-drain-from-new",
    }
    assert all(told["as_expected"] for told in verdicts.values())
    assert "FdLifecycle/no-drain" in page.read_text()
