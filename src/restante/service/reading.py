"""The one reading of an error: taken, and settled by whoever took it.

A reservation has a token. A replay of the submit makes the error readable again even while somebody reads
it; whoever read it then holds a token that settles nothing, and the next reader is left in peace.
"""

import asyncio

from ..core.errors import StoreUnavailable, WriteUnknown
from ..core.model import Transaction
from ..core.status import Reading
from .doubt import LONGEST
from .persistence import until_written
from .service import Service


async def reserve(service: Service, transaction: Transaction) -> int | None:
    """Takes the reading for this caller: its token, or None where another has it or had it.

    Where nobody knows whether it was taken, it is asked for again under the same token, or else somebody who
    comes back would be told that it is gone. Raises `StoreUnavailable`; then it is given back.
    """
    key, token = transaction.key, service.store.reading_token()
    try:
        return await service.store.reserve_reading(key, token)
    except WriteUnknown:
        what, until = f"the reading of {transaction.id}", service.clock.now() + LONGEST
    try:
        return await until_written(
            service.outage, lambda: service.store.reserve_reading(key, token), what=what, until=until
        )
    except (StoreUnavailable, asyncio.CancelledError):
        service.behind(settle(service, transaction, token, read=False))
        raise


async def settle(service: Service, transaction: Transaction, token: int, *, read: bool) -> bool:
    """`read`: it was handed over to the last byte. Otherwise the reader has gone before, and it may be read
    again. False: the reservation is not the current one any more, or it was settled before."""
    after = Reading.READ if read else Reading.UNREAD
    return await until_written(
        service.outage,
        lambda: service.store.settle_reading(transaction.key, token, after),
        what=f"the reading of {transaction.id}",
    )
