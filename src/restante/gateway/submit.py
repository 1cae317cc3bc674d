"""The accept path: a request becomes a transaction, and is answered at once.

This is the product's one hot path, so it is written to do each thing once: one pass over the header
fields, no JSON but what a route's pointer asks for, the answer by formatting.
"""

from ..core.clock import SECOND
from ..core.envelope import open_envelope
from ..core.model import Accepted, Transaction
from ..core.policy import ANY_ROUTE
from ..core.status import Dialect
from ..dialects import task, transaction
from ..service import Draft
from ..service.callbacks import callbacks_of
from .call import Call, Fields
from .desk import Desk
from .framing import announced
from .reply import JSON, NO_STORE, REPLAYED, Reply, retry_after
from .rooms import READS, Place

PENDING = (b"restante-status", b"pending")
SOON = (b"retry-after", b"1")


async def submit_task(desk: Desk, call: Call, place: Place) -> Reply:
    """`/async/<path>` (seed 000): the dialect is `task`, whatever the route says."""
    accepted, origin = await accept(desk, call, place, Dialect.TASK)
    return task_reply(desk, place, accepted, origin, call.method)


def task_reply(desk: Desk, place: Place, accepted: Accepted, origin: str, method: str) -> Reply:
    """The answer to a task's accept."""
    id = accepted.transaction.id
    location = task.status_url(origin, id)
    usual = desk.service.pace.of(place.route or ANY_ROUTE)
    return _reply(accepted, method, desk.policy.accept_status, location, task.accepted(origin, id), usual)


async def submit_transaction(desk: Desk, call: Call, place: Place) -> Reply:
    """The plain path of a route with dialect `transaction` (seed 004)."""
    accepted, _ = await accept(desk, call, place, Dialect.TRANSACTION)
    return transaction_reply(desk, place, accepted, call.method)


def transaction_reply(desk: Desk, place: Place, accepted: Accepted, method: str) -> Reply:
    """The answer to a transaction's accept."""
    id = accepted.transaction.id
    route = place.route or ANY_ROUTE
    transactions = route.transactions or ""
    body = transaction.accepted(transactions, id)
    return _reply(accepted, method, 202, f"{transactions}/{id}", body, desk.service.pace.of(route))


async def accept(
    desk: Desk, call: Call, place: Place, dialect: Dialect, headers: Fields | None = None
) -> tuple[Accepted, str]:
    """The stored transaction, and the origin that the caller used. `headers` replace the call's."""
    service = desk.service
    envelope = open_envelope(call.headers if headers is None else headers)
    tenant = await desk.tenant(call)
    origin = (
        desk.origins.below(call.scope, call.scope["headers"], envelope.host)
        if dialect is not Dialect.TRANSACTION
        else ""
    )
    size = announced(call, envelope)
    route = place.route or ANY_ROUTE
    if size is None or size > desk.limits.inline_body:  # before a large body is asked for
        service.check_accepting(tenant, route.upstream, size or 0)
    if size is not None and size > desk.limits.max_body:
        raise service.body_too_large()
    content, rest = await call.body()
    intake = await service.take_body(content, rest)
    if desk.check is not None and intake.body.inline is not None:
        desk.check(call.method, place.rest, call.query, intake.body.inline)
    callbacks: tuple[str, ...] = ()
    if envelope.callback is not None or route.callback is not None:
        try:
            callbacks = await callbacks_of(service, tenant, envelope=envelope, route=route, intake=intake)
        except BaseException:
            service.drop_body(intake)
            raise
    accepted = await service.submit(
        Draft(
            tenant=tenant,
            method=call.method,
            path=place.rest,
            query=call.query,
            envelope=envelope,
            route=route,
            dialect=dialect,
            intake=intake,
            callbacks=callbacks,
        )
    )
    return accepted, origin


def _reply(accepted: Accepted, method: str, code: int, location: str, body: bytes, usual: int) -> Reply:
    transaction = accepted.transaction
    headers = [
        JSON,
        (b"content-length", b"%d" % len(body)),
        (b"location", location.encode("latin-1")),
        _wait(transaction, usual),
        PENDING,
    ]
    if method in READS:
        headers.append(NO_STORE)
    if accepted.replayed:
        headers.append(REPLAYED)
    return Reply(code, headers, body)


def _wait(transaction: Transaction, usual: int) -> tuple[bytes, bytes]:
    """Retry-After: what its route usually takes, behind the delay that was asked for; at least a second."""
    if usual <= SECOND and (transaction.attempt or transaction.due_at == transaction.created_at):
        return SOON
    return retry_after(task.wait_seconds(transaction, transaction.created_at, usual=usual))
