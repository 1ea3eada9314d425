"""``Volume.open`` against ``builtins.open``: the same operations on both, and the same comes of them.

Random sequences in every mode, for bytes and for text; then what other modules do with a file; then
what there is no counterpart for.
"""

from __future__ import annotations

import array
import csv
import gzip
import hashlib
import io
import itertools
import json
import os
import pickle
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import glusterio
from tests.embedded import BrickProcess

MODES = ["".join(m) for m in itertools.product("rwax", ("", "+"))]


@pytest.fixture(params=["embedded", "brick"])
def volume(
    request: pytest.FixtureRequest, brick: BrickProcess, tmp_path: Path
) -> Iterator[glusterio.Volume]:
    """A volume in this process, and one on a brick."""
    if request.param == "brick":
        with glusterio.connect(brick.url) as volume:
            yield volume
            for name in volume.listdir():
                volume.unlink(name)
        brick.wait_for(fds=0)
    else:
        (tmp_path / "volume").mkdir()
        with glusterio.connect(f"embedded://{tmp_path / 'volume'}") as volume:
            yield volume
    assert volume.close().graceful
    assert volume.close().handles == []


@pytest.fixture
def local_volume(tmp_path: Path) -> Iterator[glusterio.Volume]:
    (tmp_path / "volume").mkdir()
    with glusterio.connect(f"embedded://{tmp_path / 'volume'}") as volume:
        yield volume


# -- random sequences -------------------------------------------------------------------------------


def attempt(file: Any, marks: list[Any], operation: tuple[Any, ...]) -> Any:
    """Do an operation on a file; return what comes of it, an error as data."""
    name, *arguments = operation
    try:
        return act(file, marks, name, arguments)
    except OSError as error:
        if isinstance(error, ValueError):  # io.UnsupportedOperation is both
            return type(error).__name__
        return type(error).__name__, error.errno
    except (ValueError, UnicodeError, TypeError, StopIteration) as error:
        return type(error).__name__


def act(file: Any, marks: list[Any], name: str, arguments: list[Any]) -> Any:
    match name:
        case "readinto":
            buffer = bytearray(arguments[0])
            return file.readinto(buffer), bytes(buffer)
        case "next":
            return next(file)
        case "mark":
            marks.append(file.tell())
            return None
        case "go to mark":
            file.seek(marks[arguments[0] % len(marks)] if marks else 0)
            return None
        case "closed" | "name" | "mode":
            value = getattr(file, name)
            return os.path.basename(value) if name == "name" else value
        case _:
            return getattr(file, name)(*arguments)


def both(
    local: Path,
    volume: glusterio.Volume,
    before: bytes | None,
    operations: list[tuple[Any, ...]],
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
) -> None:
    """Do the same with both, and compare."""
    for path in (local,):
        path.unlink(missing_ok=True)
    if volume.exists("f"):
        volume.unlink("f")
    if before is not None:
        local.write_bytes(before)
        with volume.open("f", "wb") as made:
            made.write(before)

    def came(opening: Callable[..., Any], path: Any) -> Iterator[Any]:
        marks: list[Any] = []
        try:
            file = opening(path, *arguments, **keywords)
        except (OSError, ValueError) as error:
            yield type(error), getattr(error, "errno", None)
            return
        with file:
            # Python's own file learns it from its first seek, and takes one that is refused for a no.
            assert file.seekable()
            for operation in operations:
                yield operation, attempt(file, marks, operation)
        for operation in [
            ("closed",),
            ("read", 1),
            ("write", b""),
            ("tell",),
            ("seek", 0),
            ("flush",),
        ]:
            yield "when closed", operation, attempt(file, marks, operation)

    assert list(came(volume.open, "f")) == list(came(open, local))
    assert volume.exists("f") == local.exists()
    if local.exists():
        with volume.open("f", "rb") as found:
            assert found.read() == local.read_bytes()


_SIZES = st.one_of(st.integers(-1, 40), st.integers(0, 20_000))
_BYTES = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda n, b: bytes([b]) * n, st.integers(0, 20_000), st.integers(0, 255)),
    st.lists(st.sampled_from([b"\n", b"a", b"line\n", b"\r\n"]), max_size=20).map(b"".join),
)
_BINARY = st.one_of(
    st.tuples(st.just("read"), _SIZES),
    st.tuples(st.just("read")),
    st.tuples(st.just("readinto"), st.integers(0, 300)),
    st.tuples(st.just("readline"), st.integers(-1, 50)),
    st.tuples(st.just("readlines"), st.integers(-1, 50)),
    st.tuples(st.just("next")),
    st.tuples(st.just("write"), _BYTES),
    st.tuples(st.just("writelines"), st.lists(_BYTES, max_size=3)),
    st.tuples(st.just("seek"), st.integers(-5, 400), st.sampled_from([0, 1, 2, 9])),
    st.tuples(st.just("seek"), st.integers(-300, 300), st.sampled_from([1, 2])),
    st.tuples(st.just("tell")),
    st.tuples(st.just("truncate")),
    st.tuples(st.just("truncate"), st.integers(-1, 500)),
    st.tuples(st.just("flush")),
    st.sampled_from(
        [("readable",), ("writable",), ("seekable",), ("isatty",), ("mode",), ("name",)]
    ),
)


