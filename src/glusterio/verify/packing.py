"""The handles of a state beside one of them, as one number.

Sets of small numbers are what Python unites, and takes from each other, fastest; and from such a number
the others of *another* handle follow by arithmetic. That is quicker than looking them up in a table:
``Teardown/all`` takes 30 s of processor time, and took 42.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glusterio.verify.tla import SpecError

#: Bits for one handle's cluster; Teardown with three handles and three threads has some 500 clusters.
BITS = 12

#: Some states: under each of a state's clusters, the packed others.
States = dict[int, set[int]]


class Packing:
    """Packs the clusters of all handles but one, which are in order.

    Args:
        handles: how many handles a state has.

    Attributes:
        spread: ``spread(cluster, fresh, states, more)`` puts states that were met under one cluster
            under their other clusters, too; and counts in ``more``, by cluster, how many handles are
            so beyond one in each state.
    """

    def __init__(self, handles: int) -> None:
        self._shifts = [BITS * place for place in reversed(range(handles - 1))]
        names = [f"d{place}" for place in range(handles - 1)]
        lines = ["def spread(a, fresh, states, more):", "    for one in fresh:"]
        lines += [
            f"        {name} = one >> {shift} & {(1 << BITS) - 1}"
            for name, shift in zip(names, self._shifts, strict=True)
        ]
        for place, name in enumerate(names):
            lines += [f"        if {name} == a:", "            more[a] += 1"]
            if place:
                lines += [f"        elif {name} == {names[place - 1]}:"]
                lines += [f"            more[{name}] += 1"]
            left = names[:place] + names[place + 1 :]
            lines += ["        else:", f"            states[{name}].add({self._inserted(left)})"]
        lines.append("        pass")
        made: dict[str, Any] = {}
        exec(compile("\n".join(lines), "<spread>", "exec"), made)
        self.spread: Callable[[int, set[int], States, dict[int, int]], None] = made["spread"]

    def _inserted(self, left: list[str]) -> str:
        """The number of these, which are in order, and ``a``."""

        def number(names: list[str]) -> str:
            shifted = zip(names, self._shifts, strict=True)
            return " | ".join(f"{name} << {shift}" for name, shift in shifted)

        text = number([*left, "a"])
        for place in reversed(range(len(left))):
            first = number([*left[:place], "a", *left[place:]])
            text = f"({first} if a <= {left[place]} else {text})"
        return text

    def pack(self, others: tuple[int, ...]) -> int:
        """Return the number of clusters that are in order.

        Raises:
            SpecError: a cluster's number is too big.
        """
        if others and others[-1] >> BITS:
            raise SpecError(f"more than {1 << BITS} clusters")
        return sum([cluster << shift for cluster, shift in zip(others, self._shifts, strict=True)])

    def unpack(self, number: int) -> tuple[int, ...]:
        """Return the clusters that a number is of."""
        return tuple([number >> shift & ((1 << BITS) - 1) for shift in self._shifts])
