"""The ledger is bounded, and forgets all of what it forgets."""

import random

import httpx

from restante.demo.payments import PaymentAPI

from .conftest import SHOP, SHOPS, TestClock, follow, make, order


async def test_the_oldest_transactions_are_forgotten(clock: TestClock) -> None:
    api = PaymentAPI(shops=SHOPS, clock=clock, chance=random.Random(7), max_transactions=3)
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://psp.test", auth=SHOP) as psp:
        first = await make(psp, "payments", order(tracking_id="a;b"))
        second = await make(psp, "payments", order(amount=2, tracking_id="b"))
        assert (await follow(psp, "refunds", second, 1)).status_code == 200
        await make(psp, "payments", order(amount=3, tracking_id="c"))
        assert (await psp.get(f"/transactions/{first['uid']}")).status_code == 404
        assert (await psp.get(f"/transactions/{second['uid']}")).status_code == 200
        assert (api.charges("a"), api.charges("b"), api.charges("c")) == (0, 1, 1)
        await make(psp, "payments", order(tracking_id="d"))  # no longer a duplicate of the first
        for amount in range(10, 13):
            await make(psp, "payments", order(amount=amount, tracking_id="e"))
    ledger = api._ledger
    assert (len(ledger._transactions), len(ledger._latest)) == (3, 3)
    assert (len(ledger._tracked), len(ledger._children)) == (1, 0)


async def test_charges_are_counted_once_each_and_failures_not(
    psp: httpx.AsyncClient, api: PaymentAPI
) -> None:
    await make(psp, "payments", order())
    await make(psp, "authorizations", order())
    await make(psp, "payments", order("4005550000000019"))
    await make(psp, "payouts", order())
    assert api.charges("order-1") == 2
    assert api.charges("unknown") == 0
