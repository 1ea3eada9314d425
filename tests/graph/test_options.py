"""The values of options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glusterio.errors import VolfileError
from glusterio.graph.options import boolean, integer, option, percent, seconds, size


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        *((boolean, word, True) for word in ("on", "ON", "yes", "true", "enable", "1")),
        *((boolean, word, False) for word in ("off", "No", "false", "disable", "0")),
        (integer, "42", 42),
        (integer, "-42", -42),
        (integer, " +7", 7),
        (integer, "0", 0),
        (integer, "0x1F", 31),
        (integer, "010", 8),
        (integer, str(2**63 - 1), 2**63 - 1),
        (size, "0", 0),
        (size, "65536", 65536),
        (size, "128KB", 128 * 1024),
        (size, "128kb", 128 * 1024),
        (size, "7B", 7),
        (size, "1.5GB", 3 * 2**29),
        (size, "2TB", 2**41),
        (size, "010", 10),
        (seconds, "42", 42),
        (seconds, "42sec", 42),
        (seconds, "10min", 600),
        (seconds, "10m", 600),
        (seconds, "2hr", 7200),
        (seconds, "1days", 86_400),
        (seconds, "1d", 86_400),
        (seconds, "1wk", 604_800),
        (percent, "90%", 90.0),
        (percent, "0.5", 0.5),
    ],
)
def test_what_can_be_read(read: Callable[[str], Any], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "texts"),
    [
        (boolean, ["", "2", "onn", "o n"]),
        (integer, ["", "x", "1x", "1.5", "0x", "--1", str(2**63), "9" * 5000]),
        (size, ["", "-1", "MB", "1MiB", "1 MB", "1M", "8192PB", "0x10", "9" * 400 + ".0"]),
        (seconds, ["", "-1", "1.5", "1hour", "1 s", str(2**62) + "wk"]),
        (percent, ["", "%", "-1%", "1%%", "9" * 400]),
    ],
)
def test_what_can_not(read: Callable[[str], Any], texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(ValueError):  # noqa: PT011 - the words differ, the class is what counts
            read(text)


def test_option_names_the_option() -> None:
    assert option({}, "ping-timeout", seconds, 42) == 42
    assert option({"ping-timeout": "5"}, "ping-timeout", seconds, 42) == 5
    with pytest.raises(VolfileError, match="option ping-timeout: 'soon' is not a number"):
        option({"ping-timeout": "soon"}, "ping-timeout", seconds, 42)


@given(st.sampled_from([boolean, integer, size, seconds, percent]), st.text(max_size=20))
def test_anything_reads_or_is_a_value_error(read: Callable[[str], object], text: str) -> None:
    try:
        read(text)
    except ValueError:
        pass
