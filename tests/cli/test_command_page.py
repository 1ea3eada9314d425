"""docs/reference/command.md says what the command line says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_page_is_that_of_the_command_line() -> None:
    spec = importlib.util.spec_from_file_location(
        "command_page", ROOT / "tools" / "command_page.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run tools/command_page.py"
    named = {name for name, _ in module.commands(module.typer.main.get_command(module.app))}
    assert {"ls", "cp", "mv", "volume set"} <= named
