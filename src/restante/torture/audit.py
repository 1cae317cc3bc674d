"""What is read when the faults are over: the server's own word on everything, through its API.

First everything has to end, which it does by its deadline at the latest; then the logs, the errors that
nobody has read, the deliveries and the feed are read, what has expired is looked for, and at last, when the
servers have ended, whether bytes of it are left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..assembly.store import open_store
from ..core.policy import Limits
from ..ports import Store
from .caller import Answer, Caller
from .clients import PATHS, look_of, moment_of, told_of
from .journal import Delivery, Endpoint, Fed, Journal, Kept, Look, Record, Scanned, Submit
from .knowing import READ_OFTEN, SWEPT_SECONDS
from .plan import TENANTS, Plan
from .planted import scanned
from .receivers import Receivers
from .upstream import place_of

AT_ONCE = 16
PAGE = 100
RACERS = 3
MOST_EXPIRED = 1000
"""Expired ones that are asked for again at the end."""

LEAVING = "gone"
"""The receiver that says 410 at some time; its endpoint is switched on again at the end."""

WAITING = ("waiting", "sending")


class Overdue(Exception):
    """Something has not ended long after it should have, or is not answered as it must be."""


class Audit:
    """`journal` is where it notes; `known` are the ids that clients were told, by tenant."""

    def __init__(self, plan: Plan, caller: Caller, journal: Journal) -> None:
        self._plan = plan
        self._caller = caller
        self._journal = journal
        self._room = asyncio.Semaphore(AT_ONCE)
        self._read_of: dict[str, str] = {}  # by tenant: how far the feed was read
        self._records: dict[str, Record] = {}
        self.secrets: dict[str, str] = {}  # by receiver

    @property
    def records(self) -> list[Record]:
        """All that were read."""
        return list(self._records.values())

    # -- endpoints, before everything

    async def subscribe(self, receivers: Receivers) -> None:
        """Each tenant has a receiver of ends; one a receiver of every event, another one that goes away."""
        url = receivers.site.url
        for tenant in TENANTS:
            await self.make_endpoint(tenant, url, f"ends-{tenant}", every=False, steady=True)
        await self.make_endpoint(TENANTS[0], url, "every", every=True, steady=True)
        await self.make_endpoint(TENANTS[1], url, LEAVING, every=False, steady=False)
        receivers.gone.add(LEAVING)

    async def make_endpoint(self, tenant: str, url: str, receiver: str, *, every: bool, steady: bool) -> str:
        """Subscribes a receiver; the endpoint's id."""
        body = b'{"url":"%b"%b}' % (
            f"{url}/{receiver}".encode(),
            b',"filters":{"status":"all"}' if every else b"",
        )
        answer = await self._caller.ask(0, tenant, "POST", "/-/endpoints", body=body)
        id: str = answer.document()["id"]
        self.secrets[receiver] = answer.document()["secret"]
        self._journal.note(
            Endpoint(
                at=answer.at,
                until=answer.until,
                tenant=tenant,
                id=id,
                receiver=receiver,
                every=every,
                steady=steady,
            )
        )
        return id

    async def switch_on(self, endpoint: Endpoint) -> None:
        """One that has answered 410 is off; switched on again, it gets what still waits."""
        body = b'{"active":true}'
        await self._sure(endpoint.tenant, f"/-/endpoints/{endpoint.id}", method="PATCH", body=body)

    # -- after the faults

    async def settle(self) -> None:
        """Until no transaction is under way any more. Raises `Overdue`."""
        for status in ("pending", "processing"):
            for tenant in TENANTS:
                await self._until_none(
                    tenant,
                    f"/-/transactions?status={status}&limit=1",
                    "transactions",
                    f"{status} transactions",
                )

    async def standing(self, endpoints: list[Endpoint]) -> list[Endpoint]:
        """Those that are still there."""
        found = []
        for endpoint in endpoints:
            path = f"/-/endpoints/{endpoint.id}"
            answer = await self._sure(endpoint.tenant, path, enough=(200, 404))
            if answer.code == 200:
                found.append(endpoint)
        return found

    async def deliver(self, endpoints: list[Endpoint]) -> None:
        """Until no webhook waits; those that were given up are replayed, as an operator would. `Overdue`."""
        for endpoint in endpoints:
            await self.switch_on(endpoint)
            path = f"/-/endpoints/{endpoint.id}/replay"
            await self._sure(endpoint.tenant, path, method="POST", body=b"{}")
        for endpoint in endpoints:
            for state in WAITING:
                path = f"/-/endpoints/{endpoint.id}/deliveries?state={state}&limit=1"
                await self._until_none(endpoint.tenant, path, "deliveries", f"{state} deliveries")

    async def _until_none(self, tenant: str, path: str, name: str, what: str) -> None:
        end = self._journal.now() + self._plan.patience
        rest = self._plan.look
        while (answer := await self._sure(tenant, path)).document()[name]:
            if self._journal.now() > end:
                (one, *_) = answer.document()[name]
                raise Overdue(f"there are {what} {self._plan.patience:g} s after the last fault: {one['id']}")
            await asyncio.sleep(rest)
            rest = min(2 * rest, self._plan.look_most)

    async def read(self, endpoints: list[Endpoint]) -> None:
        """Every transaction with its log, every delivery, and the feed; who comes again reads what has come
        since."""
        for tenant in TENANTS:
            async for listed in self._pages(tenant, "/-/transactions", "transactions"):
                new = [one["id"] for one in listed if one["id"] not in self._records]
                await asyncio.gather(*[self._read_one(tenant, id) for id in new])
            await self._read_feed(tenant)
        for endpoint in endpoints:
            path = f"/-/endpoints/{endpoint.id}/deliveries"
            async for listed in self._pages(endpoint.tenant, path, "deliveries"):
                for one in listed:
                    self._journal.note(_delivery(one, endpoint.id, now=self._journal.now()))

    async def _read_one(self, tenant: str, id: str) -> None:
        async with self._room:
            answer = await self._sure(tenant, f"/-/transactions/{id}")
            record = _record(answer, tenant, self._plan.history)
            self._journal.note(record)
            self._records[id] = record
            if self._journal.now() < record.expires and record.outcome == "answered":
                await self._look(tenant, id, "kept")

    async def _read_feed(self, tenant: str) -> None:
        while True:
            after = self._read_of.get(tenant)
            answer = await self._sure(
                tenant, f"/-/events?limit={PAGE}" + (f"&after={after}" if after else "")
            )
            document = answer.document()
            for one in document["events"]:
                data = one["data"]
                self._journal.note(
                    Fed(
                        at=answer.at,
                        until=answer.until,
                        tenant=tenant,
                        id=data["id"],
                        sequence=data["sequence"],
                    )
                )
            if not document["events"]:
                return
            self._read_of[tenant] = quote(document["next"])

    async def look_again(self, known: list[Submit]) -> None:
        """Of what clients know: errors that may still be read are, by several at once; what has expired is
        asked for."""
        ids = {one.id: one.tenant for one in known if one.id is not None and one.kind not in READ_OFTEN}
        told = [record for record in self.records if record.id in ids]
        unread = [one for one in told if one.status == "failed" and self._journal.now() < one.expires - 1]
        await asyncio.gather(*[self._race(one) for one in unread])
        expired = [one for one in told if one.expires + 1 < self._journal.now()][-MOST_EXPIRED:]
        for what in ("status", "result", "native"):
            await asyncio.gather(*[self._look(one.tenant, one.id, what) for one in expired])

    async def _race(self, record: Record) -> None:
        async with self._room:
            await asyncio.gather(*[self._look(record.tenant, record.id, "result") for _ in range(RACERS)])

    async def _look(self, tenant: str, id: str, what: str) -> Look:
        node = len(self._journal.entries) % self._plan.gateways
        answer = await self._caller.ask(node, tenant, "GET", PATHS[what].format(id))
        seen = look_of(answer, tenant=tenant, id=id, what=what)
        self._journal.note(seen)
        return seen

    async def look_for_bytes(
        self, url: str, *, ended: float, opened: Callable[..., Awaitable[Store]] = open_store
    ) -> None:
        """In the store itself, which nobody has any more: what is left of the expired."""
        store = await opened(url, limits=Limits())
        try:
            expired = [one for one in self.records if one.expires + SWEPT_SECONDS < ended]
            for place in range(0, len(expired), PAGE):
                batch = expired[place : place + PAGE]
                found = await store.look([one.id for one in batch])
                keys = [one.key for one in found if one is not None]
                requests, results = await store.requests(keys), await store.results(keys)
                known = {one.id for one in found if one is not None}
                bodies = {
                    one.id
                    for one, *kept in zip(filter(None, found), requests, results, strict=True)
                    if kept != [None, None]
                }
                for id in (record.id for record in batch):
                    self._journal.note(
                        Kept(at=ended, until=ended, id=id, bytes=id in bodies, row=id in known)
                    )
        finally:
            await store.close()

    def look_for_the_planted(self, places: list[Path]) -> None:
        """In logs, and in what is sealed."""
        for file, planted in scanned(places):
            now = self._journal.now()
            self._journal.note(Scanned(at=now, until=now, path=str(file), planted=planted))

    # -- asking

    async def _sure(
        self,
        tenant: str,
        path: str,
        *,
        method: str = "GET",
        body: bytes = b"",
        enough: tuple[int, ...] = (200, 202),
    ) -> Answer:
        """What must be answered so, now that nobody does anything to anyone. Raises `Overdue`."""
        end = self._journal.now() + self._plan.patience
        while (answer := await self._caller.ask(0, tenant, method, path, body=body)).code not in enough:
            refused = answer.code is not None and answer.code < 500
            if refused or self._journal.now() > end:
                raise Overdue(f"{method} {path.partition('?')[0]} is answered {answer.code}")
            await asyncio.sleep(self._plan.look)
        return answer

    async def _pages(self, tenant: str, path: str, name: str) -> AsyncIterator[list[dict[str, Any]]]:
        after = ""
        while True:
            answer = await self._sure(tenant, f"{path}?limit={PAGE}" + (f"&after={after}" if after else ""))
            document = answer.document()
            yield document[name]
            if document["next"] is None:
                return
            after = quote(document["next"])


def _record(answer: Answer, tenant: str, history: float) -> Record:
    one = answer.document()
    created, expires = moment_of(one["created_at"]), moment_of(one["expires_at"])
    kind, op = place_of(one["path"])
    return Record(
        at=answer.at,
        until=answer.until,
        tenant=tenant,
        id=one["id"],
        op=op,
        kind=kind,
        status=one["status"],
        outcome=one["outcome"],
        attempt=one["attempt"],
        retry_of=one["retry_of"],
        created=created,
        expires=expires,
        forgotten=max(expires, created + history),
        deadline=moment_of(one["deadline"]),
        sequence=one["sequence"],
        events=tuple(told_of(event) for event in one["events"]),
    )


def _delivery(one: dict[str, Any], endpoint: str, *, now: float) -> Delivery:
    return Delivery(
        at=now,
        until=now,
        endpoint=endpoint,
        id=one["id"],
        transaction=one["transaction"],
        sequence=one["sequence"],
        state=one["state"],
        attempts=one["attempts"],
    )
