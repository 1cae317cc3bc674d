"""Submitting: once, however often it had to be sent."""

import asyncio
import ssl
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from restante import client
from restante.client import Busy, KeyReused, NotAccepted, NotReached, NotUnderstood, Refused, errors
from restante.core.errors import RestanteError
from restante.core.model import Query
from restante.core.policy import Limits

from ..cli.cable import cut
from ..cli.upstream import Answer, serving
from ..gateway.conftest import MakeHouse
from ..gateway.house import House
from ..outbound.certificates import Authority
from ..world import eventually
from .callers import BYTES
from .conftest import MakeCaller


async def count(house: House) -> int:
    return len(await house.service.find(Query(tenant="default", limit=100)))


@pytest.mark.parametrize(
    ("dialect", "path"),
    [("task", "/payments?a=1"), ("transaction", "/channel/v0/tickets"), ("prefer", "/payments?a=1")],
)
async def test_the_answer_is_the_upstreams_byte_for_byte(
    house: House, call: MakeCaller, dialect: str, path: str
) -> None:
    handle = await call(house.port).submit("post", path, json={"amount": 700}, dialect=dialect)
    found = await house.find(handle.id)
    assert (found.dialect, found.path) == (dialect, path.partition("?")[0])
    assert await handle.status() == "pending"
    answer = asyncio.create_task(handle.result())
    await eventually(lambda: house.clock.waited_for() > 0)  # held back by the server
    await house.end(handle.id, 201, BYTES, ((b"X-Twice", b"1"), (b"X-Twice", b"2")))
    response = await answer
    assert (response.status_code, response.content) == (201, BYTES)
    assert response.headers.all("x-twice") == ["1", "2"]
    assert response.headers["X-TWICE"] == "1"
    assert await handle.status() == "completed"


async def test_a_request_is_stored_as_it_was_given(house: House, call: MakeCaller) -> None:
    handle = await call(house.port).submit(
        "PUT",
        "/straße?q=a b",
        content="words",
        delay=timedelta(minutes=10),
        deadline=3600.5,
        priority=7,
        tracking_id="order-7",
    )
    shown = await handle.show()
    assert (shown["path"], shown["query"]) == ("/stra%C3%9Fe", "q=a%20b")
    assert (shown["priority"], shown["tracking_id"]) == (7, "order-7")
    found = await house.find(handle.id)
    assert found.due_at == found.created_at + 600_000_000
    assert found.deadline == found.created_at + 3_600_500_000


