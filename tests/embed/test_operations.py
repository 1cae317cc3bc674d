"""Operations: functions whose calls are transactions."""

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pydantic
import pytest

from restante import Failure, Operations, Restante, TryAgain, Work
from restante.core.errors import SettingError

from .frameworks import fastapi
from .host import Host, store

TRANSACTIONS = "/seller/v0/transactions"


class NewTicket(msgspec.Struct):
    subject: str
    urgent: bool = False


@dataclass
class Order:
    amount: int


class Model(pydantic.BaseModel):
    subject: str


def hosted(operations: Operations, folder: Path, **options: Any) -> Host:
    return Host(Restante(operations, store=store(folder), **options))


async def done(host: Host, path: str, **more: Any) -> dict[str, Any]:
    """The transaction of `POST path`, as seed 004 shows it, once it has ended."""
    accepted = await host.http.post(path, **more)
    assert accepted.status_code == 202, accepted.text
    await host.ended(accepted.json()["transaction_id"])
    found: dict[str, Any] = (await host.http.get(accepted.json()["links"][0]["path"])).json()
    return found


def words(transaction: dict[str, Any]) -> list[str]:
    return [event["message"] for event in transaction["events"]]


async def test_what_is_returned_is_the_data_of_the_completed_event(tmp_path: Path) -> None:
    operations = Operations()

    @operations.post("/channel/v0/tickets", operation="create", transactions=TRANSACTIONS)
    async def create_ticket(ticket: NewTicket, tx: Work) -> dict[str, str]:
        return {"ticket_id": f"for {ticket.subject}", "by": tx.id}

    async with hosted(operations, tmp_path) as host:
        seen = await done(host, "/channel/v0/tickets", json={"subject": "a lamp"})
    last = seen["events"][-1]
    assert (seen["status"], seen["operation"]) == ("completed", "create")
    assert last["event"] == "transition"
    assert last["data"] == {"ticket_id": "for a lamp", "by": seen["id"]}


async def test_progress_is_events_in_the_order_it_was_told(tmp_path: Path) -> None:
    operations = Operations()

    @operations.post("/tickets", transactions=TRANSACTIONS)
    async def create_ticket(tx: Work) -> None:
        tx.info("Looking for a clerk", clerk=7)
        for number in range(1, 11):
            tx.progress(number, 10)

    async with hosted(operations, tmp_path) as host:
        seen = await done(host, "/tickets")
    assert words(seen) == [
        "Accepted",
        "Being executed",
        "Looking for a clerk",
        "1 of 10",
        "10 of 10",
        "Completed",
    ]
    assert seen["events"][2]["data"] == {"clerk": 7}
    assert seen["events"][3]["data"] == {"done": 1, "total": 10, "percent": 10}


async def test_a_plain_function_runs_in_a_thread_and_tells_as_well(tmp_path: Path) -> None:
    operations = Operations()

    @operations.post("/tickets", transactions=TRANSACTIONS)
    def create_ticket(order: Order, tx: Work) -> dict[str, Any]:
        tx.info("At work")
        tx.progress(1, 2)
        return {"amount": order.amount, "main": threading.current_thread() is threading.main_thread()}

    async with hosted(operations, tmp_path) as host:
        seen = await done(host, "/tickets", json={"amount": 3})
    assert seen["events"][-1]["data"] == {"amount": 3, "main": False}
    assert words(seen)[2:4] == ["At work", "1 of 2"]


async def test_so_many_plain_functions_run_at_once_as_they_may(tmp_path: Path) -> None:
    operations, running, most = Operations(), 0, 0
    both, lock = threading.Event(), threading.Lock()

    @operations.post("/tickets", transactions=TRANSACTIONS, concurrency=2)
    def create_ticket() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 2:
                both.set()
        assert both.wait(10)
        with lock:
            running -= 1

    async with hosted(operations, tmp_path) as host:
        seen = await asyncio.gather(*[done(host, "/tickets") for _ in range(6)])
    assert [one["status"] for one in seen] == ["completed"] * 6
    assert most == 2


