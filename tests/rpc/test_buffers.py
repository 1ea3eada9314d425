"""A large buffer is used again when nobody has it any more, and never before."""

from __future__ import annotations

from glusterio.rpc.buffers import LARGEST, SMALLEST, Buffers


def address(view: memoryview) -> int:
    return id(view.obj)


def test_one_that_is_given_up_is_used_again() -> None:
    buffers = Buffers(1)
    first = buffers.take(SMALLEST)
    was = address(first)
    del first
    second = buffers.take(LARGEST)
    assert address(second) == was
    assert len(second) == LARGEST


def test_what_somebody_looks_at_is_left_alone() -> None:
    buffers = Buffers(2)
    first = buffers.take(SMALLEST)
    part = first[10:20]
    part[:] = b"0123456789"
    del first
    others = [buffers.take(SMALLEST) for _ in range(3)]
    for other in others:
        other[:] = bytes(SMALLEST)
    assert bytes(part) == b"0123456789"
    assert len({address(part), *map(address, others)}) == 4


def test_only_so_many_are_kept() -> None:
    buffers = Buffers(2)
    views = [buffers.take(SMALLEST) for _ in range(5)]
    seen = {address(view) for view in views}
    kept = [address(view) for view in views[:2]]
    assert len(seen) == 5
    views.clear()
    again = [buffers.take(SMALLEST) for _ in range(2)]
    assert sorted(map(address, again)) == sorted(kept)


def test_small_and_huge_ones_are_made_anew() -> None:
    buffers = Buffers(8)
    for size in (0, 1, SMALLEST - 1, LARGEST + 1):
        view = buffers.take(size)
        assert len(view) == size
        assert view.obj is not buffers.take(size).obj
    del view
    assert memoryview(buffers.take(SMALLEST).obj).nbytes == LARGEST
