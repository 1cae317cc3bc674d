"""One process: gateway, runner, sweeper and webhooks on one store, or one role of these, from start to drain.

The order matters twice. At start: store (its lock, its migrations), sockets (a taken port), runner, and
only then is anybody let in. At the end: nothing new is let in, what is being answered and what runs is
finished within the grace time, and the store is closed last.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from ..config import Role, Settings
from ..core.clock import SECOND
from ..core.endpoint import Endpoint
from ..core.errors import SettingError, StoreUnavailable
from ..dashboard import Dashboard
from ..gateway import Desk, Gateway, KeyAuth, OpenAuth, PassthroughAuth
from ..gateway.crowd import Crowd
from ..gateway.desk import Check
from ..gateway.problems import REASONS
from ..gateway.server import Server, make_server
from ..outbound import HTTPCourier, HTTPSender, SystemChance, SystemClock
from ..ports import Chance, Clock, Sender, Store
from ..ports.auth import Auth
from ..ports.courier import Courier
from ..runner import Runner, Sweeper
from ..service import Service
from ..service.keys import Keys
from ..service.news import News
from ..service.outage import Outage
from ..service.persistence import until_written
from ..telemetry import Lines, Metrics, several
from ..webhooks.keys import new_private_key, public_key_of
from ..webhooks.webhooks import Webhooks
from .ending import LAST_SECONDS, STEP_SECONDS, TELLING_SECONDS, end_within, ended
from .handles import for_callers, raise_limit
from .listening import address_of, listen_on
from .sealing import seal_store
from .store import open_served, open_store

if TYPE_CHECKING:
    from ..telemetry.traces import Traces

log = logging.getLogger("restante")

IDLE_SECONDS = 5.0
"""How long a process that is followed by another keeps connections on which nothing is asked."""

START = 10 * SECOND
"""For how long a store that refuses is asked for what must be known at the start."""

GC_THRESHOLD = 200_000
"""Objects between two young garbage collections; the accept path makes no rings."""


class Running:
    """A started process: its addresses, and how it ends."""

    def __init__(
        self,
        *,
        traces: "Sequence[Traces]",
        store: Store,
        service: Service,
        runner: Runner,
        sweeper: Sweeper,
        webhooks: Webhooks,
        dashboard: Dashboard,
        sender: Sender,
        courier: Courier,
        apps: list[Gateway],
        servers: list[tuple[Server, socket.socket]],
        one_of_several: bool,
    ) -> None:
        self._traces = traces
        self._store = store
        self._service = service
        self._runner = runner
        self._sweeper = sweeper
        self._webhooks = webhooks
        self._dashboard = dashboard
        self._sender = sender
        self._courier = courier
        self._apps = apps
        self._servers = servers
        self._one_of_several = one_of_several
        self._serving = [
            asyncio.ensure_future(server.serve(sockets=[listener])) for server, listener in servers
        ]

    @property
    def addresses(self) -> list[str]:
        """`host:port` of each listener, as bound; the first is where callers go."""
        return [address_of(listener) for _, listener in self._servers]

    @property
    def gateway(self) -> Gateway:
        """What is served to callers, for whoever has a server already."""
        return self._apps[0]

    @property
    def service(self) -> Service:
        """What all of it is about."""
        return self._service

    async def stop(self, *, followed: bool = False) -> bool:
        """Drains: nothing new is accepted, nobody waits, what runs may go on for the grace time. False where
        something did not come to its end (ending.py).

        Where other processes serve the same addresses, what still comes in on open connections is accepted:
        it is theirs to run, and nobody is to notice that this one ends. So, where it is `followed` by
        another, who is connected is let go with the answer to what he asks next, if he asks anything soon.
        """
        clock = asyncio.get_running_loop().time
        grace = self._service.policy.limits.grace / SECOND
        until = clock() + grace
        if self._one_of_several:
            self._service.release()
        else:
            self._service.drain()
        for server, _ in self._servers:
            server.stop(idle_seconds=min(IDLE_SECONDS, grace) if followed else 0.0)
        answers = {f"answers {number}": serving for number, serving in enumerate(self._serving)}
        well = [await ended(grace + STEP_SECONDS, **answers, runner=self._runner.stop(grace))]
        telling = max(until - clock(), min(grace, TELLING_SECONDS))
        # after those whose last events are still to be told
        well += [await ended(telling + STEP_SECONDS, webhooks=self._webhooks.stop(telling))]
        service = self._service
        service.drain()
        well += [
            await ended(
                STEP_SECONDS,
                sweeper=self._sweeper.stop(),
                health=service.health.stop(),
                dashboard=self._dashboard.stop(),
                quotas=service.quotas.stop(),
            )
        ]
        well += [await ended(STEP_SECONDS, sender=self._sender.close(), courier=self._courier.close())]
        well += [await ended(LAST_SECONDS, traces=traces.stop()) for traces in self._traces]
        well += [await ended(LAST_SECONDS, store=self._store.close())]
        return all(well)


async def start(
    settings: Settings,
    *,
    opened: Callable[..., Awaitable[Store]] = open_store,
    sender: Sender | None = None,
    courier: Courier | None = None,
    clock: Clock | None = None,
    chance: Chance | None = None,
    listeners: Sequence[socket.socket] | None = None,
    hosted: bool = False,
    check: Check | None = None,
) -> Running:
    """Starts what the role has. Raises `SettingError` for a taken port or a store that cannot be used.

    What the world gives (store, sender, clock, chance) may be handed in; the defaults are the real ones.
    `listeners` are those of `listen_on`, where somebody else has opened them. `hosted`: the process and its
    server are somebody else's, who is given the `gateway`; no address is opened, and nothing of the process
    is changed. `check` may refuse what is to be stored.
    """
    policy = settings.policy
    sender, clock, chance = sender or HTTPSender(), clock or SystemClock(), chance or SystemChance()
    store = await opened(settings.store, limits=policy.limits)
    one_of_several = listeners is not None
    try:
        store, paused, endpoints = await _learned(store, settings, clock)
        traces = [] if settings.traces is None else [_traces(settings.traces, store, clock)]
        if not hosted and listeners is None:
            listeners = listen_on(settings)
    except BaseException:
        await store.close()
        raise
    runs = settings.role in (Role.ALL, Role.RUNNER)
    sends = settings.role in (Role.ALL, Role.WEBHOOKS)
    answers = settings.role in (Role.ALL, Role.GATEWAY)
    courier = courier or HTTPCourier(policy.webhooks)
    runner = Runner(store=store, policy=policy, clock=clock, sender=sender)
    metrics = Metrics(policy, REASONS)
    service = Service(
        store=store,
        policy=policy,
        clock=clock,
        chance=chance,
        bell=runner,
        courier=courier,
        telemetry=several(metrics, *([Lines()] if settings.log_transactions else []), *traces),
    )
    store.count(metrics.committed)
    service.pauses.know(paused)
    service.endpoints.know(endpoints)
    service.endpoints.new_key = new_key
    webhooks = Webhooks()
    sweeper = Sweeper(service)
    auth = auth_of(settings.auth_mode, service.keys)
    dashboard = Dashboard(service=service, policy=policy, open=settings.auth_mode == "open")

    crowd = Crowd() if hosted else _crowd(settings, sends=sends)
    desk = Desk(
        service=service,
        policy=policy,
        auth=auth,
        sender=sender,
        clock=clock,
        chance=chance,
        exposition=metrics,
        dashboard=dashboard,
        check=check,
        crowd=crowd,
    )
    apart = settings.admin_listen is not None
    apps = [Gateway(desk, native=not apart)] if answers else []
    if apart:
        apps.append(Gateway(desk, public=False))
    servers = [] if hosted else _servers(settings, apps, listeners or (), crowd)
    if runs:  # a runner without lanes gives no places, so that everything waits in the store
        runner.start(service)
        sweeper.start()
    if sends:
        webhooks.start(service)
    store.listen(
        work=runner.work,
        changed=News(service).changed,
        pauses=service.pauses.heard,
        post=webhooks.heard,
        endpoints=service.endpoints.heard,
        keys=service.keys.heard,
    )
    service.health.start()
    dashboard.start()
    if answers:
        service.quotas.start()
    else:  # who accepts nothing keeps no account
        service.quotas.any = False
    if not hosted:
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 50)
    return Running(
        traces=traces,
        store=store,
        service=service,
        runner=runner,
        sweeper=sweeper,
        webhooks=webhooks,
        dashboard=dashboard,
        sender=sender,
        courier=courier,
        apps=apps,
        servers=servers,
        one_of_several=one_of_several,
    )


async def _learned(
    store: Store, settings: Settings, clock: Clock
) -> tuple[Store, frozenset[str], list[Endpoint]]:
    """What must be known before anybody is let in: the store with its contents sealed, what is paused, and
    whom to tell. One that refuses is asked for START; then, or where it cannot be used, `SettingError`."""

    async def look() -> tuple[Store, frozenset[str], list[Endpoint]]:
        known = await seal_store(store, settings, clock)
        return known, await known.paused(), await known.endpoints()

    try:
        return await until_written(Outage(clock), look, what="the start", until=clock.now() + START)
    except StoreUnavailable as error:
        raise SettingError("store", f"it gave nothing for {START // SECOND} s: {error}") from None


def _crowd(settings: Settings, *, sends: bool) -> Crowd:
    """As many as this process has handles for, on all of its addresses together."""
    policy = settings.policy
    webhooks = policy.webhooks.concurrency if sends else 0
    return Crowd(for_callers(raise_limit(), policy.upstreams.values(), webhooks))


def _servers(
    settings: Settings, apps: list[Gateway], listeners: Sequence[socket.socket], crowd: Crowd
) -> list[tuple[Server, socket.socket]]:
    """One for each address."""
    policy = settings.policy
    grace_seconds = policy.limits.grace / SECOND
    return [
        (make_server(app, grace_seconds=grace_seconds, limits=policy.connections, crowd=crowd), listener)
        for app, listener in zip(apps, listeners, strict=True)
    ]


def auth_of(mode: str, keys: Keys) -> Auth:
    """Who says who is asking."""
    match mode:
        case "keys":
            return KeyAuth(keys)
        case "passthrough":
            return PassthroughAuth(keys)
        case _:
            return OpenAuth()


def _traces(url: str, store: Store, clock: Clock) -> "Traces":
    """Raises `SettingError` where OpenTelemetry's SDK is not installed."""
    try:
        from ..telemetry.traces import tracing_to
    except ImportError:
        raise SettingError("traces", "needs OpenTelemetry: pip install 'restante[otel]'") from None
    return tracing_to(url, store.requests, clock=clock)


