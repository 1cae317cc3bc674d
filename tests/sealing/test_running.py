"""Work whose store is sealed: it is run as always; what was changed in the store is not, and is ended."""

import logging
from pathlib import Path

import apsw
import msgspec
import pytest

from restante.core.clock import SECOND
from restante.core.delivery import Sought
from restante.core.endpoint import Endpoint
from restante.core.policy import Retry
from restante.core.status import Outcome, Status

from ..couriers import answered
from ..e2e.harness import RecordingUpstream
from ..world import World, a_world, eventually
from .keys import sealing

LARGE = b"0123456789" * 20_000
BASIC = {"Authorization": "Basic 4200"}


def changed(folder: Path, text: str) -> None:
    connection = apsw.Connection(str(folder / "restante.db"))
    connection.set_busy_timeout(5000)
    connection.execute(text)
    connection.close()


async def seal(world: World, folder: Path) -> None:
    """From now on."""
    store = await sealing(world.store, folder / "keys", clock=world.clock)
    for part in (world, world.service, world.runner, world.service.endpoints):
        for name in ("store", "_store"):
            if hasattr(part, name):
                setattr(part, name, store)


@pytest.mark.parametrize("body", [b"{}", b'{"a":"' + b"b" * 10_000 + b'"}', LARGE])
async def test_the_upstream_gets_what_came_and_the_credentials_go_with_the_end(
    tmp_path: Path, body: bytes
) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, run=False) as world:
        await seal(world, tmp_path)
        world.runner.start(world.service)
        done = await world.ended(await world.submit(body=body, headers={**BASIC, "X-Other": "1"}))
        assert done.status is Status.COMPLETED
        (call,) = upstream.calls
        assert (call.body, call.header("authorization")) == (body, "Basic 4200")
        (request,) = await world.store.requests([done.key])
        assert request is not None
        assert dict(request.headers).keys() >= {b"x-other"}
        assert b"authorization" not in dict(request.headers)


async def test_a_request_that_was_changed_is_not_sent_and_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, run=False, retry=Retry(attempts=1)) as world,
    ):
        await seal(world, tmp_path)
        kept = await world.submit(headers=BASIC)
        changed(tmp_path, "UPDATE requests SET body = CAST(body || x'00' AS BLOB)")
        world.runner.start(world.service)
        done = await world.ended(kept)
        assert (done.status, done.outcome) == (Status.FAILED, Outcome.UNREACHABLE)
        assert upstream.calls == []
        assert all(record.exc_info is None for record in caplog.records)


async def test_a_webhook_tells_what_was_sealed_and_is_signed(tmp_path: Path) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, run=False, send=False) as world,
    ):
        await seal(world, tmp_path)
        world.courier.script["https://a.example/"] = lambda _: answered(answer=b"thanks for 4200")
        now = world.clock.now()
        await world.service.endpoints.add(
            Endpoint(
                id="ep_1",
                tenant="default",
                url="https://a.example/",
                created_at=now,
                updated_at=now,
                secrets=("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",),
            )
        )
        world.runner.start(world.service)
        world.webhooks.start(world.service)
        await world.ended(await world.submit())
        await eventually(lambda: bool(world.courier.sent))
        parcel = world.courier.sent[0]
        content = msgspec.json.decode(parcel.body)
        assert content["data"]["data"] == {"status_code": 200}
        assert b"webhook-signature" in {name for name, _ in parcel.headers}
        await world.at_rest()
        (delivery,) = await world.store.deliveries(Sought(endpoint="ep_1"))
        ((attempt,),) = await world.store.attempts([delivery.number])
        assert attempt.answer == b"thanks for 4200"
        on_disk = b"".join(path.read_bytes() for path in tmp_path.glob("restante.db*"))
        assert b"thanks for" not in on_disk


async def test_a_transaction_that_ends_otherwise_keeps_no_credentials_either(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url, run=False) as world:
        cancelled = await world.submit(headers=BASIC)
        expired = await world.submit(headers={**BASIC, "Restante-Deadline": "1s"})
        await world.service.cancel("default", cancelled.id)
        await world.clock.advance(2 * SECOND)
        await world.service.expire(expired)
        for one, status in ((cancelled, Status.CANCELLED), (expired, Status.FAILED)):
            assert (await world.now(one)).status is status
            (request,) = await world.store.requests([one.key])
            assert request is not None
            assert b"authorization" not in dict(request.headers)
