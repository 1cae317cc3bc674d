"""An hour at 60 % of what is possible, and whether anything grows: `python bench/soak.py [--hours 1]`.

    python bench/soak.py [--hours 1] [--stores sqlite postgresql] [--part 0.6] [--folder DIR] [--results DIR]

`make soak HOURS=1`. For each store in turn: how many whole lives a second there are at most is measured for
some seconds; then so many begin in each second, with their webhooks. Each minute (oftener in a short run)
memory, descriptors, tables and latencies are sampled, and results/soak-STORE.json is written, so that a run
that is broken off leaves what it has. At the end the growth of each is held against its limit (flat.LIMITS):
the exit code is 1 if any grew by more, or if the rate was not kept, or anything was answered wrongly.

Retention is short, so that what is swept must balance what is accepted; what a PostgreSQL keeps until its
partitions are dropped (an hour, a day) is judged by transaction.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import flat
import msgspec
import record
import report
import sampled
import uvloop
from calm import CONNECTIONS, Calm
from ends import LOAD_CORE, POSTGRESQL, STORES, Process, Stores, serve, upstream
from load import BODY, Line, answered
from record import Record, Rounds, Target

from restante.cli.load import Target as Where
from restante.cli.load import spread
from restante.client.address import address

RETENTION_SECONDS, HISTORY_SECONDS = 30, 120
"""History is much longer than webhooks may lag behind: what is past it is not told any more."""

SAMPLES_LEAST, SAMPLE_SECONDS = 40, 60.0
PEAK_SECONDS = 90.0
"""Longer than results are kept: sweeping is a part of what is done."""
LAG = 200
"""Webhooks that may be on their way while a peak is measured."""

LOOK_SECONDS = 0.02

MORE = """
retention = "{retention}s"
history = "{history}s"
[webhooks]
allow = ["127.0.0.0/8"]
ports = [{port}]
schedule = ["0s", "1s", "3s", "5s"]
retention = "{history}s"
"""

ABOUT = """\
{rate:,.0f} whole lives begin in each second, for {minutes:.0f} minutes: {part:.0%} of the {peak:,.0f} that
were lived and told in a second at most ({connections} connections; load, upstream and receiver on one core,
the server on the other). Of a hundred callers 80 wait, 15 poll, 5 watch the stream; ten submit twice under
an idempotency key; each end is told by a webhook. Results are kept for {retention} s, transactions for
{history} s. The first quarter is not judged.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0, help="for each store")
    parser.add_argument("--part", type=float, default=0.6, help="of the peak")
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--folder", help="where the files of SQLite are put; a disk, no memory")
    parser.add_argument("--results", type=Path, default=record.RESULTS, help="where the records are put")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended, as by Ctrl-C
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {LOAD_CORE})
    well = True
    for kind in options.stores:
        run = one_store(kind, options)
        well = well and run.well
        if run.ended_by is not None:  # whoever ends one means all
            break
    if options.results == record.RESULTS:
        report.main()
    return 0 if well else 1


def one_store(kind: str, options: argparse.Namespace) -> "Soak":
    """What was measured is kept, however it ends."""
    with contextlib.ExitStack() as open_:
        stores = open_.enter_context(Stores(options.folder))
        url = open_.enter_context(stores.fresh(kind))
        behind, receiver = open_.enter_context(upstream()), open_.enter_context(upstream())
        more = MORE.format(retention=RETENTION_SECONDS, history=HISTORY_SECONDS, port=receiver.port)
        server = open_.enter_context(serve(url, behind.port, core=0, more=more))
        subscribe(server, receiver)
        run = Soak(kind, url, server, receiver, options)
        if kind == POSTGRESQL:
            run.versions = stores.postgres_version()
        try:
            uvloop.run(run.whole())
        except Exception:
            traceback.print_exc()
            run.broken = True
        made = run.keep()
        server.kill()
    print(f"\n{made.title}\n\n{flat.table(made)}\n{report.targets([made])}", flush=True)
    run.well = not run.broken and run.ended_by is None and all(target.met for target in made.targets)
    if run.ended_by is not None:
        print(f"{kind}: broken off by {run.ended_by}", file=sys.stderr)
    if run.well:
        run.prove(made)
    return run


def subscribe(server: Process, receiver: Process) -> None:
    with Line(server.port) as line:
        wish = msgspec.json.encode({"url": f"http://127.0.0.1:{receiver.port}/"})
        code, answer = line.ask("POST", "/-/endpoints", wish, "Content-Type: application/json")
    if code != 201:
        raise SystemExit(f"an endpoint was answered {code}: {answer[:200]!r}")


