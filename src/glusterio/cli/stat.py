"""``glusterio stat``: all attributes of files."""

from __future__ import annotations

import os
import stat as stat_module

from glusterio.cli import attributes
from glusterio.cli.attributes import group, kind, local, user
from glusterio.cli.locations import Location
from glusterio.cli.output import shown, tell
from glusterio.cli.sides import VolumeSide
from glusterio.cli.volumes import Complaints, at_each


async def stat_places(targets: list[str], follow: bool) -> None:
    """Tell all attributes of what is at places.

    Args:
        targets: the places.
        follow: of what a symbolic link leads to, rather than its own.
    """

    async def one(side: VolumeSide, place: Location, _: Complaints) -> None:
        status = await side.stat(place.path, follow)
        found = {"path": place.text, **attributes.record(status)}
        link = None
        if stat_module.S_ISLNK(status.st_mode):
            link = found["target"] = await side.readlink(place.path)
        tell(found, _lines(place.text, link, status))

    await at_each(targets, "stat", one)


def _lines(name: str, link: str | None, status: os.stat_result) -> str:
    mode = status.st_mode
    rows = {
        "File": shown(name) + (f" -> {shown(link)}" if link is not None else ""),
        "Type": kind(mode),
        "Size": f"{status.st_size}  Blocks: {status.st_blocks}  IO block: {status.st_blksize}",
        "Inode": f"{status.st_ino}  Links: {status.st_nlink}",
        "Mode": f"{stat_module.S_IMODE(mode):04o}  {stat_module.filemode(mode)}",
        "Owner": f"{status.st_uid} {user(status.st_uid)}  Group: {status.st_gid} "
        f"{group(status.st_gid)}",
        "Access": local(status.st_atime_ns),
        "Modify": local(status.st_mtime_ns),
        "Change": local(status.st_ctime_ns),
    }
    return "\n".join(f"{what + ':':>8} {text}" for what, text in rows.items())