@pytest.mark.fuzz
def test_bytes(local_volume: glusterio.Volume, tmp_path: Path) -> None:
    @given(
        mode=st.sampled_from(MODES),
        buffering=st.sampled_from([-1, 0, 2, 7, 100, 8192]),
        before=st.one_of(st.none(), _BYTES),
        operations=st.lists(_BINARY, max_size=12),
    )
    @example("a+", -1, b"abc", [("tell",), ("read", 1), ("write", b"d"), ("tell",)])
    @example("r+", -1, b"abcdef", [("read", 2), ("write", b"XY"), ("read", 1), ("truncate",)])
    @example("w+", 0, None, [("seek", 10, 0), ("write", b"x"), ("mode",)])
    @example("a+", 0, None, [("truncate", 1), ("write", b""), ("read",)])
    def same(mode: str, buffering: int, before: bytes | None, operations: list[Any]) -> None:
        both(tmp_path / "f", local_volume, before, operations, (mode + "b", buffering), {})

    same()


_TEXT = st.text(st.sampled_from("ab\n\r\u00e9\N{SNOWMAN}\U0001f600"), max_size=30)
_TEXTUAL = st.one_of(
    st.tuples(st.just("read"), st.integers(-1, 30)),
    st.tuples(st.just("readline"), st.integers(-1, 30)),
    st.tuples(st.just("readlines")),
    st.tuples(st.just("next")),
    st.tuples(st.just("write"), _TEXT),
    st.tuples(st.just("writelines"), st.lists(_TEXT, max_size=3)),
    st.tuples(st.just("seek"), st.just(0), st.sampled_from([0, 1, 2, 9])),
    st.tuples(st.just("seek"), st.integers(-1, 1), st.integers(1, 2)),
    st.tuples(st.just("mark")),
    st.tuples(st.just("go to mark"), st.integers(0, 5)),
    st.tuples(st.just("truncate")),
    st.tuples(st.just("flush")),
    st.sampled_from(
        [("readable",), ("writable",), ("seekable",), ("isatty",), ("mode",), ("name",)]
    ),
)


@pytest.mark.fuzz
def test_text(local_volume: glusterio.Volume, tmp_path: Path) -> None:
    @given(
        mode=st.sampled_from(MODES),
        text=st.sampled_from(["", "t"]),
        buffering=st.sampled_from([-1, 1, 2, 100]),  # 0 is refused before the file is touched
        encoding=st.sampled_from(["utf-8", "utf-16", "latin-1", "utf-8-sig", "shift_jis"]),
        errors=st.sampled_from([None, "strict", "replace", "ignore", "surrogateescape"]),
        newline=st.sampled_from([None, "", "\n", "\r", "\r\n", "x"]),
        before=st.one_of(st.none(), _TEXT),
        operations=st.lists(_TEXTUAL, max_size=12),
    )
    def same(
        mode: str,
        text: str,
        buffering: int,
        encoding: str,
        errors: str | None,
        newline: str | None,
        before: str | None,
        operations: list[Any],
    ) -> None:
        content = None if before is None else before.encode(encoding, "ignore")
        keywords = {"encoding": encoding, "errors": errors, "newline": newline}
        both(tmp_path / "f", local_volume, content, operations, (mode + text, buffering), keywords)

    same()


