"""Graphs: what is built, what is left out, what is refused, and how they begin and end."""

from __future__ import annotations

import itertools
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import pytest

from glusterio.errors import LocalProtocolError, UnsupportedGraphError, VolfileError
from glusterio.graph.graph import Graph, Node, build
from glusterio.graph.passing import PASSES, why_passed
from glusterio.graph.volfile import Volume, parse
from glusterio.traps import Cancelled
from glusterio.xlators.base import Services, Xlator
from tests.graph.real_volfiles import ONE_BRICK, of_bricks, with_feature


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


class Recorder:
    """A translator that writes down what happens to it."""

    def __init__(
        self, name: str, options: Mapping[str, str], children: Sequence[Node], services: Logbook
    ) -> None:
        self.name = name
        self.options = options
        self.children = children
        self.services = services
        services.log.append(f"make {name}")

    async def init(self) -> None:
        self.services.note(f"init {self.name}")

    async def fini(self) -> None:
        self.services.note(f"fini {self.name}")


class Logbook:
    """What happened, and which steps shall fail."""

    def __init__(self, failing: Mapping[str, BaseException] | None = None) -> None:
        self.log: list[str] = []
        self.failing = failing or {}

    def note(self, step: str) -> None:
        self.log.append(step)
        if step in self.failing:
            raise self.failing[step]


REGISTRY: dict[str, type[Recorder]] = {"protocol/client": Recorder, "features/utime": Recorder}


class Client(Xlator):
    xlator_type = "protocol/client"


class Utime(Xlator):
    xlator_type = "features/utime"


def test_a_real_volume_of_one_brick_is_its_client() -> None:
    registry = {"protocol/client": Client, "features/utime": Utime}
    graph = build(parse(ONE_BRICK), registry, Services(_never), generation=3)
    client, top = graph.xlators
    assert isinstance(client, Client)
    assert client.name == "gv0-client-0"
    assert client.options["remote-subvolume"] == "/bricks/gv0"
    assert graph.leaves == (client,)
    assert isinstance(top, Utime)  # it decides about file times, and is never left out
    assert graph.top is top
    assert graph.generation == 3
    assert [passed.type for passed in graph.passed_through] == [
        "cluster/distribute",
        "performance/write-behind",
        "performance/open-behind",
        "performance/quick-read",
        "performance/md-cache",
        "performance/io-threads",
        "debug/io-stats",
    ]
    assert all(passed.why for passed in graph.passed_through)
    assert run(graph.init()) is None
    assert run(graph.fini()) == []


def _never() -> Any:
    raise AssertionError("no event is needed")


def test_what_the_registry_has_is_built_although_it_might_be_left_out() -> None:
    registry = {**REGISTRY, "performance/write-behind": Recorder, "cluster/distribute": Recorder}
    graph = build(parse(ONE_BRICK), registry, Logbook())
    assert [xlator.name for xlator in graph.xlators] == [
        "gv0-client-0",
        "gv0-dht",
        "gv0-utime",
        "gv0-write-behind",
    ]
    assert graph.top.name == "gv0-write-behind"
    assert [child.name for child in graph.top.children] == ["gv0-utime"]


@pytest.mark.parametrize(
    "xlator_type",
    [
        "features/shard",
        "features/cloudsync",
        "features/cdc",
        "features/snapview-client",
        "features/quota",
        "encryption/crypt",
        "cluster/replicate",
        "cluster/disperse",
        "cluster/nufa",
        "debug/error-gen",
        "no/such",
    ],
)
def test_what_changes_the_meaning_of_data_is_refused(xlator_type: str) -> None:
    book = Logbook()
    with pytest.raises(UnsupportedGraphError) as caught:
        build(parse(with_feature(xlator_type)), REGISTRY, book)
    assert caught.value.xlator_type == xlator_type
    assert caught.value.volume == "gv0-added"
    assert book.log == []  # nothing was made


@pytest.mark.parametrize(
    "xlator_type", ["cluster/replicate", "cluster/disperse", "cluster/distribute"]
)
def test_several_bricks_are_refused(xlator_type: str) -> None:
    book = Logbook()
    with pytest.raises(UnsupportedGraphError, match=xlator_type):
        build(parse(of_bricks(3, xlator_type)), REGISTRY, book)
    assert book.log == []
    graph = build(parse(of_bricks(3, xlator_type)), {**REGISTRY, xlator_type: Recorder}, book)
    assert [leaf.name for leaf in graph.leaves] == [f"rep-client-{n}" for n in range(3)]


