"""What holds for every error class of ours."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from glusterio import errors
from glusterio.errors import ConnectionLostError, GlusterError, Refusal, retold, with_path

MADE: dict[type[GlusterError], GlusterError] = {
    errors.UnsupportedGraphError: errors.UnsupportedGraphError("cluster/disperse", "gv0-disperse"),
    errors.ConnectionLostError: ConnectionLostError("lost", may_have_happened=False),
    errors.AuthRejectedError: errors.AuthRejectedError("no", reason=Refusal.LOGIN),
    errors.VolfileError: errors.VolfileError("no end", 3),
}
CLASSES = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, GlusterError)
]


def made(cls: type[GlusterError]) -> GlusterError:
    return MADE.get(cls) or cls("what went wrong")


def parts(error: BaseException) -> tuple[object, ...]:
    return type(error), str(error), error.args, getattr(error, "errno", None), error.__dict__


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_comes_home_from_another_process(cls: type[GlusterError]) -> None:
    error = made(cls)
    error.add_note("a note")
    assert parts(pickle.loads(pickle.dumps(error))) == parts(error)
    assert parts(copy.copy(error)) == parts(error)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_can_be_told_with_the_file_that_it_concerns(cls: type[GlusterError]) -> None:
    error = made(cls)
    told = with_path(error, "/a/file")
    assert type(told) is cls
    assert f"/a/file: {error.args[-1]}" in str(told)
    assert parts(told)[3:] == parts(error)[3:]
    assert with_path(told, "/a/file") is told
    assert "/a/file" not in str(error)
    assert str(retold(error, "else").args[-1]) == "else"
