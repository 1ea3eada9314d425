"""What a graph switch has done, for whoever asked for it."""

from __future__ import annotations

from typing import NamedTuple


class LeftBehind(NamedTuple):
    """An open file that could not be carried to the new graph, and goes on in the old one.

    Attributes:
        path: the path as it was opened.
        why: the error that its opening, or the moving of its locks, came to.
    """

    path: str
    why: Exception


class SwitchReport(NamedTuple):
    """What became of a volfile.

    Attributes:
        generation: the number of the graph in use, from 1.
        switched: whether it is a new one.
        reconfigured: the translators that took changed options; then the graph is the old one.
        carried: how many handles went over to the new graph.
        left_behind: the handles that did not.
        seconds: how long it took, connecting included.
        pause: for how long of that requests about locks had to wait, in seconds; no other call did.
    """

    generation: int
    switched: bool = False
    reconfigured: tuple[str, ...] = ()
    carried: int = 0
    left_behind: tuple[LeftBehind, ...] = ()
    seconds: float = 0.0
    pause: float = 0.0

    def __str__(self) -> str:
        if self.reconfigured:
            return f"graph {self.generation} took new options: {', '.join(self.reconfigured)}"
        if not self.switched:
            return f"graph {self.generation} stays: nothing has changed"
        left = f", {len(self.left_behind)} left behind" if self.left_behind else ""
        return (
            f"graph {self.generation} is in use after {self.seconds:.3f} s:"
            f" {self.carried} handles carried{left}"
        )
