"""Volfiles: what parses, what it parses to, and which line is blamed for what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glusterio.errors import GraphError, VolfileError
from glusterio.graph import volfile as volfile_module
from glusterio.graph.volfile import Volfile, Volume, parse
from tests.graph.real_volfiles import ONE_BRICK, of_bricks

SMALL = """\
# written by hand
volume a-client
    type protocol/client
    option remote-host server1   # the first of them
    option remote-subvolume "/bricks/with space/a"
end-volume

volume a
  type debug/io-stats
  subvolumes a-client
  option log-level INFO
end-volume
"""


def test_a_small_one() -> None:
    volfile = parse(SMALL)
    assert volfile.volumes == (
        Volume(
            "a-client",
            "protocol/client",
            {"remote-host": "server1", "remote-subvolume": "/bricks/with space/a"},
            (),
            2,
        ),
        Volume("a", "debug/io-stats", {"log-level": "INFO"}, ("a-client",), 8),
    )
    assert volfile.top.name == "a"
    assert volfile["a-client"].line == 2
    with pytest.raises(KeyError):
        volfile["b"]
    assert volfile.unused() == []


def one(options: str) -> dict[str, str]:
    """The options of a volume that are written so."""
    return parse(f"volume v\ntype t/t\n{options}\nend-volume").volumes[0].options


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("option k v", {"k": "v"}),
        ("option\nk\r\n\tv", {"k": "v"}),  # line ends are spaces
        ("option k a#b", {"k": "a#b"}),  # no comment inside a word
        ("option k v # end-volume", {"k": "v"}),
        ("option k v#", {"k": "v#"}),
        ('option k "a # b"', {"k": "a # b"}),
        (r'option k "a\"b\\c\d"', {"k": r'a"b\cd'}),
        ('option k"v"', {"k": "v"}),  # a quote ends a word
        ('option "k"v', {"k": "v"}),
        ('option k "option"', {"k": "option"}),  # a keyword, quoted, is a word
        ("option k volumes", {"k": "volumes"}),  # not a keyword
        ("option k OPTION", {"k": "OPTION"}),
        ("option k v option k w", {"k": "w"}),  # the last one counts
        ('option k "" option l m', {"l": "m"}),  # an empty value does not
        ('option "" v', {}),
        (r'option k "\`date\`"', {"k": "`date`"}),
        ("option k caf\u00e9\udcff", {"k": "caf\u00e9\udcff"}),
    ],
)
def test_words(text: str, options: dict[str, str]) -> None:
    assert one(text) == options


def test_a_volume_may_have_a_type_only_and_the_old_spelling_of_subvolumes() -> None:
    volfile = parse("volume a type t/a end-volume volume b type t/b subvolumeS a end-volume")
    assert volfile.top == Volume("b", "t/b", {}, ("a",), 1)


GOOD = "volume a\ntype t/t\nend-volume\n"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "no volume"),
        ("# nothing\n\n", 3, "no volume"),
        ("volume", 1, "the end of the volfile"),
        ("\nvolume option", 2, "expected the volume's name, found 'option'"),
        ('volume ""', 1, "is empty"),
        (GOOD + "options", 4, "expected 'volume', found 'options'"),
        (GOOD + "end-volume", 4, "expected 'volume', found 'end-volume'"),
        ("volume a\ntype t/t\n", 1, "no 'end-volume'"),
        ("volume a\ntype t/t\nvolume b", 3, "'a' has no 'end-volume'"),
        ("volume a\nend-volume", 1, "no type"),
        ("volume a\noption k v", 2, "must begin with its type"),
        ("volume a\nsubvolumes b", 2, "must begin with its type"),
        ("volume a\ntype\nend-volume", 3, "expected a type, found 'end-volume'"),
        ("volume a\ntype t/t\ntype t/u\nend-volume", 3, "second 'type'"),
        ("volume a\ntype t/t\noption k\nend-volume", 4, "a value for option 'k'"),
        ("volume a\ntype t/t\noption k", 3, "the end of the volfile"),
        ("volume a\ntype t/t\noption k v w\nend-volume", 3, "found 'w'"),
        ("volume a\ntype t/t\nchildren b\nend-volume", 3, "found 'children'"),
        ("volume a\ntype t/t\nsubvolumes\nend-volume", 3, "names none"),
        ("volume a\ntype t/t\nsubvolumes b\nend-volume\nvolume b", 3, "not defined above"),
        ("volume a\ntype t/t\nsubvolumes a\nend-volume", 3, "itself"),
        (GOOD + "volume b\ntype t/t\nsubvolumes a a\nend-volume", 6, "twice"),
        (GOOD + "volume b type t/t\nsubvolumes a\nsubvolumes a", 6, "second 'subvolumes'"),
        (GOOD + "\n" + GOOD, 5, "defined again"),
        ('volume "a\n"', 1, "a quote without its end"),
        ('volume a\ntype "t/t', 2, "a quote without its end"),
        ('volume a\ntype "t/t\\', 2, "a quote without its end"),
        ("volume a\ntype t\\t", 2, "a backslash"),
        ("volume a\n# `rm -rf x`", 2, "backticks"),
        ('volume a\ntype t/t\noption k "`id`"', 3, "backticks"),
        ("volume a\n\\\\`id", 2, "backticks"),
        ("volume a\0", 1, "does not belong"),
        (GOOD + "\x1b[31m", 4, "does not belong"),
        (GOOD + "\ud800", 4, "does not belong"),
    ],
)
def test_what_does_not_parse(text: str, line: int, what: str) -> None:
    with pytest.raises(VolfileError, match=what) as caught:
        parse(text)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"line {line}: ")
    assert isinstance(caught.value, GraphError)
    assert isinstance(caught.value, ValueError)


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volfile_module, "MAX_VOLFILE", 100)
    with pytest.raises(VolfileError, match="the limit is 100"):
        parse(GOOD + " " * 100)


def test_an_error_shows_little_of_an_endless_word() -> None:
    with pytest.raises(VolfileError) as caught:
        parse("x" * 1_000_000)
    assert len(str(caught.value)) < 200


def test_unused() -> None:
    volfile = parse(
        "volume a type t/t end-volume volume b type t/t subvolumes a end-volume "
        "volume c type t/t end-volume volume d type t/t subvolumes c end-volume"
    )
    assert [volume.name for volume in volfile.unused()] == ["a", "b"]


# ---------------------------------------------------------------------------------------- properties

words = st.text(
    st.characters(codec="utf-8", min_codepoint=32, exclude_characters="\x7f"),
    min_size=1,
    max_size=12,
)


@st.composite
def volfiles(draw: st.DrawFn) -> Volfile:
    names = draw(st.lists(words, min_size=1, max_size=6, unique=True))
    volumes: list[Volume] = []
    for number, name in enumerate(names):
        below = draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else []
        options = draw(st.dictionaries(words, words, max_size=4))
        volumes.append(Volume(name, draw(words), options, tuple(below), 0))
    return Volfile(tuple(volumes))


def quoted(word: str) -> str:
    return '"' + "".join(f"\\{c}" if c in '\\"`' else c for c in word) + '"'


def written(volfile: Volfile) -> str:
    lines = []
    for volume in volfile.volumes:
        lines += [f"volume {quoted(volume.name)}", f"type {quoted(volume.type)}"]
        lines += [f"option {quoted(k)} {quoted(v)}" for k, v in volume.options.items()]
        if volume.subvolumes:
            lines.append("subvolumes " + " ".join(map(quoted, volume.subvolumes)))
        lines.append("end-volume")
    return "\n".join(lines)


@given(volfiles())
def test_what_is_written_is_read(volfile: Volfile) -> None:
    read = parse(written(volfile))
    assert [(v.name, v.type, v.options, v.subvolumes) for v in read.volumes] == [
        (v.name, v.type, v.options, v.subvolumes) for v in volfile.volumes
    ]


fragments = st.sampled_from(
    ["volume ", "end-volume\n", "type ", "option ", "subvolumes ", "a ", "b ", '"', "\\", "#", "\n"]
)


@given(st.lists(st.one_of(fragments, st.text(max_size=3)), max_size=40).map("".join))
def test_anything_parses_or_is_a_volfile_error(text: str) -> None:
    line = 1
    above: set[str] = set()
    try:
        for volume in parse(text).volumes:
            assert set(volume.subvolumes) <= above
            above.add(volume.name)
    except VolfileError as error:
        line = error.line
    assert 1 <= line <= text.count("\n") + 1


# ------------------------------------------------------------------------- the usual form, in short


def both(text: str) -> tuple[tuple[Volume, ...] | None, tuple[Volume, ...] | None]:
    """What the parser of the usual form finds, if it takes the text, and what the thorough one does."""
    usual = volfile_module._usual(text)
    try:
        thorough = volfile_module._word_by_word(text).volumes
    except VolfileError:
        thorough = None
    return None if usual is None else usual.volumes, thorough


@pytest.mark.parametrize("text", [ONE_BRICK, of_bricks(3, "cluster/replicate")])
def test_what_glusterd_writes_has_the_usual_form(text: str) -> None:
    usual, thorough = both(text)
    assert usual is not None
    assert usual == thorough


USUAL = "volume a\n    type t/t\n    option k v\nend-volume\n\n"


@pytest.mark.parametrize(
    "text",
    [
        USUAL.replace("k v", "k option"),
        USUAL.replace("k v", "type v"),
        USUAL.replace("k v", "k option\n    option k v"),
        USUAL.replace("t/t", "volume"),
        USUAL.replace("volume a", "volume end-volume"),
        USUAL + USUAL,
        USUAL + "volume b\n    type t/t\n    subvolumes a a\nend-volume\n",
        USUAL + "volume b\n    type t/t\n    subvolumes c\nend-volume\n",
        USUAL + "volume b\n    type t/t\n    subvolumes b\nend-volume\n",
        USUAL + "volume b\n    type t/t\n    subvolumes a subvolumeS\nend-volume\n",
        USUAL + "volume b\n",
        USUAL.replace("v\n", "v # remark\n"),
        USUAL.replace("k v", 'k "v"'),
        USUAL.replace("k v", "k `v`"),
        USUAL.replace("k v", "k v\\"),
        USUAL.replace("k v", "k \x01"),
        USUAL.replace("k v", "k \u00a0"),
        USUAL.replace("k v", "k v w"),
        USUAL.replace("\n", "\r\n"),
        "",
        "\n",
    ],
)
def test_anything_else_is_left_to_the_thorough_parser(text: str) -> None:
    assert both(text)[0] is None


near = st.sampled_from(
    [
        "volume a\n", "volume b\n", "    type t\n", "  option k v\n", "option k type\n", "option k w\n",
        "option option w\n", "    subvolumes a\n", "subvolumes a b\n", "subvolumes a volume\n",
        "end-volume\n", "end-volume\n\n", "end-volume", " ", "\n", "a",
    ]
)  # fmt: skip


@given(st.lists(near, max_size=12).map("".join))
def test_both_parsers_find_the_same(text: str) -> None:
    usual, thorough = both(text)
    assert usual is None or usual == thorough


@given(volfiles())
def test_both_parsers_find_the_same_without_quotes(volfile: Volfile) -> None:
    usual, thorough = both(written(volfile).replace('"', ""))
    assert usual is None or usual == thorough
