"""The table of options, what a volume makes of them, and where they are kept."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from glusterio.brick.limits import Limits
from glusterio.brick.option_table import LIMITS, OPTIONS, addresses
from glusterio.brick.options import VolumeOptions, check
from glusterio.brick.stored_options import OPTIONS_FILE, load_options, store_options
from glusterio.brick.volfiles import client_volfile
from glusterio.graph.performance import LAYERS
from glusterio.graph.volfile import Volfile, parse
from glusterio.graph.volume_options import OptionError


def volfile(options: VolumeOptions) -> Volfile:
    return parse(client_volfile("vol", "127.0.0.1", "/b", options=options))


# -- the table --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIONS)
def test_every_default_is_a_value_that_the_option_can_have(name: str) -> None:
    option = OPTIONS[name]
    assert option.name == name
    assert option.targets
    if option.default:
        assert check(name, f" {option.default} ") == option.default


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("performance.write-behind", "maybe", "neither on nor off"),
        ("performance.write-behind-window-size", "1KB", "at least 524288 and at most 1073741824"),
        ("performance.write-behind-window-size", "2GB", "out of range"),
        ("performance.write-behind-window-size", "much", "not a size"),
        ("performance.read-ahead-page-count", "17", "out of range"),
        ("performance.read-ahead-page-count", "4.5", "not a whole number"),
        ("network.ping-timeout", "1014", "out of range"),
        ("network.ping-timeout", "soon", "not a number"),
        ("auth.allow", "", "no address"),
        ("auth.allow", "10.*,,10.1", "no address"),
        ("auth.allow", "10.0.0.1 10.0.0.2", "no address"),
        ("auth.reject", "`id`", "no address"),
        ("auth.allow", "/dir(10.*", "no address"),
        ("auth.allow", "/dir(`id`)", "no address"),
        ("limits.fds", "0", "at least 1"),
        ("performance.write-behnd", "on", "did you mean performance.write-behind"),
        ("write-behind", "on", "did you mean performance.write-behind"),
        ("cluster.no-such-thing", "on", "no option"),
    ],
)
def test_what_an_option_cannot_be(name: str, value: str, why: str) -> None:
    with pytest.raises(OptionError, match=why):
        check(name, value)


def test_every_kind_of_address_that_access_knows() -> None:
    text = "10.*, !10.1.0.0/16,2001:db8::7,some-host.example,/a/dir(10.[12].*|unix),*"
    found = addresses(check("auth.allow", text))
    assert found == [each.strip() for each in text.split(",")]


def test_limits_are_those_of_the_brick() -> None:
    """The defaults of the table are those that hold without it, and every value arrives."""
    defaults, bounded = Limits(), VolumeOptions()
    assert bounded.limits(defaults) == defaults
    of_limits = [each for each in OPTIONS.values() if each.targets[0].xlator == LIMITS]
    assert of_limits
    for option in of_limits:
        field = option.targets[0].key
        assert option.default == str(getattr(defaults, field))
        changed = VolumeOptions({option.name: "7"}).limits(defaults)
        assert changed == replace(defaults, **{field: 7})


def test_a_change_is_made_as_a_whole() -> None:
    options = VolumeOptions({"performance.read-ahead": "on"})
    with pytest.raises(OptionError):
        options.with_changes({"performance.io-cache": "on", "performance.nl-cache": "?"})
    changed = options.with_changes({"performance.io-cache": "on", "performance.read-ahead": None})
    assert changed.given == {"performance.io-cache": "on"}
    assert options.given == {"performance.read-ahead": "on"}


# -- the volfile ------------------------------------------------------------------------------------


def test_the_volfile_is_stacked_as_glusterd_stacks_it() -> None:
    """By default it holds what glusterd 10.3 puts above a volume of one brick."""
    types = [each.type for each in volfile(VolumeOptions()).volumes]
    assert types == [
        "protocol/client",
        "performance/write-behind",
        "performance/open-behind",
        "performance/quick-read",
        "performance/md-cache",
        "performance/io-threads",
        "debug/io-stats",
    ]
    everything = VolumeOptions({layer.switch: "on" for layer in LAYERS})
    assert [each.type for each in volfile(everything).volumes[1:-1]] == [
        layer.xlator for layer in LAYERS
    ]
    nothing = VolumeOptions({layer.switch: "off" for layer in LAYERS})
    found = volfile(nothing)
    assert [each.type for each in found.volumes] == ["protocol/client", "debug/io-stats"]
    assert found.top.name == "vol"


def test_options_land_in_their_translators() -> None:
    options = VolumeOptions(
        {
            "performance.write-behind-window-size": "4MB",
            "performance.cache-size": "64MB",
            "performance.quick-read-cache-size": "8MB",
            "performance.io-cache": "yes",
            "network.ping-timeout": "7",
            "auth.allow": "10.*",
        }
    )
    found = {each.type: each.options for each in volfile(options).volumes}
    assert found["performance/write-behind"] == {"cache-size": "4MB"}
    assert found["performance/io-cache"] == {"cache-size": "64MB"}
    assert found["performance/quick-read"] == {"cache-size": "8MB"}
    assert found["protocol/client"]["ping-timeout"] == "7"
    assert not any("10.*" in given.values() for given in found.values())


# -- on disk ----------------------------------------------------------------------------------------


def test_options_are_kept(tmp_path: Path) -> None:
    assert load_options(str(tmp_path)) == {}
    store_options(str(tmp_path), {"auth.allow": "10.*"})
    store_options(str(tmp_path), {"auth.reject": "10.1.*"})
    assert load_options(str(tmp_path)) == {"auth.reject": "10.1.*"}
    assert os.listdir(tmp_path / ".glusterfs/glusterio") == ["options.json"]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"format": 2, "options": {}}', '{"format": 1, "options": {"a": 1}}', "\0\xff"],
)
def test_damaged_options_are_not_taken_for_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / OPTIONS_FILE
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(OptionError, match="options are damaged"):
        load_options(str(tmp_path))
    assert path.read_text() == content


def test_a_full_disk_leaves_the_options_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_options(str(tmp_path), {"auth.allow": "10.*"})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store_options(str(tmp_path), {"auth.allow": "*"})
    assert load_options(str(tmp_path)) == {"auth.allow": "10.*"}
    assert os.listdir(tmp_path / ".glusterfs/glusterio") == ["options.json"]
    assert json.loads((tmp_path / OPTIONS_FILE).read_text())["format"] == 1


STORING = """
import itertools, sys
from glusterio.brick.stored_options import store_options
for number in itertools.count():
    store_options(sys.argv[1], {"auth.allow": f"10.0.0.{number}"})
    if number == 0:
        print(flush=True)
"""


def test_a_crash_leaves_whole_options(tmp_path: Path) -> None:
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", STORING, str(tmp_path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.kill()
        assert list(load_options(str(tmp_path))) == ["auth.allow"]
    store_options(str(tmp_path), {})
    assert os.listdir(tmp_path / ".glusterfs/glusterio") == ["options.json"]
