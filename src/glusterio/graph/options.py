"""The values of a volfile's options: words for truth, sizes, times, percentages.

Each reader takes the text of an option and raises ``ValueError`` for what it cannot read;
:func:`option` looks a value up, and names the option when it is wrong::

    wanted = option(volume.options, "ping-timeout", seconds, 42)

Source: GlusterFS libglusterfs/src/common-utils.c, the ``gf_string2...`` functions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from glusterio.errors import VolfileError

T = TypeVar("T")
N = TypeVar("N", int, float)

_TRUE: Final = frozenset(("1", "on", "yes", "true", "enable"))
_FALSE: Final = frozenset(("0", "off", "no", "false", "disable"))

_UNITS: Final = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40, "PB": 2**50}
_SPANS: Final = {
    "": 1,
    "s": 1,
    "sec": 1,
    "m": 60,
    "min": 60,
    "h": 3600,
    "hr": 3600,
    "d": 86_400,
    "days": 86_400,
    "w": 604_800,
    "wk": 604_800,
}
_LARGEST: Final = 2**63 - 1
#: How much of a name an error shows.
_SHOWN: Final = 60

_INTEGER: Final = re.compile(r"\s*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))")
_DECIMAL: Final = re.compile(r"\s*\+?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def option(options: Mapping[str, str], key: str, read: Callable[[str], T], default: T) -> T:
    """Return an option's value, or ``default`` when it is not set.

    Args:
        options: a volume's options.
        key: the option's name.
        read: one of the readers below, or any other that raises ``ValueError``.
        default: what it is when the volfile does not say.

    Raises:
        VolfileError: the value cannot be read.
    """
    text = options.get(key)
    if text is None:
        return default
    try:
        return read(text)
    except ValueError as error:
        raise VolfileError(f"option {key}: {error}") from None


def boolean(text: str) -> bool:
    """Read ``on``, ``yes``, ``true``, ``enable`` or ``1``, or their opposites, in any case.

    Raises:
        ValueError: any other word (``gf_string2boolean``).
    """
    word = text.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{text!r} is neither on nor off")


def integer(text: str) -> int:
    """Read a whole number of 64 bits: decimal, ``0x`` and hexadecimal, or ``0`` and octal.

    Raises:
        ValueError: anything else, or too large (``gf_string2int64``).
    """
    number, rest = _leading_integer(text)
    if rest:
        raise ValueError(f"{text!r} is not a whole number")
    return number


def size(text: str) -> int:
    """Read a number of bytes: ``65536``, ``128KB``, ``1.5GB``; units of 1024, in any case.

    Raises:
        ValueError: negative, an unknown unit, or not below 2**63 (``gf_string2bytesize_range``).
    """
    match = _DECIMAL.match(text)
    factor = _UNITS.get(text[match.end() :].upper()) if match is not None else None
    if match is None or factor is None:
        raise ValueError(f"{text!r} is not a size")
    digits = match.group(1)
    if "." not in digits:
        return _bounded(int(digits) * factor, text)
    value = float(digits) * factor
    return int(_bounded(value, text))


def seconds(text: str) -> int:
    """Read a time: ``42``, ``42s``, ``10min``, ``2hr``, ``1days``, ``1wk``, or their first letters.

    Raises:
        ValueError: negative, or an unknown unit (``gf_string2time``).
    """
    number, rest = _leading_integer(text)
    factor = _SPANS.get(rest)
    if factor is None or "-" in text:
        raise ValueError(f"{text!r} is not a time")
    return _bounded(number * factor, text)


def port(text: str) -> int:
    """Read the number of a port.

    Raises:
        ValueError: no port has this number.
    """
    number, rest = _leading_integer(text)
    if rest or not 0 < number < 65536:
        raise ValueError(f"{text!r} is no port")
    return number


def host(text: str) -> str:
    """Read the name or the address of a machine.

    Raises:
        ValueError: no machine can have it (RFC 1035 section 2.3.4).
    """
    labels = text.removesuffix(".").split(".")
    if len(text) <= 255 and text.isascii() and all(0 < len(label) < 64 for label in labels):
        return text
    try:
        text.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"{text[:_SHOWN]!r} is no machine's name: {error}") from None
    return text


def percent(text: str) -> float:
    """Read a percentage, with or without its sign: ``90%`` is 90.0.

    Raises:
        ValueError: negative, or not a number (``gf_string2percent``).
    """
    match = _DECIMAL.match(text)
    if match is None or text[match.end() :] not in ("", "%"):
        raise ValueError(f"{text!r} is not a percentage")
    value = float(match.group(1))
    if math.isinf(value):
        raise ValueError(f"{text!r} is too large")
    return value


def _leading_integer(text: str) -> tuple[int, str]:
    match = _INTEGER.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a number")
    sign, hexadecimal, octal, decimal = match.groups()
    if hexadecimal:
        value = int(hexadecimal, 16)
    else:
        value = int(octal, 8) if octal else int(decimal)
    _bounded(value, text)
    return (-value if sign == "-" else value), text[match.end() :]


def _bounded(value: N, text: str) -> N:
    if value > _LARGEST:
        raise ValueError(f"{text!r} is too large")
    return value
