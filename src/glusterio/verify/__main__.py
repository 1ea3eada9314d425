"""``python -m glusterio.verify``: check the specification, without Java and without the extra ``cli``.

python -m glusterio.verify                        # every configuration in expected.toml
python -m glusterio.verify Teardown               # what begins so
python -m glusterio.verify FdLifecycle/no-drain --show      # with its counterexample
python -m glusterio.verify --spec DIRECTORY
python -m glusterio.verify --trace FILE.ndjson [FILE...]    # do these lives fit? (docs/traces.md)

``glusterio verify`` does more: pages, JSON.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from glusterio.verify.fitting import fit, told
from glusterio.verify.shipped import SPEC, check, chosen, expected
from glusterio.verify.told import tell
from glusterio.verify.traces import TraceError, read


def main() -> int:
    """Check what was asked for; return the number of configurations that are not as expected."""
    parser = argparse.ArgumentParser(
        prog="python -m glusterio.verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("only", nargs="*", help="configurations that begin so")
    parser.add_argument("--spec", type=Path, default=SPEC, help="the modules' directory")
    parser.add_argument("--show", action="store_true", help="tell the counterexamples")
    parser.add_argument("--trace", type=Path, nargs="+", default=[], help="traces to follow")
    arguments = parser.parse_args()
    if arguments.trace:
        return follow(arguments.spec, arguments.trace)
    started = time.perf_counter()
    failed = passed = 0
    try:
        asked = chosen(expected(arguments.spec), arguments.only)
    except LookupError as error:
        parser.error(str(error))
    for one in asked:
        outcome = check(one, arguments.spec)
        result, wrong = outcome.result, "; ".join(outcome.wrong)
        print(
            f"{one.config:<36} {result.verdict:<26} {result.generated:>9} {result.distinct:>9}"
            f" {result.depth:>5} {outcome.seconds:6.2f}" + (f"   WRONG: {wrong}" if wrong else ""),
            flush=True,
        )
        failed += bool(wrong)
        passed += not wrong
        if arguments.show and result.trace:
            print("\n".join(tell(outcome.checking, result).lines()))
    print(
        f"{passed} as expected, {failed} not, in {time.perf_counter() - started:.1f} s",
    )
    return min(failed, 99)


def follow(spec: Path, traces: list[Path]) -> int:
    """Follow traces of sessions; return the number of those that the specification rejects."""
    rejected = 0
    for path in traces:
        try:
            lines = read(path.read_text())
        except (OSError, TraceError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 100
        found = fit(spec, lines)
        rejected += not found.accepted
        print(f"{path}: " + "\n".join(told(lines, found)))
    return min(rejected, 99)


if __name__ == "__main__":
    sys.exit(main())
