"""Looking at states part by part finds whatever looking at them whole finds: each guard is missed."""

from __future__ import annotations

import pytest

from tests.spec.test_composed import BROKEN, found_alike


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found_by_a_way_as_short(name: str):
    found_alike(name)
