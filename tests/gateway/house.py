"""A gateway as it is run, on a real port, with the real store and sender. No runner: tests end the work."""

import asyncio
import socket
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

import msgspec

from restante.core import change
from restante.core.access import Scope
from restante.core.clock import SECOND
from restante.core.model import Body, Change, Claim, Headers, Request, Result, Transaction
from restante.core.policy import Limits, Policy, Route
from restante.core.policy import Upstream as Target
from restante.core.status import Outcome, Reading
from restante.dashboard import Dashboard
from restante.gateway import Desk, Gateway, OpenAuth, make_server
from restante.gateway.crowd import Crowd
from restante.gateway.server import Server
from restante.outbound import HTTPSender
from restante.ports import Store
from restante.ports.auth import Auth
from restante.service import Service
from restante.stores.sqlite import SQLiteStore
from restante.telemetry import Metrics

from ..couriers import ScriptedCourier
from ..fakes import FakeClock, SeededChance
from ..sealing.keys import sealing
from .upstream import Upstream
from .wire import Seen, Wire

NOON = 1_731_066_575_938_000  # 2024-11-08T11:49:35.938Z


NO_DATA: dict[str, Any] = {}


class NoBell:
    """Nobody runs anything: it all waits in the store."""

    def __init__(self) -> None:
        self.rung = 0

    def reserve(self, upstream: str, tenant: str) -> bool:
        return False

    def begin(self, transaction: Transaction, request: Request) -> Change | None:
        return None

    def deliver(self, transaction: Transaction, claim: Claim | None, *, begun: bool = False) -> None: ...

    def ring(self, upstream: str, due_at: int, tenant: str | None = None) -> None:
        self.rung += 1

    def pause(self, upstreams: Set[str]) -> None: ...


