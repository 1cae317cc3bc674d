"""What one receiver that hangs costs a hundred that answer: `python bench/webhooks.py [--store URL]`.

    python bench/webhooks.py [--receivers 100] [--hanging 1] [--rounds 5] [--events 20] [--callbacks]
                             [--store URL]

One process writes events and sends them, in rounds without and with receivers that take every webhook and
never answer, in turn. Every receiver wants every event; with `--callbacks` they are no endpoints but paths of
one origin, those that hang too, and each transaction names them all. Printed is the time from the commit of
an event to the moment at which its webhook is carried, over the receivers that answer: the medians of the
rounds, and their ratio. With a PostgreSQL, `--store` names an empty database.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from typing import Any

import msgspec
import uvloop
from store import reserved, submission

from restante.assembly.store import open_store
from restante.core import change
from restante.core.clock import SECOND
from restante.core.endpoint import Endpoint
from restante.core.policy import Limits, Policy
from restante.core.policy import Webhooks as Settings
from restante.outbound import SystemChance, SystemClock
from restante.ports import Store
from restante.ports.courier import Carried, Parcel, Receipt
from restante.service import Service
from restante.webhooks.webhooks import Webhooks

TIMEOUT_SECONDS = 5
HANGS, ANSWERS, CALLED_BACK = "http://hangs.example/", "http://answers.example/", "http://paths.example/"


class Courier:
    """Answers at once; where it hangs, never before the timeout. Notes when each webhook was carried."""

    def __init__(self) -> None:
        self.carried: list[float] = []
        self.expected = 0
        self.all = asyncio.Event()

    async def carry(self, parcel: Parcel, *, timeout_seconds: float) -> Receipt:
        if parcel.url.startswith((HANGS, CALLED_BACK + "hangs")):
            await asyncio.sleep(timeout_seconds)
            return Receipt(Carried.TIMED_OUT, "no answer")
        self.carried.append(time.perf_counter())
        if len(self.carried) == self.expected:
            self.all.set()
        return Receipt(Carried.ANSWERED, "answered 200", 200)

    async def admit(self, url: str) -> None: ...

    async def close(self) -> None: ...


class NoBell:
    """Nothing is run here."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: False


def an_endpoint(number: int, url: str) -> Endpoint:
    return Endpoint(
        id=f"ep_{number}",
        tenant="default",
        url=f"{url}{number}",
        created_at=0,
        updated_at=0,
        secrets=("whsec_" + "b25l" * 11,),
    )


async def event(service: Service, keys: list[int], callbacks: tuple[str, ...]) -> float:
    """One transaction that ends; when its end was committed."""
    store = service.store
    if not keys:
        keys += await reserved(store)
    one = submission(store, keys.pop())
    one = msgspec.structs.replace(
        one, transaction=msgspec.structs.replace(one.transaction, callbacks=callbacks)
    )
    await store.accept([one])
    cancelled = change.cancel(one.transaction, now=service.clock.now())
    assert cancelled is not None
    assert await service.apply(cancelled)
    return time.perf_counter()


async def a_round(
    service: Service,
    courier: Courier,
    keys: list[int],
    *,
    receivers: int,
    events: int,
    callbacks: tuple[str, ...] = (),
) -> float:
    """The median span in milliseconds."""
    spans = []
    for _ in range(events):
        courier.carried, courier.expected = [], receivers
        courier.all.clear()
        committed = await event(service, keys, callbacks)
        await asyncio.wait_for(courier.all.wait(), 30)
        spans += [carried - committed for carried in courier.carried]
    return statistics.median(spans) * 1000


async def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store: Store = await open_store(
            arguments.store or f"sqlite:///{folder}/webhooks.db", limits=Limits(max_queued=1 << 40)
        )
        courier = Courier()
        settings = Settings(
            timeout=TIMEOUT_SECONDS * SECOND, endpoints=arguments.receivers + arguments.hanging
        )
        service = Service(
            store=store,
            policy=Policy(upstreams={}, webhooks=settings),
            clock=SystemClock(),
            chance=SystemChance(),
            bell=NoBell(),
            courier=courier,
        )
        well: list[str] = [f"{CALLED_BACK}{number}" for number in range(arguments.receivers)]
        hanging = [an_endpoint(10_000 + number, HANGS) for number in range(arguments.hanging)]
        if arguments.callbacks:
            await service.endpoints.callbacks("default")
        else:
            for number in range(arguments.receivers):
                await store.keep_endpoint(an_endpoint(number, ANSWERS), most=1 << 30)
        await service.endpoints.look()
        room = Webhooks()
        room.start(service)
        alone, beside, keys = [], [], list[int]()
        size = {"receivers": arguments.receivers, "events": arguments.events}
        await a_round(service, courier, keys, callbacks=tuple(well) * arguments.callbacks, **size)
        for _ in range(arguments.rounds):
            alone.append(
                await a_round(service, courier, keys, callbacks=tuple(well) * arguments.callbacks, **size)
            )
            if arguments.callbacks:
                named = (*[f"{CALLED_BACK}hangs/{number}" for number in range(arguments.hanging)], *well)
                beside.append(await a_round(service, courier, keys, callbacks=named, **size))
                continue
            for one in hanging:
                await service.endpoints.add(one)
            beside.append(await a_round(service, courier, keys, **size))
            for one in hanging:
                known = service.endpoints.one(one.id)
                assert known is not None
                await service.endpoints.remove(known)
        print(f"{arguments.receivers} receivers that answer, {arguments.events} events a round")
        print(f"alone                     {statistics.median(alone):8.2f} ms")
        print(f"beside {arguments.hanging:3d} hanging        {statistics.median(beside):8.2f} ms")
        print(f"ratio                     {statistics.median(beside) / statistics.median(alone):8.2f}")
        await room.stop(0)
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--receivers", type=int, default=100)
    parser.add_argument("--hanging", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--callbacks", action="store_true")
    parser.add_argument("--store")
    uvloop.run(main(parser.parse_args()))
