"""``glusterio volume``: what running daemons serve, and the options of their volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glusterio.brick.option_table import OPTIONS
from glusterio.cli.daemons import Choice, daemon_of, daemons, question
from glusterio.cli.errors import CommandError
from glusterio.cli.output import tell
from glusterio.wire.programs import ControlProc


async def list_volumes(choice: Choice) -> None:
    """Tell the names of the volumes that are served."""
    for told in (await daemons(choice)).values():
        for volume in told["volumes"]:
            tell({"name": volume["name"], "url": volume["url"]}, volume["name"])


async def info(choice: Choice, name: str | None) -> None:
    """Tell of volumes where they are and what is set."""
    for path, told in (await _serving(choice, name)).items():
        for volume in told["volumes"]:
            if name in (None, volume["name"]):
                tell({**volume, "daemon": told["daemon"], "control": path}, _info(volume, told))


def _info(volume: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    rows = {
        "Volume": volume["name"],
        "URL": volume["url"],
        "Directory": volume["directory"],
        "Volume ID": volume["volume_id"],
        "Brick": f"port {volume['port']}" if volume["running"] else "not running",
        "Daemon": f"process {told['daemon']['pid']}, port {told['daemon']['port']}",
    }
    lines = [f"{what + ':':<11} {text}" for what, text in rows.items()]
    if volume["options"]:
        lines.append("Options:")
        lines += [f"    {option}: {value}" for option, value in sorted(volume["options"].items())]
    return "\n".join([*lines, ""])


async def status(choice: Choice, name: str | None) -> None:
    """Tell of volumes how many use them, and what they hold."""
    for path in await _serving(choice, name):
        for dump in (await question(path, ControlProc.STATEDUMP, name or ""))["volumes"]:
            counts = {key: value for key, value in dump.items() if isinstance(value, int)}
            clients = [client for client in dump["clients"] if client["uid"] is not None]
            record = {"name": dump["volume"], "url": dump["url"], "clients": len(clients), **counts}
            tell(record, "\n".join([*(f"{k}: {v}" for k, v in record.items()), ""]))


async def get(choice: Choice, name: str, wanted: Sequence[str]) -> None:
    """Tell the values of a volume's options."""
    path = await daemon_of(choice, name)
    told = await question(path, ControlProc.GET, name, dict.fromkeys(wanted, ""))
    _tell_options(told)


async def change(choice: Choice, name: str, words: Sequence[str]) -> None:
    """Set options of a volume.

    Args:
        choice: which daemon is meant.
        name: the volume.
        words: names and values in turn.
    """
    if len(words) % 2:
        raise CommandError(f"{words[-1]} has no value: OPTION VALUE [OPTION VALUE ...]")
    changes = dict(zip(words[::2], words[1::2], strict=True))
    path = await daemon_of(choice, name)
    _tell_options(await question(path, ControlProc.SET, name, changes))


async def reset(choice: Choice, name: str, wanted: Sequence[str]) -> None:
    """Put options of a volume, or all, back to their defaults."""
    path = await daemon_of(choice, name)
    _tell_options(await question(path, ControlProc.RESET, name, dict.fromkeys(wanted, "")))


def list_options() -> None:
    """Tell which options there are."""
    for option in OPTIONS.values():
        record = {
            "name": option.name,
            "kind": option.kind.word,
            "default": option.default,
            "what": option.what,
        }
        default = f", {option.default} by default" if option.default else ""
        tell(record, f"{option.name} ({option.kind.word}{default})\n    {option.what}")


def _tell_options(told: Mapping[str, Any]) -> None:
    for option in told["options"]:
        mark = "" if option["is_set"] else "  (default)"
        text = f"{option['name']:<45} {option['value']}{mark}".rstrip()
        tell({"volume": told["volume"], **option}, text)


async def _serving(choice: Choice, name: str | None) -> dict[str, Any]:
    """Return the daemons that are meant, or the one that serves a volume."""
    found = await daemons(choice)
    if name is None:
        return found
    path = await daemon_of(choice, name)
    return {path: found[path]}
