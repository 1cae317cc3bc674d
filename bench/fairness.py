"""How long a tenant's single transaction waits behind another's queue, and what a claim costs.

    python bench/fairness.py [--store URL] [--queued 100000] [--tenants 1] [--limit 100] [--claims 200]

The queue is accepted, of as many tenants, and claims of `--limit` are made, of which the last three stay
held. Then one of another tenant is accepted, and claims go on until it is in one. With a PostgreSQL,
`--store` names an empty database.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import deque

import msgspec
from store import reserved, submission

from restante.assembly.store import open_store
from restante.core.clock import SECOND
from restante.core.model import Submission, Transaction
from restante.core.policy import Limits
from restante.ports import Store

GROUP = 500
HELD = 3


async def fill(store: Store, count: int, tenants: int) -> None:
    for begin in range(0, count, GROUP):
        keys = (await reserved(store))[:GROUP]
        await store.accept([of(store, key, f"busy{(begin + key) % tenants}") for key in keys])


def of(store: Store, key: int, tenant: str) -> Submission:
    """One that waits in the store."""
    one = submission(store, key)
    transaction = msgspec.structs.replace(one.transaction, tenant=tenant)
    return msgspec.structs.replace(one, transaction=transaction, claim=False)


async def claim(store: Store, limit: int) -> tuple[float, list[Transaction]]:
    begin = time.perf_counter()
    claims = await store.claim("default", limit, time.time_ns() // 1000 + 60 * SECOND)
    return time.perf_counter() - begin, [one.transaction for one in claims]


async def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        store = await open_store(
            arguments.store or f"sqlite:///{folder}/fairness.db", limits=Limits(max_queued=1 << 40)
        )
        await fill(store, arguments.queued, arguments.tenants)
        spans = []
        held: deque[list[Transaction]] = deque()
        for _ in range(arguments.claims):
            span, taken = await claim(store, arguments.limit)
            spans.append(span / len(taken) * 1e6)
            held.append(taken)
            if len(held) > HELD:
                await store.release([one.key for one in held.popleft()])
        print(f"claim  {statistics.median(spans):7.1f} µs for each, in claims of {arguments.limit}")
        key = (await reserved(store))[0]
        await store.accept([of(store, key, "single")])
        for number in range(1, arguments.claims):
            _, taken = await claim(store, arguments.limit)
            if any(one.tenant == "single" for one in taken):
                print(f"the single one is in claim {number}")
                break
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--store")
    parser.add_argument("--queued", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=1)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--claims", type=int, default=200)
    parser.add_argument("--folder", default=".")
    asyncio.run(main(parser.parse_args()))