def new_key() -> tuple[str, str]:
    """A key to sign with, and the part of it that receivers are given."""
    key = new_private_key()
    return key, public_key_of(key)


async def serve(
    settings: Settings,
    *,
    announce: Callable[[list[str]], None],
    listeners: Sequence[socket.socket] | None = None,
    leash: int | None = None,
) -> bool:
    """Runs until SIGTERM or SIGINT, then drains; False where something did not come to its end, and whatever
    hangs, the process is gone by LAST_SECONDS after the grace time. `announce` is told the addresses once
    they are open.

    `leash` is a pipe's handle: that it ends is as good as a signal, whoever held it is gone. One who is
    watched over ends by SIGHUP as well, when another has taken its place. A second signal ends the grace
    time at once; what was under way is then settled at the next start.
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    hurry = asyncio.Event()
    followed = False

    def ask() -> None:
        if not asked.is_set():
            end_within(settings.policy.limits.grace / SECOND + LAST_SECONDS)
        asked.set()

    def signalled() -> None:
        if asked.is_set():
            end_within(LAST_SECONDS)
            hurry.set()
        else:
            ask()

    def replaced() -> None:
        nonlocal followed
        followed = True
        ask()

    def slackened() -> None:
        assert leash is not None
        if not os.read(leash, 64):
            loop.remove_reader(leash)
            ask()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    if leash is not None:
        loop.add_reader(leash, slackened)
        loop.add_signal_handler(signal.SIGHUP, replaced)
    running = await start(settings, opened=open_served, listeners=listeners)
    announce(running.addresses)
    await asked.wait()
    log.info("draining: nothing new is accepted")
    stopping = asyncio.ensure_future(running.stop(followed=followed))
    hurrying = asyncio.ensure_future(hurry.wait())
    await asyncio.wait([stopping, hurrying], return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    if not stopping.done():
        log.warning("asked twice: what runs is broken off")
        stopping.cancel()
        await asyncio.wait([stopping], timeout=STEP_SECONDS)
        return True
    return await stopping
