"""Write docs/reference/command.md: every command of ``glusterio``, with all its options.

The page is made of the command line itself, so it says what ``--help`` says. ``--check`` writes nothing
and fails when the page is not what the command line gives now; the test suite does the same.

    python tools/command_page.py
    python tools/command_page.py --check
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import typer

from glusterio.cli import output
from glusterio.cli.app import app
from glusterio.cli.attributes import record
from glusterio.cli.root import DEBUG_HELP, HELP, JSON_HELP

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "command.md"

#: Options that all commands have: said once.
COMMON = {"json", "debug"}

HEAD = """\
# The command

<!-- Made by tools/command_page.py from the command line itself. -->

`pip install 'glusterio[cli]'` brings the command `glusterio`. {intro}

## All commands

| command | |
| --- | --- |
{index}

## What all have in common

| option | |
| --- | --- |
{common}

They may stand before the command's name or behind it. `glusterio --version` tells the version.

### JSON

{json}

What each command tells is said below. *The attributes* of a file are {attributes}; sizes are in bytes,
times in UTC and to the nanosecond.

```console
$ glusterio find gluster://server1/gv0/logs --size +1G --json | jq -r .path
$ glusterio cp -r --resume --json src gluster://server1/gv0/backup | jq '{{files, skipped, seconds}}'
{{"files": 310, "skipped": 800, "seconds": 4.731}}
```

### The shell

`glusterio --install-completion` has bash, zsh or fish complete commands, options, and places: a place
that is half typed is completed by listing its directory on the volume, for two seconds at most.

Colours and progress bars are for terminals; `NO_COLOR` is heeded.

{sections}"""


def commands(group: Any, lead: str = "") -> list[tuple[str, Any]]:
    """Return every command with its whole name, those of groups behind the group's name."""
    found = []
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found += commands(command, f"{lead}{name} ")
        else:
            found.append((lead + name, command))
    return found


def cell(text: str) -> str:
    """Return text for a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")


def spelled(option: Any) -> str:
    """Return an option as it is written."""
    words = ", ".join(f"`{name}`" for name in sorted(option.opts, key=lambda name: len(name)))
    if option.is_flag:
        return words
    what = option.metavar or option.name.upper().replace("_", "-")
    return f"{words} `{what}`".replace("|", "\\|")


def meaning(option: Any) -> str:
    """Return what an option means, and what it is when it is not said."""
    text = cell(option.help or "")
    shown = option.show_default
    default = shown if isinstance(shown, str) else option.default
    if option.is_flag or not shown or default is None:
        return f"{text} May be repeated." if option.multiple and "repeated" not in text else text
    return f"{text} Default: {cell(str(default))}."


def prose(text: str) -> str:
    """Return a help text as Markdown: what it has laid out by hand becomes code."""
    blocks = []
    for block in text.split("\n\n"):
        if block.startswith("\b"):
            lines = [line.strip() for line in block.splitlines()[1:]]
            if lines[0] == "Examples:":
                lines = [f"$ {line}" for line in lines[1:]]
            blocks.append("```console\n" + "\n".join(lines) + "\n```")
        else:
            blocks.append(block.strip())
    return "\n\n".join(blocks)


def section(name: str, command: Any) -> str:
    """Return what there is to say of a command."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name not in COMMON]
    usage = " ".join(
        ["glusterio", name, *(["[OPTIONS]"] if options else []), *(a.metavar for a in arguments)]
    )
    lines = [f"## {name}", "", f"`{usage}`", "", prose(command.help or "")]
    if options:
        lines += ["", "| option | |", "| --- | --- |"]
        lines += [f"| {spelled(option)} | {meaning(option)} |" for option in options]
    return "\n".join(lines)


def page() -> str:
    """Return the page."""
    every = commands(typer.main.get_command(app))
    index = [
        f"| [`{name}`](#{name.replace(' ', '-')}) | {cell((command.help or '').split(chr(10))[0])} |"
        for name, command in every
    ]
    intro = HELP.split("\n\n", 1)[1].split("\n\nWith --json")[0]
    exits = HELP.rsplit("\n\n", 1)[1]
    told = (output.__doc__ or "").split("\n\n", 1)[1].replace("``", "`").strip()
    common = [
        f"| `--json` | {JSON_HELP} |",
        f"| `--debug` | {DEBUG_HELP} |",
        "| `-h`, `--help` | Tell of the options; `-h` means something else in `ls`, `du`, `df`. |",
    ]
    return HEAD.format(
        intro=prose(intro) + "\n\n" + exits.strip(),
        index="\n".join(index),
        common="\n".join(common),
        json=told,
        attributes=", ".join(f"`{name}`" for name in record(os.stat(PAGE.parent.parent))),
        sections="\n\n".join(section(name, command) for name, command in every) + "\n",
    )


def main() -> int:
    """Write the page, or with ``--check`` compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        if PAGE.read_text(encoding="utf-8") == page():
            return 0
        print(
            f"{PAGE} is not what the command line says: run tools/command_page.py", file=sys.stderr
        )
        return 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
