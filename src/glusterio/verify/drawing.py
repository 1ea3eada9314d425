"""Pictures of scenes, as SVG: every state of a counterexample on the same sheet, so that nothing jumps.

A card that differs from the one before has a thick edge and a mark, and so has a line that is new.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from glusterio.verify.scenes import Band, Card, Link, Said, Scene, scenes
from glusterio.verify.told import Counterexample

PAD = 12  # around a band, and between cards
LINE = 18  # a line of text
HEAD = 20  # a band's title
GAP = 26  # between bands, for the lines
NARROWEST = 300


def width_of(text: str, *, bold: bool = False) -> float:
    """About how wide a text is: small letters are half as wide as high, capitals more."""
    wide = sum(0.72 if c.isupper() or c in "_→mw●" else 0.53 for c in text)
    return wide * 13 * (1.15 if bold else 1)


@cache
def style() -> str:
    """The style sheet of pictures."""
    return Path(__file__).with_name("picture.css").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a card is."""

    x: float
    y: float
    width: float
    height: float


class Sheet:
    """Where everything is, for all scenes of a counterexample.

    Args:
        shown: the scenes.
    """

    def __init__(self, shown: Sequence[Scene]) -> None:
        first = shown[0]
        self._places: dict[tuple[str, str], _Place] = {}
        self._tops: list[tuple[Band, float, float]] = []
        widths = [
            max(_card_width(card) for scene in shown for card in scene.bands[at].cards.values())
            for at in range(len(first.bands))
        ]
        flags = max((_flags_width(scene.flags) for scene in shown), default=0)
        track = 44.0 + 30 * len(first.places)
        self.width = max(
            NARROWEST,
            flags,
            track,
            *(width_of(_heading(band)) + 2 * PAD for band in first.bands),
            *(
                len(band.cards) * (width + PAD) + PAD
                for band, width in zip(first.bands, widths, strict=True)
            ),
        )
        self._flag_lines = max(sum(1 for _ in scene.flags) for scene in shown)
        y = self._session_height(first) + (PAD if self._session_height(first) else 0)
        for at, band in enumerate(first.bands):
            lines = max(_lines(card) for scene in shown for card in scene.bands[at].cards.values())
            height = HEAD + lines * LINE + 14 + PAD
            self._tops.append((band, y, height))
            room = (self.width - PAD) / len(band.cards)
            for i, name in enumerate(band.cards):
                place = _Place(PAD + i * room, y + HEAD, room - PAD, lines * LINE + 14)
                self._places[band.title, name] = place
            y += height + GAP
        self.height = y - GAP

    def _session_height(self, scene: Scene) -> float:
        track = 66 if scene.places else 0
        return track + LINE * self._flag_lines + (PAD if self._flag_lines else 0)

    # -- drawing ----------------------------------------------------------------------------------

    def draw(self, scene: Scene, before: Scene | None, seen: frozenset[str]) -> Iterator[str]:
        """Draw a scene.

        Args:
            scene: what to draw.
            before: the scene before it, to show what is new.
            seen: the places where the session has been.
        """
        yield from self._session(scene, before, seen)
        for _, top, height in self._tops:
            yield _rect("band", _Place(0, top, self.width, height), 10)
        missed = {link.target for link in scene.links if link.dead}
        for at, (band, _, _) in enumerate(self._tops):
            for name, card in scene.bands[at].cards.items():
                old = before.bands[at].cards[name] if before else card
                where = (band.title, name)
                yield from self._card(card, old, self._places[where], where in missed)
        for link in scene.links:
            yield from self._link(link, scene, before)
        for band, top, _ in self._tops:
            yield _text("band-title", PAD, top + 14, _heading(band))

    def _session(self, scene: Scene, before: Scene | None, seen: frozenset[str]) -> Iterator[str]:
        height = self._session_height(scene)
        if not height:
            return
        yield _rect("band", _Place(0, 0, self.width, height), 10)
        y = 16.0
        if scene.places:
            yield _text("band-title", PAD, y, "session")
            new = before is not None and before.session != scene.session
            mark = '<tspan class="new-mark">● </tspan>' if new else ""
            yield (
                f'<text class="where tone-{scene.session.tone or "plain"}" x="{PAD}" y="39">'
                f"{mark}{escape(scene.session.text)}</text>"
            )
            step = (self.width - 2 * PAD - 12) / max(1, len(scene.places) - 1)
            yield f'<path class="rail" d="M{PAD + 6} 54H{self.width - PAD - 6:.0f}"/>'
            for i, place in enumerate(scene.places):
                kind = (
                    "is" if place == scene.session.text else "was" if place in seen else "not-yet"
                )
                radius = 6 if kind == "is" else 4
                yield (
                    f'<circle class="pip {kind}" cx="{PAD + 6 + i * step:.0f}" cy="54" r="{radius}">'
                    f"<title>{escape(place)}</title></circle>"
                )
            y = 66 + LINE - 4.0
        old = before.flags if before else scene.flags
        for flag in scene.flags:
            yield _said(flag, PAD, y, flag not in old)
            y += LINE

    def _card(self, card: Card, old: Card, place: _Place, missed: bool) -> Iterator[str]:
        new = card != old
        classes = ["card"]
        if not card.shown:
            classes += ["is-hidden"]
        elif card.gone:
            classes += ["is-gone", "is-bad" if missed else "is-done"]
        elif any(mark.tone == "bad" for mark in card.marks):
            classes += ["is-bad"]
        elif card.state is not None and card.state.tone:
            classes += [f"is-{card.state.tone}"]
        classes += ["is-new"] if new else []
        yield _rect(" ".join(classes), place, 8)
        if not card.shown:
            return
        x, y = place.x + 10, place.y + 19
        yield _text("title", x, y, card.title)
        if card.state is not None:
            y += LINE
            yield _said(card.state, x, y, card.state != old.state, "state")
        for count, was in zip(card.counts, old.counts, strict=True):
            y += LINE
            dots = "●" * count.number if 0 <= count.number <= 6 else str(count.number)
            yield _said(Said(f"{count.text}: {dots or '0'}"), x, y, count != was)
        for mark in card.marks:
            y += LINE
            yield _said(mark, x, y, mark not in old.marks)
        if card.gone:
            y += LINE
            tone = "bad" if missed else "done"
            yield _said(Said(card.gone, tone), x, y, card.gone != old.gone)

    def _link(self, link: Link, scene: Scene, before: Scene | None) -> Iterator[str]:
        a, b = self._places[link.source], self._places[link.target]
        parallel = [one for one in scene.links if one.source == link.source]
        shift = (parallel.index(link) - (len(parallel) - 1) / 2) * 22
        from_x, to_x = a.x + a.width / 2 + shift, b.x + b.width / 2 + shift
        from_y, to_y = a.y + a.height, b.y - 2
        middle = (from_y + to_y) / 2
        kinds = ["is-dashed"] if link.dashed else []
        kinds += ["is-dead"] if link.dead else []
        kinds += ["is-new"] if before is not None and link not in before.links else []
        kind = " ".join(["link", *kinds])
        yield (
            f'<path class="{kind}" d="M{from_x:.0f} {from_y:.0f}C{from_x:.0f} {middle:.0f} '
            f'{to_x:.0f} {middle:.0f} {to_x:.0f} {to_y - 6:.0f}"/>'
            f'<path class="{kind.replace("link", "tip", 1)}" '
            f'd="M{to_x:.0f} {to_y:.0f}l-5 -9h10z"/>'
        )
        if link.count:
            yield _text("link-count", (from_x + to_x) / 2 + 8, middle + 5, f"×{link.count}")


