"""What can be done to one transaction below `/-/`: retry, resolve, and the upstream's reports."""

from ..core.envelope import open_envelope
from ..service.retrying import retry as do_again
from .call import Call
from .desk import Desk
from .reply import REPLAYED, Reply, text
from .shown import look, shown


async def retry(desk: Desk, call: Call, id: str) -> Reply:
    """The same request again, as a new transaction. The call's body says nothing."""
    old = await look(desk, call, id)
    accepted = await do_again(desk.service, old, open_envelope(call.headers))
    new = accepted.transaction
    more = [text(b"location", f"/-/transactions/{new.id}")]
    if accepted.replayed:
        more.append(REPLAYED)
    return await shown(desk, new, *more, code=202)
