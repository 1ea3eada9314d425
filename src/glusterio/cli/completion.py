"""What the shell is offered for a place that is half typed: names on the volume; and other names.

The directory is asked for on the volume itself, and whatever keeps it from answering soon is no news to
somebody who has pressed a key: nothing is offered then. A place on this machine is the shell's own
matter, and it is so when nothing is offered.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glusterio import aio
    from glusterio.cli.locations import Location

#: How long a shell is kept waiting, in seconds.
PATIENCE = 2.0

_SCHEMES = ("gluster://", "gluster+tls://", "gluster+unix:///", "volfile:///", "embedded:///")

#: As typer's own, and more: names are quoted, and what is a directory's goes on behind it.
BASH = """
%(complete_func)s() {
    local IFS=$'\\n' word
    COMPREPLY=()
    for word in $( env COMP_WORDS="${COMP_WORDS[*]}" \\
                       COMP_CWORD=$COMP_CWORD \\
                       %(autocomplete_var)s=complete_bash $1 ); do
        COMPREPLY+=( "$(printf '%%q' "$word")" )
    done
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}

complete -o default -F %(complete_func)s %(prog_name)s
"""


def prepare() -> None:
    """Have typer install our script for bash, if it keeps its scripts where they are known to be."""
    try:
        from typer._completion_shared import _completion_scripts
    except ImportError:
        return
    _completion_scripts["bash"] = BASH


def complete_place(incomplete: str) -> list[str]:
    """Return what a place could become.

    Args:
        incomplete: what is typed of it; by bash only what is behind the last ``:`` or ``=`` of it.
    """
    cut = _cut_off(incomplete)
    typed = cut + incomplete
    if "://" not in typed:
        return [scheme for scheme in _SCHEMES if typed and scheme.startswith(typed)]
    try:
        found = asyncio.run(asyncio.wait_for(_complete(typed), PATIENCE))
    except Exception:
        return []
    return [text[len(cut) :] for text in found]


def _cut_off(incomplete: str) -> str:
    """Return what bash has cut off the word: it takes ``:`` and ``=`` for ends of words.

    (COMP_WORDBREAKS in bash(1); the completion function gets the pieces as words.)
    """
    if os.environ.get("_GLUSTERIO_COMPLETE") != "complete_bash":
        return ""
    try:
        words = shlex.split(os.environ["COMP_WORDS"])[: int(os.environ["COMP_CWORD"])]
    except (KeyError, ValueError):
        return ""
    cut = ""
    while words and (words[-1] in _BREAKS or cut.startswith(_BREAKS)):
        cut = words.pop() + cut
    return cut


#: What bash takes for a word of its own.
_BREAKS = (":", "=")


async def _complete(typed: str) -> list[str]:
    from glusterio import aio
    from glusterio.cli.locations import parse

    place = parse(typed)
    if not place.volume or len(typed) <= len(place.volume):
        return []
    volume = await aio.connect(place.volume, timeout=PATIENCE)
    try:
        found = await _names(volume, place)
        if len(found) == 1 and found[0].endswith("/") and _adds_spaces():
            found += await _names(volume, parse(found[0]))
        return found
    finally:
        await volume.close(timeout=PATIENCE, grace=0)


def _adds_spaces() -> bool:
    """Whether the shell goes on behind the only answer: not if there is what it could go on with."""
    return os.environ.get("_GLUSTERIO_COMPLETE") == "complete_zsh"


async def _names(volume: aio.Volume, place: Location) -> list[str]:
    directory, _, begun = place.path.rpartition("/")
    lead = place.text[: len(place.text) - len(begun)]
    found = []
    async with volume.scandir(directory or "/") as entries:
        async for entry in entries:
            name = entry.name
            if not name.startswith(begun) or not name.isprintable():
                continue
            if name.startswith(".") and not begun:
                continue
            slash = "/" if await entry.is_dir(follow_symlinks=False) else ""
            found.append(f"{lead}{name}{slash}")
    return sorted(found)


def complete_configuration(incomplete: str) -> list[str]:
    """Return the configurations of the shipped specification whose names begin so."""
    from glusterio.verify.shipped import expected

    try:
        return sorted(one.config for one in expected() if one.config.startswith(incomplete))
    except Exception:
        return []
