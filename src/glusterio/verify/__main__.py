"""``python -m glusterio.verify``: check the specification, without Java.

python -m glusterio.verify                        # every configuration in spec/expected.toml
python -m glusterio.verify Teardown               # what begins so
python -m glusterio.verify FdLifecycle/no-drain --show      # with its counterexample
python -m glusterio.verify --spec DIRECTORY
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from pathlib import Path

from glusterio.verify.checking import Checking


def main() -> int:
    """Check what was asked for; return the number of configurations that are not as expected."""
    parser = argparse.ArgumentParser(prog="python -m glusterio.verify", description=__doc__)
    parser.add_argument("only", nargs="*", help="configurations that begin so")
    parser.add_argument("--spec", type=Path, default=Path("spec"), help="the modules' directory")
    parser.add_argument("--show", action="store_true", help="tell the counterexamples")
    arguments = parser.parse_args()
    checks = tomllib.loads((arguments.spec / "expected.toml").read_text())["check"]
    started = time.perf_counter()
    failed = passed = 0
    for check in checks:
        name = check["config"]
        if arguments.only and not name.startswith(tuple(arguments.only)):
            continue
        began = time.perf_counter()
        checking = Checking(arguments.spec, name)
        plain = not checking.config.symmetry and not checking.compiled.leads
        if check["verdict"] == "holds" and plain:
            result = checking.counted()  # quicker; what is violated is found in TLC's order
        else:
            result = checking.run()
        wrong = [
            f"{what} {getattr(result, what)}, not {check[what]}"
            for what in ("verdict", "generated", "distinct", "depth")
            if what in check and getattr(result, what) != check[what]
        ]
        print(
            f"{name:<36} {result.verdict:<26} {result.generated:>9} {result.distinct:>9}"
            f" {result.depth:>5} {time.perf_counter() - began:6.2f}"
            + (f"   WRONG: {'; '.join(wrong)}" if wrong else ""),
            flush=True,
        )
        failed += bool(wrong)
        passed += not wrong
        if arguments.show:
            print("\n".join(checking.lines(result)))
    print(
        f"{passed} as expected, {failed} not, in {time.perf_counter() - started:.1f} s",
    )
    return min(failed, 99)


if __name__ == "__main__":
    sys.exit(main())
