"""``glusterio.Options``: typed, checked when it is made, and the same as the mapping."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
from pathlib import Path
from typing import Any

import pytest

import glusterio
import glusterio.xlators
from glusterio import Options
from glusterio.api.registry import REGISTRY
from glusterio.graph.client_options import CLIENT, OWN_DEFAULTS, UNHEEDED
from glusterio.graph.options import boolean
from glusterio.xlators.base import Services
from glusterio.xlators.md_cache import TIMEOUT
from glusterio.xlators.read_ahead import PAGE_COUNT
from glusterio.xlators.write_behind.writes import AGGREGATE, WINDOW
from tests.api.drivers import Driver
from tests.embedded import BrickProcess
from tests.reference_tool import load


def test_the_module_and_the_page_are_those_of_the_table() -> None:
    assert load("client_options").stale() == []


def test_a_field_that_was_edited_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = load("client_options")
    changed = tmp_path / "options.py"
    changed.write_text(tool.module().replace("bool | None", "int | None", 1), encoding="utf-8")
    monkeypatch.setattr(tool, "MODULE", changed)
    assert tool.stale() == [changed]


def test_what_is_set_is_all_that_it_shows() -> None:
    options = Options(
        performance_write_behind=False, performance_cache_size="64MB", network_ping_timeout="1min"
    )
    assert repr(options) == (
        "Options(network_ping_timeout=60, performance_write_behind=False,"
        " performance_cache_size=67108864)"
    )
    assert options.volume_set() == {
        "network.ping-timeout": "60",
        "performance.write-behind": "off",
        "performance.cache-size": "64MB",
    }
    assert options.performance_read_ahead is None
    assert Options.from_volume_set(options.volume_set()) == options
    assert Options().volume_set() == {}


def test_it_is_a_value() -> None:
    one = Options(performance_cache_size="64MB")
    assert one == Options(performance_cache_size=64 * 2**20)
    assert one != Options(performance_cache_size="65MB")
    assert len({one, Options(performance_cache_size="65536KB")}) == 1
    assert pickle.loads(pickle.dumps(one)) == one
    assert dataclasses.replace(one, performance_read_ahead=True).performance_read_ahead is True
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.performance_cache_size = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        Options(True)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"performance_cache_size": "1KB"}, r"performance\.cache-size: '1KB' is out of range"),
        ({"performance_write_behind": "perhaps"}, r"performance\.write-behind: .*neither on nor"),
        ({"network_ping_timeout": -1}, r"network\.ping-timeout: '-1' is not a time"),
        ({"network_ping_timeout": 1.5}, r"network\.ping-timeout: 1\.5 is neither text"),
        ({"performance_read_ahead_page_count": 17}, "at least 1 and at most 16"),
    ],
)
def test_a_value_that_an_option_cannot_have_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Options(**given)


def test_an_option_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="performance_write_behnd"):
        Options(performance_write_behnd=True)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"did you mean performance\.write-behind"):
        Options.from_volume_set({"performance.write-behnd": True})
    with pytest.raises(ValueError, match="glusterio has no performance/io-cache"):
        Options.from_volume_set({"performance.io-cache": "off"})


def test_every_option_of_a_translator_that_there_is_is_a_field() -> None:
    wanted = {
        name.replace(".", "_").replace("-", "_")
        for name, option in CLIENT.items()
        if any(target.xlator in REGISTRY for target in option.targets)
    }
    assert set(inspect.signature(Options).parameters) == wanted
    assert {"network_ping_timeout", "client_strict_locks"} <= wanted


def test_an_option_is_read_by_its_translator_or_is_said_to_do_nothing() -> None:
    root = Path(glusterio.xlators.__file__ or "").parent
    for name, option in CLIENT.items():
        for xlator, key in option.targets:
            if xlator not in REGISTRY or not key:
                continue
            module = REGISTRY[xlator].__module__.split(".")[2]
            files = [*root.glob(f"{module}.py"), *root.glob(f"{module}/*.py")]
            read = any(f'"{key}"' in each.read_text(encoding="utf-8") for each in files)
            assert read is (name not in UNHEEDED), name


def test_the_defaults_are_those_of_the_translators() -> None:
    def default(name: str) -> Any:
        own = OWN_DEFAULTS.get(name)
        return CLIENT[name].kind.read(own.value if own is not None else CLIENT[name].default)

    assert default("performance.write-behind-window-size") == WINDOW
    assert default("performance.aggregate-size") == AGGREGATE
    assert default("performance.md-cache-timeout") == TIMEOUT
    assert default("performance.read-ahead-page-count") == PAGE_COUNT
    assert default("network.ping-timeout") == Services._field_defaults["ping_timeout"]
    assert not boolean(OWN_DEFAULTS["performance.flush-behind"].value)


def test_a_session_takes_them(driver: Driver, brick: BrickProcess) -> None:
    options = Options(
        performance_write_behind=False, performance_stat_prefetch=True, network_ping_timeout=7
    )
    vol = driver.connect(brick.url, options=options)
    graph = vol._session.core.graph
    found = {xlator.xlator_type: xlator for xlator in graph.xlators}
    assert "performance/write-behind" not in found
    assert "performance/md-cache" in found
    assert found["protocol/client"].options["ping-timeout"] == "7"
    assert found["protocol/client"]._connection.ping_timeout == 7.0
    same = driver.connect(brick.url, options=options.volume_set())
    assert same._session.core.target.options == vol._session.core.target.options