def _rect(kind: str, place: _Place, radius: int) -> str:
    return (
        f'<rect class="{kind}" x="{place.x:.0f}" y="{place.y:.0f}" width="{place.width:.0f}" '
        f'height="{place.height:.0f}" rx="{radius}"/>'
    )


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'


def _said(said: Said, x: float, y: float, new: bool, kind: str = "mark") -> str:
    mark = '<tspan class="new-mark">● </tspan>' if new else ""
    tone = f" tone-{said.tone}" if said.tone else ""
    return f'<text class="{kind}{tone}" x="{x:.0f}" y="{y:.0f}">{mark}{escape(said.text)}</text>'


def _heading(band: Band) -> str:
    return f"{band.title}; never used: {', '.join(band.never)}" if band.never else band.title


def _lines(card: Card) -> int:
    return 1 + bool(card.state) + len(card.counts) + len(card.marks) + bool(card.gone)


def _card_width(card: Card) -> float:
    widths = [width_of(f"● {mark.text}", bold=mark.tone == "bad") for mark in card.marks]
    widths += [width_of(f"{count.text}: {'●' * min(count.number, 6)}") for count in card.counts]
    widths += [width_of(text, bold=True) for text in (card.title, card.gone)]
    widths += [width_of(f"● {card.state.text}", bold=True)] if card.state else []
    return max(96.0, max(widths) + 20)


