"""A process of its own that accepts and begins until it is killed, and says each time what is on disk."""

import asyncio
import sys

from restante.core.policy import Limits
from restante.stores.sqlite import SQLiteStore

from ..samples import accepted, applied, begin


async def work(store: SQLiteStore) -> None:
    while True:
        transaction = await accepted(store, claim=True)
        print("accepted", transaction.id, flush=True)
        await applied(store, begin(transaction))
        print("begun", transaction.id, flush=True)


async def main(path: str, apart: bool) -> None:
    store = await SQLiteStore.open(path, limits=Limits(), apart=apart)
    await asyncio.gather(*[work(store) for _ in range(8)])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:] == ["apart"]))
