"""How fast glusterio is beside libgfapi and its other clients: ``make bench``.

All clients (`tests.bench.peer`) use the same brick of a real GlusterFS on this machine, in one run, in
turns: A B C, B C A, C A B ... Each is a process of its own for each line (`tests.bench.lines`). The
brick's own lines have the same client on GlusterFS's brick and on ``glusterio serve``.

What is written: ``benchmarks.md``, the plots in ``benchmarks/`` and there ``results.json``, every round
as it was answered. They go into ``docs`` after a whole run, and else into ``.bench/report``.

::

    python -m tests.bench.speed [--quick] [--lines pread4k,close_1000] [--peers c,threads]
                                [--rounds 7] [--seconds 0.5] [--write DIRECTORY] [--place DIRECTORY]
                                [--no-requests] [--render RESULTS.json] [--list]
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import glusterio
from tests.bench import machine, material, report
from tests.bench.lines import BRICK_LINES, LINES, Line
from tests.bench.own.catalogue import own_peers
from tests.bench.peer import CATALOGUE, Peer
from tests.bench.process import ROOT, PeerError, PeerSkips, RunningPeer
from tests.bench.relay import Relay, counting_relay
from tests.bench.results import Entry, Results, Round
from tests.bench.venue import GlusterVenue, Venue, gluster_venue, serve_venue
from tests.interop.real_gluster import SetUpError

#: What is compiled, and reports of runs that are not whole.
KEPT: Final = ROOT / ".bench"

#: How long a peer may take to get ready, in seconds.
TO_PREPARE: Final = 120.0

#: What is done in a round that only counts requests.
COUNTED: Final[dict[str, Any]] = {"seconds": 0.05, "count": 50, "size": 16 << 20}

#: In a quick run these take part in these lines alone, and only these peers' requests are counted.
FEW_LINES: Final = frozenset({"pread4k", "apread4k_64", "small", "create"})
FEW_PEERS: Final = frozenset(
    {"uvloop", "asyncio-64", "threads-whole", "gfapi", "gfapi-cffi", "fuse"}
)
QUICK_REQUESTS: Final = frozenset({"threads"})

#: Files that a brick has open for itself, and for whoever else is there.
RESERVED: Final = 2000

READ_AHEAD: Final = "performance.read-ahead"


@dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes:
        lines: the lines.
        peers: the peers, those that cannot take part among them.
        rounds: of each.
        seconds: how long a round is where it is timed; None as the lines have it.
        quick: whether the lines are to be told so.
        requests: whether they are counted.
        place: a directory on the disk that is to be used.
    """

    lines: list[Line]
    peers: list[Peer]
    rounds: int
    seconds: float | None
    quick: bool
    requests: bool
    place: Path

    def told(self, line: Line) -> dict[str, Any]:
        """What peers are told of a line."""
        told = line.told(self.quick)
        if self.seconds is not None and "seconds" in told:
            told["seconds"] = self.seconds
        return told

    def entrants(self, line: Line) -> list[Peer]:
        """Who takes part in a line."""
        return [
            peer
            for peer in self.peers
            if peer.takes_part(line.base)
            and (not line.apart or peer.name in line.apart)
            and not (self.quick and peer.name in line.quick_without)
            and not (self.quick and peer.name in FEW_PEERS and line.name not in FEW_LINES)
        ]

    def counts(self, line: Line, peer: Peer) -> bool:
        """Whether the requests of a peer at a line are counted."""
        return line.counted and not (self.quick and peer.name not in QUICK_REQUESTS)

    def rounds_of(self, line: Line) -> int:
        """How many rounds a line has."""
        most = line.quick_rounds if self.quick else self.rounds
        return min(self.rounds, most, line.most_rounds or self.rounds)


@dataclass(frozen=True)
class Entrant:
    """A peer at a line, on one of the bricks."""

    name: str
    peer: Peer
    venue: Venue