# -- arguments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "keywords"),
    [
        *((mode, {}) for mode in ("", "b", "rw", "rr", "z", "+", "rbt", "U", "r++", "br+", "t+r")),
        ("rb", {"encoding": "utf-8"}),
        ("rb", {"errors": "strict"}),
        ("rb", {"newline": "\n"}),
        ("r", {"buffering": 0}),
        ("r", {"buffering": -2}),
        ("rb", {"buffering": -2}),
        ("r", {"encoding": "no such encoding"}),
        ("w", {"encoding": "no such encoding"}),
        ("r", {"newline": "?"}),
        ("rb", {"buffering": 1}),
        ("r", {"encoding": "utf-8", "buffering": 5}),
        ("w+b", {"buffering": 0}),
        ("w+", {}),
        ("x+b", {}),
        ("ab", {}),
    ],
)
def test_arguments(
    local_volume: glusterio.Volume, tmp_path: Path, mode: str, keywords: dict[str, Any]
) -> None:
    def opened(opening: Callable[..., Any], path: Any) -> Any:
        try:
            with opening(path, mode, **keywords) as file:
                return [cls.__name__ for cls in type(file).__mro__ if cls.__module__ == "_io"], (
                    file.mode, getattr(file, "encoding", None), getattr(file, "newlines", None),
                    getattr(file, "line_buffering", None), getattr(file, "errors", None),
                )  # fmt: skip
        except Exception as error:
            return type(error)
        except Warning as warning:
            return type(warning), str(warning)

    if "x" not in mode:
        (tmp_path / "f").write_bytes(b"abc")
        local_volume.open("f", "xb").close()
    found, true = opened(local_volume.open, "f"), opened(open, tmp_path / "f")
    if isinstance(true, tuple) and true[0][0] == "FileIO":
        found[0][:0] = ["FileIO"]  # ours is one by its methods only
    assert found == true
    assert local_volume.exists("f") == (tmp_path / "f").exists()


def test_there_is_no_descriptor(volume: glusterio.Volume) -> None:
    with volume.open("f", "w") as file:
        with pytest.raises(io.UnsupportedOperation):
            file.fileno()
        assert not file.isatty()


def test_directories_are_not_opened(volume: glusterio.Volume) -> None:
    for mode in ("r", "rb", "w", "a", "r+", "x"):
        with pytest.raises(FileExistsError if mode == "x" else IsADirectoryError) as caught:
            volume.open("/", mode)
        assert caught.value.filename == "/"


# -- what others do with a file ---------------------------------------------------------------------


