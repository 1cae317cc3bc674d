"""What can be done: each asks first, on a page of its own, and is done by that page's form."""

from urllib.parse import unquote

from ..core import change as changes
from ..core.delivery import Sought, State
from ..core.envelope import Envelope
from ..core.errors import NotNow, UnknownUpstream
from ..core.masking import masked_text
from ..core.model import Transaction
from ..core.outcome import unknown
from ..core.status import Phase, Status
from ..ports.dashboard import Shown
from ..service import deliveries as calls
from ..service.retrying import check_ended
from ..service.retrying import retry as do_again
from .contents import look
from .deliveries import owned
from .visit import NotAllowed, Unknown, Visit

ONCE_BYTES = 12
"""Bytes of chance in a form that must do its work once, however often it is sent."""


def ask(
    visit: Visit,
    title: str,
    text: str,
    *,
    button: str,
    back: str,
    danger: bool = False,
    once: str | None = None,
) -> Shown:
    """A page with a question. `danger`: it cannot be taken back. `once`: the number of this form, by which it
    is known when it is sent again."""
    return visit.page(
        "confirm.html",
        title=title,
        text=text,
        button=button,
        back=visit.to(back),
        danger=danger,
        once=once,
    )


async def ask_cancel(visit: Visit, id: str) -> Shown:
    """Raises `TooLate`, `NotNow`, before anything is asked."""
    t = await look(visit, id)
    if changes.cancel(t, now=visit.now) is None:
        raise NotNow("The transaction is cancelled already.")
    text = f"{_call(t)} will not be sent to {t.upstream}{' again' if t.attempt else ''}."
    if t.phase is Phase.DEFERRED:
        text = (
            f"{t.upstream} has taken {_call(t)} over already, and is not told: it may do the work all the "
            "same. Only the waiting for it ends here."
        )
    return ask(
        visit,
        f"Cancel {t.code}?",
        f"{text} This cannot be taken back.",
        button="Cancel it",
        back=f"ui/transactions/{t.id}",
        danger=True,
    )


async def cancel(visit: Visit, id: str) -> Shown:
    visit.form()
    t = await look(visit, id)
    await visit.service.cancel(t.tenant, t.id)
    return visit.go(visit.to(f"ui/transactions/{t.id}"))


async def ask_retry(visit: Visit, id: str) -> Shown:
    """Raises `NotNow` before anything is asked."""
    t = await look(visit, id)
    check_ended(t)
    return ask(
        visit,
        f"Retry {t.code}?",
        f"{_doubt(t)}{_call(t)} will be sent to {t.upstream} again, as a new transaction. "
        "The first caller's credentials are not kept, and are not sent.",
        button="Retry it",
        back=f"ui/transactions/{t.id}",
        danger=bool(_doubt(t)),
        once=visit.service.chance.bytes(ONCE_BYTES).hex(),
    )


async def retry(visit: Visit, id: str) -> Shown:
    """Sent twice, the form makes one transaction."""
    given = visit.form()
    once = given.get("once", "")
    t = await look(visit, id)
    envelope = Envelope(
        kept=(),
        idempotency_key=f"dashboard-{once[:64]}".encode("ascii", "replace") if once else None,
        idempotency_header="Idempotency-Key",
    )
    accepted = await do_again(visit.service, t, envelope)
    return visit.go(visit.to(f"ui/transactions/{accepted.transaction.id}"))


async def ask_replay(visit: Visit, id: str) -> Shown:
    found = await calls.look(visit.service, visit.own, id)
    if found is None:
        raise Unknown("There is no delivery with this id.")
    return ask(
        visit,
        "Send this webhook again?",
        "It is sent under the same webhook-id, so that a receiver which had it can tell.",
        button="Send it again",
        back=f"ui/deliveries/{found[0].id}",
    )


async def replay(visit: Visit, id: str) -> Shown:
    visit.form()
    found = await calls.look(visit.service, visit.own, id)
    if found is None:
        raise Unknown("There is no delivery with this id.")
    one = await calls.replay(visit.service, found[0])
    return visit.go(visit.to(f"ui/deliveries/{one.id}"))


async def ask_replay_all(visit: Visit, id: str) -> Shown:
    one = owned(visit, id)
    return ask(
        visit,
        "Send all dead letters of this endpoint again?",
        f"Up to {calls.REPLAYED:,} are sent again, each under its own webhook-id.",
        button="Send them again",
        back=f"ui/endpoints/{one.id}",
    )


async def replay_all(visit: Visit, id: str) -> Shown:
    visit.form()
    one = owned(visit, id)
    await calls.replay_all(visit.service, Sought(endpoint=one.id, state=State.DEAD))
    return visit.go(visit.to(f"ui/endpoints/{one.id}"))


async def ask_pause(visit: Visit, segment: str) -> Shown:
    name = _upstream(visit, segment)
    return ask(
        visit,
        f"Pause {name}?",
        "Nothing more is begun there, of any tenant, until it is resumed; all goes on being accepted.",
        button="Pause it",
        back="",
        danger=True,
    )


async def pause(visit: Visit, segment: str) -> Shown:
    name = _upstream(visit, segment)
    visit.form()
    await visit.service.pauses.pause(name)
    return visit.go(visit.to(""))


async def ask_resume(visit: Visit, segment: str) -> Shown:
    name = _upstream(visit, segment)
    return ask(
        visit,
        f"Resume {name}?",
        "What waits for it is run again, as fast as its limits allow.",
        button="Resume it",
        back="",
    )


async def resume(visit: Visit, segment: str) -> Shown:
    name = _upstream(visit, segment)
    visit.form()
    await visit.service.pauses.resume(name)
    return visit.go(visit.to(""))


def _doubt(transaction: Transaction) -> str:
    """A warning, where the work may have been done."""
    if transaction.status is Status.COMPLETED:
        return "The work is done; this does it once more. "
    if unknown(transaction):
        return (
            f"Nobody knows whether {transaction.upstream} has done the work already: it may be done twice. "
            "Look there first, unless it honours the same Idempotency-Key, which is sent again. "
        )
    return ""


def _call(transaction: Transaction) -> str:
    return masked_text(f"{transaction.method} {transaction.path}")


def _upstream(visit: Visit, segment: str) -> str:
    """The name that a path's segment spells, for whoever may; raises `NotAllowed`, `UnknownUpstream`."""
    if not visit.sees_all:
        raise NotAllowed("This concerns every tenant, and needs a key of the tenant *.")
    name = unquote(segment)
    if name not in visit.policy.upstreams:
        raise UnknownUpstream("There is no upstream with this name.")
    return name
