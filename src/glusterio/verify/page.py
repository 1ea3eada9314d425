"""A page with counterexamples, to be stepped through in a browser.

The page needs nothing but itself: no network, no other file, and its own policy forbids both. Every
state is in it as it is shown, its picture too, so that without scripts it is a long page that can be
read, and on paper likewise. What there is of script goes from one state to another (``page.html``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

from glusterio.verify.drawing import pictures, style
from glusterio.verify.told import Change, Counterexample, Step, text

#: How a page is called that tells one thing, or several; and what there is to say of it.
_COUNTEREXAMPLES = (
    "A counterexample",
    "Counterexamples",
    "Each counterexample is the shortest way from the beginning to a state that must not be, as "
    "<code>glusterio verify</code> found it in the specification.",
)
_LIVES = (
    "The life of a session",
    "Lives of sessions",
    "What a session did, as its trace tells, in steps of the specification <code>Teardown</code>. What "
    "bricks and the wire did is in no trace: it is one of the ways that fit.",
)


def page(examples: Sequence[Counterexample]) -> str:
    """Return a page.

    Args:
        examples: what it tells; the first is shown when it is opened.
    """
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    one, many, about = _COUNTEREXAMPLES if examples[0].violated else _LIVES
    return Template(template).substitute(
        title=one if len(examples) == 1 else many,
        about=about,
        picture_style=style(),
        choice=_choice(examples) if len(examples) > 1 else "",
        stories="\n".join(_story(example) for example in examples),
    )


def _choice(examples: Sequence[Counterexample]) -> str:
    what = "Counterexample" if examples[0].violated else "Session"
    options = "".join(
        f'<option value="{escape(one.config)}">{escape(one.config)}'
        f"{': ' if one.violated else ''}{escape(one.violated)}</option>"
        for one in examples
    )
    return f'<label class="pick">{what} <select id="choice">{options}</select></label>'


def _story(example: Counterexample) -> str:
    name = escape(example.config)
    violates = f" violates {escape(example.violated)}" if example.violated else ""
    drawn = pictures(example)
    steps = "\n".join(
        _step(example, step, picture) for step, picture in zip(example.steps, drawn, strict=True)
    )
    last = len(example.steps)
    outline = "".join(
        f'<li><a href="#{quote(example.config)}/{step.number}">{step.number}. '
        f"<code>{escape(step.action)}</code>"
        f"<small>{escape(step.words)}</small></a></li>"
        for step in example.steps
    )
    return (
        f'<section class="story" data-config="{name}" aria-labelledby="title-{name}">\n'
        f'<h2 id="title-{name}">{name}{violates}</h2>\n'
        f'<p class="about">{escape(example.purpose)}</p>\n'
        '<div class="controls" role="group" aria-label="Steps">\n'
        '<button type="button" data-go="first" aria-label="To the first state">«</button>'
        '<button type="button" data-go="back" aria-label="Back">‹</button>\n'
        f'<input type="range" min="1" max="{last}" value="1" aria-label="State">\n'
        '<button type="button" data-go="on" aria-label="On">›</button>'
        '<button type="button" data-go="last" aria-label="To the last state">»</button>\n'
        f"<output>1 of {last}</output>\n</div>\n"
        f'<div class="parts">\n<ol class="outline">{outline}</ol>\n<div>\n{steps}\n</div>\n</div>\n'
        "</section>"
    )


def _step(example: Counterexample, step: Step, picture: str) -> str:
    last = len(example.steps)
    said = f"State {step.number} of {last}: {step.words or step.action}"
    if step.number == last and example.violated:
        said += f" {example.violated} is violated."
    changes = "".join(
        f"<li><code>{escape(change.place)}</code> {escape(change.words)}"
        f"{_meaning(example, change)}</li>"
        for change in step.changes
    )
    return (
        f'<article class="step" data-said="{escape(said)}">\n'
        f"<h3>State {step.number} of {last}: <code>{escape(step.action)}</code></h3>\n"
        f'<p class="words">{escape(step.words)}</p>\n'
        + (f'<ul class="changes">{changes}</ul>\n' if changes else "")
        + (_ending(example) if step.number == last else "")
        + f"<figure>{picture}</figure>\n"
        f"<details><summary>All variables</summary>{_table(example, step)}</details>\n"
        "</article>"
    )


def _meaning(example: Counterexample, change: Change) -> str:
    meaning = example.variables.get(change.variable, "")
    return f" <small>({escape(meaning)})</small>" if meaning else ""


def _ending(example: Counterexample) -> str:
    """What is to be said of the last state."""
    if not example.violated:
        what, _, why = example.closing.partition("\n")
        said = f"<p><strong>{escape(what)}</strong></p><pre>{escape(why)}</pre>"
        return f'<div class="violated">{said}</div>\n' if example.closing else ""
    how = "From here on it never comes to what it should: " if example.liveness else ""
    means = f" It says: {example.property_words}" if example.property_words else ""
    return (
        f'<div class="violated"><p><strong>{how}{escape(example.violated)} is violated.</strong>'
        f"{escape(means)}</p><pre>{escape(example.property_text)}</pre></div>\n"
    )


def _table(example: Counterexample, step: Step) -> str:
    changed = {change.variable for change in step.changes}
    return "".join(_rows(example, step, changed))


def _rows(example: Counterexample, step: Step, changed: set[str]) -> Iterator[str]:
    yield '<div class="table"><table>'
    for variable, value in step.state.items():
        kind = ' class="changed"' if variable in changed else ""
        yield (
            f'<tr{kind}><th scope="row"><code>{escape(variable)}</code></th>'
            f"<td><code>{escape(text(value))}</code></td>"
            f"<td>{escape(example.variables.get(variable, ''))}</td></tr>"
        )
    yield "</table></div>"
