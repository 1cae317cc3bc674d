"""What the indexes of a schema cost: the same writes, made by the store with an older schema and the newest.

    python bench/indexes.py [--versions 3 4] [--rows 200000] [--ends 50000] [--rounds 5] [--tickets 1000]

Half of the transactions are payments on one path, half are updates of so many tickets, with a tracking id.
They are accepted 64 at a time; the first of them are then begun and completed. The versions take turns;
printed are medians, and the median of the rounds' ratios to the first version. Time is the processor's, of
all threads.
"""

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec
from store import BODY, HEADERS, submission

from restante.core import change
from restante.core.clock import SECOND
from restante.core.model import Body, Change, Result, Submission, Transaction
from restante.core.policy import Limits
from restante.stores.sqlite import SQLiteStore, migrate

GROUP = 64
SCRIPTS = migrate.migrations()

T = TypeVar("T")


def varied(store: SQLiteStore, key: int, tickets: int) -> Submission:
    plain = submission(store, key)
    if key % 2:
        return plain
    path, tracking = f"/channel/v0/tickets/{key * 7919 % tickets}", f"order-{key}"
    ticket = msgspec.structs.replace(plain.transaction, path=path, operation="update", tracking_id=tracking)
    return msgspec.structs.replace(plain, transaction=ticket)


def changes(some: Sequence[Transaction]) -> tuple[list[Change], list[Change]]:
    """Begun, and completed."""
    now = some[-1].created_at
    result = Result(200, HEADERS, Body(len(BODY), BODY), 1)
    begun = [change.begin(one, attempt=1, now=now, lease=15 * SECOND) for one in some]
    ended = [change.complete(one.after, attempt=1, now=now, result=result, data={}) for one in begun]
    return begun, ended


async def write(version: int, arguments: argparse.Namespace) -> tuple[float, float]:
    """Microseconds per accept, and per begin with its end."""
    migrate.migrations = lambda: SCRIPTS[:version]
    accepting = ending = 0.0
    done: list[Transaction] = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        store = await SQLiteStore.open(f"{folder}/indexes.db", limits=Limits())
        for keys in groups(iter(await store.reserve_numbers(arguments.rows))):
            submissions = [varied(store, key, arguments.tickets) for key in keys]
            begin = time.process_time()
            await store.accept(submissions)
            accepting += time.process_time() - begin
            if len(done) < arguments.ends:
                done += [one.transaction for one in submissions]
        for some in groups(iter(done)):
            begun, ended = changes(some)
            begin = time.process_time()
            await store.apply(begun)
            await store.apply(ended)
            ending += time.process_time() - begin
        await store.close()
    return accepting / arguments.rows * 1e6, ending / len(done) * 1e6


def groups(things: Iterator[T]) -> Iterator[list[T]]:
    while group := list(itertools.islice(things, GROUP)):
        yield group


async def main(arguments: argparse.Namespace) -> None:
    versions: list[int] = arguments.versions
    found: dict[int, list[tuple[float, float]]] = {version: [] for version in versions}
    for turn in range(arguments.rounds):
        for version in versions[:: -1 if turn % 2 else 1]:
            found[version].append(await write(version, arguments))
    for place, name in enumerate(("accept", "begin and complete")):
        for version in versions:
            spans = [spans[place] for spans in found[version]]
            first = [spans[place] for spans in found[versions[0]]]
            ratio = statistics.median(span / other for span, other in zip(spans, first, strict=True))
            print(f"{name:20} version {version}  {statistics.median(spans):6.1f} µs  × {ratio:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--versions", type=int, nargs="+", default=[len(SCRIPTS) - 1, len(SCRIPTS)])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--ends", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tickets", type=int, default=1000)
    parser.add_argument("--folder", default=".")
    asyncio.run(main(parser.parse_args()))
