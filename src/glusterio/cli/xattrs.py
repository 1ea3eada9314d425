"""``glusterio xattr``: extended attributes, as getfattr and setfattr write their values.

A value is bytes. It is written as text, as ``0x`` and hexadecimal digits, or as ``0s`` and base64; and
is understood so (attr(1), "encoding").
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable

from glusterio.cli.locations import Location
from glusterio.cli.output import shown, tell
from glusterio.cli.sides import VolumeSide
from glusterio.cli.volumes import Complaints, at_each

ENCODINGS = ("text", "hex", "base64")


def encoded(value: bytes, encoding: str | None) -> tuple[str, str]:
    """Write a value; return it and the encoding: text where it is text, unless one is wanted."""
    if encoding is None:
        encoding = "text" if _is_text(value) else "hex"
    if encoding == "hex":
        return f"0x{value.hex()}", encoding
    if encoding == "base64":
        return f"0s{base64.b64encode(value).decode()}", encoding
    return value.decode(errors="surrogateescape"), encoding


def _is_text(value: bytes) -> bool:
    try:
        return value.decode().isprintable()
    except UnicodeDecodeError:
        return False


def decoded(text: str, encoding: str | None) -> bytes:
    """Understand a value: by its ``0x`` or ``0s``, unless an encoding is given.

    Raises:
        ValueError: it is not in that encoding.
    """
    if encoding is None:
        encoding = {"0x": "hex", "0s": "base64"}.get(text[:2].lower(), "text")
    try:
        if encoding == "hex":
            return bytes.fromhex(_behind(text, "0x"))
        if encoding == "base64":
            return base64.b64decode(_behind(text, "0s"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"{text!r} is not {encoding}: {error}") from None
    return os.fsencode(text)


def _behind(text: str, prefix: str) -> str:
    return text[2:] if text[:2].lower() == prefix else text


async def get(targets: list[str], name: str, encoding: str | None, follow: bool) -> None:
    """Tell the value of an attribute."""
    with_places = len(targets) > 1

    async def one(side: VolumeSide, place: Location, _: Complaints) -> None:
        value = await side.volume.getxattr(place.path or "/", name, follow_symlinks=follow)
        text, used = encoded(value, encoding)
        tell(
            {"path": place.text, "name": name, "value": text, "encoding": used},
            f"{shown(place.text)}: {shown(text)}" if with_places else shown(text),
        )

    await at_each(targets, f"get {name} of", one)


async def list_names(targets: list[str], values: bool, encoding: str | None, follow: bool) -> None:
    """List the attributes, with their values if wanted."""
    with_places = len(targets) > 1

    async def one(side: VolumeSide, place: Location, _: Complaints) -> None:
        volume, path = side.volume, place.path or "/"
        for name in sorted(await volume.listxattr(path, follow_symlinks=follow)):
            found: dict[str, object] = {"path": place.text, "name": name}
            line = shown(name)
            if values:
                value = await volume.getxattr(path, name, follow_symlinks=follow)
                text, used = encoded(value, encoding)
                found |= {"value": text, "encoding": used}
                line += f"={shown(text)}"
            tell(found, f"{shown(place.text)}: {line}" if with_places else line)

    await at_each(targets, "list the attributes of", one)


async def put(targets: list[str], name: str, value: bytes, flags: int, follow: bool) -> None:
    """Set an attribute."""
    count, summary = _counted("set")

    async def one(side: VolumeSide, place: Location, _: Complaints) -> None:
        await side.volume.setxattr(place.path or "/", name, value, flags, follow_symlinks=follow)
        count()

    await at_each(targets, f"set {name} of", one, summary)


async def remove(targets: list[str], name: str, follow: bool) -> None:
    """Remove an attribute."""
    count, summary = _counted("removed")

    async def one(side: VolumeSide, place: Location, _: Complaints) -> None:
        await side.volume.removexattr(place.path or "/", name, follow_symlinks=follow)
        count()

    await at_each(targets, f"remove {name} of", one, summary)


def _counted(what: str) -> tuple[Callable[[], None], Callable[[], dict[str, object]]]:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1

    return count, lambda: {what: done}
