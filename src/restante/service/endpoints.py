"""Endpoints as this process knows them, and how they are made, changed and removed.

They are all in memory, so that whatever writes an event knows at once whom to tell; nothing is asked of the
store for a tenant that has none. They are read at the start, after every change made here, and whenever
another process tells of one: until then that process's news are not heard of (docs/why/0013-outbox.md).
"""

import asyncio
import base64
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

import msgspec

from ..core import endpoint as core
from ..core.access import EVERYBODY
from ..core.delivery import DELIVERY_BYTES, Delivery
from ..core.endpoint import Endpoint, Signature, callbacks_id
from ..core.errors import NotNow, RestanteError, StoreUnavailable, TooMany, WriteUnknown
from ..core.model import Change, Submission
from ..core.outbox import deliveries_of, of_event
from ..core.payload import switched_off_payload
from ..core.policy import Webhooks
from ..ports import Chance, Clock, Measure, Store
from .again import Again
from .doubt import LONGEST
from .outage import Outage
from .persistence import until_written

log = logging.getLogger("restante.webhooks")

MAX_RACES = 20
"""How often a change is decided anew before it is given up as an error of ours."""

KEYS_AT_ONCE = 1
"""Keys of the kind that takes a processor some time that are made at once, whoever asks for them."""

SECRET_PREFIX = "whsec_"
NO_LIMIT = 1 << 40