class Bench:
    """A run.

    Args:
        plan: what to do.
        gluster: where everybody is measured.
        serve: a volume of glusterio's brick, for the brick's own lines.
        relay: what counts requests, in front of the first's brick; None to count none.
    """

    def __init__(
        self, plan: Plan, gluster: Venue, serve: Venue | None = None, relay: Relay | None = None
    ) -> None:
        self.plan = plan
        self.gluster = gluster
        self.serve = serve
        self.relay = relay
        self.results = Results(
            f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
            quick=plan.quick,
            rounds=plan.rounds,
            machine=describe(plan.place) if isinstance(gluster, GlusterVenue) else {},
            titles={peer.name: peer.title for peer in plan.peers},
            without={peer.name: peer.without for peer in plan.peers if peer.without},
        )

    def run(self) -> Results:
        """Measure every line."""
        begun = time.monotonic()
        told = [(line, self._told(line)) for line in self.plan.lines]
        self.results.told = {line.name: parameters for line, parameters in told}
        for name, why in self.results.without.items():
            say(f"{name} takes no part: {why}")
        say("making what is read ...")
        for venue in filter(None, (self.gluster, self.serve)):
            mine = [one for one in told if venue is self.gluster or one[0].both_bricks]
            material.make(venue.url, material.needs(mine, self.plan.rounds))
        for number, (line, parameters) in enumerate(told, 1):
            at = f"[{number}/{len(told)}, {time.monotonic() - begun:.0f} s]"
            say(f"{at} {line.name}: {line.title}")
            with self._options(line):
                self.results.lines[line.name] = self._line(line, parameters)
        self.results.took = time.monotonic() - begun
        return self.results

    def _told(self, line: Line) -> dict[str, Any]:
        """What peers are told of a line: no more handles than the brick may have open."""
        told = self.plan.told(line)
        if "handles" in told:
            room = machine.files_of(self.gluster.brick_pid) - RESERVED
            told["handles"] = min(told["handles"], room)
        return told

    @contextmanager
    def _options(self, line: Line) -> Iterator[None]:
        """The volume's options that a line asks for."""
        if not line.read_ahead:
            yield
            return
        assert isinstance(self.gluster, GlusterVenue)
        self.gluster.set(READ_AHEAD, "on")
        try:
            yield
        finally:
            self.gluster.reset(READ_AHEAD)

    def _entrants(self, line: Line) -> list[Entrant]:
        peers = self.plan.entrants(line)
        if not line.both_bricks:
            return [Entrant(peer.name, peer, self.gluster) for peer in peers]
        assert self.serve is not None
        return [
            Entrant(f"{peer.name} on {venue.name}", peer, venue)
            for peer in peers
            for venue in (self.gluster, self.serve)
        ]

    def _line(self, line: Line, told: dict[str, Any]) -> dict[str, Entry]:
        entrants = self._entrants(line)
        entries = {entrant.name: Entry() for entrant in entrants}
        self.results.loads.append(machine.load())
        with ExitStack() as stack:
            running: dict[str, RunningPeer] = {}
            for entrant in entrants:
                with noted(entries[entrant.name]):
                    peer = self._start(line, entrant, told, "timed")
                    stack.enter_context(peer)
                    peer.tell("prepare")
                    running[entrant.name] = peer
            for name in list(running):
                if not self._asked(running[name], entries[name], TO_PREPARE):
                    del running[name]
            for number in range(self.plan.rounds_of(line)):
                self.results.work.append(machine.fixed_work())
                turn = number % len(entrants) if entrants else 0
                for entrant in entrants[turn:] + entrants[:turn]:
                    if entrant.name in running:
                        entry = entries[entrant.name]
                        done = self._round(line, running[entrant.name], entrant.venue, entry)
                        if done is None:
                            del running[entrant.name]
                        else:
                            entry.rounds.append(done)
            for name, peer in running.items():
                with noted(entries[name]):
                    peer.quit()
        if self.relay is not None:
            for entrant in entrants:
                entry = entries[entrant.name]
                if entry.rounds and not entry.error and self.plan.counts(line, entrant.peer):
                    with noted(entry):
                        entry.requests = self._count(line, entrant, told, self.relay)
        return entries

    def _start(self, line: Line, entrant: Entrant, told: dict[str, Any], use: str) -> RunningPeer:
        own = entrant.name.replace(" ", "-") + "-" + use
        with glusterio.connect(entrant.venue.url) as vol:
            directory = material.make_directory(vol, line.name, own)
        parameters = {
            **entrant.venue.parameters(),
            "brick_pid": entrant.venue.brick_pid,
            "dir": directory,
            "shared": material.SHARED,
            **told,
        }
        return RunningPeer(entrant.peer, line.base, parameters)

    def _asked(self, peer: RunningPeer, entry: Entry, patience: float) -> Round | None:
        with noted(entry):
            return peer.answer(patience)
        return None

    def _round(self, line: Line, peer: RunningPeer, venue: Venue, entry: Entry) -> Round | None:
        clients = sum(machine.cpu_of(pid) for pid in peer.pids)
        brick = machine.cpu_of(venue.brick_pid)
        done: Round | None = None
        with noted(entry):
            peer.tell("go")
            done = peer.answer(line.patience)
        if done is None:
            return None
        if not (done["ops"] > 0 and done["seconds"] > 0):
            entry.error = f"it has done nothing: {done}"
            return None
        brick = machine.cpu_of(venue.brick_pid) - brick
        done.setdefault("brick_cpu", brick if line.whole else None)
        done["cpu"] += sum(machine.cpu_of(pid) for pid in peer.pids) - clients
        # Nobody's clock is better than that.
        return {
            name: round(value, 9) if isinstance(value, float) else value
            for name, value in done.items()
        }

    def _count(
        self, line: Line, entrant: Entrant, told: dict[str, Any], relay: Relay
    ) -> dict[str, float]:
        """One round through the relay; the requests of one operation, by procedure."""
        fewer = {name: value for name, value in COUNTED.items() if name in told}
        assert isinstance(self.gluster, GlusterVenue)
        volfile = self.gluster.volfile_through(relay.port, self.plan.place)
        with self._start(
            line, entrant, {**told, **fewer, "volfile": str(volfile)}, "counted"
        ) as peer:
            peer.tell("prepare")
            peer.answer(TO_PREPARE)
            relay.take()
            peer.tell("go")
            done = peer.answer(line.patience)
            counts = Counter(line.of_the_timed(relay.take()))
            peer.quit()
        return {name: count / done["ops"] for name, count in counts.most_common()}


