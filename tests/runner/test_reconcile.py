"""`interrupted = "reconcile"`: the upstream is asked, and what it says settles the transaction."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from restante.core.clock import MINUTE, SECOND
from restante.core.errors import TooLate
from restante.core.model import Transaction
from restante.core.pointer import pick_raw
from restante.core.policy import Limits, Lookup, Retry, Route
from restante.core.status import Dialect, EventKind, Interrupted, Outcome, Phase, Status
from restante.service import reporting

from ..e2e.harness import OK, Call, RecordingUpstream
from ..world import World, a_world, eventually

LOOKUP = Lookup(
    target="/v2/tracking/{tracking_id}?all=1", found="/transactions/0/uid", answer="/transactions/0"
)
ROUTE = Route(
    method="POST", interrupted=Interrupted.RECONCILE, tracking_id="/request/tracking_id", lookup=LOOKUP
)
BODY = b'{"request":{"tracking_id":"order/7 \xc3\xa9"}}'
TIMEOUT, LEASE = 60 * SECOND, 15 * SECOND
FOUND = b'{"transactions":[{"uid":"1-2","amount":1.50},{"uid":"0"}]}'
NOTHING = b'{"transactions":[]}'


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


class Bank(RecordingUpstream):
    """Hangs up on what is submitted; look-ups get `says` in turn, the last one repeated."""

    def __init__(self, *says: bytes | None, submits: tuple[bytes | None, ...] = (None,)) -> None:
        super().__init__(self._answer)
        self.says = list(says)
        self.submits = list(submits)

    def _answer(self, call: Call) -> bytes | None:
        queue = self.says if call.method == "GET" else self.submits
        return queue.pop(0) if len(queue) > 1 else queue[0]

    @property
    def looks(self) -> list[Call]:
        return [call for call in self.calls if call.method == "GET"]


@asynccontextmanager
async def asked(
    folder: Path, bank: Bank, *, route: Route = ROUTE, retry: Retry | None = None
) -> AsyncIterator[tuple[World, Transaction]]:
    """A payment that was interrupted, in a world where the look-up is just due."""
    async with bank, a_world(folder, bank.url, routes=(route,), retry=retry or Retry()) as world:
        headers = {"Authorization": "Basic shop", "Content-Type": "application/json", "X-Shop": "7"}
        transaction = await world.submit(body=BODY, headers=headers)
        waiting = await world.until(transaction, lambda found: found.phase is Phase.LOOKING)
        assert waiting.due_at == world.clock.now() + TIMEOUT + LEASE
        await world.at_rest()
        yield world, waiting


async def test_what_the_look_up_finds_is_the_result_and_the_work_is_done_once(tmp_path: Path) -> None:
    bank = Bank(answer(FOUND))
    async with asked(tmp_path, bank) as (world, transaction):
        await world.later(TIMEOUT + LEASE)
        done = await world.ended(transaction)
        assert (done.status, done.outcome, done.attempt) == (Status.COMPLETED, Outcome.ANSWERED, 1)
        result = await world.service.result(done)
        assert result is not None
        assert (result.status, result.body.inline) == (200, b'{"uid":"1-2","amount":1.50}')
        told, end = (await world.events(done))[-2:]
        assert (told.kind, told.message) == (EventKind.INFO, "Settled by look-up")
        assert (end.kind, end.status) == (EventKind.TRANSITION, Status.COMPLETED)
        assert [call.method for call in bank.calls] == ["POST", "GET"]


async def test_the_look_up_is_a_get_with_the_callers_headers(tmp_path: Path) -> None:
    bank = Bank(answer(FOUND))
    async with asked(tmp_path, bank) as (world, transaction):
        await world.later(TIMEOUT + LEASE)
        await world.ended(transaction)
        (look,) = bank.looks
        assert (look.target, look.body) == ("/v2/tracking/order%2F7%20%C3%A9?all=1", b"")
        assert look.header("authorization") == "Basic shop"
        assert look.header("x-shop") == "7"
        assert look.header("restante-transaction") == transaction.id
        assert look.header("content-type") is None
        assert look.header("idempotency-key") is None


async def test_nobody_is_asked_before_the_timeout_and_the_lease_have_passed(tmp_path: Path) -> None:
    bank = Bank(answer(FOUND))
    async with asked(tmp_path, bank) as (world, transaction):
        await world.later(TIMEOUT + LEASE - 1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert (await world.now(transaction), bank.looks) == (transaction, [])


@pytest.mark.parametrize("nothing", [answer(NOTHING), answer(b"{}", "404 Not Found")])
async def test_what_is_not_found_ends_as_fail_does(nothing: bytes, tmp_path: Path) -> None:
    bank = Bank(nothing)
    async with asked(tmp_path, bank) as (world, transaction):
        await world.later(TIMEOUT + LEASE)
        done = await world.ended(transaction)
        assert (done.status, done.outcome, done.doubtful) == (Status.FAILED, Outcome.INTERRUPTED, 1)
        last = (await world.events(done))[-1]
        assert last.data is not None and last.data["outcome_unknown"] is True
        assert "did not find" in last.message and "unknown" in last.message


async def test_what_is_not_found_is_repeated_where_the_route_says_so(tmp_path: Path) -> None:
    bank = Bank(answer(NOTHING), submits=(None, OK))
    route = msgspec.structs.replace(ROUTE, lookup=msgspec.structs.replace(LOOKUP, retry=True))
    async with asked(tmp_path, bank, route=route) as (world, transaction):
        await world.later(TIMEOUT + LEASE)
        await world.until(transaction, lambda found: found.phase is Phase.WAITING)
        await world.at_rest()
        await world.later(MINUTE)
        done = await world.ended(transaction)
        assert (done.status, done.attempt) == (Status.COMPLETED, 2)
        keys = {call.header("idempotency-key") for call in bank.calls if call.method == "POST"}
        assert keys == {transaction.id}


@pytest.mark.parametrize(
    "unclear",
    [
        None,
        answer(b"{}", "503 Busy"),
        answer(b"{}", "401 Unauthorized"),
        answer(b"<html>"),
        answer(FOUND)[:-5],
        answer(b"[" + b" " * 2**20 + b"]"),
    ],
    ids=["hang-up", "503", "401", "no JSON", "cut short", "too large"],
)
async def test_a_look_up_without_a_clear_answer_settles_nothing_and_is_made_again(
    unclear: bytes | None, tmp_path: Path
) -> None:
    bank = Bank(unclear, answer(FOUND))
    if unclear == answer(FOUND)[:-5]:
        bank = CutShort(unclear, answer(FOUND))
    async with asked(tmp_path, bank) as (world, transaction):
        await world.later(TIMEOUT + LEASE)
        again = await world.until(transaction, lambda found: found.sequence > transaction.sequence)
        assert (again.status, again.phase, again.doubtful) == (Status.PROCESSING, Phase.LOOKING, 1)
        await world.at_rest()
        await world.later(MINUTE)
        assert (await world.ended(transaction)).status is Status.COMPLETED
        assert len(bank.looks) == 2


class CutShort(Bank):
    """The connection ends after the first answer to a look-up."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        write = writer.write

        def once(data: bytes) -> None:
            write(data)
            if data == answer(FOUND)[:-5]:
                writer.close()

        writer.write = once  # type: ignore[method-assign]
        await super()._serve(reader, writer)


