"""What a session's own options make of a volfile."""

from __future__ import annotations

import pytest

from glusterio.graph.tuning import checked, tuned
from glusterio.graph.volfile import Volfile, parse
from glusterio.graph.volume_options import OptionError

ALL = frozenset(
    f"performance/{name}"
    for name in ("write-behind", "read-ahead", "open-behind", "quick-read", "md-cache")
)

BARE = """
volume v-client-0
  type protocol/client
end-volume
"""

SHIPPED = """
volume v-client-0
  type protocol/client
end-volume
volume v-dht
  type cluster/distribute
  subvolumes v-client-0
end-volume
volume v-write-behind
  type performance/write-behind
  option cache-size 2MB
  subvolumes v-dht
end-volume
volume v-open-behind
  type performance/open-behind
  subvolumes v-write-behind
end-volume
volume v-md-cache
  type performance/md-cache
  subvolumes v-open-behind
end-volume
volume v
  type debug/io-stats
  subvolumes v-md-cache
end-volume
"""


def stack(volfile: Volfile) -> list[str]:
    """The types of the volumes from the bottom to the top, by their subvolumes."""
    found = []
    volume = volfile.top
    while True:
        found.append(volume.type.rpartition("/")[2])
        if not volume.subvolumes:
            break
        volume = volfile[volume.subvolumes[0]]
    assert len(found) == len(volfile.volumes)
    assert [volume.type.rpartition("/")[2] for volume in volfile.volumes] == found[::-1]
    return found[::-1]


def test_without_options_a_volfile_stays_as_it_is() -> None:
    volfile = parse(SHIPPED)
    assert tuned(volfile, {}, ALL).volumes == volfile.volumes


def test_what_is_switched_off_leaves_and_its_child_takes_its_place() -> None:
    off = checked({"performance.write-behind": False, "performance.stat-prefetch": "off"})
    assert stack(tuned(parse(SHIPPED), off, ALL)) == [
        "client", "distribute", "open-behind", "io-stats",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "before", ["", "volume odd\n  type cluster/odd\n  subvolumes v\nend-volume\n"]
)
def test_when_the_top_leaves_its_child_is_the_top(before: str) -> None:
    """Also where something stands between the two, on which the top does not stand."""
    spare = "volume spare\n  type protocol/client\nend-volume\n"
    top = "volume top\n  type performance/write-behind\n  subvolumes v\nend-volume\n"
    client = "volume v\n  type protocol/client\nend-volume\n"
    off = checked({"performance.write-behind": False})
    assert tuned(parse(client + spare + before + top), off, ALL).top.name == "v"


def test_what_is_switched_on_and_missing_is_put_where_the_daemon_would_put_it() -> None:
    on = checked({"performance.read-ahead": True, "performance.quick-read": "on"})
    assert stack(tuned(parse(SHIPPED), on, ALL)) == [
        "client", "distribute", "write-behind", "read-ahead", "open-behind", "quick-read",
        "md-cache", "io-stats",
    ]  # fmt: skip


def test_all_of_them_stand_in_order_on_a_bare_client_whatever_the_order_of_the_options() -> None:
    switches = ["stat-prefetch", "write-behind", "quick-read", "read-ahead", "open-behind"]
    wanted = checked({f"performance.{name}": True for name in switches})
    assert stack(tuned(parse(BARE), wanted, ALL)) == [
        "client", "write-behind", "read-ahead", "open-behind", "quick-read", "md-cache",
    ]  # fmt: skip


def test_what_is_on_already_is_not_there_twice() -> None:
    on = checked({"performance.write-behind": True})
    assert tuned(parse(SHIPPED), on, ALL).volumes == parse(SHIPPED).volumes


def test_an_option_replaces_what_the_volfile_says_also_of_what_is_put_in() -> None:
    wanted = checked(
        {
            "performance.write-behind-window-size": "4MB",
            "performance.read-ahead": True,
            "performance.read-ahead-page-count": 8,
        }
    )
    volfile = tuned(parse(SHIPPED), wanted, ALL)
    assert volfile["v-write-behind"].options == {"cache-size": "4MB"}
    (read_ahead,) = [v for v in volfile.volumes if v.type == "performance/read-ahead"]
    assert read_ahead.options == {"page-count": "8"}


def test_an_option_of_its_own_counts_more_than_a_shared_one() -> None:
    wanted = checked(
        {
            "performance.quick-read": True,
            "performance.quick-read-cache-size": "1MB",
            "performance.cache-size": "64MB",
        }
    )
    volfile = tuned(parse(BARE), wanted, ALL)
    assert volfile.top.options == {"cache-size": "1MB"}


def test_a_translator_that_there_is_not_cannot_be_switched_on_but_off() -> None:
    with pytest.raises(OptionError, match="has no performance/nl-cache"):
        tuned(parse(BARE), checked({"performance.nl-cache": True}), ALL)
    off = checked({"performance.nl-cache": False})
    assert tuned(parse(BARE), off, ALL).volumes == parse(BARE).volumes


def test_what_cannot_leave_is_refused() -> None:
    text = BARE + "volume w\n type performance/write-behind\nend-volume\n" + (
        "volume top\n type cluster/distribute\n subvolumes v-client-0 w\nend-volume\n"
    )  # fmt: skip
    with pytest.raises(OptionError, match="'w' has not exactly one subvolume"):
        tuned(parse(text), checked({"performance.write-behind": False}), ALL)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"performance.write-behnd": True}, "did you mean performance.write-behind"),
        ({"auth.allow": "*"}, "there is no option 'auth.allow'"),
        ({"performance.write-behind": "perhaps"}, "neither on nor off"),
        ({"performance.read-ahead-page-count": 17}, "at most 16"),
        ({"performance.read-ahead": None}, "neither text nor a number"),
    ],
)
def test_what_is_no_option_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked(options)