def test_read_only_is_left_out_only_when_it_is_off() -> None:
    for options in ([], ["read-only off"]):
        graph = build(parse(with_feature("features/read-only", *options)), REGISTRY, Logbook())
        assert "features/read-only" in [passed.type for passed in graph.passed_through]
    with pytest.raises(UnsupportedGraphError):
        build(parse(with_feature("features/read-only", "read-only on")), REGISTRY, Logbook())
    with pytest.raises(VolfileError, match="read-only"):
        build(parse(with_feature("features/read-only", "read-only maybe")), REGISTRY, Logbook())


@pytest.mark.parametrize("xlator_type", PASSES)
@pytest.mark.parametrize("children", [(), ("a", "b")])
def test_nothing_is_left_out_that_has_not_exactly_one_child(
    xlator_type: str, children: tuple[str, ...]
) -> None:
    assert why_passed(Volume("v", xlator_type, {}, children, 1)) is None
    assert why_passed(Volume("v", xlator_type, {}, ("a",), 1))


def test_several_tops_are_refused() -> None:
    book = Logbook()
    text = (
        "volume a type protocol/client end-volume\n"
        "volume b type protocol/client end-volume\n"
        "volume c type debug/trace subvolumes b end-volume"
    )
    with pytest.raises(VolfileError, match="'a' is no part of the graph below 'c'") as caught:
        build(parse(text), REGISTRY, book)
    assert caught.value.line == 1
    assert book.log == []


def test_a_child_of_two_parents_is_made_once() -> None:
    text = (
        "volume a type protocol/client end-volume volume p type debug/trace subvolumes a end-volume "
        "volume b type x/y subvolumes p end-volume volume c type x/y subvolumes p b end-volume"
    )
    graph = build(parse(text), {**REGISTRY, "x/y": Recorder}, Logbook())
    a, b, c = graph.xlators
    assert b.children == (a,)
    assert c.children == (a, b)
    assert graph.leaves == (a,)


# ------------------------------------------------------------------------------------- life and end


def chain(failing: Mapping[str, BaseException] | None = None) -> tuple[Graph[Recorder], Logbook]:
    """Three translators, a at the bottom, c at the top."""
    text = (
        "volume a type x/y end-volume volume b type x/y subvolumes a end-volume "
        "volume c type x/y subvolumes b end-volume"
    )
    book = Logbook(failing)
    graph = build(parse(text), {"x/y": Recorder}, book)
    book.log.clear()
    return graph, book


def test_begin_and_end_are_children_first() -> None:
    graph, book = chain()
    run(graph.init())
    assert run(graph.fini()) == []
    assert book.log == ["init a", "init b", "init c", "fini a", "fini b", "fini c"]
    assert run(graph.fini()) == []
    assert len(book.log) == 6
    with pytest.raises(LocalProtocolError):
        run(graph.init())


def test_a_graph_that_never_began_ends_nothing() -> None:
    graph, book = chain()
    assert run(graph.fini()) == []
    assert book.log == []
    with pytest.raises(LocalProtocolError):
        run(graph.init())


@pytest.mark.parametrize("error", [OSError("no"), Cancelled(OSError("no"))])
def test_a_failed_init_ends_what_was_begun(error: BaseException) -> None:
    graph, book = chain({"init b": error, "fini a": ValueError("stuck")})
    with pytest.raises(type(error)) as caught:
        run(graph.init())
    assert caught.value is error
    assert error.__notes__ == ["and in ending the graph: ValueError: stuck"]
    assert book.log == ["init a", "init b", "fini a", "fini b"]
    assert run(graph.fini()) == []
    assert len(book.log) == 4


@pytest.mark.parametrize(
    "failing",
    [set(subset) for n in range(4) for subset in itertools.combinations("abc", n)],
    ids=lambda failing: "".join(sorted(failing)) or "none",
)
def test_each_is_ended_whatever_happens_to_the_others(failing: set[str]) -> None:
    errors = {f"fini {name}": OSError(name) for name in sorted(failing)}
    graph, book = chain(errors)
    run(graph.init())
    assert run(graph.fini()) == list(errors.values())
    assert book.log[3:] == ["fini a", "fini b", "fini c"]


def test_a_cancelled_end_goes_on_and_is_told() -> None:
    cancelled = Cancelled(TimeoutError())
    graph, book = chain({"fini a": cancelled, "fini b": OSError("b")})
    run(graph.init())
    with pytest.raises(Cancelled) as caught:
        run(graph.fini())
    assert caught.value is cancelled
    assert book.log[3:] == ["fini a", "fini b", "fini c"]
    assert repr(graph) == "<Graph 1 c of 3 translators>"
