"""What is made of the rounds of a bench: medians, ratios, targets, cliffs, the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bench import report
from tests.bench.formatting import amount, duration, durations, ratio, table
from tests.bench.growth import FAMILIES, cliffs, curve
from tests.bench.lines import BRICK_LINES, BY_NAME, LINES, MIB
from tests.bench.own.catalogue import own_peers
from tests.bench.results import Entry, Results, Spread, compare, cost, cpu, reference, spread
from tests.bench.targets import TARGETS, Kind, Verdict, judge


def entry(*seconds: float, ops: int = 1, **more: Any) -> Entry:
    """What an entrant did in rounds that took so long."""
    done = {"ops": ops, "cpu": 0.5, "bytes": 0, "rss": 1, "per": {}, "brick_cpu": 0.1, **more}
    return Entry([{**done, "seconds": one} for one in seconds])


def results(**lines: dict[str, Entry]) -> Results:
    return Results("now", lines=lines, titles={"c": "libgfapi", "threads": "glusterio"}, work=[1.0])


def verdict(found: Results, line: str, kind: Kind, other: str = "") -> Verdict:
    return next(
        one
        for one in judge(found)
        if (one.target.line, one.target.kind) == (line, kind)
        and one.target.other == (other or one.target.other)
    )


# -- rounds ------------------------------------------------------------------------------------------


def test_a_ratio_compares_each_round_with_its_neighbour() -> None:
    found = compare("pread4k", entry(1.0, 4.0, 9.0), entry(2.0, 2.0, 3.0))
    assert found is not None
    assert found.spread == Spread(2.0, 0.5, 3.0)
    assert (found.won, found.rounds) == (2, 3)


def test_rounds_that_only_one_of_them_had_are_not_compared() -> None:
    found = compare("pread4k", entry(1.0, 2.0), entry(1.0))
    assert found is not None
    assert found.rounds == 1
    assert compare("pread4k", entry(), entry(1.0)) is None


def test_streams_are_counted_in_mebibytes_and_names_in_names() -> None:
    done = entry(2.0, ops=4, bytes=8 * MIB).rounds[0]
    assert cost("seqread1m", done) == 0.25
    assert cost("small", done) == 0.5
    assert cpu("small", done) == 0.125


def test_everybody_is_compared_with_libgfapi_as_shipped_where_it_is_there() -> None:
    assert reference({"c-mended": entry(1.0), "c": entry(1.0)}) == "c"
    assert reference({"c-async": entry(1.0), "c": Entry(skip="no")}) == "c-async"
    assert reference({"threads": entry(1.0)}) is None


def test_results_are_kept_whole(tmp_path: Path) -> None:
    found = results(pread4k={"c": entry(1.0), "threads": Entry(error="broken")})
    found.save(tmp_path / "kept.json")
    assert Results.load(tmp_path / "kept.json") == found
    assert found.errors() == ["pread4k, threads: broken"]


# -- targets -----------------------------------------------------------------------------------------


def test_what_is_asked_for_is_about_lines_and_peers_that_exist() -> None:
    peers = {peer.name for peer in own_peers()}
    for target in TARGETS:
        assert target.line in BY_NAME
        assert target.mine in peers


def test_faster_is_met_by_the_median() -> None:
    met = results(connect={"c": entry(3.0, 9.0, 3.2), "threads": entry(1.0, 1.0, 1.0)})
    assert verdict(met, "connect", Kind.FASTER).met is True
    assert verdict(met, "connect", Kind.FASTER).aimed is False
    unmet = results(connect={"c": entry(2.9, 9.0, 2.0), "threads": entry(1.0, 1.0, 1.0)})
    assert verdict(unmet, "connect", Kind.FASTER).met is False


def test_cpu_at_most_half_is_twice_as_sparing() -> None:
    for used, met in ((0.25, True), (0.3, False)):
        found = results(pread4k={"c": entry(1.0), "threads": entry(1.0, cpu=used)})
        assert verdict(found, "pread4k", Kind.SPARING).met is met


def test_near_the_limit_is_how_many_times_as_long() -> None:
    for taken, met in ((1.2, True), (1.4, False)):
        found = results(pread4k={"limit": entry(1.0), "threads": entry(taken)})
        near = verdict(found, "pread4k", Kind.NEAR)
        assert near.found == taken
        assert near.met is met


def test_an_end_has_to_be_quick_in_itself() -> None:
    for taken, met, aimed in ((0.009, True, True), (0.05, True, False), (0.11, False, False)):
        found = verdict(results(close_1000={"threads": entry(taken)}), "close_1000", Kind.UNDER)
        assert (found.met, found.aimed) == (met, aimed)


def test_memory_is_looked_at_from_the_tenth_session_on() -> None:
    for end, met in ((100 * MIB, True), (101 * MIB, False)):
        per = {"rss_before": 0, "rss_10": 100 * MIB, "rss_end": end}
        found = results(sessions_100={"threads": entry(1.0, ops=100, per=per)})
        assert verdict(found, "sessions_100", Kind.FLAT).met is met


def test_the_memory_of_a_session_is_told_with_and_without_the_library() -> None:
    per = {"rss_start": 1 * MIB, "rss_before": 10 * MIB, "rss_end": 12 * MIB}
    found = results(session_idle={"threads": entry(1.0, per=per)})
    assert verdict(found, "session_idle", Kind.SMALL).met is True
    assert verdict(found, "session_idle", Kind.LOADED).met is False


def test_what_was_not_measured_is_neither_met_nor_unmet() -> None:
    found = results(connect={"c": Entry(skip="it has none"), "threads": entry(1.0)})
    unknown = verdict(found, "connect", Kind.FASTER)
    assert unknown.met is None
    assert unknown.why == "c: it has none"
    assert verdict(results(), "unlink", Kind.FASTER).met is None


# -- growth ------------------------------------------------------------------------------------------

FAMILY = {family.name: family for family in FAMILIES}


def close(**by_handles: float) -> Results:
    return results(
        **{f"close_{n.strip('n')}": {"threads": entry(took)} for n, took in by_handles.items()}
    )


def test_families_are_of_lines_that_exist() -> None:
    for family in FAMILIES:
        for line in family.lines:
            assert line in BY_NAME


def test_what_grows_in_proportion_has_no_cliff() -> None:
    found = close(n0=0.001, n10=0.0011, n100=0.002, n1000=0.011, n10000=0.101)
    assert cliffs(found, ["threads"]) == []
    # The fixed cost is not the handles', and ten handles are lost in it.
    points = curve(FAMILY["close"], "threads", found)
    assert [point.size for point in points] == [100, 1000, 10000]
    assert points[-1].each == pytest.approx(1e-5)


def test_a_unit_that_costs_a_multiple_of_what_it_did_is_a_cliff() -> None:
    (cliff,) = cliffs(close(n0=0.001, n1000=0.011, n10000=0.301), ["threads", "asyncio"])
    assert (cliff.entrant, cliff.before.size, cliff.after.size) == ("threads", 1000, 10000)
    assert cliff.factor == pytest.approx(3.0)


def test_the_best_round_is_what_grows() -> None:
    found = results(
        readdirp500={"threads": entry(5.0, 0.5, ops=500)},
        readdirp5k={"threads": entry(5.0, 50.0, ops=5000)},
    )
    assert [point.each for point in curve(FAMILY["readdirp"], "threads", found)] == [0.001, 0.001]


# -- the page ----------------------------------------------------------------------------------------


def test_the_page_hides_nothing() -> None:
    found = results(
        pread4k={
            "c": entry(1.0),
            "limit": entry(0.1),
            "threads": entry(2.0),
            "asyncio": Entry(error="it has ended"),
        },
        close_10={"threads": entry(0.1)},
        close_1000={"threads": entry(100.0)},
    )
    found.without = {"fuse": "no /dev/fuse"}
    found.titles["fuse"] = "a mount"
    notes = {
        "general": {"text": "A word before."},
        "pread4k": {"tried": "All.", "profile": "Nothing.", "limit": "The light's speed."},
    }
    text = report.page(found, notes, set())
    assert "Not met: [close_1000](#close_1000), [pread4k](#pread4k)" in text
    assert "**no** ([why](#pread4k))" in text
    assert "*The limit.* The light's speed." in text
    assert "A word before." in text
    assert "**asyncio failed**: it has ended" in text
    assert "a mount (took no part: no /dev/fuse)" in text
    assert "quick run" not in text
    found.quick = True
    assert "quick run" in report.page(found, notes, set())


def test_the_page_names_cliffs() -> None:
    text = report.page(close(n0=0.001, n1000=0.011, n10000=0.301), {}, set())
    assert "from 1,000 to 10,000 handles open the cost of one handle grows 3.0 times" in text


def test_fewer_handles_than_the_title_says_are_owned_up_to() -> None:
    found = close(n0=0.001, n1000=0.011, n100000=0.2)
    found.told = {"close_100000": {"handles": 18000}}
    assert "**Here with 18,000**" in report.page(found, {}, set())
    assert curve(FAMILY["close"], "threads", found)[-1].size == 18000


def test_the_notes_are_about_lines_that_exist() -> None:
    import tomllib

    notes = tomllib.loads(report.NOTES.read_text(encoding="utf-8"))
    known = {line.name for line in [*LINES, *BRICK_LINES]} | {"general"}
    for line, parts in notes.items():
        assert line in known
        assert set(parts) <= {"text", "tried", "profile", "limit"}


def test_numbers_are_written_for_people() -> None:
    assert duration(0.0001234) == "123 µs"
    assert duration(2.5) == "2.50 s"
    assert durations(Spread(0.0123, 0.009, 0.02)) == "12.3 (9.00-20.0) ms"
    assert ratio(spread([1.5, 1.0, 2.0])) == "1.50x (1.00-2.00)"
    assert amount(1536) == "1.50 KiB"
    assert table(("a", "b"), [("1", "22")]) == "| a | b  |\n|---|----|\n| 1 | 22 |"