async def test_look_ups_are_made_within_the_retry_limits(tmp_path: Path) -> None:
    bank = Bank(answer(b"{}", "500 Sorry"))
    async with asked(tmp_path, bank, retry=Retry(attempts=3)) as (world, transaction):
        for count in (1, 2, 3):
            await world.later(TIMEOUT + LEASE)
            await eventually(lambda count=count: len(bank.looks) == count)
            await world.at_rest()
        done = await world.ended(transaction)
        assert (done.status, done.outcome) == (Status.FAILED, Outcome.INTERRUPTED)
        assert "500" in (await world.events(done))[-1].message


@pytest.mark.parametrize(
    ("body", "headers"), [(b"{}", {}), (BODY, {"Restante-Deadline": "1m"})], ids=["no id", "no time"]
)
async def test_what_cannot_be_asked_for_ends_as_fail_does(
    body: bytes, headers: dict[str, str], tmp_path: Path
) -> None:
    bank = Bank(answer(FOUND))
    async with bank, a_world(tmp_path, bank.url, routes=(ROUTE,)) as world:
        done = await world.ended(await world.submit(body=body, headers=headers))
        assert (done.status, done.outcome, bank.looks) == (Status.FAILED, Outcome.INTERRUPTED, [])


async def test_while_it_is_asked_for_it_cannot_be_cancelled_but_resolved(tmp_path: Path) -> None:
    async with asked(tmp_path, Bank(answer(FOUND))) as (world, transaction):
        with pytest.raises(TooLate):
            await world.service.cancel("default", transaction.id)
        said = reporting.Resolution(status=Status.COMPLETED, reason="Seen at the bank.", by="ana")
        done = await reporting.resolve(world.service, transaction, said)
        assert done.status is Status.COMPLETED
        await world.later(TIMEOUT + LEASE)
        assert await world.now(transaction) == done


