"""Why is it still pending? What stands between a transaction and its end, the nearest first."""

import msgspec

from ..core.clock import SECOND
from ..core.figures import Standing
from ..core.machine import TERMINAL
from ..core.model import Transaction
from ..core.status import Phase
from .spelling import number, rate, span
from .visit import Visit

COUNTED = 10_000
"""What stands before one is counted up to here."""


class Reason(msgspec.Struct, frozen=True):
    """`name`, and what there is to say; `moment` is when it is over, where that is known."""

    name: str
    text: str
    moment: int | None = None


async def reasons(visit: Visit, transaction: Transaction) -> list[Reason]:
    """None for what has ended."""
    if transaction.status in TERMINAL:
        return []
    t, now = transaction, visit.now
    found: list[Reason] = []
    upstream = visit.policy.upstreams.get(t.upstream)
    if t.upstream in visit.service.pauses.names:
        found.append(
            Reason("Paused", f"The upstream {t.upstream} is paused; it waits until that is resumed.")
        )
    if upstream is None:
        found.append(
            Reason(
                "No upstream", f"The configuration names no upstream {t.upstream} any more; nobody runs it."
            )
        )
    due = t.due_at or now
    match t.phase:
        case Phase.SENDING:
            limit = f" The upstream may take {span(upstream.timeout)}." if upstream else ""
            found.append(Reason("Under way", f"Attempt {t.attempt} is being made.{limit}"))
        case Phase.DEFERRED:
            found.append(Reason("Taken over", "The upstream has taken it and will report the end."))
        case Phase.LOOKING:
            text = "Nobody knows whether the work was done; the upstream will be asked."
            found.append(Reason("Look-up", text, due))
        case Phase.WAITING if due > now:
            name, what = ("Delayed", "It is not to be run before then.")
            if t.attempt:
                name, what = "Next attempt", f"Attempt {t.attempt} is over; the next one is made then."
            found.append(Reason(name, what, due))
        case Phase.WAITING:
            standing = await visit.store.standing(t, limit=COUNTED)
            found.append(Reason("Position", _position(standing, t.tenant)))
            if upstream is not None:
                found.append(Reason("Upstream's limit", _limit(visit, t, standing)))
    found.append(
        Reason(
            "Deadline",
            "If it is not done by then, it ends as failed.",
            t.deadline,
        )
    )
    return found


def _position(standing: Standing, tenant: str) -> str:
    if not standing.ahead:
        return f"It is the next of {tenant}."
    more = "more than " if standing.ahead >= COUNTED else ""
    return f"{more}{number(standing.ahead)} of {tenant} come before it.".capitalize()


def _limit(visit: Visit, transaction: Transaction, standing: Standing) -> str:
    upstream = visit.policy.upstreams[transaction.upstream]
    text = f"{upstream.name} takes {upstream.concurrency} at a time"
    if upstream.rate is not None:
        text += ", and " + (
            f"{rate(upstream.rate)} a second"
            if upstream.rate >= 1
            else f"one every {span(round(SECOND / upstream.rate))}"
        )
    if upstream.concurrency_per_tenant is not None:
        text += f"; of one tenant {upstream.concurrency_per_tenant}"
    if visit.sees_all and standing.tenants > 1:
        text += f". {number(standing.tenants)} tenants have something waiting there, and share that evenly"
    else:
        text += ". Tenants that have something waiting share that evenly"
    return text + "."
