"""What can be done to one transaction below `/-/`: retry, resolve, and the upstream's reports."""

from ..core.envelope import open_envelope
from ..core.errors import BadRequest
from ..core.headers import first
from ..dialects.report import MAX_REPORT, read_report, read_resolution
from ..service import reporting
from ..service.retrying import retry as do_again
from .call import Call
from .desk import Desk
from .framing import small_body
from .problems import UnknownTransaction
from .reply import REPLAYED, Reply, document, text, word
from .shown import look, shown


async def retry(desk: Desk, call: Call, id: str) -> Reply:
    """The same request again, as a new transaction. It takes no body."""
    old = await look(desk, call, id)
    if await small_body(call, MAX_REPORT):
        raise BadRequest("A retry takes no body: the request is the old one.", field="body")
    accepted = await do_again(desk.service, old, open_envelope(call.headers))
    new = accepted.transaction
    more = [text(b"location", f"/-/transactions/{new.id}")]
    if accepted.replayed:
        more.append(REPLAYED)
    return await shown(desk, new, *more, code=202)


async def resolve(desk: Desk, call: Call, id: str) -> Reply:
    """Settles an unknown outcome by hand, with who and why as an event."""
    transaction = await look(desk, call, id)
    said = read_resolution(await small_body(call, MAX_REPORT), tenant=transaction.tenant)
    return await shown(desk, await reporting.resolve(desk.service, transaction, said))


async def report(desk: Desk, call: Call, id: str) -> Reply:
    """The upstream's own word, with the token of its attempt; no other credentials are asked for."""
    found = await reporting.identify(desk.service, id, _token(call))
    if found is None:
        raise UnknownTransaction("There is no transaction with this id and token.")
    transaction, attempt = found
    call.word = transaction.status
    said = read_report(await small_body(call, MAX_REPORT), desk.limits)
    after = await reporting.report(desk.service, transaction, attempt, said)
    content = {"id": after.id, "status": after.status, "sequence": after.sequence}
    return document(content, word(after.status))


def _token(call: Call) -> str:
    """`Restante-Events-Token`, or a Bearer token."""
    own = first(call.headers, b"restante-events-token")
    if own is not None:
        return own.decode("latin-1").strip()
    scheme, _, token = (first(call.headers, b"authorization") or b"").decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
