"""The README's examples are run as they stand, against a brick of our own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.embedded import start_brick

README = Path(__file__).parent.parent / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_examples_run(tmp_path: Path) -> None:
    assert len(EXAMPLES) >= 2
    served = tmp_path / "brick"
    served.mkdir()
    with start_brick(served) as brick:
        for number, example in enumerate(EXAMPLES):
            program = tmp_path / f"example{number}.py"
            text = re.sub(r"gluster://[^\"]*", brick.url, example)
            assert brick.url in text
            program.write_text(text, encoding="utf-8")
            done = subprocess.run(
                [sys.executable, "-W", "error", str(program)],
                capture_output=True,
                text=True,
                timeout=30,
            )
            assert done.returncode == 0, done.stderr
            assert "hello" in done.stdout or "handles drained   1" in done.stdout
        brick.wait_for(fds=0)
