"""Write the table of options into docs/reference/serve.md, from glusterio.brick.option_table.

``--check`` writes nothing and fails when the page holds another table; the test suite does the same.

    python tools/option_page.py
    python tools/option_page.py --check
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from glusterio.brick.option_table import OPTIONS
from glusterio.graph.volume_options import VolumeOption

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "serve.md"

BEGIN = "<!-- Made by tools/option_page.py. -->\n"
END = "<!-- The end of what is made. -->\n"


def page(text: str) -> str:
    """Return the page with the table of today in it."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


def table() -> str:
    """Return the table."""
    lines = ["| option | value | default | acts in | |", "| --- | --- | --- | --- | --- |"]
    lines += [_row(option) for option in OPTIONS.values()]
    return "\n".join(["", *lines, "", ""])


def _row(option: VolumeOption) -> str:
    default = f"`{option.default}`" if option.default else ""
    where = ", ".join(dict.fromkeys(target.xlator for target in option.targets))
    return f"| `{option.name}` | {option.kind.word} | {default} | {where} | {option.what} |"


def main() -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, and fail if it differs"
    )
    checking = parser.parse_args().check
    before = PAGE.read_text(encoding="utf-8")
    after = page(before)
    if checking:
        return int(before != after)
    PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