class Soak:
    """One store's. `ended_by` is the signal that ended it early; `broken`: an error did. `well`: everything
    stayed as it was, to the end."""

    def __init__(
        self, kind: str, url: str, server: Process, receiver: Process, options: argparse.Namespace
    ) -> None:
        at = address(f"http://127.0.0.1:{server.port}")
        self._calm = Calm(Where(at=at, method="POST", path="/async/echo", body=BODY, headers=()), seed=1)
        self._kind, self._url, self._server, self._receiver = kind, url, server, receiver
        self._part: float = options.part
        self._seconds = options.hours * 3600
        self._results: Path = options.results
        self._every = min(SAMPLE_SECONDS, self._seconds / SAMPLES_LEAST)
        self._rounds = Rounds()
        self._peak = self._rate = 0.0
        self._stopped = asyncio.Event()
        self._began = 0.0
        self.versions: dict[str, str] = {}
        self.ended_by: str | None = None
        self.broken = self.well = False

    async def whole(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop, number.name)
        await self._find_peak()
        steady = asyncio.create_task(self._calm.steady(self._rate, self._stopped))
        self._began = time.monotonic()
        try:
            while (spent := time.monotonic() - self._began) < self._seconds and not self._stopped.is_set():
                ending = asyncio.create_task(self._stopped.wait())
                rest = self._every - spent % self._every
                await asyncio.wait([steady, ending], timeout=rest, return_when=asyncio.FIRST_COMPLETED)
                if steady.done() or self._stopped.is_set():
                    break
                await self._sample()
                self.keep()
        finally:
            self._stopped.set()
            await steady

    def _stop(self, why: str) -> None:
        self.ended_by = why
        self._stopped.set()

    async def _find_peak(self) -> None:
        """With all that belongs to a life: nobody begins one while webhooks lag behind."""
        free = asyncio.Event()
        watching = asyncio.create_task(self._watch(free))
        begun = time.perf_counter()
        try:
            seconds = min(PEAK_SECONDS, self._seconds / 4)
            await self._calm.peak(seconds, ended=self._stopped, free=free)
        finally:
            watching.cancel()
        self._peak = len(self._calm.lives) / (time.perf_counter() - begun)
        self._rate = self._part * self._peak
        self._calm.accepts.clear()
        self._calm.lives.clear()
        print(f"{self._kind}: {self._peak:,.0f} lives/s at most, so {self._rate:,.0f}", file=sys.stderr)

    async def _watch(self, free: asyncio.Event) -> None:
        """Sets it while few webhooks are on their way, or all is to end."""
        while True:
            if self._stopped.is_set() or await self._on_their_way() < LAG:
                free.set()
            else:
                free.clear()
            await asyncio.sleep(LOOK_SECONDS)

    async def _on_their_way(self) -> int:
        told = await asyncio.to_thread(answered, self._receiver.port)
        return max(0, self._calm.done["results"] - told)  # some are told before the result is read

    async def _sample(self) -> None:
        calm = self._calm
        accepts, lives = spread(calm.accepts), spread(calm.lives)
        calm.accepts.clear()
        calm.lives.clear()
        values = [
            ("lives", "1/s", lives.count / self._every),
            ("accept p50", "ms", accepts.p50_ms),
            ("accept p99", "ms", accepts.p99_ms),
            ("life p50", "ms", lives.p50_ms),
            ("life p99", "ms", lives.p99_ms),
            ("webhooks on their way", "webhooks", await self._on_their_way()),
            *sampled.process(self._server),
            *await sampled.store(self._url, calm.done["results"]),
        ]
        for what, unit, value in values:
            self._rounds.add(self._kind, what, value, unit=unit, store=self._kind)
        said = ", ".join(f"{what} {value:,.1f}" for what, _, value in values[:8])
        print(f"{time.monotonic() - self._began:6.0f} s  {said}", file=sys.stderr, flush=True)

    def keep(self) -> Record:
        """Written as far as it is."""
        rows = self._rounds.rows
        spent = time.monotonic() - self._began if self._began else 0.0
        about = ABOUT.format(
            rate=self._rate,
            minutes=spent / 60,
            part=self._part,
            peak=self._peak,
            connections=CONNECTIONS,
            retention=RETENTION_SECONDS,
            history=HISTORY_SECONDS,
        )
        made = record.record(
            f"soak-{self._kind}",
            f"Soak, {self._kind}",
            about,
            rows,
            rounds=max((len(row.values) for row in rows), default=0),
            targets=[*flat.targets(rows, rate=self._rate), self._right()],
            versions=self.versions,
        )
        record.write(made, self._results)
        return made

    def _right(self) -> Target:
        return Target(name="answered wrongly", asked=0, sense="<=", reached=self._calm.wrong)

    def prove(self, made: Record) -> None:
        """For the page of guarantees, where that is asked for."""
        from tests import proof

        grown = [row.what for row in made.rows if row.what in flat.LIMITS]
        done = dict(self._calm.done) | {"minutes": round(self._seconds / 60), "flat curves": len(grown)}
        proof.record(f"soak, {self._kind}", operations=done, by=made.command)


if __name__ == "__main__":
    sys.exit(main())
