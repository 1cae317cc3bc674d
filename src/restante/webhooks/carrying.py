"""One attempt: the payload made, signed and carried, and what came of it written down.

Nothing that a receiver does raises here. What was sent is settled however long the store takes, as long as
the attempt is lent to this process; after that another one is made in any case.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ..core import delivery as core
from ..core.clock import SECOND
from ..core.delivery import GONE, Attempt, Delivery, Progress
from ..core.endpoint import Endpoint
from ..core.errors import RestanteError, StoreUnavailable
from ..core.model import Headers
from ..core.outbox import Errand
from ..core.payload import payload_of
from ..core.schedule import retry_after
from ..core.trace import trace_of, traceparent, webhook_span
from ..ports.courier import Carried, Parcel, Receipt
from ..service import Service
from ..service.persistence import until_written
from .signatures import sign

log = logging.getLogger("restante.webhooks")

ANSWER_BYTES = 1024
"""Of an answer so much is kept."""

OUTCOMES = {core.State.DELIVERED: "delivered", core.State.WAITING: "missed", core.State.DEAD: "dead"}
"""What came of an attempt, by how the delivery stands after it."""

USER_AGENT = (b"user-agent", b"Restante-Webhooks")
JSON = (b"content-type", b"application/json")


class Carrying:
    """Makes attempts. `run` tells whether the receiver was in order."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._settings = service.policy.webhooks

    async def run(self, errand: Errand) -> bool:
        """Makes the attempt and settles it; True: the lane's receiver is not to be spared for it."""
        try:
            return await self._run(errand)
        except StoreUnavailable as error:  # for as long as it is lent to this process
            self._service.outage.met(error, f"delivery {errand.delivery.id}, to be made again,")
            return True

    async def _run(self, errand: Errand) -> bool:
        endpoints, endpoint = self._service.endpoints, await self._endpoint(errand.delivery)
        if endpoint is None or (errand.delivery.key and (errand.transaction is None or errand.event is None)):
            why = "the endpoint was removed" if endpoint is None else "the transaction is past its history"
            await self._settle(self._without_sending(errand, why))
            return True
        began = self._service.clock.now()
        receipt = await self._carry(errand, endpoint, began)
        attempt = Attempt(
            number=errand.delivery.attempt,
            at=began,
            duration=max(self._service.clock.now() - began, 0),
            carried=receipt.carried,
            reason=receipt.reason,
            code=receipt.code,
            answer=receipt.answer[:ANSWER_BYTES],
        )
        progress = self._judged(errand, receipt, attempt)
        self._service.telemetry.delivered(errand, attempt, OUTCOMES[progress.after.state])
        gone = receipt.code == GONE
        if gone:  # before the delivery is over: where this cannot be written, it is asked again
            await self._lasting(errand.delivery, lambda: endpoints.missed(endpoint.id, gone=True))
        await self._settle(progress)
        if not gone:
            await self._note(endpoint, progress)
        return receipt.carried is Carried.ANSWERED and not _overloaded(receipt.code)

    async def _endpoint(self, delivery: Delivery) -> Endpoint | None:
        """One that is not known here may have been made elsewhere a moment ago; so nothing is given up for it
        before the store was asked."""
        endpoints = self._service.endpoints
        if endpoints.one(delivery.endpoint) is None:
            await self._lasting(delivery, endpoints.look)
        return endpoints.one(delivery.endpoint)

    async def _lasting(self, delivery: Delivery, work: Callable[[], Awaitable[object]]) -> None:
        """Does it as soon as the store can, while the delivery is lent to this process."""
        what = f"delivery {delivery.id}"
        await until_written(self._service.outage, work, what=what, until=delivery.due_at)

    async def _carry(self, errand: Errand, endpoint: Endpoint, now: int) -> Receipt:
        delivery = errand.delivery
        body = delivery.body if delivery.body is not None else await self._payload(errand, endpoint)
        try:
            signature = _signed(endpoint, delivery.id, now, body)
        except (RestanteError, ValueError) as error:  # ours to mend: it is tried again by the schedule
            log.error("delivery %s cannot be signed: %s", delivery.id, type(error).__name__)
            return Receipt(Carried.REFUSED, "it could not be signed")
        headers = (JSON, USER_AGENT, *signature, *await self._trace(errand))
        parcel = Parcel(delivery.url or endpoint.url or "", headers, body)
        return await self._service.courier.carry(parcel, timeout_seconds=self._settings.timeout / SECOND)

    async def _trace(self, errand: Errand) -> Headers:
        """Who is told is a part of the transaction's trace, where there is one that anybody is told of."""
        transaction = errand.transaction
        if not self._service.policy.traced or transaction is None:
            return ()
        kept: Headers = ()
        with suppress(RestanteError):  # then it is a trace of its own
            (request,) = await self._service.store.requests([transaction.key])
            kept = () if request is None else request.headers
        span = webhook_span(errand.delivery.id, errand.delivery.attempt)
        return ((b"traceparent", traceparent(trace_of(transaction.id, kept), span)),)

    async def _payload(self, errand: Errand, endpoint: Endpoint) -> bytes:
        event, transaction = errand.event, errand.transaction
        assert event is not None
        assert transaction is not None
        if event.data is None:
            log_of_one = [event]
            await self._lasting(errand.delivery, lambda: self._service.fill(transaction, log_of_one))
            (event,) = log_of_one
        return payload_of(event, transaction, previous=errand.previous, detail=endpoint.payload)

    def _judged(self, errand: Errand, receipt: Receipt, attempt: Attempt) -> Progress:
        if receipt.code is not None and 200 <= receipt.code < 300:
            return core.arrive(errand.delivery, attempt)
        if receipt.code == GONE:
            return core.give_up(errand.delivery, now=attempt.at + attempt.duration, attempt=attempt)
        return core.miss(
            errand.delivery,
            attempt,
            schedule=self._settings.schedule,
            chance=self._service.chance.fraction(),
            retry_after=retry_after(receipt.retry_after, attempt.at + attempt.duration),
        )

    def _without_sending(self, errand: Errand, why: str) -> Progress:
        now = self._service.clock.now()
        attempt = Attempt(
            number=errand.delivery.attempt, at=now, duration=0, carried=Carried.REFUSED, reason=why
        )
        return core.give_up(errand.delivery, now=now, attempt=attempt)

    async def _settle(self, progress: Progress) -> None:
        service = self._service
        try:
            await self._lasting(progress.before, lambda: service.store.settle([progress]))
        except StoreUnavailable as error:
            service.outage.met(error, f"delivery {progress.before.id}, to be made again,")
            return
        if progress.after.due_at is not None:  # not done: it may have been before, and nobody knew
            service.endpoints.ring_for([progress.after])

    async def _note(self, endpoint: Endpoint, progress: Progress) -> None:
        """What it says about the endpoint; written seldom. Since when nothing arrives there is counted from
        it, so it is written as soon as the store can; after the lease, with what comes of the next one."""
        endpoints, id = self._service.endpoints, endpoint.id
        arrived = progress.after.state is core.State.DELIVERED
        try:
            await self._lasting(
                progress.before,
                lambda: endpoints.arrived(id) if arrived else endpoints.missed(id, gone=False),
            )
        except RestanteError as error:
            log.warning("endpoint %s: what came of an attempt is noted with the next one: %s", id, error)


def _signed(endpoint: Endpoint, id: str, now: int, body: bytes) -> Headers:
    credentials = None
    if endpoint.username is not None and endpoint.password is not None:
        credentials = (endpoint.username, endpoint.password)
    secrets = endpoint.signing(now)
    return sign(endpoint.signature, secrets, id=id, moment=now, body=body, credentials=credentials)


def _overloaded(code: int | None) -> bool:
    """Whether the answer says that the receiver, and not this one event, is in trouble."""
    return code is not None and (code == 429 or code >= 500)
