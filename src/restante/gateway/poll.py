"""A poll: the look that every answer about a transaction begins with, held back as its caller prefers.

`Prefer: wait=N` (RFC 7240) holds it until the transaction is terminal or, with `?after=<sequence>`, has a
newer event; at the latest N seconds. Whoever leaves meanwhile is forgotten at once, and nothing was sent,
reserved or read for them.
"""

from collections.abc import Callable
from urllib.parse import parse_qsl

from ..core.clock import SECOND
from ..core.errors import BadRequest
from ..core.machine import TERMINAL
from ..core.model import Transaction
from ..core.preferences import preferences
from .attended import Attended
from .call import Call
from .desk import Desk
from .rooms import READS

AFTER = "after"
MAX_DIGITS = 18
VARY = (b"vary", b"Prefer")


async def look(
    desk: Desk, call: Call, tenant: str, id: str, *, fits: Callable[[Transaction], bool] | None = None
) -> Transaction | None:
    """The tenant's transaction, waited for where that is preferred. Raises `ClientGone`, `BadRequest`.

    What does not fit is not waited for: it is none of this caller's, and answered as one that never was.
    """
    if call.method not in READS:
        return await desk.service.look(tenant, id)
    after = after_of(call)
    wait = preferences(call.headers).wait_seconds
    if wait is None or _has_body(call):  # behind a body that nobody reads, a client is not seen to leave
        return await desk.service.look(tenant, id)
    await call.body()
    if fits is not None:
        found = await desk.service.look(tenant, id)
        if found is None or not fits(found):
            return None
    async with Attended(call, desk.service.keys) as attended:
        attended.watch()
        found = await desk.service.wait(tenant, id, span=wait * SECOND, after=after)
    if found is not None:
        call.applied = applied(f"wait={wait}")
    return found


def usual(desk: Desk, transaction: Transaction | None) -> int:
    """What its route usually takes, where that is of interest: it has not ended. In microseconds."""
    if transaction is None or transaction.status in TERMINAL:
        return 0
    return desk.service.pace.usual(transaction)


def after_of(call: Call) -> int | None:
    """The query's `after`; raises `BadRequest`. Other parameters of a poll are nobody's business."""
    return number_of(call, AFTER, "the number of an event")


def number_of(call: Call, name: str, meaning: str) -> int | None:
    """A number in the query, if it is there; raises `BadRequest`."""
    if name not in call.query:
        return None
    given = [value for key, value in parse_qsl(call.query) if key == name]
    if not given:
        return None
    value = given[-1]
    if len(given) > 1 or not (value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS):
        raise BadRequest(f"{name} must be {meaning}, given once", field=name)
    return int(value)


def _has_body(call: Call) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in call.headers
    )


def applied(preference: str) -> tuple[tuple[bytes, bytes], ...]:
    """What an answer says of the preferences it was made by."""
    return (b"preference-applied", preference.encode()), VARY