class Endpoints:
    """`know` them before anything is run; `heard` is for the store to call.

    `ring` tells the webhooks room, and `pardon` that a lane may be tried at once; `spared_until` asks it
    until when nothing is sent in a lane, 0 where that is not known here; `new_key` makes a key, and what
    receivers are given of it.
    """

    def __init__(
        self, *, store: Store, settings: Webhooks, clock: Clock, chance: Chance, outage: Outage
    ) -> None:
        self.ring: Callable[[str, int], None] = lambda lane, moment: None
        self.pardon: Callable[[str], None] = lambda lane: None
        self.spared_until: Callable[[str], int] = lambda lane: 0
        self.new_key: Callable[[], tuple[str, str]] = _no_keys
        self.changed: Callable[[], None] = lambda: None
        self._store = store
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._outage = outage
        self._by_id: dict[str, Endpoint] = {}
        self._by_tenant: dict[str, tuple[Endpoint, ...]] = {}
        self._making = asyncio.Semaphore(KEYS_AT_ONCE)
        self._again = Again(self.look, "endpoints")

    # -- what is known

    def one(self, id: str) -> Endpoint | None:
        return self._by_id.get(id)

    def owned(self, tenant: str, id: str) -> Endpoint | None:
        """The tenant's endpoint with this id; somebody else's is as unknown as one that never was.
        EVERYBODY has them all."""
        found = self._by_id.get(id)
        return found if found is not None and tenant in (found.tenant, EVERYBODY) else None

    def of(self, tenant: str) -> tuple[Endpoint, ...]:
        """The tenant's, in the order in which they were made."""
        return self._by_tenant.get(tenant, ())

    @property
    def switched_off(self) -> int:
        """How many were switched off because nothing arrived there."""
        return sum(one.reason is not None for one in self._by_id.values())

    def measures(self) -> tuple[Measure, ...]:
        """What whoever runs this should know of them."""
        return (Measure("endpoints_off", self.switched_off, 0),)

    def know(self, endpoints: Iterable[Endpoint]) -> None:
        """These there are, and no others."""
        by_tenant: dict[str, list[Endpoint]] = {}
        for one in endpoints:
            by_tenant.setdefault(one.tenant, []).append(one)
        self._by_id = {one.id: one for some in by_tenant.values() for one in some}
        self._by_tenant = {tenant: tuple(some) for tenant, some in by_tenant.items()}
        self.changed()

    async def look(self) -> None:
        """Asks the store."""
        self.know(await self._store.endpoints())

    def heard(self) -> None:
        """Another process changed an endpoint, or may have."""
        self._again.heard()

    # -- what an event makes

    def with_deliveries(self, change: Change) -> Change:
        """The change with what its events make."""
        endpoints = self._by_tenant.get(change.after.tenant, ())
        if not endpoints and not change.after.callbacks:
            return change
        made = deliveries_of(change, endpoints, mint=self.mint, now=self._clock.now())
        return msgspec.structs.replace(change, deliveries=made) if made else change

    def at_accept(self, submission: Submission) -> Submission:
        """The submission with what its event makes: where an endpoint wants creations, too."""
        endpoints = self._by_tenant.get(submission.transaction.tenant)
        if endpoints is None:
            return submission
        transaction = submission.transaction
        made = of_event(submission.event, transaction, endpoints, mint=self.mint, now=transaction.created_at)
        return msgspec.structs.replace(submission, deliveries=tuple(made)) if made else submission

    def ring_for(self, deliveries: Iterable[Delivery]) -> None:
        """These are in the store."""
        for delivery in deliveries:
            self.ring(delivery.lane, delivery.due_at or 0)

    def mint(self) -> str:
        """An id for a delivery."""
        return self._chance.bytes(DELIVERY_BYTES).hex()

    # -- changes

    async def new_secret(self, signature: Signature) -> tuple[str, str]:
        """A secret, and what its receiver is shown of it."""
        if signature is Signature.CONTENT:
            async with self._making:
                return await asyncio.to_thread(self.new_key)
        secret = SECRET_PREFIX + base64.b64encode(self._chance.bytes(core.SECRET_BYTES)).decode()
        return secret, secret

    def new_id(self) -> str:
        return "ep_" + self._chance.bytes(core.ID_BYTES).hex()

    async def add(self, endpoint: Endpoint) -> Endpoint:
        """Writes a new one; raises `TooMany`."""
        if not await self._keep(endpoint, most=self._settings.endpoints):
            raise TooMany(f"There are {self._settings.endpoints} endpoints already (webhooks.max_endpoints).")
        return endpoint

    async def _keep(self, endpoint: Endpoint, *, most: int) -> bool:
        """Writes it, and looks at how things stand then. Where nobody knows whether it was written, that
        tells; else nobody would ever be shown the secret of what was made."""
        kept, unknown = False, None
        try:
            kept = await self._store.keep_endpoint(endpoint, most=most)
        except WriteUnknown as error:
            unknown = error
        try:
            await self._look_at_last()
        except StoreUnavailable:
            if not kept:
                raise
            self.know([*(one for one in self._by_id.values() if one.id != endpoint.id), endpoint])
        if unknown is None:
            return kept
        if self.one(endpoint.id) == endpoint:
            return True
        raise unknown

    async def _look_at_last(self) -> None:
        """Asks the store, again and again for a while."""
        until = self._clock.now() + LONGEST
        await until_written(self._outage, self.look, what="endpoints", until=until)

    async def change(self, id: str, decide: Callable[[Endpoint], Endpoint | None]) -> Endpoint | None:
        """Decide, write, and again if somebody was faster; None where it is gone.

        `decide` says how it is to be, None for as it is.
        """
        for _ in range(MAX_RACES):
            current = self.one(id)
            if current is None:
                return None
            wanted = decide(current)
            if wanted is None:
                return current
            after = core.changed(wanted, now=self._clock.now())
            if await self._keep(after, most=NO_LIMIT):
                return after
        raise RestanteError(f"an endpoint's change was overtaken {MAX_RACES} times")

    async def remove(self, endpoint: Endpoint) -> None:
        """Forgets it. What waits for it is given up by whoever would have sent it."""
        for _ in range(MAX_RACES):
            dropped = False
            with suppress(WriteUnknown):
                dropped = await self._store.drop_endpoint(endpoint)
            await self._look_at_last()
            current = self.one(endpoint.id)
            if dropped or current is None:
                return
            endpoint = current
        raise RestanteError(f"an endpoint's end was overtaken {MAX_RACES} times")

    async def callbacks(self, tenant: str) -> Endpoint:
        """The tenant's endpoint for single requests, made on first use."""
        id = callbacks_id(tenant)
        found = self.one(id)
        while found is None:
            now = self._clock.now()
            secret, _ = await self.new_secret(Signature.STANDARD)
            fresh = Endpoint(
                id=id,
                tenant=tenant,
                url=None,
                created_at=now,
                updated_at=now,
                secrets=(secret,),
            )
            await self._keep(fresh, most=NO_LIMIT)
            found = self.one(id)
        return found

    # -- what became of deliveries

    async def arrived(self, id: str) -> None:
        """Something has arrived there."""
        known = self.one(id)
        if known is not None and known.failing_since is not None:
            await self.change(id, _recovered)

    async def missed(self, id: str, *, gone: bool) -> None:
        """Something has not. `gone`: the receiver says that it wants no more."""
        known = self.one(id)
        if known is None or known.of_callbacks or not known.active:
            return
        now = self._clock.now()
        if gone or known.failing_since is None or now - known.failing_since >= self._settings.give_up:
            reason = self._why_off(known, now, gone=gone)
            ours = False

            def decide(one: Endpoint) -> Endpoint | None:
                nonlocal ours
                wanted = _failing(one, now, reason)
                ours = wanted is not None and not wanted.active
                return wanted

            after = await self.change(id, decide)
            if after is not None and reason is not None and ours:  # and nobody else's doing
                log.warning("endpoint %s of %s is switched off: %s", id, known.tenant, reason)
                await self._tell_others(after, reason, now)

    async def _tell_others(self, off: Endpoint, reason: str, now: int) -> None:
        """The tenant's other endpoints are told, whatever their filters."""
        body = switched_off_payload(off.id, reason, now=now)
        others = [one for one in self.of(off.tenant) if one.active and not one.of_callbacks]
        deliveries = [
            Delivery(
                id=self.mint(),
                tenant=one.tenant,
                endpoint=one.id,
                lane=core.lane_of(one.id, None),
                body=body,
                due_at=now,
                created_at=now,
            )
            for one in others
        ]
        if deliveries:
            until = now + self._settings.lease
            what = f"what others are told of endpoint {off.id}"
            await until_written(self._outage, lambda: self._store.post(deliveries), what=what, until=until)
            self.ring_for(deliveries)

    def _why_off(self, endpoint: Endpoint, now: int, *, gone: bool) -> str | None:
        if gone:
            return "it answered 410: it wants no more"
        since = endpoint.failing_since
        if since is not None and now - since >= self._settings.give_up:
            return "nothing has arrived there for too long"
        return None


def _no_keys() -> tuple[str, str]:
    raise NotNow("Nothing is here that makes keys: signature content cannot be had.")


def _recovered(endpoint: Endpoint) -> Endpoint | None:
    if endpoint.failing_since is None:
        return None
    return msgspec.structs.replace(endpoint, failing_since=None)


def _failing(endpoint: Endpoint, now: int, reason: str | None) -> Endpoint | None:
    if not endpoint.active or (reason is None and endpoint.failing_since is not None):
        return None
    failing = msgspec.structs.replace(endpoint, failing_since=endpoint.failing_since or now)
    return failing if reason is None else core.switched_off(failing, reason)
