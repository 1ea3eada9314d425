"""Reading a configuration: which constants, which formula, what to look at. The format is TLC's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from glusterio.verify.tla import SpecError


@dataclass
class Config:
    """A configuration.

    Attributes:
        specification: the name of the formula to explore.
        constants: the value of each constant.
        members: of each constant set of model values, their names; the first is 1, and so on.
        invariants, properties: the names of what to look at.
        symmetry: whether states that differ in model values alone are taken as one.
    """

    specification: str = ""
    constants: dict[str, Any] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    invariants: list[str] = field(default_factory=list)
    properties: list[str] = field(default_factory=list)
    symmetry: bool = False


def read(text: str) -> Config:
    """Read a configuration's text.

    Raises:
        SpecError: a line that is not known.
    """
    config = Config()
    for line in text.splitlines():
        line = line.split("\\*")[0].rstrip()
        words = line.split()
        if not words or words == ["CONSTANTS"]:
            continue
        if words[0] == "SPECIFICATION":
            config.specification = words[1]
        elif words[0] == "INVARIANTS":
            config.invariants += words[1:]
        elif words[0] == "PROPERTIES":
            config.properties += words[1:]
        elif words[0] == "SYMMETRY":
            config.symmetry = True
        elif len(words) > 2 and words[1] == "=":
            config.constants[words[0]] = _value(words[0], line.split("=", 1)[1].strip(), config)
        else:
            raise SpecError(f"configuration: cannot read {line!r}")
    return config


def _value(constant: str, text: str, config: Config) -> Any:
    if text in ("TRUE", "FALSE"):
        return text == "TRUE"
    if re.fullmatch(r"\d+", text):
        return int(text)
    if text.startswith('"'):
        return text.strip('"')
    if text.startswith("{"):
        names = [name.strip() for name in text.strip("{}").split(",") if name.strip()]
        config.members[constant] = names
        return frozenset(range(1, len(names) + 1))
    raise SpecError(f"configuration: cannot read {text!r}")