class House:
    """Everything a test needs. Made by `open`, ended by `close`."""

    def __init__(self, folder: Path, store: Store, policy: Policy, upstream: Upstream) -> None:
        self.store = store
        self.policy = policy
        self.upstream = upstream
        self.folder = folder
        self.clock = FakeClock(NOON)
        self.chance = SeededChance()
        self.bell = NoBell()
        self.sender = HTTPSender()
        self.courier = ScriptedCourier()
        self.metrics = Metrics()
        self.service = Service(
            store=store,
            policy=policy,
            clock=self.clock,
            chance=self.chance,
            bell=self.bell,
            courier=self.courier,
            telemetry=self.metrics,
        )
        store.count(self.metrics.committed)
        self.auth: Auth = OpenAuth()
        self.crowd = Crowd()
        self.servers: list[Server] = []
        self.wires: list[Wire] = []
        self._serving: list[asyncio.Task[None]] = []
        self.port = 0

    @classmethod
    async def open(cls, folder: Path, *, routes: Sequence[Route] = (), **settings: Any) -> "House":
        upstream = Upstream()
        port = await upstream.start()
        limits = settings.pop("limits", Limits())
        target = settings.pop("target", {})
        sealed = settings.pop("sealed", False)
        auth = settings.pop("auth", lambda keys: OpenAuth())
        others = {
            name: Target(name=name, host="127.0.0.1", port=1, authority="127.0.0.1:1")  # nobody is there
            for name in settings.pop("others", ())
        }
        policy = Policy(
            upstreams={
                **others,
                "default": msgspec.structs.replace(
                    Target(host="127.0.0.1", port=port, authority=f"127.0.0.1:{port}"), **target
                ),
            },
            routes=tuple(routes),
            limits=limits,
            **settings,
        )
        store: Store = await SQLiteStore.open(str(folder / "restante.db"), limits=limits)
        if sealed:
            store = await sealing(store, folder / "keys", clock=FakeClock(NOON))
        house = cls(folder, store, policy, upstream)
        house.auth = auth(house.service.keys)
        house.port = await house.serve()
        return house

    def make_desk(self) -> Desk:
        """As a process of its own has one."""
        open = isinstance(self.auth, OpenAuth)
        return Desk(
            service=self.service,
            policy=self.policy,
            auth=self.auth,
            sender=self.sender,
            clock=self.clock,
            chance=self.chance,
            exposition=self.metrics,
            dashboard=Dashboard(service=self.service, policy=self.policy, open=open),
            crowd=self.crowd,
        )

    async def serve(self, desk: Desk | None = None, **where: bool) -> int:
        """One more process, or one more address of the one whose desk it is; its port."""
        gateway = Gateway(desk or self.make_desk(), **where)
        server = make_server(gateway, grace_seconds=1, crowd=self.crowd)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        port: int = listener.getsockname()[1]
        self._serving.append(asyncio.create_task(server.serve([listener])))
        self.servers.append(server)
        return port

    async def close(self) -> None:
        for wire in self.wires:
            wire.leave()
        for server in self.servers:
            server.stop()
        await asyncio.gather(*self._serving)
        await self.sender.close()
        await self.upstream.stop()
        await self.store.close()

    async def wire(self, port: int | None = None) -> Wire:
        wire = await Wire.to(port or self.port)
        self.wires.append(wire)
        return wire

    async def submit(self, path: str = "/async/payments", **headers: str) -> str:
        """An accepted task's id (or a transaction's, on a route of that dialect)."""
        wire = await self.wire()
        seen = await wire.ask(
            "POST", path, {name.replace("_", "-"): value for name, value in headers.items()}, b"{}"
        )
        assert seen.code == 202, seen
        id: str = seen.json.get("request_id") or seen.json["transaction_id"]
        return id

    async def ask(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Seen:
        """One request on a connection of its own."""
        wire = await self.wire()
        return await wire.ask(method, target, headers, body)

    async def key(self, tenant: str = "default", *scopes: Scope, span: int | None = None) -> dict[str, str]:
        """The header field with a new key, of all scopes unless some are given."""
        _, text = await self.service.keys.make(tenant=tenant, scopes=scopes or tuple(Scope), span=span)
        return {"Restante-Key": text}

    async def reading_becomes(self, id: str, reading: Reading) -> None:
        async with asyncio.timeout(10):
            while (await self.find(id)).reading is not reading:
                pass

    # -- what a runner would do

    async def find(self, id: str) -> Transaction:
        transaction = await self.service.look("default", id)
        assert transaction is not None
        return transaction

    async def begin(self, id: str) -> Transaction:
        now = self.clock.now()
        return await self.service.change(
            await self.find(id), lambda current: change.begin(current, attempt=1, now=now, lease=15 * SECOND)
        )

    async def tell(self, id: str, count: int) -> Transaction:
        """The work goes on until there are `count` events."""
        told = None
        current = await self.begin(id)
        while current.sequence < count:
            more = change.inform(current, now=self.clock.now(), message=f"{current.sequence + 1}", data={})
            told = change.join(told, more) if told else more
            current = more.after
        assert told is not None
        assert await self.service.apply(told)
        return current

    async def end(
        self,
        id: str,
        code: int = 200,
        body: bytes = b'{"ok":true}',
        headers: Headers = (),
        *,
        data: dict[str, Any] | None = NO_DATA,
    ) -> Transaction:
        """The upstream answered."""
        started = await self.begin(id)
        kept = Body(len(body), body)
        if len(body) > self.policy.limits.inline_body:
            kept = Body(len(body), None)
            for position, start in enumerate(range(0, len(body), self.policy.limits.chunk)):
                piece = body[start : start + self.policy.limits.chunk]
                await self.store.write_chunk(started.key, 1, position, piece)
        result = Result(code, headers, kept, 1)
        now = self.clock.now()
        if 200 <= code < 300:
            return await self.service.change(
                started, lambda t: change.complete(t, attempt=1, now=now, result=result, data=data)
            )
        return await self.service.change(
            started,
            lambda t: change.fail(t, attempt=1, now=now, outcome=Outcome.ANSWERED, data=data, result=result),
        )

    async def breaks(self, id: str, outcome: Outcome, *, doubtful: bool = False) -> Transaction:
        """The work itself broke. `doubtful`: it may have been done."""
        now = self.clock.now()
        if outcome is Outcome.EXPIRED and not doubtful:
            return await self.service.change(await self.find(id), lambda t: change.expire(t, now=now))
        started = await self.begin(id)
        return await self.service.change(
            started,
            lambda t: change.fail(t, attempt=1, now=now, outcome=outcome, data={}, doubtful=doubtful),
        )