async def test_a_timeout_is_asked_for_and_so_is_a_crash(tmp_path: Path) -> None:
    bank = Bank(answer(FOUND))
    bank.gate.clear()
    async with bank:
        async with a_world(tmp_path, bank.url, routes=(ROUTE,)) as world:
            crashed = await world.submit(body=BODY)
            await eventually(lambda: len(bank.calls) == 1)
            await world.runner.stop(0)
        bank.gate.set()
        async with a_world(tmp_path, bank.url, routes=(ROUTE,)) as world:
            waiting = await world.until(crashed, lambda found: found.phase is Phase.LOOKING)
            assert waiting.due_at == world.clock.now() + TIMEOUT + LEASE
            await world.at_rest()
            await world.later(TIMEOUT + LEASE)
            assert (await world.ended(crashed)).status is Status.COMPLETED


async def test_a_look_up_survives_a_restart(tmp_path: Path) -> None:
    bank = Bank(answer(FOUND))
    async with asked(tmp_path, bank) as (world, transaction):
        clock = world.clock
        await world.runner.stop(0)
        await world.store.close()
        async with a_world(tmp_path, bank.url, routes=(ROUTE,), clock=clock) as again:
            assert await again.now(transaction) == transaction
            await again.at_rest()
            await again.later(TIMEOUT + LEASE)
            assert (await again.ended(transaction)).status is Status.COMPLETED


async def test_dialect_transaction_carries_what_the_route_picks(tmp_path: Path) -> None:
    route = msgspec.structs.replace(
        ROUTE, dialect=Dialect.TRANSACTION, transactions="/t", data=(("uid", "/uid"),)
    )
    bank = Bank(answer(FOUND))
    async with bank, a_world(tmp_path, bank.url, routes=(route,)) as world:
        transaction = await world.submit(body=BODY, dialect=Dialect.TRANSACTION)
        await world.until(transaction, lambda found: found.phase is Phase.LOOKING)
        await world.at_rest()
        await world.later(TIMEOUT + LEASE)
        done = await world.ended(transaction)
        assert (await world.events(done))[-1].data == {"uid": "1-2"}


async def test_idempotent_methods_are_repeated_and_not_asked_for(tmp_path: Path) -> None:
    route = msgspec.structs.replace(ROUTE, method="*")
    bank = Bank(answer(FOUND), submits=(None, OK))
    async with bank, a_world(tmp_path, bank.url, routes=(route,), limits=Limits()) as world:
        transaction = await world.submit("PUT", body=BODY)
        await world.until(transaction, lambda found: found.doubtful == 1)
        await world.at_rest()
        await world.later(MINUTE)
        assert (await world.ended(transaction)).status is Status.COMPLETED
        assert [call.method for call in bank.calls] == ["PUT", "PUT"]


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", b' {"a/b": [1.50, null, {"x": "\xc3\xa9"}], "n": {}} '),
        ("/a~1b/0", b"1.50"),
        ("/a~1b/1", b"null"),
        ("/a~1b/2", b'{"x": "\xc3\xa9"}'),
        ("/a~1b/2/x", b'"\xc3\xa9"'),
        ("/a~1b/3", None),
        ("/a~1b/-", None),
        ("/a~1b/00", None),
        ("/n/0", None),
        ("/a~1b/0/x", None),
        ("/m", None),
    ],
)
def test_what_a_pointer_points_to_is_taken_as_it_came(pointer: str, found: Any) -> None:
    assert pick_raw(b' {"a/b": [1.50, null, {"x": "\xc3\xa9"}], "n": {}} ', pointer) == found
