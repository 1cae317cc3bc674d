"""The life of transactions in the log: a line for each event, and for each attempt at a webhook.

Ids, names of the configuration and words of ours; nothing that came from outside: no path, no header field,
no body.
"""

import logging
from collections.abc import Sequence

from ..core.clock import SECOND
from ..core.delivery import Attempt
from ..core.model import Change, Transaction
from ..core.outbox import Errand
from ..core.policy import Route
from ..core.status import EventKind, Status
from ..ports.telemetry import Silence

log = logging.getLogger("restante.transactions")
log_of_webhooks = logging.getLogger("restante.deliveries")

FIELDS = "fields"
"""The attribute of a record that holds what a line is made of, for who writes it in another form."""


class Lines(Silence):
    """Writes them, at the level INFO."""

    def accepted(self, route: Route, transactions: Sequence[Transaction]) -> None:
        for one in transactions:
            _write(log, _fields(one, Status.PENDING, EventKind.TRANSITION, sequence=1))

    def changed(self, change: Change, route: Route) -> None:
        for event in change.events:
            _write(log, _fields(change.after, event.status, event.kind, sequence=event.sequence))

    def delivered(self, errand: Errand, attempt: Attempt, outcome: str) -> None:
        delivery = errand.delivery
        fields: dict[str, object] = {
            "delivery": delivery.id,
            "endpoint": delivery.endpoint,
            "attempt": attempt.number,
            "outcome": outcome,
            "seconds": attempt.duration / SECOND,
        }
        if errand.transaction is not None:
            fields["transaction"] = errand.transaction.id
        if attempt.code is not None:
            fields["code"] = attempt.code
        _write(log_of_webhooks, fields)


def _fields(transaction: Transaction, status: Status, kind: EventKind, *, sequence: int) -> dict[str, object]:
    fields: dict[str, object] = {
        "transaction": transaction.id,
        "tenant": transaction.tenant,
        "upstream": transaction.upstream,
        "sequence": sequence,
        "event": kind.value,
        "status": status.value,
        "attempt": transaction.attempt,
    }
    if transaction.outcome is not None:
        fields["outcome"] = transaction.outcome.value
    return fields


def _write(where: logging.Logger, fields: dict[str, object]) -> None:
    if where.isEnabledFor(logging.INFO):
        text = " ".join(f"{name}={value}" for name, value in fields.items())
        where.info("%s", text, extra={FIELDS: fields})
