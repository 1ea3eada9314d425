"""The examples in the documentation are run as they stand, against a brick of our own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded import BrickProcess

DOCS = Path(__file__).parent.parent / "docs"

#: The pages whose examples are run, and how many each has.
PAGES = {"logging.md": 1, "metrics.md": 2, "reference/options.md": 1}


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_run(page: str, brick: BrickProcess, tmp_path: Path) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == PAGES[page]
    for number, example in enumerate(examples):
        program = tmp_path / f"example{number}.py"
        local = re.sub(r"gluster://[^\"]*", brick.url, example).replace(
            "start_http_server(9100)", 'start_http_server(0, "127.0.0.1")'
        )
        program.write_text(local, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-W", "error", str(program)],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
    brick.wait_for(fds=0)
