"""A gateway whose store is sealed: callers see no difference; what was changed in the store is not served."""

from hashlib import sha256

import apsw
import pytest

from restante.core.idempotency import idempotency_key
from restante.core.policy import Route
from restante.core.status import Dialect

from ..sealing.keys import sealing
from .conftest import MakeHouse
from .house import NOON, House

TICKETS = Route(method="POST", path="/tickets", dialect=Dialect.TRANSACTION, transactions="/seen")
LARGE = b"0123456789" * 30_000


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house(sealed=True, routes=[TICKETS])


def changed(house: House, text: str) -> None:
    """By somebody who has the file."""
    connection = apsw.Connection(str(house.folder / "restante.db"))
    connection.set_busy_timeout(5000)
    connection.execute(text)
    connection.close()


@pytest.mark.parametrize("body", [b"", b"small", LARGE])
async def test_what_is_given_back_is_what_came(house: House, body: bytes) -> None:
    accepted = await house.ask("POST", "/async/payments", {"Authorization": "Basic x"}, LARGE)
    id = accepted.json["request_id"]
    transaction = await house.find(id)
    (request,) = await house.store.requests([transaction.key])
    assert request is not None
    assert (b"authorization", b"Basic x") in request.headers
    assert b"".join([piece async for piece in house.service.read_request(transaction, request)]) == LARGE
    await house.end(id, body=body, headers=((b"Set-Cookie", b"a=b"), (b"X-Twice", b"1"), (b"X-Twice", b"2")))
    (request,) = await house.store.requests([transaction.key])
    assert request is not None
    assert b"authorization" not in dict(request.headers)
    assert b"".join([piece async for piece in house.service.read_request(transaction, request)]) == LARGE
    for path in (f"/async/result/{id}", f"/-/transactions/{id}/result"):
        seen = await house.ask("GET", path)
        assert (seen.code, seen.body) == (200, body)
        assert [value for name, value in seen.headers if name.lower() == "x-twice"] == [b"1", b"2"]


@pytest.mark.parametrize("column", ["headers", "body"])
async def test_a_result_that_was_changed_is_a_500_that_says_so(
    house: House, caplog: pytest.LogCaptureFixture, column: str
) -> None:
    id = await house.submit()
    await house.end(id, body=b"small")
    changed(
        house,
        f"UPDATE results SET {column} = CAST(substr({column}, 1, length({column}) - 1) || x'00' AS BLOB)",
    )
    seen = await house.ask("GET", f"/async/result/{id}")
    assert seen.code == 500
    assert seen.json == {"message": "What is kept of this cannot be opened: it was changed in the store."}
    native = await house.ask("GET", f"/-/transactions/{id}/result")
    assert (native.code, native.json["type"]) == (500, "urn:restante:problem:unreadable")
    assert seen.header("restante-status") == native.header("restante-status") == "completed"
    assert {record.getMessage() for record in caplog.records} == {
        "the result of row 1 was changed in the store: it cannot be opened"
    }
    assert all(record.exc_info is None for record in caplog.records)
    assert (await house.ask("GET", f"/async/status/{id}")).code == 200


async def test_a_large_result_that_was_changed_is_broken_off(house: House) -> None:
    id = await house.submit()
    await house.end(id, body=LARGE)
    changed(house, "UPDATE chunks SET data = (SELECT data FROM chunks WHERE position = 0) WHERE position = 1")
    seen = await house.ask("GET", f"/async/result/{id}")
    assert not seen.complete
    assert len(seen.body) <= house.policy.limits.chunk


async def test_the_same_idempotency_key_finds_the_first(house: House) -> None:
    first = await house.submit(Idempotency_Key="a")
    assert await house.submit(Idempotency_Key="a") == first


async def test_it_does_so_across_the_first_start_with_keys_and_no_hash_is_plain(
    make_house: MakeHouse,
) -> None:
    house = await make_house()
    first = await house.submit(Idempotency_Key="a")
    house.service.store = await sealing(house.store, house.folder / "keys", clock=house.clock)
    assert await house.submit(Idempotency_Key="a") == first
    other = await house.submit(Idempotency_Key="b")
    assert await house.submit(Idempotency_Key="b") == other != first
    known = idempotency_key(
        "b",
        tenant="default",
        authorization=b"",
        method="POST",
        path="/payments",
        query="",
        body_digest=sha256(b"{}").digest(),
    )
    rows = apsw.Connection(str(house.folder / "restante.db")).execute("SELECT scope FROM idempotency")
    kept = {row[0] for row in rows}
    assert house.service.store.hashing.of(known, NOON).scope in kept
    assert kept.isdisjoint([known.scope, house.store.hashing.of(known, NOON).scope])
