"""What a picture of a state shows: the session, and bands of cards with lines between them.

Which variable is what is said in ``pictures.toml``. A module that is not there gets a picture all the
same, made from its variables: a band for each set that functions are of.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from glusterio.verify.told import Counterexample, Value, text

Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """A text in a picture, and how it looks: ``good``, ``busy``, ``bad``, ``done`` or plain."""

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """A number that is drawn as dots."""

    text: str
    number: int


@dataclass(frozen=True, slots=True)
class Card:
    """One thing.

    Attributes:
        title: what it is.
        state: how it is.
        counts, marks: what else is said of it.
        shown: whether it is there; its place is kept anyhow.
        gone: how it was freed; empty while it was not.
    """

    title: str
    state: Said | None = None
    counts: tuple[Count, ...] = ()
    marks: tuple[Said, ...] = ()
    shown: bool = True
    gone: str = ""


@dataclass(frozen=True, slots=True)
class Band:
    """Things of one kind.

    Attributes:
        title: what they are.
        cards: by name.
        never: what is not drawn, because nothing ever happens to it.
    """

    title: str
    cards: Mapping[str, Card]
    never: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A line from a card to one of another band.

    Attributes:
        source, target: the bands' titles, and the cards' names in them.
        count: how many references it stands for, if they are counted.
        dashed: whether it is drawn so.
        dead: whether it leads to what has been freed.
    """

    source: tuple[str, str]
    target: tuple[str, str]
    count: int = 0
    dashed: bool = False
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture of one state shows.

    Attributes:
        session: where the session is; empty where the module has none.
        places: where it may be, in order.
        flags: facts.
        bands: the cards, from top to bottom.
        links: the lines between them.
    """

    session: Said
    places: tuple[str, ...]
    flags: tuple[Said, ...]
    bands: tuple[Band, ...]
    links: tuple[Link, ...] = field(default=())

    def words(self) -> str:
        """The same in words, for whoever does not see it."""
        parts = [f"The session is {self.session.text}."] if self.session.text else []
        parts += [f"{flag.text}." for flag in self.flags]
        for band in self.bands:
            for card in band.cards.values():
                if card.shown:
                    said = [card.state.text] if card.state else []
                    said += [f"{count.number} {count.text}" for count in card.counts]
                    said += [mark.text for mark in card.marks]
                    said += [card.gone] if card.gone else []
                    parts.append(f"{card.title}: {', '.join(said) or 'there'}.")
        return " ".join(parts)


def scenes(example: Counterexample) -> list[Scene]:
    """Return what the picture of each state of a counterexample shows."""
    table = _tables().get(example.module) or _plain(example)
    made = [_scene(step.state, table, example) for step in example.steps]
    idle = _idle(table, made)
    return [replace(scene, bands=tuple(_drawn(scene.bands, table, idle))) for scene in made]


def _idle(table: Table, made: Sequence[Scene]) -> dict[str, frozenset[str]]:
    """For each set of members, those that nothing ever happens to, in any band.

    That something is freed with all of its kind is nothing; and if all are idle, none is.
    """
    busy: dict[str, set[str]] = {}
    ends = {end for scene in made for link in scene.links for end in (link.source, link.target)}
    for at, band in enumerate(table["band"]):
        busy.setdefault(band["over"], set()).update(
            name for title, name in ends if title == band["title"]
        )
        first = made[0].bands[at].cards
        busy[band["over"]].update(
            name
            for scene in made
            for name, card in scene.bands[at].cards.items()
            if replace(card, gone="") != replace(first[name], gone="")
        )
    return {
        band["over"]: frozenset(
            made[0].bands[at].cards.keys() - busy[band["over"]] if busy[band["over"]] else ()
        )
        for at, band in enumerate(table["band"])
    }


def _drawn(bands: Sequence[Band], table: Table, idle: dict[str, frozenset[str]]) -> Iterator[Band]:
    """The bands without idle members; the first that leaves some out says which."""
    told: set[str] = set()
    for band, said in zip(bands, table["band"], strict=True):
        out = idle[said["over"]]
        left = tuple(card.title for name, card in band.cards.items() if name in out)
        never = () if said["over"] in told else left
        told.add(said["over"])
        cards = {name: card for name, card in band.cards.items() if name not in out}
        yield replace(band, cards=cards, never=never)


@cache
def _tables() -> dict[str, Any]:
    path = Path(__file__).with_name("pictures.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def _tones() -> dict[str, str]:
    return {state: tone for tone, states in _tables()["tones"].items() for state in states}


def _plain(example: Counterexample) -> Table:
    """A table for a module that nobody wrote one for."""
    state = example.steps[0].state
    bands = []
    for name, members in example.members.items():
        functions = [
            v
            for v, value in state.items()
            if isinstance(value, dict) and set(value) == set(members)
        ]
        sets = [v for v, value in state.items() if isinstance(value, list)]
        states = [v for v in functions if v in example.orders]
        band: dict[str, Any] = {"title": name, "over": name, "name": "{}"}
        band |= {"state": states[0]} if states else {}
        band["marks"] = [{"of": v, "says": f"{v}: {{}}"} for v in functions if v not in states[:1]]
        band["marks"] += [{"of": v, "says": v} for v in sets]
        bands.append(band)
    scalars = [v for v, value in state.items() if not isinstance(value, dict | list)]
    sessions = [v for v in scalars if v in example.orders]
    flags = [
        {"of": v, "says": f"{v}: {{}}", "unless": []} for v in scalars if v not in sessions[:1]
    ]
    return {"session": sessions[0] if sessions else "", "flags": flags, "band": bands}


def _scene(state: Mapping[str, Value], table: Table, example: Counterexample) -> Scene:
    bands = tuple(_band(state, band, example) for band in table["band"])
    by_title = {band.title: band for band in bands}
    session = table.get("session", "")
    where = text(state[session]) if session else ""
    return Scene(
        session=Said(where, _tones().get(where, "")),
        places=example.orders.get(session, ()) if session else (),
        flags=tuple(
            Said(flag["says"].format(hit), flag.get("tone", ""))
            for flag in table.get("flags", ())
            for hit in _hits(state, flag, "")
        ),
        bands=bands,
        links=tuple(_links(state, table, by_title)),
    )


def _band(state: Mapping[str, Value], band: Table, example: Counterexample) -> Band:
    gone = band.get("gone")
    freed = gone["says"] if gone and any(_hits(state, gone, "")) else ""
    cards = {}
    for member in example.members[band["over"]]:
        value = state[band["state"]][member] if "state" in band else ""
        told = band.get("number", "{}").format(value) if isinstance(value, int) else text(value)
        cards[member] = Card(
            title=band["name"].format(member),
            state=Said(told, _tones().get(told, "")) if told else None,
            counts=tuple(
                Count(count["says"], state[count["of"]][member]) for count in band.get("counts", ())
            ),
            marks=tuple(
                Said(mark["says"].format(hit), mark.get("tone", ""))
                for mark in band.get("marks", ())
                for hit in _hits(state, mark, member)
            ),
            shown="shown" not in band or any(True for _ in _hits(state, band["shown"], member)),
            gone=freed,
        )
    return Band(band["title"], cards)


def _links(state: Mapping[str, Value], table: Table, bands: Mapping[str, Band]) -> Iterator[Link]:
    for band in table["band"]:
        for link in band.get("links", ()):
            cards = bands[link["to"]].cards
            for member in bands[band["title"]].cards:
                for target, count in _targets(state[link["of"]], link, member):
                    if target in cards:
                        yield Link(
                            (band["title"], member),
                            (link["to"], target),
                            count,
                            link.get("dashed", False),
                            bool(cards[target].gone),
                        )


def _wanted(value: Value, table: Table) -> bool:
    if "when" in table:
        return value in table["when"] and not isinstance(value, dict)
    return value not in table.get("unless", [False, 0, "None"])


def _hits(state: Mapping[str, Value], table: Table, member: str) -> Iterator[str]:
    """What a variable says of a member, as often as it says something."""
    value = state[table["of"]]
    if isinstance(value, dict) and member in value:
        value = value[member]
        if isinstance(value, list):
            yield from [", ".join(map(text, value))] if value else []
        elif isinstance(value, dict):
            yield from (f"{key}: {text(one)}" for key, one in value.items() if one)
        elif _wanted(value, table):
            yield text(value)
    elif isinstance(value, dict):  # of functions: what they say of it
        for name, inner in value.items():
            if isinstance(inner, dict) and inner.get(member):
                yield f"{name}: {text(inner[member])}"
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, tuple):
                names = [text(part) for part in one]
                if member in names:
                    yield names[1 - names.index(member)]
            elif text(one) == member:
                yield ""
    elif member:
        yield from [text(value)] if text(value) == member else []
    elif _wanted(value, table):
        yield text(value)


def _targets(value: Value, table: Table, member: str) -> Iterator[tuple[str, int]]:
    """Where a line leads from a member, and how many references it stands for."""
    if isinstance(value, dict):
        value = value.get(member)
        if isinstance(value, dict):
            yield from ((key, one) for key, one in value.items() if one)
        elif _wanted(value, table):
            # a truth, a state or a number is said of what has the same name
            same = isinstance(value, bool) or "when" in table
            yield (member if same else text(value)), 0
    elif isinstance(value, list) and member in map(text, value):
        yield member, 0
