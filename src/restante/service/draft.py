"""A request on its way to becoming a transaction: everything that is decided at accept, and nothing else."""

import msgspec

from ..core import change as changes
from ..core.envelope import MAX_TRACKING_ID, Envelope
from ..core.errors import BadRequest
from ..core.idempotency import Hashing, idempotency_key, parse_key
from ..core.model import IdempotencyKey, Request, Submission, Transaction
from ..core.pointer import NOTHING, decode, pick
from ..core.policy import SAFE_METHODS, Limits, Route
from ..core.status import Dialect
from .bodies import Intake

OPERATIONS = {
    "GET": "read",
    "HEAD": "read",
    "OPTIONS": "read",
    "PUT": "update",
    "PATCH": "update",
    "DELETE": "delete",
}
"""What a method does, where the route does not say; anything else creates."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is to become a transaction. Path and query as they came."""

    tenant: str
    method: str
    path: str
    query: str
    envelope: Envelope
    route: Route
    dialect: Dialect
    intake: Intake
    callbacks: tuple[str, ...] = ()  # the URLs that are told of its end
    retry_of: str | None = None  # the finished transaction that is done again


def submission_of(draft: Draft, *, id: str, now: int, limits: Limits, hashing: Hashing) -> Submission:
    """The transaction with its first event and its request. Raises `BadRequest` naming the field."""
    envelope = draft.envelope
    route = draft.route
    deadline = retention = limits.retention
    if envelope.delay or envelope.deadline is not None:
        deadline = _deadline(envelope, retention)
    transaction = Transaction(
        key=draft.intake.key,
        id=id,
        tenant=draft.tenant,
        created_at=now,
        updated_at=now,
        dialect=draft.dialect,
        method=draft.method,
        path=draft.path,
        query=draft.query,
        operation=route.operation or OPERATIONS.get(draft.method, "create"),
        upstream=route.upstream,
        priority=route.priority if envelope.priority is None else envelope.priority,
        tracking_id=envelope.tracking_id or _tracking_id(draft),
        due_at=now + envelope.delay,
        deadline=now + deadline,
        expires_at=now + retention,
        sweep_at=now + deadline,
        retry_of=draft.retry_of,
        callbacks=draft.callbacks,
    )
    return Submission(
        transaction=transaction,
        event=changes.accepted(transaction, route),
        request=Request(envelope.kept, draft.intake.body),
        idempotency=_idempotency(draft, hashing, now) if envelope.idempotency_key is not None else None,
    )


def _deadline(envelope: Envelope, retention: int) -> int:
    """The span to the deadline that was asked for, or the default; raises `BadRequest`."""
    deadline = retention if envelope.deadline is None else envelope.deadline
    for field, span in (("Restante-Delay", envelope.delay), ("Restante-Deadline", deadline)):
        if span > retention:
            raise BadRequest(f"{field} must not be longer than the retention of results", field=field)
    if envelope.delay >= deadline:
        if envelope.deadline is None:
            field, what = "Restante-Delay", "shorter than the retention of results"
        else:
            field, what = "Restante-Deadline", "longer than Restante-Delay"
        raise BadRequest(f"{field} must be {what}: it could never be run", field=field)
    return deadline


def _idempotency(draft: Draft, hashing: Hashing, now: int) -> IdempotencyKey | None:
    envelope = draft.envelope
    path = draft.path
    if draft.retry_of is not None:  # the key is that of the retry call, which is a POST on its own path
        path = f"/-/transactions/{draft.retry_of}/retry"
    elif draft.method in SAFE_METHODS:
        return None
    if envelope.idempotency_key is None:
        return None
    known = idempotency_key(
        parse_key(envelope.idempotency_key, envelope.idempotency_header),
        tenant=draft.tenant,
        authorization=envelope.authorization,
        method=draft.method,
        path=path,
        query=draft.query,
        body_digest=draft.intake.digest,
    )
    return hashing.of(known, now)


def _tracking_id(draft: Draft) -> str | None:
    """From where the route says: a JSON pointer into the body, or a header.

    A body that is no JSON is the upstream's business: it is passed on, without a tracking id.
    """
    place = draft.route.tracking_id
    if place is None:
        return None
    if not place.startswith("/"):
        name = place.lower().encode("latin-1")
        value = next((value for key, value in draft.envelope.kept if key == name), b"")
        return value.decode("latin-1")[:MAX_TRACKING_ID] or None
    document = decode(draft.intake.body.inline or b"")
    value = pick(document, place) if document is not NOTHING else NOTHING
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)[:MAX_TRACKING_ID] or None