async def test_a_failure_that_was_meant_is_told(tmp_path: Path) -> None:
    operations = Operations()

    @operations.post("/words", transactions=TRANSACTIONS)
    async def in_words() -> None:
        raise Failure("There is no such order.")

    @operations.post("/details", transactions=TRANSACTIONS)
    async def in_detail() -> None:
        raise Failure("No.", details=[{"error_code": "unknown_order"}], status=404)

    async with hosted(operations, tmp_path) as host:
        seen = await done(host, "/words")
        assert (seen["status"], seen["events"][-1]["event"]) == ("failed", "failure")
        assert seen["events"][-1]["data"] == {"error_message": "There is no such order."}
        seen = await done(host, "/details")
        assert seen["events"][-1]["data"] == {"error_message": '[{"error_code":"unknown_order"}]'}


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("kind", [RuntimeError, SystemExit, KeyboardInterrupt])
async def test_of_any_other_exception_nothing_is_told(
    kind: type[BaseException], plain: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    operations = Operations()

    def create_ticket() -> None:
        raise kind("the password is swordfish")

    async def create_as_well() -> None:
        create_ticket()

    function = create_ticket if plain else create_as_well
    operations.post("/tickets", transactions=TRANSACTIONS, name="create_ticket")(function)
    async with hosted(operations, tmp_path) as host:
        seen = await done(host, "/tickets")
    assert "operation create_ticket" in caplog.text
    assert seen["events"][-1]["data"] == {"error_message": "The operation failed unexpectedly."}
    assert "swordfish" not in str(seen)
    assert words(seen)[-1] == "The operation failed"


async def test_an_operation_is_at_no_url(tmp_path: Path) -> None:
    operations = Operations()

    @operations.post("/tickets", transactions=TRANSACTIONS)
    async def create_ticket() -> None: ...

    async with hosted(operations, tmp_path) as host:
        listed = (await host.http.get("/-/upstreams")).json()["upstreams"]
    assert {one["name"]: one["url"] for one in listed}["create_ticket"] is None


async def test_what_cannot_be_written_as_json_is_a_failure(tmp_path: Path) -> None:
    operations = Operations()

    @operations.post("/tickets", transactions=TRANSACTIONS)
    async def create_ticket() -> Any:
        return object()

    async with hosted(operations, tmp_path) as host:
        assert (await done(host, "/tickets"))["status"] == "failed"


@pytest.mark.parametrize("type_", [NewTicket, Model])
async def test_arguments_that_are_not_valid_are_refused_or_where_they_are_large_fail(
    type_: type, tmp_path: Path
) -> None:
    operations = Operations()

    async def create_ticket(ticket: Any, shop: int) -> Any:
        return {"subject": ticket.subject, "shop": shop}

    create_ticket.__annotations__["ticket"] = type_
    operations.post("/shops/{shop}/tickets", transactions=TRANSACTIONS)(create_ticket)
    long = {"subject": "x", "more": "x" * 100_000}
    async with hosted(operations, tmp_path) as host:
        seen = await done(host, "/shops/7/tickets", json=long)
        assert seen["events"][-1]["data"] == {"subject": "x", "shop": 7}
        seen = await done(host, "/shops/7/tickets", json={**long, "subject": 3})
        wrong = msgspec.json.decode(seen["events"][-1]["data"]["error_message"])
        assert wrong["errors"][0]["field"] == "body.subject"
        for path, body, field in (
            ("/shops/7/tickets", "{}", "body"),
            ("/shops/7/tickets", '{"subject": 3}', "body.subject"),
            ("/shops/7/tickets", "no JSON", "body"),
            ("/shops/seven/tickets", '{"subject": "x"}', "shop"),
        ):
            refused = await host.http.post(path, content=body)
            assert refused.status_code == 400
            assert refused.json()["field"].startswith(field)
            assert refused.json()["message"].startswith(field)


async def test_simple_parameters_come_from_the_query(tmp_path: Path) -> None:
    operations = Operations()

    @operations.post("/tickets", transactions=TRANSACTIONS)
    async def create_ticket(count: int, note: str | None = None, raw: bytes = b"") -> dict[str, Any]:
        return {"count": count, "note": note, "raw": raw.decode()}

    async with hosted(operations, tmp_path) as host:
        seen = await done(host, "/tickets?count=3&note=%C3%BC", content="as it came")
        assert seen["events"][-1]["data"] == {"count": 3, "note": "ü", "raw": "as it came"}
        assert (await host.http.post("/tickets")).json()["field"] == "count"


async def test_who_asks_for_another_try_gets_as_many_as_there_are(tmp_path: Path) -> None:
    operations, tries = Operations(), []

    @operations.post("/tickets", transactions=TRANSACTIONS, retry={"attempts": 3, "backoff": "1ms"})
    async def create_ticket(tx: Work) -> dict[str, int]:
        tries.append(tx.attempt)
        if tx.attempt < 3:
            raise TryAgain("The desk is closed.")
        return {"attempt": tx.attempt}

    @operations.post("/closed", transactions=TRANSACTIONS, retry={"attempts": 2, "backoff": "1ms"})
    async def closed() -> None:
        raise TryAgain("The desk is closed.", after_seconds=0)

    async with hosted(operations, tmp_path) as host:
        seen = await done(host, "/tickets")
        assert seen["status"] == "completed"
        assert tries == [1, 2, 3]
        delays = [event for event in seen["events"] if event["event"] == "delay"]
        assert [event["data"]["reason"] for event in delays] == ["The desk is closed."] * 2
        seen = await done(host, "/closed")
        assert seen["events"][-1]["data"] == {"error_message": "The desk is closed."}


@pytest.mark.parametrize("plain", [True, False])
async def test_a_timeout_ends_it_and_the_work_is_told(plain: bool, tmp_path: Path) -> None:
    operations, told = Operations(), threading.Event()

    def wait(tx: Work) -> None:
        for _ in range(1000):
            if tx.cancelled:
                told.set()
                return
            told.wait(0.01)

    async def wait_as_well(tx: Work) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            told.set()

    operations.post("/tickets", transactions=TRANSACTIONS, timeout="50ms")(wait if plain else wait_as_well)
    async with hosted(operations, tmp_path) as host:
        accepted = await host.http.post("/tickets")
        ended = await host.ended(accepted.json()["transaction_id"])
        assert (ended["status"], ended["outcome"]) == ("failed", "timed_out")
        assert await asyncio.to_thread(told.wait, 10)


async def test_a_deadline_is_seen_by_the_work(tmp_path: Path) -> None:
    operations, told = Operations(), threading.Event()

    @operations.post("/tickets", transactions=TRANSACTIONS)
    def create_ticket(tx: Work) -> None:
        while not tx.cancelled:
            told.wait(0.01)
        told.set()

    async with hosted(operations, tmp_path) as host:
        accepted = await host.http.post("/tickets", headers={"Restante-Deadline": "500ms"})
        ended = await host.ended(accepted.json()["transaction_id"])
        assert ended["outcome"] == "expired"
        assert await asyncio.to_thread(told.wait, 10)


async def test_deferred_work_is_ended_later_by_whoever_has_its_token(tmp_path: Path) -> None:
    operations, kept = Operations(), {}

    @operations.post("/tickets", transactions=TRANSACTIONS, deferred=True)
    async def create_ticket(tx: Work) -> None:
        tx.info("Sent to moderation")
        tx.defer()
        kept[tx.id] = tx.token

    app = Restante(operations, store=store(tmp_path))
    async with Host(app) as host:
        accepted = await host.http.post("/tickets")
        id = accepted.json()["transaction_id"]
        found = await host.http.get(f"/-/transactions/{id}?after=3", headers={"Prefer": "wait=10"})
        assert found.json()["status"] == "processing"
    async with Host(app) as host:
        work = app.work(id, kept[id])
        work.info("Read by a person")
        await work.complete({"ticket_id": 7})
        seen = (await host.http.get(f"{TRANSACTIONS}/{id}")).json()
    assert words(seen)[2:] == [
        "Sent to moderation",
        "The end will be reported",
        "Read by a person",
        "Completed",
    ]
    assert seen["events"][-1]["data"] == {"ticket_id": 7}


async def test_deferred_work_sees_that_it_was_cancelled(tmp_path: Path) -> None:
    operations, seen = Operations(), asyncio.Event()
    going_on = []

    @operations.post("/tickets", deferred=True)
    async def create_ticket(tx: Work) -> None:
        async def go_on() -> None:
            while not tx.cancelled:
                await asyncio.sleep(0.001)
            seen.set()

        going_on.append(asyncio.create_task(go_on()))
        tx.defer()

    async with hosted(operations, tmp_path) as host:
        accepted = await host.http.post("/async/tickets")
        id = accepted.json()["request_id"]
        await host.http.get(f"/-/transactions/{id}?after=2", headers={"Prefer": "wait=10"})
        assert (await host.http.delete(accepted.json()["status_url"])).status_code == 200
        await asyncio.wait_for(seen.wait(), 10)


async def test_only_what_is_declared_so_can_be_deferred(tmp_path: Path) -> None:
    operations = Operations()

    @operations.post("/tickets", transactions=TRANSACTIONS)
    async def create_ticket(tx: Work) -> None:
        tx.defer()

    async with hosted(operations, tmp_path) as host:
        assert (await done(host, "/tickets"))["status"] == "failed"


async def test_operations_are_served_beside_an_application(tmp_path: Path) -> None:
    operations = Operations()

    @operations.post("/tickets", transactions=TRANSACTIONS)
    async def create_ticket() -> dict[str, str]:
        return {"by": "operation"}

    @operations.put("/reports")
    async def report(tx: Work) -> dict[str, str]:
        tx.info("nobody keeps this")
        return {"id": tx.id}

    app = Restante(fastapi(), operations=operations, store=store(tmp_path))
    async with Host(app) as host:
        assert (await done(host, "/tickets"))["status"] == "completed"
        assert (await host.http.post("/echo", content="x")).json()["body"] == "x"
        assert (await host.http.put("/reports")).json() == {"id": ""}
        accepted = await host.http.put("/async/reports")
        result = await host.result(accepted)
        assert result.json() == {"id": accepted.json()["request_id"]}
        assert (await host.http.get("/reports")).status_code == 404


async def test_they_are_in_the_description(tmp_path: Path) -> None:
    operations = Operations()

    @operations.post("/shops/{shop}/tickets", transactions=TRANSACTIONS)
    async def create_ticket(shop: int, ticket: NewTicket, note: str = "") -> NewTicket:
        """Opens a ticket.

        And more."""
        return ticket

    @operations.put("/reports")
    async def make_report(model: Model) -> None: ...

    async with hosted(operations, tmp_path) as host:
        document = (await host.http.get("/-/openapi.json")).json()
        assert (await host.http.get("/-/docs")).status_code == 200
    call = document["paths"]["/shops/{shop}/tickets"]["post"]
    assert call["summary"] == "Opens a ticket."
    reference = {"$ref": "#/components/schemas/NewTicket"}
    assert call["requestBody"]["content"]["application/json"]["schema"] == reference
    assert call["x-restante-result"] == reference
    assert {parameter["name"] for parameter in call["parameters"]} >= {"shop", "note"}
    assert document["components"]["schemas"]["NewTicket"]["required"] == ["subject"]
    call = document["paths"]["/async/reports"]["put"]
    assert call["summary"] == "make report"
    assert call["requestBody"]["content"]["application/json"]["schema"]["properties"].keys() == {"subject"}


async def test_work_is_there_for_any_application(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        work = Work.of(scope)
        work.info("From any framework")
        await work.written()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with Host(Restante(app, store=store(tmp_path))) as host:
        for method in ("GET", "POST"):
            accepted = await host.http.request(method, "/async/x")
            ended = await host.ended(accepted.json()["request_id"])
            assert "From any framework" in words(ended)
        assert (await host.http.get("/x")).status_code == 200


async def nothing() -> None: ...


async def one_argument(ticket: NewTicket) -> None: ...


async def two_bodies(a: NewTicket, b: NewTicket) -> None: ...


async def no_annotation(a) -> None: ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize(
    ("path", "settings", "function", "said"),
    [
        ("/x", {"timeout": "soon"}, nothing, "operations.nothing.timeout: expected"),
        ("/x", {"interrupted": "maybe"}, nothing, "operations.nothing.interrupted: expected"),
        ("/x", {"timeoutt": "1s"}, nothing, "operations.nothing.timeoutt: there is no such setting"),
        ("/x", {"retry": {"attempts": 0}}, nothing, "operations.nothing.retry.attempts: expected"),
        ("/x", {"name": "a b"}, nothing, "operations.a b: is no name"),
        ("/{a}/{b}", {}, nothing, "operations.nothing: /{a}/{b}: one part of a path may be named"),
        ("x", {}, nothing, "operations.nothing.match: expected a method"),
        ("/x", {"dialect": "transaction"}, nothing, "operations.nothing.transactions: missing"),
        ("/{id}", {}, nothing, "operations.nothing: id: is in the path and no parameter"),
        ("/x", {}, two_bodies, "operations.two_bodies: b: the body is a already"),
        ("/x", {}, no_annotation, "operations.no_annotation: a: missing its annotation"),
    ],
)
def test_what_is_wrong_is_named_where_it_is_declared(
    path: str, settings: dict[str, Any], function: Any, said: str
) -> None:
    with pytest.raises((SettingError, TypeError)) as error:
        Operations().post(path, **settings)(function)
    assert str(error.value).startswith(said)


def test_each_has_a_name_and_a_path_of_its_own() -> None:
    operations = Operations()
    operations.post("/x")(nothing)
    with pytest.raises(SettingError, match="one of this name already"):
        operations.post("/y")(nothing)
    with pytest.raises(SettingError, match="POST /x is that of nothing already"):
        operations.post("/x")(one_argument)


async def test_what_cannot_be_an_event_is_refused_where_it_is_said(tmp_path: Path) -> None:
    operations, refused = Operations(), []

    @operations.post("/tickets", transactions=TRANSACTIONS)
    async def create_ticket(tx: Work) -> None:
        for message, data in ((" ", {}), ("x" * 1001, {}), ("x", {"much": "x" * 17_000})):
            try:
                tx.info(message, **data)
            except ValueError as error:
                refused.append(str(error))
        tx.info("fine", order=Order(1))

    async with hosted(operations, tmp_path) as host:
        seen = await done(host, "/tickets")
    assert len(refused) == 3
    assert seen["events"][2]["data"] == {"order": {"amount": 1}}


async def test_more_events_than_there_may_be_are_left_out_and_the_end_is_not(tmp_path: Path) -> None:
    operations = Operations()

    @operations.post("/tickets", transactions=TRANSACTIONS)
    async def create_ticket(tx: Work) -> dict[str, int]:
        for number in range(100):
            tx.info(f"{number}")
        return {"ticket_id": 1}

    async with hosted(operations, tmp_path, max_events=20) as host:
        seen = await done(host, "/tickets")
    assert seen["status"] == "completed"
    assert 20 <= len(seen["events"]) <= 22


async def test_constraints_of_annotations_hold(tmp_path: Path) -> None:
    operations = Operations()

    @operations.post("/tickets", transactions=TRANSACTIONS)
    async def create_ticket(count: Annotated[int, msgspec.Meta(ge=1)]) -> dict[str, int]:
        return {"count": count}

    async with hosted(operations, tmp_path) as host:
        assert (await done(host, "/tickets?count=1"))["status"] == "completed"
        assert (await host.http.post("/tickets?count=0")).status_code == 400
