"""Everything but the gateway, in one process: real store, real sender, real upstream; time stands still."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from restante.assembly.store import open_store
from restante.core.envelope import open_envelope
from restante.core.errors import StoreUnavailable, Unreachable
from restante.core.machine import TERMINAL
from restante.core.model import Event, Transaction
from restante.core.policy import Limits, Policy, Route, Upstream
from restante.core.policy import Webhooks as Settings
from restante.core.status import Dialect
from restante.outbound import HTTPSender
from restante.ports import Store
from restante.runner import Runner, Sweeper
from restante.service import Draft, Service
from restante.service.callbacks import callbacks_of
from restante.telemetry import Metrics
from restante.webhooks.webhooks import Webhooks

from .couriers import ScriptedCourier
from .fakes import FakeClock, SeededChance

Done = TypeVar("Done")

PATIENCE_SECONDS = 30.0

CONNECTED = False
"""Whether a world begins with an idle connection to its upstream at hand (tests/runner/conftest.py)."""


class World:
    """What a test holds in its hands."""

    def __init__(self, *, store: Store, policy: Policy, clock: FakeClock) -> None:
        self.store = store
        self.policy = policy
        self.clock = clock
        self.sender = HTTPSender()
        self.runner = Runner(store=store, policy=policy, clock=clock, sender=self.sender)
        self.courier = ScriptedCourier()
        self.metrics = Metrics()
        self.service = Service(
            store=store,
            policy=policy,
            clock=clock,
            chance=SeededChance(),
            bell=self.runner,
            courier=self.courier,
            telemetry=self.metrics,
        )
        self.webhooks = Webhooks()
        self.sweeper = Sweeper(self.service)

    async def submit(
        self,
        method: str = "POST",
        path: str = "/payments",
        body: bytes = b"{}",
        *,
        headers: dict[str, str] | None = None,
        dialect: Dialect = Dialect.TASK,
        tenant: str = "default",
    ) -> Transaction:
        pairs = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        route = self.policy.route(method, path)
        assert route is not None
        envelope = open_envelope(pairs)
        intake = await self.service.take_body(body, None)
        accepted = await self.service.submit(
            Draft(
                tenant=tenant,
                method=method,
                path=path,
                query="",
                envelope=envelope,
                route=route,
                dialect=dialect,
                intake=intake,
                callbacks=await callbacks_of(
                    self.service, tenant, envelope=envelope, route=route, intake=intake
                ),
            )
        )
        return accepted.transaction

    async def now(self, transaction: Transaction) -> Transaction:
        found = await self.service.look(transaction.tenant, transaction.id)
        assert found is not None
        return found

    async def events(self, transaction: Transaction) -> list[Event]:
        (log,) = await self.service.events([await self.now(transaction)])
        return log

    async def until(self, transaction: Transaction, fits: Callable[[Transaction], bool]) -> Transaction:
        """Until the transaction is as wanted; in real time, while the clock of the test stands still."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not fits(found := await self.now(transaction)):
                pass
        return found

    async def ended(self, transaction: Transaction) -> Transaction:
        return await self.until(transaction, lambda found: found.status in TERMINAL)

    async def later(self, span: int) -> None:
        """Lets `span` pass, and whoever set a timer only meanwhile be woken too."""
        await self.clock.advance(span)
        await self.at_rest()
        await self.clock.advance(0)

    async def at_rest(self) -> None:
        """Until the runner has nothing to do but wait for the clock."""
        await eventually(
            lambda: (
                all(
                    not lane._under_way and lane._claiming is None and not lane._backlog
                    for lane in self.runner.lanes
                )
                and self.webhooks.at_rest
            )
        )


async def eventually(fits: Callable[[], bool]) -> None:
    """Until `fits()`, letting everybody else run in between."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not fits():
            await asyncio.sleep(0)


async def insisted(work: Callable[[], Awaitable[Done]]) -> Done:
    """What comes of what a test begins by its own hand and the product goes on with in tasks of its own, as
    soon as a store on trial (tests/faults.py) lets it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(StoreUnavailable):
                return await work()


@asynccontextmanager
async def a_world(
    folder: Path,
    url: str,
    *,
    limits: Limits = Limits(),
    routes: tuple[Route, ...] = (),
    clock: FakeClock | None = None,
    wrap: Callable[[Store], Any] = lambda store: store,
    run: bool = True,
    events_url: str | None = None,
    database: str | None = None,
    webhooks: Settings = Settings(),
    send: bool = True,
    traced: bool = False,
    **upstream: Any,
) -> AsyncIterator[World]:
    """A world in front of the upstream at `url`, its store in `folder` or in a PostgreSQL."""
    place = urlsplit(url)
    default = Upstream(host=place.hostname or "", port=place.port or 80, authority=place.netloc, **upstream)
    policy = Policy(
        upstreams={"default": default},
        routes=routes,
        limits=limits,
        webhooks=webhooks,
        events_url=events_url,
        traced=traced,
    )
    store = await open_store(database or f"sqlite:///{folder}/restante.db", limits=limits)
    world = World(store=wrap(store), policy=policy, clock=clock or FakeClock())
    try:
        await world.service.endpoints.look()
        if CONNECTED:
            with suppress(Unreachable):
                line = await world.sender.connect(default, max_idle_seconds=None, timeout_seconds=5)
                line.close()
        if run:
            world.runner.start(world.service)
        if send:
            world.webhooks.start(world.service)
        yield world
    finally:
        await world.webhooks.stop(0)
        await world.runner.stop(0)
        await world.sender.close()
        await store.close()