@contextmanager
def noted(entry: Entry) -> Iterator[None]:
    """What a peer says in place of an answer goes into its entry."""
    try:
        yield
    except PeerSkips as skips:
        entry.skip = str(skips)
    except PeerError as error:
        entry.error = str(error)
        say(f"    FAILED: {error}")


def say(text: str) -> None:
    """Tell how far we are."""
    print(text, file=sys.stderr, flush=True)


def describe(place: Path) -> dict[str, str]:
    """The machine, and what runs on it."""
    return {
        "processor": machine.processor(),
        "processors": str(machine.processors()),
        "memory": f"{machine.memory() / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "file system of the bricks": machine.file_system_of(place),
        "GlusterFS": machine.gluster_version(),
        "Python": platform.python_version(),
        "glusterio": glusterio.__version__,
    }


def run(plan: Plan) -> Results:
    """Start what is measured on, and measure."""
    with ExitStack() as stack:
        gluster = stack.enter_context(gluster_venue(plan.place))
        serve = None
        if any(line.both_bricks for line in plan.lines):
            serve = stack.enter_context(serve_venue(plan.place))
        relay = None
        if plan.requests:
            relay = stack.enter_context(counting_relay(gluster.brick_port))
        return Bench(plan, gluster, serve, relay).run()


def all_peers() -> list[Peer]:
    """Everybody's."""
    build = KEPT / "build"
    build.mkdir(parents=True, exist_ok=True)
    foreign: list[Peer] = importlib.import_module(CATALOGUE).foreign_peers(build)
    return [*foreign, *own_peers()]


def chosen(names: str | None, known: dict[str, Any], parser: argparse.ArgumentParser) -> list[Any]:
    """What the command line names, with commas between; all if it names nothing."""
    if names is None:
        return list(known.values())
    unknown = set(names.split(",")) - set(known)
    if unknown:
        parser.error(f"not known: {', '.join(sorted(unknown))}; see --list")
    return [known[name] for name in names.split(",")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; see the top of this file."""
    parser = argparse.ArgumentParser(description="glusterio beside GlusterFS's other clients.")
    parser.add_argument(
        "--quick", action="store_true", help="in two minutes: shorter, fewer rounds"
    )
    parser.add_argument("--lines", help="only these, with commas between")
    parser.add_argument("--peers", help="only these, with commas between")
    parser.add_argument("--rounds", type=int, help="of each line; 7, or 2 in a quick run")
    parser.add_argument("--seconds", type=float, help="of a round that is timed; 0.5")
    parser.add_argument("--no-requests", action="store_true", help="do not count requests")
    parser.add_argument("--place", default="/var/tmp", help="a directory on the disk to use")
    parser.add_argument("--write", type=Path, help="where benchmarks.md and the plots go")
    parser.add_argument("--render", type=Path, help="measure nothing, write these results again")
    parser.add_argument("--list", action="store_true", help="say which lines and peers there are")
    options = parser.parse_args(arguments)
    if options.render is not None:
        report.write(Results.load(options.render), options.write or ROOT / "docs")
        return 0
    peers = {peer.name: peer for peer in all_peers()}
    lines = {
        line.name: line
        for line in [*LINES, *BRICK_LINES]
        if line.in_quick or not options.quick or options.lines
    }
    if options.list:
        for name, line in lines.items():
            print(f"{name:18} {line.title}")
        for name, peer in peers.items():
            print(f"{name:18} {peer.title}" + (f": NOT HERE, {peer.without}" * bool(peer.without)))
        return 0
    # Told to end, it puts everything away first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    whole = not (options.quick or options.lines or options.peers)
    target = options.write or (ROOT / "docs" if whole else KEPT / "report")
    place = Path(tempfile.mkdtemp(prefix="gl-bench-", dir=options.place))
    plan = Plan(
        chosen(options.lines, lines, parser),
        chosen(options.peers, peers, parser),
        options.rounds or (2 if options.quick else 7),
        options.seconds or (None if options.quick else 0.5),
        options.quick,
        not options.no_requests,
        place,
    )
    try:
        results = run(plan)
    except SetUpError as error:
        say(f"bench: {error}")
        return 1
    finally:
        shutil.rmtree(place, ignore_errors=True)
    report.write(results, target)
    say(f"written to {target / 'benchmarks.md'}, after {results.took:.0f} s")
    for text in results.errors():
        say(f"FAILED: {text}")
    return 1 if results.errors() else 0


if __name__ == "__main__":
    sys.exit(main())
