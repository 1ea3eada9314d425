"""``glusterio statedump``: what goes on in a running daemon."""

from __future__ import annotations

from glusterio.brick.statedump import as_text
from glusterio.cli.daemons import Choice, daemon_of, daemons, question
from glusterio.cli.output import tell
from glusterio.wire.programs import ControlProc


async def statedump(choice: Choice, name: str | None) -> None:
    """Tell of a volume, or of all, who uses it and what is under way.

    Args:
        choice: which daemon is meant.
        name: the volume; ``None`` for all of every daemon.
    """
    paths = list(await daemons(choice)) if name is None else [await daemon_of(choice, name)]
    for path in paths:
        for dump in (await question(path, ControlProc.STATEDUMP, name or ""))["volumes"]:
            tell(dump, as_text(dump))
