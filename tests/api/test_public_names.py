"""What the API gives out can be named by those who annotate their code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import glusterio
from glusterio import aio

#: What is only awaited, or used in a ``with`` statement.
NAMELESS = {"Opening", "Setting"}


def returned(cls: type) -> Iterator[type]:
    """Find glusterio's own classes in what a class's public methods say that they return."""
    for name in dir(cls):
        found: Any = inspect.getattr_static(cls, name)
        found = getattr(found, "fget", None) or getattr(found, "__func__", found)
        if name.startswith("_") or not inspect.isfunction(found):
            continue
        for word in re.findall(r"\w+", str(found.__annotations__.get("return", ""))):
            what = found.__globals__.get(word)
            if inspect.isclass(what) and what.__module__.startswith("glusterio"):
                yield what


def test_what_methods_return_is_public() -> None:
    public = [getattr(module, name) for module in (glusterio, aio) for name in module.__all__]
    public.append(glusterio.metrics.Metrics)
    every = [what for cls in public if inspect.isclass(cls) for what in returned(cls)]
    assert glusterio.SwitchReport in every
    assert {what.__name__ for what in every if what not in public} == NAMELESS
