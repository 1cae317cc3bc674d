"""Restante beside its peers: `python bench/peers.py [--rounds 5] [--seconds 2] [--only taskiq,restate]`.

Each does the same job: takes a request over HTTP, calls the same upstream, and has the result readable by its
id. In every round each of them is started on empty stores and measured in turn:

    life     submit → upstream → result readable, per second, from the first submit to the last result
    latency  one client, one at a time: submit → result in hand, p50 and p99
    accept   durable accepts (where the peer has such): 64 connections, a body of 300 bytes, while the
             upstream is silent

The peers are in `bench/peers/`. They are installed into environments of their own below `--cache` the first
time. Needs `wrk` and `redis-server` on the PATH, and npm for Restate. A peer that cannot be set up, or that
fails, is named with the reason, and does not end the run. On a machine on which nothing else runs, all of it
takes ten minutes; what was found is written to results/peers.json.
"""

import argparse
import asyncio
import shutil
import signal
import statistics
import sys
import tempfile
import traceback
from collections.abc import Iterable
from pathlib import Path

import msgspec
import uvloop

sys.path.append(str(Path(__file__).parents[1]))

from peers import load
from peers.rig import Database, running
from peers.roster import PEERS, Peer
from peers.setup import install, versions
from record import Record, Row, Target, record, write, wrk_version

KNOWN = {peer.name.lower() for peer in PEERS if not peer.ours}
CACHE = Path.home() / ".cache" / "restante-bench"
ENOUGH = 2
"""Failures of a peer, after which it is not started again: each may take a minute."""
UNITS = {"accept": "1/s", "life": "1/s", "latency p50": "ms", "latency p99": "ms"}
ABOUT = (
    "Each does the same job: a request is accepted over HTTP, the upstream is called, its answer is kept."
    " API and worker are a process each where the peer has two; every peer is set up as its own documentation"
    " advises (`bench/peers/`). Rounds are interleaved, each begins on empty stores. The servers have all"
    " cores, the load and the upstream share one."
)


class Measured(msgspec.Struct):
    """What is known of one peer so far."""

    peer: Peer
    values: dict[str, list[float]] = msgspec.field(default_factory=lambda: {what: [] for what in UNITS})
    failures: list[str] = msgspec.field(default_factory=list)

    def median(self, what: str) -> float | None:
        return statistics.median(self.values[what]) if self.values[what] else None

    def rows(self) -> list[Row]:
        note = "; ".join([self.peer.note, *self.failures])
        return [
            Row(name=self.peer.name, store=self.peer.store, what=what, unit=unit, values=values, note=note)
            for what, unit in UNITS.items()
            if (values := [round(value, 3) for value in self.values[what]])
        ]


async def measure(one: Measured, cache: Path, database: Database | None, seconds: float) -> None:
    """One round of one peer."""
    needed = database if one.peer.store == "postgresql" else None
    with tempfile.TemporaryDirectory() as folder:
        async with running(one.peer, cache, needed) as upstream:
            life = await load.life(one.peer, Path(folder), seconds)
            one.values["life"].append(life)
            times = await load.latencies(one.peer, seconds)
            one.values["latency p50"].append(statistics.median(times))
            one.values["latency p99"].append(times[int(len(times) * 0.99)])
            upstream.silence()
            one.values["accept"].append(await load.accepts(one.peer, Path(folder), seconds))


def targets(all_measured: list[Measured]) -> list[Target]:
    """Restante against the best of the peers that were measured."""
    ours = [one for one in all_measured if one.peer.ours]
    others = [one for one in all_measured if not one.peer.ours]
    lasting = [one for one in others if one.peer.durable and one.peer.python]
    restate = [one for one in others if not one.peer.python]
    asked = [
        ("accept, × the best durable Python peer", "accept", lasting, 12, ">="),
        ("accept, × Restate", "accept", restate, 4, ">="),
        ("whole life, × the best of all", "life", others, 8, ">="),
        ("latency p50, of the best of all", "latency p50", others, round(1 / 3, 3), "<="),
    ]
    found: list[Target] = []
    for name, what, among, figure, sense in asked:
        best = (max if sense == ">=" else min)(medians(among, what), default=None)
        for one in ours:
            if best is not None and (reached := one.median(what)) is not None:
                title = f"{name} ({one.peer.store})"
                found.append(Target(name=title, asked=figure, sense=sense, reached=round(reached / best, 3)))
    return found


def names(text: str) -> set[str]:
    return set(filter(None, text.lower().split(",")))


