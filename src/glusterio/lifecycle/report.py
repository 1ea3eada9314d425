"""What a teardown tells: the report that ``close`` returns."""

from __future__ import annotations

from typing import NamedTuple


class DrainedHandle(NamedTuple):
    """A handle that the application had left open.

    Attributes:
        path: the path as it was opened.
        kind: ``"file"`` or ``"directory"``.
        opened_at: ``file:line`` of the call that opened it, or an empty string.
        error: why it could not be released gracefully (the brick lets go of it at the disconnect
            all the same), or why its last buffered or deferred data could not be written: which, if it
            was deferred, the error says; else ``None``.
    """

    path: str
    kind: str
    opened_at: str
    error: Exception | None = None


class DrainedObject(NamedTuple):
    """A gfid object that the application had not closed.

    Attributes:
        path: what it was found by.
        gfid: the file's.
        opened_at: ``file:line`` of the call that made it, or an empty string.
    """

    path: str
    gfid: bytes
    opened_at: str


class StepTime(NamedTuple):
    """One step of the teardown and how long it took, in seconds."""

    name: str
    seconds: float


class TeardownReport:
    """How a session ended. Every ``close`` of the session returns this same object.

    Attributes:
        volume: the volume's name.
        handles: the handles that the application had left open, in the order of opening.
        objects: the gfid objects that it had not closed, in the order of their making.
        calls_settled: calls that were under way at the gate and finished by themselves.
        calls_cancelled: calls that were ended when the grace time was over, by operation name.
        errors: what went wrong on the way: lack of grace, never failure to close. Among them are the
            errors of deferred writes of which the application was not told before.
        defects: what glusterio itself left behind (an inode reference, a handle); empty, or a bug.
        steps: the time of each step.
    """

    __slots__ = (
        "calls_cancelled", "calls_settled", "defects", "errors", "handles", "objects", "steps",
        "volume",
    )  # fmt: skip

    def __init__(self, volume: str = "") -> None:
        self.volume = volume
        self.handles: list[DrainedHandle] = []
        self.objects: list[DrainedObject] = []
        self.calls_settled = 0
        self.calls_cancelled: list[str] = []
        self.errors: list[Exception] = []
        self.defects: list[str] = []
        self.steps: list[StepTime] = []

    @property
    def handles_drained(self) -> int:
        """How many handles the teardown had to close."""
        return len(self.handles)

    @property
    def seconds(self) -> float:
        """The time from the gate to the end, in seconds."""
        return sum(step.seconds for step in self.steps)

    @property
    def graceful(self) -> bool:
        """Whether nothing was lost, forced or left: no error, no defect, no cancelled call."""
        return not (self.errors or self.defects or self.calls_cancelled)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"TeardownReport({fields})"

    def __str__(self) -> str:
        lines = [
            f"session {self.volume}: ended in {self.seconds * 1000:.1f} ms"
            + ("" if self.graceful else ", not gracefully"),
            f"  handles drained   {self.handles_drained}",
            f"  objects let go of {len(self.objects)}",
            f"  calls settled     {self.calls_settled}",
            f"  calls cancelled   {len(self.calls_cancelled)}",
            f"  errors            {len(self.errors)}",
        ]
        lines += [f"    {_line(error)}" for error in self.errors[:10]]
        if len(self.errors) > 10:
            lines.append(f"    and {len(self.errors) - 10} more")
        lines += [f"  DEFECT {defect}" for defect in self.defects]
        lines.append(
            "  steps             "
            + ", ".join(f"{step.name} {step.seconds * 1000:.1f} ms" for step in self.steps)
        )
        return "\n".join(lines)


def _line(error: Exception) -> str:
    """Say an error, with its notes, on one line."""
    return "; ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
