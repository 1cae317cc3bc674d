"""Handler of dialect `prefer` (RFC 7240): a plain path with `Prefer: respond-async`.

It is stored and run like any other transaction. With `wait=N` the caller gets the upstream's real answer if
that comes in time, and otherwise what everybody gets: 202 and where to look.
"""

from contextlib import suppress

from ..core.clock import SECOND
from ..core.errors import StoreUnavailable
from ..core.model import Transaction
from ..core.outcome import unknown
from ..core.preferences import preferences
from ..core.status import Dialect
from ..dialects import native, prefer
from ..dialects.prefer import Ending
from ..dialects.task import broken_code, wait_seconds
from .attended import Attended
from .call import Call, Fields
from .desk import Desk
from .handover import give
from .poll import applied, usual
from .problems import WENT_WRONG
from .reply import REPLAYED, Reply, document, outcome, retry_after, text, word
from .rooms import Place
from .submit import accept


async def submit_prefer(desk: Desk, call: Call, place: Place) -> Reply | None:
    """Stores it; waits where that is preferred too."""
    preferred = preferences(call.headers)
    headers = _without_ours(call.headers, preferred.others)
    accepted, origin = await accept(desk, call, place, Dialect.PREFER, headers)
    transaction = accepted.transaction
    more = (REPLAYED,) if accepted.replayed else ()
    if preferred.wait_seconds:
        async with Attended(call) as attended:
            attended.watch()
            span = preferred.wait_seconds * SECOND
            with suppress(StoreUnavailable):  # as below
                transaction = (
                    await desk.service.wait(transaction.tenant, transaction.id, span=span) or transaction
                )
        call.applied = (*applied(f"wait={preferred.wait_seconds}"), *more)
        try:
            match prefer.ending(transaction, desk.clock.now()):
                case Ending.ANSWERED:
                    result = await desk.service.result(transaction)
                    if result is not None:
                        await give(desk, call, transaction, result)
                        return None
                case Ending.BROKEN:
                    return await _broken(desk, transaction)
                case Ending.LATER:
                    pass
        except StoreUnavailable:  # it is accepted: after a 503 it would be sent, and done, once more
            if call.started:
                raise
    call.applied = (*applied("respond-async"), *more)
    return _later(desk, transaction, origin)


def _later(desk: Desk, transaction: Transaction, origin: str) -> Reply:
    now = desk.clock.now()
    return document(
        native.one(transaction, now=now, paused=desk.service.pauses.names),
        text(b"location", prefer.transaction_url(origin, transaction.id)),
        retry_after(wait_seconds(transaction, now, usual=usual(desk, transaction))),
        word(transaction.status),
        code=202,
    )


async def _broken(desk: Desk, transaction: Transaction) -> Reply:
    """What the path would have answered had it been called straight through: what went wrong."""
    (log,) = await desk.service.events([transaction])
    message = log[-1].message if log else WENT_WRONG
    how = outcome(transaction.outcome, doubt=unknown(transaction))
    return document({"message": message}, word(transaction.status), *how, code=broken_code(transaction))


def _without_ours(headers: Fields, others: bytes) -> list[tuple[bytes, bytes]]:
    """The caller's fields without the preferences that we grant: the upstream is to answer in full."""
    kept = [pair for pair in headers if pair[0] != b"prefer"]
    return [*kept, (b"prefer", others)] if others else kept