def medians(among: Iterable[Measured], what: str) -> list[float]:
    return [median for one in among if (median := one.median(what)) is not None]


def missing(all_measured: list[Measured]) -> list[str]:
    """Sentences: who has no figure, and why."""
    return [
        f"Not measured: {one.peer.name} ({one.peer.store}): {one.failures[0]}."
        for one in all_measured
        if one.failures and not any(one.values.values())
    ]


def show(all_measured: list[Measured], one: Record) -> None:
    print(", ".join(f"{name} {version}" for name, version in one.versions.items()))
    print(", ".join(f"{name}: {value}" for name, value in one.machine.items()), f"({one.rounds} rounds)\n")
    print(f"{'':<14} {'':<12} {'accept':>9} {'life':>9} {'p50':>9} {'p99':>9}")
    print(f"{'':<14} {'':<12} {'1/s':>9} {'1/s':>9} {'ms':>9} {'ms':>9}")
    for measured in all_measured:
        cells = [
            "–".rjust(9) if (median := measured.median(what)) is None else f"{median:9.{digits}f}"
            for what, digits in (("accept", 0), ("life", 0), ("latency p50", 1), ("latency p99", 1))
        ]
        print(f"{measured.peer.name:<14} {measured.peer.store:<12} {' '.join(cells)}  {measured.peer.note}")
    for measured in all_measured:
        for failure in measured.failures:
            print(f"{measured.peer.name}, {measured.peer.store}: {failure}")
    print()
    for target in one.targets:
        met = "met" if target.met else "NOT MET"
        print(f"{target.name:<55} {target.sense} {target.asked:<6g} {target.reached:8.2f}  {met}")


def reason(error: Exception) -> str:
    """The last line of what it says: where a program's own words are quoted, that is where it ended."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1][:160]


async def rounds(all_measured: list[Measured], chosen: argparse.Namespace, database: Database | None) -> None:
    for number in range(1, chosen.rounds + 1):
        for one in all_measured:
            if len(one.failures) >= ENOUGH:
                continue
            label = f"round {number}: {one.peer.name}, {one.peer.store}"
            try:
                await measure(one, chosen.cache, database, chosen.seconds)
            except Exception as error:  # said, kept in the record, and the next peer's turn
                one.failures.append(f"failed in round {number}: {reason(error)}")
                print(f"{label}: {traceback.format_exc(limit=-3)}", file=sys.stderr)
                continue
            said = "  ".join(f"{what} {values[-1]:.1f}" for what, values in one.values.items())
            print(f"{label}: {said}", file=sys.stderr, flush=True)


async def main(chosen: argparse.Namespace) -> Record:
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)  # what runs is ended
    all_measured: list[Measured] = []
    used: dict[str, str] = {"wrk": wrk_version()}
    for peer in PEERS:
        if chosen.only and not peer.ours and peer.name.lower() not in chosen.only:
            continue
        one = Measured(peer)
        all_measured.append(one)
        try:
            install(peer, chosen.cache)
            used |= versions(peer)
        except RuntimeError as error:
            one.failures.append(f"could not be set up: {reason(error)}")
    able = [one for one in all_measured if not one.failures]
    database = Database() if any(one.peer.store == "postgresql" for one in able) else None
    try:
        if database is not None:
            used["postgresql"] = await database.version()
        await rounds(able, chosen, database)
    finally:
        if database is not None:
            database.close()
    made = record(
        "peers",
        "Restante beside its peers",
        " ".join([ABOUT, *missing(all_measured)]),
        [row for one in all_measured for row in one.rows()],
        rounds=chosen.rounds,
        targets=targets(all_measured),
        versions=used,
    )
    show(all_measured, made)
    return made


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=2, help="each measurement, about")
    options.add_argument(
        "--only", type=names, default=set(), help="names of peers; Restante is always measured"
    )
    options.add_argument("--cache", type=Path, default=CACHE, help="where the peers are installed")
    options.add_argument("--dry", action="store_true", help="keep no record")
    given = options.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("bench/peers.py needs wrk (apt-get install wrk)")
    if unknown := given.only - KNOWN:
        raise SystemExit(f"--only: no {', '.join(sorted(unknown))}; there are {', '.join(sorted(KNOWN))}")
    given.cache = given.cache.resolve()
    given.cache.mkdir(parents=True, exist_ok=True)
    made = uvloop.run(main(given))
    if not given.dry:
        print(f"\n{write(made)}")
