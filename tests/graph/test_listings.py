"""What listings told is asked for from anywhere, also by a destructor in the middle of a question."""

from __future__ import annotations

from glusterio.graph.listings import Listings
from glusterio.types import ROOT_GFID
from glusterio.wire.fops.directories import DirPlusEntry, Listing
from glusterio.wire.iatt import ZERO_IATT

FILE = bytes(15) + b"f"


def test_a_question_in_the_middle_of_another_may_drop_what_is_old() -> None:
    entry = DirPlusEntry.of(1, 8, "f", ZERO_IATT._replace(gfid=FILE))
    kept = Listings()
    for until in (1.0, 2.0, 3.0):
        kept.add(ROOT_GFID, Listing.of([entry]), 0, until, 100)
    by_name = kept.of_name(ROOT_GFID, "f", 0.0)
    by_gfid = kept.of_file(FILE, 0.0)
    assert next(by_name).until == next(by_gfid).until == 1.0
    assert list(kept.of_name(ROOT_GFID, "other", 1.5)) == []
    assert kept.names == 2
    assert [told.until for told in by_name] == [told.until for told in by_gfid] == [2.0, 3.0]