def test_json_csv_and_pickle(volume: glusterio.Volume) -> None:
    data = {"text": "\N{SNOWMAN}\n", "list": [1, 2.5, None], "big": "x" * 300_000}
    with volume.open("f", "w", encoding="utf-8") as file:
        json.dump(data, file)
    with volume.open("f", encoding="utf-8") as file:
        assert json.load(file) == data
    rows = [["a", "b\nc", 'd"e'], ["1", "\u00fc", ""]] * 500
    with volume.open("f", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    with volume.open("f", newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == rows
    with volume.open("f", "wb") as binary:
        pickle.dump(data, binary)
        pickle.dump(rows, binary)
    with volume.open("f", "rb") as binary:
        assert pickle.load(binary) == data
        assert pickle.load(binary) == rows


def test_archives(volume: Any) -> None:
    content = random.Random(1).randbytes(200_000)
    with volume.open("f", "w+b") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("one", content)
            archive.writestr("two", b"2" * 100_000)
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None
            assert archive.read("one") == content
    with volume.open("f", "r+b") as file, zipfile.ZipFile(file, "a") as archive:
        archive.writestr("three", b"3")
    with volume.open("f", "rb") as file, zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["one", "two", "three"]
    with volume.open("f", "wb") as file, gzip.open(file, "wb") as packed:
        packed.write(content)
    with volume.open("f", "rb") as file, gzip.open(file) as packed:
        assert packed.read() == content
    with volume.open("f", "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo("one")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    with volume.open("f", "rb") as file, tarfile.open(fileobj=file) as tar:
        member = tar.extractfile("one")
        assert member is not None
        assert member.read() == content


def test_copying_and_digests(volume: Any) -> None:
    content = random.Random(2).randbytes(5_000_001)
    with volume.open("f", "wb") as file:
        shutil.copyfileobj(io.BytesIO(content), file)
    with volume.open("f", "rb") as source, volume.open("g", "wb") as target:
        shutil.copyfileobj(source, target, 70_000)
    with volume.open("g", "rb") as file:
        assert hashlib.file_digest(file, "sha256").digest() == hashlib.sha256(content).digest()
    with volume.open("g", "rb", buffering=0) as file:
        assert file.read() == content


def test_large_reads_and_writes(volume: glusterio.Volume) -> None:
    content = random.Random(3).randbytes(9_000_000)
    for buffering in (-1, 0, 1000):
        with volume.open("f", "wb", buffering=buffering) as file:
            assert file.write(content) == len(content)
            assert file.tell() == len(content)
        with volume.open("f", "rb", buffering=buffering) as file:
            assert file.read() == content
            assert file.read() == b""
            file.seek(-1_000_000, os.SEEK_END)
            assert file.read() == content[-1_000_000:]
    text = "\N{SNOWMAN}line\n" * 200_000
    with volume.open("f", "w", encoding="utf-8") as written:
        written.write(text)
    with volume.open("f", encoding="utf-8") as read:
        assert read.read() == text
        read.seek(0)
        assert sum(1 for line in read if line == "\N{SNOWMAN}line\n") == 200_000


def test_reading_into_other_buffers(volume: Any) -> None:
    with volume.open("f", "wb") as file:
        file.write(bytes(range(256)) * 8)
    for buffering in (-1, 0):
        with volume.open("f", "rb", buffering=buffering) as file:
            buffer = bytearray(b"." * 32)
            assert file.readinto(memoryview(buffer)[4:8]) == 4
            assert buffer == b"...." + bytes(range(4)) + b"." * 24
            numbers = array.array("d", [0.0] * 4)
            assert file.readinto(numbers) == 32
            assert numbers.tobytes() == bytes(range(4, 36))
            assert file.readinto(bytearray()) == 0
            with pytest.raises((TypeError, BufferError)):
                file.readinto(b"constant")
            with pytest.raises((TypeError, BufferError)):
                file.readinto(memoryview(buffer)[::2])
            assert file.tell() == 36


def test_writing_other_buffers(volume: Any) -> None:
    numbers = array.array("d", [1.5, 2.5])
    for buffering in (-1, 0):
        with volume.open("f", "wb", buffering=buffering) as file:
            assert file.write(numbers) == 16
            assert file.write(memoryview(b"abcd")[1:3]) == 2
            assert file.write(bytearray(b"xyz")) == 3
            assert file.write(array.array("d")) == 0
            assert file.write(memoryview(bytes(12)).cast("B", (3, 4))) == 12
            for wrong in ("text", 5, None, memoryview(b"abcd")[::2]):
                with pytest.raises((TypeError, BufferError)):
                    file.write(wrong)
        with volume.open("f", "rb") as file:
            assert file.read() == numbers.tobytes() + b"bcxyz" + bytes(12)


def test_a_text_layer_on_a_binary_file(volume: Any) -> None:
    with volume.open("f", "wb") as file, io.TextIOWrapper(file, "utf-16", newline="\r\n") as text:
        text.write("one\ntwo\n")
        text.reconfigure(line_buffering=True)
        text.write("three\n")
    with volume.open("f", "rb") as file:
        assert file.read().decode("utf-16") == "one\r\ntwo\r\nthree\r\n"
    text_file = volume.open("f", encoding="utf-16")
    assert isinstance(text_file, io.TextIOWrapper)
    assert text_file.name == text_file.buffer.name == "f"
    assert list(text_file) == ["one\n", "two\n", "three\n"]
    assert text_file.newlines == "\r\n"
    with text_file.detach() as detached:
        assert detached.tell() == volume.stat("f").st_size


def test_two_writers_that_append(volume: glusterio.Volume) -> None:
    with volume.open("f", "wb") as file:
        file.write(b"begin")
    with volume.open("f", "ab", 0) as one, volume.open("f", "ab", 0) as two:
        assert one.tell() == two.tell() == 5
        for number in range(20):
            assert (one if number % 2 else two).write(b"%04d" % number) == 4
        assert one.tell() == 5 + 80
        assert two.tell() == 5 + 76
        one.seek(0)
        one.write(b"last")
        assert one.tell() == 5 + 84
    with volume.open("f", "rb") as file:
        assert file.read() == b"begin" + b"".join(b"%04d" % n for n in range(20)) + b"last"


def test_line_buffering(volume: glusterio.Volume) -> None:
    with volume.open("f", "w", 1) as file, volume.open("f") as reader:
        assert file.write("no end") == 6
        assert reader.read() == ""
        assert file.write(" of line\nand") == 12
        reader.seek(0)
        assert reader.read() == "no end of line\nand"


def test_an_exception_in_the_with_block_loses_nothing(volume: glusterio.Volume) -> None:
    file = volume.open("f", "w")

    def use() -> None:
        with file:
            file.write("before")
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert file.closed
    with volume.open("f") as file:
        assert file.read() == "before"


def test_a_write_that_fails_is_reported_once_and_the_file_is_closed(
    volume: glusterio.Volume,
) -> None:
    file = volume.open("f", "wb")
    file.seek(1 << 62)
    file.write(b"x")
    with pytest.raises(OSError, match=r"File too large|Invalid argument"):
        file.close()
    assert file.closed
    file.close()
    assert volume.stat("f").st_size == 0
