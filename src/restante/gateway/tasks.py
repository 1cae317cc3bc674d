"""Handlers of dialect `task`: the status_url and the response_url of a task (seed 000)."""

from ..core.access import EVERYBODY
from ..dialects import task
from ..dialects.task import Situation, Spelled
from .call import Call
from .desk import Desk
from .handover import give, give_once
from .poll import look, usual
from .problems import MethodNotAllowed
from .reply import Reply, document, outcome, retry_after, word
from .rooms import Place


async def task_status(desk: Desk, call: Call, place: Place) -> Reply:
    """GET looks, DELETE cancels."""
    id = place.rest
    tenant = await desk.tenant(call)
    origin = desk.origin(call)
    transaction = await look(desk, call, tenant, id)
    now = desk.clock.now()
    known = task.situation(transaction, now) is not Situation.UNKNOWN
    if call.method == "DELETE" and transaction is not None and known:
        call.word = transaction.status
        found = await desk.service.cancel(tenant, id)
        return _reply(task.unknown(id) if found is None else task.cancelled(id))
    return _reply(task.of_status(transaction, id, now=now, origin=origin, usual=usual(desk, transaction)))


async def task_result(desk: Desk, call: Call, place: Place) -> Reply | None:
    """The upstream's answer, byte for byte; an error once, and then nobody has ever heard of it."""
    if call.method == "DELETE":
        raise MethodNotAllowed("GET, HEAD")
    id = place.rest
    tenant = await desk.tenant(call)
    origin = desk.origin(call)
    transaction = await look(desk, call, tenant, id)
    spelled = task.of_result(
        transaction, id, now=desk.clock.now(), origin=origin, usual=usual(desk, transaction)
    )
    if transaction is None:
        return _reply(spelled)
    call.word = spelled.word
    once = spelled.once and call.method != "HEAD" and tenant != EVERYBODY  # the one reading is its owner's
    if spelled.body is not None:
        reply = _reply(spelled)
        if once:
            await call.body()
            return None if await give_once(desk, call, transaction, reply) else _reply(task.unknown(id))
        return reply
    result = await desk.service.result(transaction)
    if result is None:  # swept between the look and now
        return _reply(task.unknown(id))
    if not once:
        await give(desk, call, transaction, result)
        return None
    await call.body()
    return None if await give_once(desk, call, transaction, result) else _reply(task.unknown(id))


def _reply(spelled: Spelled) -> Reply:
    more = [word(spelled.word), *outcome(spelled.outcome, doubt=spelled.doubt)]
    if spelled.wait_seconds is not None:
        more.append(retry_after(spelled.wait_seconds))
    return document(spelled.body, *more, code=spelled.code)
