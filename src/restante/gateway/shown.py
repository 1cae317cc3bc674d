"""One transaction for the native API: found, and shown whole."""

from ..core.model import Transaction
from ..dialects import native as spelling
from . import poll
from .call import Call
from .desk import Desk
from .problems import UnknownTransaction
from .reply import Reply, document, word


async def look(desk: Desk, call: Call, id: str) -> Transaction:
    """The caller's transaction; raises `UnknownTransaction`."""
    transaction = await poll.look(desk, call, await desk.tenant(call), id)
    if transaction is None:
        raise UnknownTransaction("There is no transaction with this id.")
    call.word = transaction.status
    return transaction


async def shown(desk: Desk, transaction: Transaction, *more: tuple[bytes, bytes], code: int = 200) -> Reply:
    """Its native form, with its events."""
    (log,) = await desk.service.events([transaction])
    content = spelling.full(transaction, log, now=desk.clock.now(), paused=desk.service.pauses.names)
    return document(content, word(transaction.status), *more, code=code)
