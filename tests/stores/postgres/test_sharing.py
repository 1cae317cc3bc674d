"""What several processes give themselves of an upstream is never more than it allows."""

import asyncio
from random import Random

import pytest

from restante.core.clock import SECOND
from restante.core.model import Wanted
from restante.runner.shares import NONE
from restante.stores.postgres import PostgresStore
from restante.stores.postgres.sharing import Parts, divided

from .conftest import Opener, killed
from .test_several import PATIENCE_SECONDS, SHORT


class Process:
    """One that asks, and begins as many as it may."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.share = self.running = 0

    def wanted(self, total: int, processes: int) -> Wanted:
        return Wanted(total=total, processes=processes, used=max(self.running, self.share))


@pytest.mark.parametrize("seed", range(30))
def test_the_sum_is_never_more_than_the_total_and_ends_even(seed: int) -> None:
    chance = Random(seed)
    total, most = chance.choice([1, 2, 7, 64]), chance.choice([1, 3, 100])
    living: list[Process] = [Process(1)]
    parts: Parts = {}
    came = 1

    def ask(process: Process) -> None:
        nonlocal parts
        numbers = {one.number for one in living}
        seen = {number: some for number, some in parts.items() if number in numbers}
        parts, process.share = divided(seen, process.number, process.wanted(total, most))

    def check() -> None:
        assert sum(max(one.running, one.share) for one in living) <= total

    for _ in range(300):
        match chance.randrange(7):
            case 0 if len(living) < 5:
                came += 1
                living.append(Process(came))
            case 1 if len(living) > 1:
                living.remove(chance.choice(living))
            case 2:  # it ends, and leaves what it had to the others before it is gone
                one = chance.choice(living)
                one.running = one.share = 0
                parts, _ = divided(parts, one.number, NONE)
                assert one.number not in parts
            case _:
                one = chance.choice(living)
                ask(one)
        for one in living:
            one.running = chance.randint(min(one.running, one.share), max(one.share, one.running))
            check()
    for _ in range(4):
        for one in living:
            one.running = min(one.running, one.share)
            ask(one)
            check()
    shares = sorted((one.share for one in living), reverse=True)
    sharing = shares[: min(len(living), most, total)]
    assert sum(shares) == sum(sharing) == total
    assert sharing[0] - sharing[-1] <= 1


def all_of(total: int, used: int = 0) -> dict[str, Wanted]:
    return {"default": Wanted(total=total, processes=total, used=used)}


async def share(store: PostgresStore, *, used: int = 0) -> int:
    return (await store.divide(all_of(10, used)))["default"]


async def test_whoever_comes_has_nothing_until_the_others_have_let_go(opening: Opener) -> None:
    one = await opening()
    assert await share(one) == 10
    other = await opening()
    assert await share(other) == 0
    assert await share(one, used=10) == 5  # eight still run when it is asked again
    assert await share(other) == 0
    assert await share(one, used=8) == 5
    assert await share(other) == 2
    assert await share(one, used=5) == 5
    assert await share(other, used=2) == 5
    await one.close()
    assert await share(other, used=5) == 10


async def test_the_share_of_a_dead_one_is_free_when_it_is_buried(opening: Opener) -> None:
    one, other = await opening(lease=SHORT), await opening(lease=SHORT)
    assert await share(one) == 10
    await killed(one)
    assert await share(other) == 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (last := await share(other)) == 0:
            await asyncio.sleep(0.02)
    assert last == 10


async def test_of_many_that_ask_at_once_none_is_given_what_another_has(opening: Opener) -> None:
    stores = [await opening(lease=60 * SECOND) for _ in range(4)]
    shares = [0] * len(stores)
    for _ in range(4):
        asked = [share(store, used=used) for store, used in zip(stores, shares, strict=True)]
        shares = await asyncio.gather(*asked)
        assert sum(shares) <= 10
    for _ in range(4):
        shares = [await share(store, used=used) for store, used in zip(stores, shares, strict=True)]
    assert sorted(shares) == [2, 2, 3, 3]
