"""How much a store does in a second, without a gateway around it.

    python bench/store.py [--seconds 3] [--busy] [--folder DIR] [--store postgresql://…] [--apart]

Prints accepts and whole lives (accept, begin, complete; each waited for) per second, for 64 and 256
coroutines that each wait for their own commit. `--busy` keeps the event loop at work beside it, as a gateway
under load does. With `--store` it is a PostgreSQL (an empty database) instead of a file; there, `--apart`
makes a commit for each write instead of one for what came together.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable

import uvloop

from restante.assembly.store import open_store
from restante.core import change
from restante.core.clock import HOUR, SECOND
from restante.core.identity import RANDOM_BYTES, mint
from restante.core.model import Accepted, Body, Request, Result, Submission, Transaction
from restante.core.policy import Limits
from restante.ports import Store
from restante.stores.postgres.lane import Lane
from restante.stores.sqlite.turnstile import Turnstile

HEADERS = ((b"host", b"example.test"), (b"content-type", b"application/json"), (b"user-agent", b"bench"))
BODY = b'{"request":{"amount":100,"currency":"EUR"}}' * 7


def submission(store: Store, key: int) -> Submission:
    now = time.time_ns() // 1000
    transaction = Transaction(
        key=key,
        id=mint(key, os.urandom(RANDOM_BYTES), store.secret),
        tenant="default",
        created_at=now,
        updated_at=now,
        method="POST",
        path="/transactions/payments",
        operation="create",
        upstream="default",
        due_at=now,
        deadline=now + 24 * HOUR,
        expires_at=now + 24 * HOUR,
        sweep_at=now + 24 * HOUR,
    )
    return Submission(
        transaction=transaction,
        event=change.accepted(transaction),
        request=Request(HEADERS, Body(len(BODY), BODY)),
        claim=True,
    )


async def reserved(store: Store) -> list[int]:
    """Keys for what is accepted now."""
    expires_at = time.time_ns() // 1000 + 24 * HOUR
    return [store.key(number, expires_at) for number in await store.reserve_numbers(1024)]


async def accept(store: Store, keys: list[int]) -> Transaction:
    while not keys:
        keys += await reserved(store)
    (answer,) = await store.accept([submission(store, keys.pop())])
    assert isinstance(answer, Accepted)
    return answer.transaction


async def live(store: Store, keys: list[int]) -> None:
    transaction = await accept(store, keys)
    now = transaction.created_at
    begun = change.begin(transaction, attempt=1, now=now, lease=15 * SECOND)
    await store.apply([begun])
    result = Result(200, HEADERS, Body(len(BODY), BODY), 1)
    await store.apply(
        [change.complete(begun.after, attempt=1, now=now, result=result, data={"status_code": 200})]
    )


async def look(store: Store, ids: list[str], turn: int) -> None:
    await store.look([ids[turn % len(ids)]])


async def measure(
    store: Store,
    name: str,
    work: Callable[[int], Awaitable[object]],
    count: int,
    seconds: float,
    busy: bool,
) -> float:
    """Prints what was found; returns how many there were in a second."""
    stop = time.perf_counter() + seconds
    spans: list[float] = []
    spins = 0

    async def one(number: int) -> None:
        turn = number
        while True:
            begin = time.perf_counter()
            if begin > stop:
                return
            await work(turn)
            turn += count
            spans.append(time.perf_counter() - begin)

    async def spin() -> None:
        nonlocal spins
        while time.perf_counter() < stop:
            sum(range(2000))  # ~20 µs, what a small request costs
            spins += 1
            await asyncio.sleep(0)

    commits = store.commits  # type: ignore[attr-defined]
    begin = time.perf_counter()
    await asyncio.gather(*map(one, range(count)), *([spin()] if busy else []))
    took = time.perf_counter() - begin
    commits = store.commits - commits  # type: ignore[attr-defined]
    spans.sort()
    half, most, worst = (spans[int(len(spans) * part)] * 1e3 for part in (0.5, 0.99, 0.99999))
    line = f"{name:12} {count:4} at once: {len(spans) / took:8,.0f}/s  {commits / took:6.0f} commits/s"
    line += f"  p50 {half:6.2f} ms  p99 {most:6.2f} ms  max {worst:6.1f} ms"
    print(line + (f"  {spins / took:8,.0f} spins/s" if busy else ""))
    return len(spans) / took


async def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for count in arguments.counts:
            url = arguments.store or f"sqlite:///{folder}/{count}.db"
            store = await open_store(url, limits=Limits())
            keys: list[int] = []
            todo = arguments.seconds, arguments.busy
            await measure(store, "accept", lambda turn: accept(store, keys), count, *todo)  # noqa: B023
            await measure(store, "whole life", lambda turn: live(store, keys), count, *todo)  # noqa: B023
            ids = [(await accept(store, keys)).id for _ in range(1000)]
            await measure(store, "look", lambda turn: look(store, ids, turn), count, *todo)  # noqa: B023
            await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--no-turnstile", action="store_true", help="what a busy loop does to the threads")
    parser.add_argument("--folder", default=".")
    parser.add_argument("--store", help="postgresql://USER@HOST/DATABASE")
    parser.add_argument("--apart", action="store_true", help="PostgreSQL: a commit for each write")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 64, 256])
    chosen = parser.parse_args()
    if chosen.no_turnstile:
        Turnstile.watch = lambda self: None  # type: ignore[method-assign]
    if chosen.apart:
        Lane.GROUP = 1
    uvloop.run(main(chosen))