@pytest.mark.parametrize(
    ("method", "path", "given", "why"),
    [
        ("GET ME", "/x", {}, "HTTP method"),
        ("GET", "/status/1", {}, "Restante's own"),
        ("POST", "/x", {"json": 1, "content": b"1"}, "either"),
        ("POST", "/x", {"headers": {"A": "1\r\nB: 2"}}, "A"),
        ("POST", "/x", {"headers": {"A:": "1"}}, "header's name"),
        ("POST", "/x", {"headers": {"A": "č"}}, "Latin-1"),
        ("POST", "/x", {"headers": {"Content-Length": "1"}}, "made from the content"),
        ("POST", "/x", {"delay": "soon"}, "duration"),
        ("POST", "/x", {"dialect": "transactions"}, "dialect: expected task, transaction, prefer"),
        ("POST", "x", {}, "begins with a slash"),
        ("POST", "http://127.0.0.1:1/x", {}, "begins with a slash"),
    ],
)
async def test_what_no_request_can_be_is_refused_here(
    call: MakeCaller, method: str, path: str, given: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        await call("http://127.0.0.1:1").submit(method, path, **given)


@pytest.mark.sound_store("its cable is cut after so many bytes")
@pytest.mark.parametrize("length", [0, 30])
async def test_a_submit_whose_answer_was_lost_is_accepted_once(
    house: House, call: MakeCaller, length: int
) -> None:
    with cut(f"http://127.0.0.1:{house.port}", length) as cable:
        caller = call(cable.url)
        handle = await caller.submit("POST", "/payments", json={"amount": 700})
    assert len(cable.asked) == 2
    assert (await count(house), handle.handle.replayed) == (1, True)
    assert caller.time.pauses == [0.2]


async def test_a_key_given_is_the_key_and_another_request_with_it_is_refused(
    house: House, call: MakeCaller
) -> None:
    caller = call(house.port)
    first = await caller.submit("POST", "/payments", json=1, idempotency_key="order-7")
    again = await caller.submit("POST", "/payments", json=1, headers={"Idempotency-Key": "order-7"})
    assert (first.id, first.handle.replayed) == (again.id, False)
    with pytest.raises(KeyReused):
        await caller.submit("POST", "/payments", json=2, idempotency_key="order-7")
    other = await caller.submit("POST", "/payments", json=1)
    assert other.id != first.id


async def test_where_nobody_listens_the_key_to_go_on_with_is_told(call: MakeCaller) -> None:
    caller = call("http://127.0.0.1:1", patience=2)
    with pytest.raises(NotReached) as told:
        await caller.submit("POST", "/payments", idempotency_key="order-7")
    assert (told.value.sent, told.value.idempotency_key) == (False, "order-7")
    assert caller.time.pauses == [0.2, 0.5, 1.0]  # a fourth would be over its patience
    assert "http://127.0.0.1:1: no answer" in str(told.value)


async def test_a_busy_server_is_asked_again_when_it_says(call: MakeCaller) -> None:
    answers: list[Answer] = [
        (503, [("Restante-Status", "unknown"), ("Retry-After", "7")], b'{"message":"Queue full."}'),
        (502, [], b"<html>"),
        (429, [("Restante-Status", "unknown"), ("Retry-After", "3")], b'{"message":"Too many."}'),
        (202, [("Restante-Status", "pending"), ("Location", "http://x/async/status/abc")], b"{}"),
    ]
    with serving(lambda seen: answers.pop(0)) as web:
        caller = call(web.url)
        handle = await caller.submit("POST", "/payments")
    assert (handle.id, caller.time.pauses) == ("abc", [7.0, 0.5, 3.0])
    assert len({tuple(seen.header("idempotency-key")) for seen in web.came}) == 1


async def test_who_stays_busy_is_told_of_with_when_to_ask_again(call: MakeCaller) -> None:
    busy: Answer = (503, [("Restante-Status", "unknown"), ("Retry-After", "70")], b'{"message":"Full."}')
    with serving(lambda seen: busy) as web, pytest.raises(Busy, match="Full") as told:
        await call(web.url).submit("POST", "/payments")
    assert (told.value.status, told.value.retry_after_seconds) == (503, 70)
    assert len(web.came) == 1


async def test_a_client_is_not_made_with_a_dialect_that_is_none(call: MakeCaller) -> None:
    with pytest.raises(ValueError, match="dialect"):
        call("http://127.0.0.1:1", dialect="transactions")


@pytest.mark.parametrize("code", [502, 503, 504])
async def test_a_proxy_without_a_server_behind_it_is_nobody_there(call: MakeCaller, code: int) -> None:
    with serving(lambda seen: (code, [], b"<html>")) as web, pytest.raises(NotReached) as told:
        await call(web.url, patience=2).submit("POST", "/payments", idempotency_key="order-7")
    assert (len(web.came), told.value.sent, told.value.idempotency_key) == (4, True, "order-7")


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("POST", {"idempotency_key": "order-7"}),
        ("POST", {"headers": {"RequestId": "order-7"}}),
        ("PUT", {}),
    ],
)
async def test_a_proxys_502_is_asked_again_where_that_does_no_harm(
    call: MakeCaller, method: str, given: dict[str, Any]
) -> None:
    """It may as well be the upstream's, on a path that is not asynchronous: else it is asked once."""
    with serving(lambda seen: (502, [], b"<html>")) as web:
        caller = call(web.url, patience=2, dialect="transaction")
        with pytest.raises(NotAccepted):
            await caller.submit(method, "/channel/v0/tickets", **given)
        assert len(web.came) == 4
        with pytest.raises(NotAccepted):
            await caller.submit("POST", "/channel/v0/tickets")
        assert len(web.came) == 5


