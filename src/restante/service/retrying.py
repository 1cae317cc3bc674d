"""Doing a finished transaction again: the same request as a new transaction that names the old one.

The old one is over and gets no event. The first caller's credentials are not used again: what the retry
call brings of them goes along, or none. The upstream is given the old idempotency key where the old
outcome is not known, so that an upstream that honours it does the work once; where the upstream has
answered, another key, or it would only give the same answer again (docs/why/0006-retry.md).
"""

from ..core.envelope import Envelope
from ..core.errors import Gone, NoRoute, NotNow
from ..core.headers import CREDENTIALS, first
from ..core.machine import TERMINAL
from ..core.model import Accepted, Headers, Transaction
from ..core.retention import expired
from ..core.status import Outcome, Status
from .callbacks import HEADER, check_url
from .draft import Draft
from .service import Service

KEYS = frozenset({b"idempotency-key", b"requestid"})


async def retry(service: Service, old: Transaction, envelope: Envelope) -> Accepted:
    """`envelope` is that of the retry call: its credentials, its request options, its idempotency key.

    Raises `NotNow` where the old one has not ended, `Gone` where its request is not kept any more, and
    whatever refuses a submit.
    """
    check_ended(old)
    (request,) = [None] if expired(old, service.clock.now()) else await service.store.requests([old.key])
    if request is None:
        raise Gone("The request of this transaction is past its retention.")
    route = service.policy.route(old.method, old.path)
    if route is None:
        raise NoRoute("No route matches the path of this transaction any more.")
    service.check_accepting(old.tenant, route.upstream, request.body.size)
    again = Envelope(
        kept=headers_again(old, request.headers, envelope.kept),
        authorization=envelope.authorization,
        idempotency_key=envelope.idempotency_key,
        idempotency_header=envelope.idempotency_header,
        delay=envelope.delay,
        deadline=envelope.deadline,
        priority=old.priority if envelope.priority is None else envelope.priority,
        tracking_id=envelope.tracking_id or old.tracking_id,
    )
    callbacks = old.callbacks if envelope.callback is None else (envelope.callback,)
    for url in callbacks:
        await check_url(service, url, field=HEADER)
    if callbacks:
        await service.endpoints.callbacks(old.tenant)
    body = request.body
    pieces = None if body.inline is not None else service.read_request(old, request)
    return await service.submit(
        Draft(
            tenant=old.tenant,
            method=old.method,
            path=old.path,
            query=old.query,
            envelope=again,
            route=route,
            dialect=old.dialect,
            intake=await service.take_body(body.inline or b"", pieces),
            callbacks=callbacks,
            retry_of=old.id,
        )
    )


def check_ended(old: Transaction) -> None:
    """Raises `NotNow` where there is nothing to retry yet."""
    if old.status not in TERMINAL:
        raise NotNow("The transaction has not ended; only finished ones can be retried.")


def headers_again(old: Transaction, kept: Headers, brought: Headers) -> Headers:
    """The old request's header fields, with the credentials that the retry call has brought."""
    dropped = CREDENTIALS if _key_matters(old) else CREDENTIALS | KEYS
    fields = [pair for pair in kept if pair[0] not in dropped]
    fields += [pair for pair in brought if pair[0] in CREDENTIALS]
    if old.status is Status.FAILED and old.doubtful and first(fields, b"idempotency-key") is None:
        fields.append((b"idempotency-key", old.id.encode()))
    return tuple(fields)


def _key_matters(old: Transaction) -> bool:
    """Whether the work may have been done under the old key, by this transaction or one that it retried."""
    if old.status is Status.COMPLETED:
        return False
    return old.doubtful > 0 or old.outcome is not Outcome.ANSWERED
