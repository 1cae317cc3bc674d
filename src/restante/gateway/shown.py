"""One transaction for the native API: found, and shown whole.

What is told goes to programs, and is not masked. To those that show it to people `Restante-Mask` says which
fields are not for their eyes (docs/why/0016-masking.md).
"""

import json

from ..core.model import Transaction
from ..dialects import native as spelling
from . import poll
from .call import Call, Fields
from .desk import Desk
from .problems import UnknownTransaction
from .reply import Reply, document, word


async def look(desk: Desk, call: Call, id: str) -> Transaction:
    """The caller's transaction; raises `UnknownTransaction`."""
    transaction = await poll.look(desk, call, await desk.tenant(call), id)
    if transaction is None:
        raise UnknownTransaction("There is no transaction with this id.")
    call.word = transaction.status
    call.applied = (*call.applied, *masks(desk, transaction))
    return transaction


def masks(desk: Desk, transaction: Transaction) -> Fields:
    """The field that names what people are not to see, if there is any."""
    pointers = desk.policy.masks(transaction.method, transaction.path)
    return ((b"restante-mask", json.dumps(pointers).encode("ascii")),) if pointers else ()


async def shown(desk: Desk, transaction: Transaction, *more: tuple[bytes, bytes], code: int = 200) -> Reply:
    """Its native form, with its events."""
    (log,) = await desk.service.events([transaction])
    content = spelling.full(transaction, log, now=desk.clock.now(), paused=desk.service.pauses.names)
    return document(content, word(transaction.status), *more, code=code)