def _flags_width(flags: Sequence[Said]) -> float:
    return max((width_of(f"● {flag.text}") + 2 * PAD for flag in flags), default=0)


# -- whole pictures -------------------------------------------------------------------------------


def pictures(example: Counterexample) -> list[str]:
    """Return a picture of each state of a counterexample, for a page that has :func:`style`."""
    shown = scenes(example)
    sheet = Sheet(shown)
    made = []
    for number, parts in enumerate(_drawn(shown, sheet), 1):
        title = f"State {number} of {len(shown)}"
        made.append(
            f'<svg class="picture" viewBox="0 0 {sheet.width:.0f} {sheet.height:.0f}" '
            f'style="max-width: {sheet.width * 1.35:.0f}px; min-width: {sheet.width * 0.86:.0f}px" '
            'role="img">'
            f"<title>{title}</title><desc>{escape(shown[number - 1].words())}</desc>"
            f"{''.join(parts)}</svg>"
        )
    return made


def strip(example: Counterexample, columns: int) -> str:
    """Return all states of a counterexample as one picture, a file of its own.

    Args:
        example: the counterexample.
        columns: how many states there are beside each other.
    """
    shown = scenes(example)
    sheet = Sheet(shown)
    room, head, between = sheet.width + 28, 40.0, 30.0
    rows = -(-len(shown) // columns)
    width = columns * room - 28 + 2 * PAD
    height = rows * (sheet.height + head + between) - between + 2 * PAD
    parts = []
    for at, drawn in enumerate(_drawn(shown, sheet)):
        x = PAD + at % columns * room
        y = PAD + at // columns * (sheet.height + head + between)
        step = example.steps[at]
        name = step.action if at else "the beginning"
        caption = _text("caption", 0, 14, f"{step.number}  {name}")
        if at == len(shown) - 1:
            caption += _text("caption-more tone-bad", 0, 32, f"{example.violated} is violated")
        parts.append(
            f'<g transform="translate({x:.0f} {y:.0f})">{caption}'
            f'<g transform="translate(0 {head:.0f})">{"".join(drawn)}</g></g>\n'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">\n'
        f"<title>{escape(example.config)}: {escape(example.purpose)}</title>\n"
        f"<style>\n{style()}</style>\n"
        f'<rect class="paper" width="{width:.0f}" height="{height:.0f}"/>\n'
        f"{''.join(parts)}</svg>\n"
    )


def _drawn(shown: Sequence[Scene], sheet: Sheet) -> Iterator[list[str]]:
    before: Scene | None = None
    seen: frozenset[str] = frozenset()
    for scene in shown:
        seen |= {scene.session.text}
        yield list(sheet.draw(scene, before, seen))
        before = scene
