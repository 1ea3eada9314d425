"""A trace for TLC: a module with the steps of many traces, and what TLC said of them.

TLC 2.15 reads no JSON, so traces are handed to it as a module, which extends ``TeardownTrace``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from glusterio.verify.checking import load
from glusterio.verify.fitting import MODULE, settings
from glusterio.verify.traces import Bound, Step

NAME = "TraceData"

#: What is looked at in every state that a trace leads to.
INVARIANTS = (
    "TypeOK NoLeakedFds DrainedImpliesAllClosed LeakedOnlyFromHeldRefs AdmittedOnlyBeforeDrain"
    " CompositionSafety NoUseAfterFree NoLostCallback RefsAddUp BrickAgrees NoOvertaking"
    " ReleasedOnce NoLostWrites ToldOnce LocksHonest ReturnsWhenClosed"
)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _step(step: Step) -> str:
    return "<<" + ",".join(_value(value) for value in step[1:]) + ">>"


def module(traces: Sequence[Bound]) -> str:
    """Return the text of the module ``TraceData``."""
    parts = [f"---- MODULE {NAME} ----", "EXTENDS TeardownTrace"]
    for number, trace in enumerate(traces, 1):
        steps = ",\n".join(map(_step, trace.steps))
        parts.append(f"Trace{number} == <<\n{steps}>>")
    names = ", ".join(f"Trace{number}" for number in range(1, len(traces) + 1))
    return "\n".join([*parts, f"AllTraces == <<{names}>>", "====", ""])


def configuration(spec: Path, traces: Iterable[Bound]) -> str:
    """Return the text of its configuration."""
    sizes = [(trace.threads, trace.handles, trace.graphs) for trace in traces]
    threads, handles, graphs = (max(1, *size) for size in zip(*sizes, strict=True))
    constants = settings(load(spec, MODULE).constants, threads, handles, graphs).constants
    lines = ["SPECIFICATION TraceSpec", "CONSTANTS"]
    for name, value in constants.items():
        if isinstance(value, frozenset):
            text = "{" + ", ".join(map(str, sorted(value))) + "}"
        else:
            text = _value(value)
        lines.append(f"    {name} = {text}")
    return "\n".join([*lines, "    Traces <- AllTraces", f"INVARIANTS {INVARIANTS}", ""])


def lines_reached(text: str, traces: Sequence[Bound]) -> list[tuple[bool, int]]:
    """Read what TLC printed.

    Returns:
        For each trace whether it was accepted, and the line that was not, or how many there are.

    Raises:
        ValueError: TLC did not come to its end, or found an invariant violated.
    """
    if "No error has been found" not in text:
        raise ValueError(text[-2000:])
    reached = [0] * (len(traces) + 1)
    for number, step in re.findall(r'<<"fits", (\d+), (\d+)>>', text):
        reached[int(number)] = max(reached[int(number)], int(step))
    found = []
    for trace, steps in zip(traces, reached[1:], strict=True):
        if steps == len(trace.steps):
            found.append((True, trace.steps[-1].line if trace.steps else 0))
        else:
            found.append((False, trace.steps[steps].line))
    return found
