"""A whole run, on glusterio's own brick in the place of GlusterFS's."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from tests.bench.lines import BY_NAME
from tests.bench.own.catalogue import own_peers
from tests.bench.peer import Peer
from tests.bench.speed import Bench, Plan
from tests.bench.venue import serve_venue

#: Ready, and then this.
READY = "import sys, time; print('{\"ready\": true}', flush=True)\nfor line in sys.stdin:\n "


def test_peers_take_turns_and_who_crashes_or_hangs_is_told(tmp_path: Path) -> None:
    def other(name: str, program: str) -> Peer:
        command = (sys.executable, "-c", READY + f"if line == 'go\\n': {program}")
        return Peer(name, name, command)

    threads = next(peer for peer in own_peers() if peer.name == "threads")
    plan = Plan(
        lines=[replace(BY_NAME["stat_warm"], patience=1.0), BY_NAME["close_10"]],
        peers=[
            threads,
            other("crashes", "sys.exit('it hurts')"),
            replace(other("hangs", "time.sleep(99)"), lines=frozenset({"stat_warm"})),
            other("idles", 'print(\'{"ops": 0, "seconds": 1, "cpu": 0}\', flush=True)'),
            Peer("absent", "absent", ("/nowhere",), without="it is not here"),
        ],
        rounds=2,
        seconds=0.02,
        quick=True,
        requests=False,
        place=tmp_path,
    )
    with serve_venue(tmp_path) as venue:
        results = Bench(plan, venue).run()

    found = results.lines["stat_warm"]
    assert list(found) == ["threads", "crashes", "hangs", "idles"]
    assert len(found["threads"].rounds) == 2
    assert found["threads"].rounds[0]["seconds"] >= 0.02
    assert found["threads"].rounds[0]["brick_cpu"] >= 0
    assert found["crashes"].error == "it has ended (exit code 1)\nit hurts"
    assert found["hangs"].error == "no answer in 1 s"
    assert found["idles"].error.startswith("it has done nothing")
    assert results.lines["close_10"]["threads"].rounds[0]["per"] == {"released": 10}
    assert results.without == {"absent": "it is not here"}
    assert len(results.errors()) == 5