async def test_what_is_too_large_is_refused_while_it_is_being_sent(
    make_house: MakeHouse, call: MakeCaller
) -> None:
    house = await make_house(limits=Limits(max_body=1000))
    with pytest.raises(Refused) as told:
        await call(house.port).submit("POST", "/payments", content=bytes(20_000_000))
    assert told.value.status == 413


async def test_a_path_that_is_not_asynchronous_is_executed_once_and_its_answer_told(
    house: House, call: MakeCaller
) -> None:
    house.upstream.raw = b"HTTP/1.1 503 No\r\nContent-Length: 4\r\nRetry-After: 1\r\n\r\nbusy"
    with pytest.raises(NotAccepted) as told:
        headers = [("X-One", "1"), ("X-One", "2")]
        await call(house.port).submit("POST", "/payments", headers=headers, dialect="transaction")
    assert (told.value.response.status_code, told.value.response.content) == (503, b"busy")
    (came,) = house.upstream.came
    assert [pair for pair in came.headers if pair[0] == "x-one"] == [("x-one", "1"), ("x-one", "2")]


@pytest.mark.sound_store("counts what is asked over a cable")
async def test_a_preference_whose_answer_was_lost_is_not_sent_twice(house: House, call: MakeCaller) -> None:
    with cut(f"http://127.0.0.1:{house.port}", 0) as cable, pytest.raises(NotReached) as told:
        await call(cable.url).submit("POST", "/payments", dialect="prefer")
    assert (len(cable.asked), told.value.sent) == (1, True)
    with cut(f"http://127.0.0.1:{house.port}", 0) as cable:
        await call(cable.url).submit("PUT", "/payments", dialect="prefer")
    assert len(cable.asked) == 2


@pytest.mark.parametrize("code", [200, 404])
async def test_who_is_no_restante_server_is_told_from_one(call: MakeCaller, code: int) -> None:
    with serving(lambda seen: (code, [], b'{"status":"completed"}')) as web:
        caller = call(web.url)
        with pytest.raises(NotUnderstood, match="is it a Restante server"):
            await caller.submit("POST", "/payments")
        for ask in ("status", "show", "result", "cancel"):
            with pytest.raises((NotUnderstood, Refused), match="is it a Restante server"):
                await getattr(call(web.url).handle("abc"), ask)()


def test_a_client_brings_no_server_with_it() -> None:
    code = (
        "import sys; from restante import Client; Client('http://127.0.0.1:1');"
        "heavy = {'asyncio', 'ssl', 'email', 'uvicorn', 'uvloop', 'apsw', 'asyncpg', 'click', 'cryptography'}"
        " | {'restante.' + room for room in ('gateway', 'service', 'stores', 'runner', 'assembly', 'cli')};"
        "sys.exit(', '.join(sorted(heavy & sys.modules.keys())) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


async def test_a_server_is_believed_by_its_certificate_alone(call: MakeCaller, tmp_path: Path) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 202 OK\r\nRestante-Status: pending\r\nLocation: /async/status/abc\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        writer.close()

    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("127.0.0.1"))
    async with await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        trusted = ssl.create_default_context(cafile=authority.file)
        assert (await call(url, tls=trusted).submit("GET", "/x")).id == "abc"
        with pytest.raises(NotReached, match="certificate is not trusted"):
            await call(url, patience=0).submit("GET", "/x")


def test_every_error_is_in_the_tree_that_is_drawn() -> None:
    drawn = (errors.__doc__ or "").split()
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)]
    for kind in kinds:
        if kind is not RestanteError:
            assert issubclass(kind, errors.ClientError)
            assert kind.__name__ in drawn
            assert kind.__name__ in client.__all__
