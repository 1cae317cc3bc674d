"""kill -9 at each step of a webhook: it comes at least once, under one id, and a dead letter is not lost."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from .harness import OK, PAUSE_SECONDS, Call, RecordingUpstream
from .story import PATIENCE_SECONDS, Story, kills

BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
DAY = 24

WEBHOOKS = """
[webhooks]
allow = ["127.0.0.0/8"]
schedule = ["0s", "20ms"]
"""


class Shop(Story):
    """With a receiver, which refuses as many as `refusals` says."""

    upstream: RecordingUpstream
    receiver: RecordingUpstream
    refusals = 0
    endpoint = ""

    def __call__(self, call: Call) -> bytes:
        self.refusals -= 1
        return BUSY if self.refusals >= 0 else OK

    async def opens(self, *, all: bool = False) -> None:
        """Makes the endpoint, for the end or for all events."""
        filters = {"status": "all" if all else ["completed"]}
        said = {"url": f"{self.receiver.url}/hook", "filters": filters}
        self.endpoint = (await self.done("POST", "/-/endpoints", said))["id"]

    async def deliveries(self) -> list[dict[str, Any]]:
        found = await self.done("GET", f"/-/endpoints/{self.endpoint}/deliveries")
        rows: list[dict[str, Any]] = found["deliveries"]
        return rows

    async def delivery(self, state: str) -> dict[str, Any]:
        """The only one, once it stands so."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = await self.deliveries()
                if [one["state"] for one in found] == [state]:
                    return found[0]
                await asyncio.sleep(PAUSE_SECONDS)

    @property
    def told(self) -> list[dict[str, Any]]:
        """What the receiver was sent."""
        return [json.loads(call.body)["data"] for call in self.receiver.calls]

    @property
    def ids(self) -> set[str | None]:
        return {call.header("webhook-id") for call in self.receiver.calls}


@pytest.fixture
async def shop(tmp_path: Path, store: str) -> AsyncIterator[Shop]:
    async with (
        RecordingUpstream() as upstream,
        Shop(tmp_path, store, upstream.url, more=WEBHOOKS) as shop,
        RecordingUpstream(shop) as receiver,
    ):
        shop.upstream, shop.receiver = upstream, receiver
        yield shop


ARRIVING = {
    "end.before_commit": {1},  # the end and its webhook are written in the next process
    "end.committed": {1},
    "delivery.taken": {1},
    "delivery.sending": {1},
    "delivery.sent": {1, 2},
    "delivery.answered": {2},
    "arrival.before_commit": {2},
    "arrival.committed": {1},
}
"""How often the receiver is told."""


@kills(ARRIVING, quick=["delivery.sent"])
async def test_a_webhook_comes_at_least_once_under_one_id(shop: Shop, point: str) -> None:
    async with shop.running():
        await shop.opens()
    async with shop.dying(point):
        await shop.call("PUT", "/async/work", {})
    async with shop.running():
        found = await shop.ended()
        delivery = await shop.delivery("delivered")
        assert len(shop.told) in ARRIVING[point]
        assert shop.ids == {delivery["id"]}
        told = {(one["id"], one["status"], one["sequence"]) for one in shop.told}
        assert told == {(found["id"], "completed", len(found["events"]))}


@kills(["accept.committed", "mark.committed", "retry.committed", "end.committed"], quick=["accept.committed"])
async def test_no_event_is_without_its_webhook(shop: Shop, point: str) -> None:
    settings = shop.config.read_text()
    shop.config.write_text(settings.replace('backoff = "10ms"', 'backoff = "10ms", on = [503]'))
    answers = iter([BUSY])
    shop.upstream.answer = lambda call: next(answers, OK)
    async with shop.running():
        await shop.opens(all=True)
    async with shop.dying(point):
        await shop.call("PUT", "/async/work", {})
    async with shop.running():
        found = await shop.ended()
        wanted = {event["sequence"] for event in found["events"]}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while {one["sequence"] for one in shop.told} != wanted:
                await asyncio.sleep(PAUSE_SECONDS)
        # Where one is sent before an earlier one was settled it names that: a receiver sees what it lacks.
        assert all(one["previous_sequence"] in {None, *wanted} for one in shop.told)
        assert len(shop.ids) == len(wanted)


MISSING = {"miss.before_commit": 2, "miss.committed": 2}


@kills(MISSING)
async def test_a_webhook_that_was_refused_is_made_again(shop: Shop, point: str) -> None:
    shop.refusals = 1
    async with shop.running():
        await shop.opens()
    async with shop.dying(point):
        await shop.call("PUT", "/async/work", {})
    async with shop.running():
        delivery = await shop.delivery("delivered")
        assert (len(shop.told), shop.ids) == (MISSING[point], {delivery["id"]})


DEAD = {"dead_letter.before_commit": 3, "dead_letter.committed": 2}
"""How often the receiver was tried until it was given up: an attempt that was not settled is made again."""


@kills(DEAD)
async def test_a_dead_letter_is_kept_and_arrives_when_it_is_replayed(shop: Shop, point: str) -> None:
    shop.refusals = DEAD[point]
    async with shop.running():
        await shop.opens()
    async with shop.dying(point):
        await shop.call("PUT", "/async/work", {})
    async with shop.running():
        delivery = await shop.delivery("dead")
        assert len(shop.told) == DEAD[point]
        await shop.done("POST", f"/-/deliveries/{delivery['id']}/replay")
        assert (await shop.delivery("delivered"))["id"] == delivery["id"]
        assert (len(shop.told), shop.ids) == (DEAD[point] + 1, {delivery["id"]})


REPLAY = {"replay.before_commit": "dead", "replay.committed": "delivered"}
"""How it stands by itself after the restart."""


@pytest.mark.parametrize("many", [False, True])
@kills(REPLAY)
async def test_a_replay_is_kept_or_made_again(shop: Shop, point: str, many: bool) -> None:
    shop.refusals = 2
    async with shop.running():
        await shop.opens()
        await shop.accepted("/work", {})
        id = (await shop.delivery("dead"))["id"]
    replay = f"/-/endpoints/{shop.endpoint}/replay" if many else f"/-/deliveries/{id}/replay"
    async with shop.dying(point):
        assert await shop.call("POST", replay) is None
    async with shop.running():
        await shop.delivery(REPLAY[point])
        if REPLAY[point] == "dead":
            await shop.done("POST", replay)
            await shop.delivery("delivered")
        assert (len(shop.told), shop.ids) == (3, {id})


@kills(["outbox_sweep.committed"])
async def test_old_deliveries_are_removed_and_their_transactions_are_not(shop: Shop, point: str) -> None:
    async with shop.running():
        await shop.opens()
        id = await shop.accepted("/work", {})
        await shop.delivery("delivered")
    await shop.dies(point, hours=8 * DAY)
    async with shop.running(hours=8 * DAY):
        assert await shop.deliveries() == []
        assert (await shop.one())["id"] == id
        assert len(shop.told) == 1
