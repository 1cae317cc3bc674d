"""A process of its own: accepts until its file may not grow any more, then with the limit lifted again."""

import asyncio
import resource
import signal
import sys

from restante.core.errors import StoreUnavailable
from restante.core.model import Submission, Transaction
from restante.core.policy import Limits
from restante.stores.sqlite import SQLiteStore

from ..samples import a_submission

ROOM = 1024 * 1024


def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def main(path: str) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = await SQLiteStore.open(path, limits=Limits())
    kept: list[Transaction] = []
    lost: list[Submission] = []
    limit(ROOM)
    while not lost:
        submission = await a_submission(store, body=bytes(50_000))
        try:
            await store.accept([submission])
            kept.append(submission.transaction)
        except StoreUnavailable:
            lost.append(submission)
    print("refused")
    limit(resource.RLIM_INFINITY)
    await store.ping()
    await store.accept(lost)
    print("recovered")
    kept += [submission.transaction for submission in lost]
    await store.close()
    store = await SQLiteStore.open(path, limits=Limits())
    assert await store.look([transaction.id for transaction in kept]) == kept
    assert store.queued == len(kept)
    await store.close()
    print("whole")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
