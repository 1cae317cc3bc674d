"""The one reading of an error: taken, and settled by whoever took it.

A reservation has a token. A replay of the submit makes the error readable again even while somebody reads
it; whoever read it then holds a token that settles nothing, and the next reader is left in peace.
"""

from ..core.model import Transaction
from ..core.status import Reading
from .persistence import until_written
from .service import Service


async def reserve(service: Service, transaction: Transaction) -> int | None:
    """Takes the reading for this caller: its token, or None where another has it or had it."""
    return await service.store.reserve_reading(transaction.key)


async def settle(service: Service, transaction: Transaction, token: int, *, read: bool) -> bool:
    """`read`: it was handed over to the last byte. Otherwise the reader has gone before, and it may be read
    again. False: the reservation is not the current one any more."""
    after = Reading.READ if read else Reading.UNREAD
    return await until_written(
        service.outage,
        lambda: service.store.settle_reading(transaction.key, token, after),
        what=f"the reading of {transaction.id}",
    )
