"""Collecting: whatever breaks on the way, the answer is had, or it is told why not."""

import pytest

from restante.client import (
    AnswerLost,
    Cancelled,
    Denied,
    Expired,
    Interrupted,
    NotNow,
    NotReached,
    Refused,
    StillRunning,
    TimedOut,
    Unknown,
    Unreachable,
    WorkFailed,
)
from restante.core.access import Scope
from restante.core.status import Outcome
from restante.gateway.auth import KeyAuth

from ..cli.cable import cut
from ..cli.upstream import Answer, Seen, serving
from ..gateway.conftest import MakeHouse
from ..gateway.house import House
from ..world import eventually
from .callers import BYTES, NO_SUCH
from .conftest import MakeCaller


async def test_an_error_is_read_as_often_as_wanted_and_is_not_used_up(house: House, call: MakeCaller) -> None:
    handle = await call(house.port).submit("POST", "/payments")
    await house.end(handle.id, 422, b'{"error":"no"}')
    for _ in range(2):
        response = await handle.result()
        assert (response.status_code, response.json()) == (422, {"error": "no"})
    seen = await house.ask("GET", f"/async/result/{handle.id}")  # who reads it once still can
    assert (seen.code, seen.body) == (422, b'{"error":"no"}')


@pytest.mark.sound_store("counts what is asked over a cable")
@pytest.mark.parametrize("length", [0, 100, 300_000])
async def test_an_answer_whose_connection_broke_is_read_again(
    house: House, call: MakeCaller, length: int
) -> None:
    id = await house.submit()
    await house.end(id, 500, BYTES)
    url = f"http://127.0.0.1:{house.port}"
    with cut(url, 10**9, length) as cable:
        response = await call(cable.url).handle(id).result()
    assert (response.status_code, response.content) == (500, BYTES)
    assert len(cable.asked) == 3


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.UNREACHABLE, Unreachable),
        (Outcome.TIMED_OUT, TimedOut),
        (Outcome.INTERRUPTED, Interrupted),
        (Outcome.EXPIRED, Expired),
    ],
)
async def test_work_that_broke_is_told_by_how_it_did(
    house: House, call: MakeCaller, outcome: Outcome, kind: type[WorkFailed]
) -> None:
    id = await house.submit()
    await house.breaks(id, outcome)
    for port in (house.port, await house.serve(native=False)):
        with pytest.raises(kind) as told:
            await call(port).handle(id).result()
        assert (told.value.outcome, told.value.id, told.value.outcome_unknown) == (outcome, id, False)


async def test_one_that_was_cancelled_has_no_answer_and_one_that_runs_is_not_cancelled(
    house: House, call: MakeCaller
) -> None:
    handle = await call(house.port).submit("POST", "/payments")
    await handle.cancel()
    await handle.cancel()
    with pytest.raises(Cancelled):
        await handle.result()
    running = await call(house.port).submit("POST", "/payments")
    await house.begin(running.id)
    with pytest.raises(NotNow):
        await running.cancel()


@pytest.mark.sound_store("its client has no time to ask again")
async def test_what_does_not_end_in_time_goes_on(house: House, call: MakeCaller) -> None:
    handle = await call(house.port).submit("POST", "/payments")
    with pytest.raises(StillRunning) as told:
        await handle.result(timeout=0.3)
    assert isinstance(told.value, TimeoutError)
    await house.end(handle.id)
    assert (await handle.result(timeout=0)).status_code == 200


async def test_nobody_in_front_of_a_server_is_taken_for_the_upstream(house: House, call: MakeCaller) -> None:
    id = await house.submit()
    await house.end(id, 200)
    kept = (await house.ask("GET", f"/-/transactions/{id}")).body
    answers: list[Answer] = [
        (502, [], b"<html>"),
        (200, [("Restante-Status", "completed")], kept),
        (504, [], b"<html>"),
        (200, [], b"the answer"),
    ]
    with serving(lambda seen: answers.pop(0)) as web:
        assert (await call(web.url).handle(id).result()).content == b"the answer"


@pytest.mark.parametrize(
    "form",
    [
        "{id}",
        " {id}\n",
        "{url}/async/status/{id}",
        "{url}/async/result/{id}",
        "{url}/-/transactions/{id}",
        "/seller/v0/transactions/{id}",
        "{url}/-/transactions/{id}/result",
    ],
)
async def test_a_handle_is_made_again_from_whatever_names_it(
    house: House, call: MakeCaller, form: str
) -> None:
    id = await house.submit()
    await house.end(id)
    url = f"http://127.0.0.1:{house.port}"
    assert (await call(url).handle(form.format(id=id, url=url)).result()).json() == {"ok": True}


async def test_a_url_of_another_server_is_not_asked_of_this_one(house: House, call: MakeCaller) -> None:
    with pytest.raises(ValueError, match="no transaction of"):
        call(house.port).handle(f"http://elsewhere.example/async/status/{NO_SUCH}")


async def test_what_nobody_knows_is_unknown(house: House, call: MakeCaller) -> None:
    for question in ("status", "result", "show", "cancel"):
        with pytest.raises(Unknown) as told:
            await getattr(call(house.port).handle(NO_SUCH), question)()
        assert told.value.id == NO_SUCH


async def test_a_key_is_sent_and_without_one_nothing_is_told(make_house: MakeHouse, call: MakeCaller) -> None:
    house = await make_house(auth=KeyAuth)
    key = (await house.key("default", Scope.SUBMIT, Scope.READ))["Restante-Key"]
    caller = call(house.port, key=key)
    handle = await caller.submit("POST", "/payments")
    assert await handle.status() == "pending"
    for wrong in (None, "rk_wrong"):
        with pytest.raises(Denied):
            await call(house.port, key=wrong).submit("POST", "/payments")
    with pytest.raises(Denied):
        await call(house.port).handle(handle.id).result()


async def test_a_connection_is_used_again_and_one_that_was_closed_is_not(
    house: House, call: MakeCaller
) -> None:
    caller = call(house.port)
    handle = await caller.submit("POST", "/payments")
    assert len(caller.client._idle) == 1
    line = caller.client._idle[0]
    await handle.status()
    assert list(caller.client._idle) == [line]
    for server in house.servers:
        server.stop()
    await eventually(lambda: not line.alive())
    port = await house.serve()
    assert port
    with pytest.raises(NotReached, match="no answer"):
        caller.client.conversation.patience = 0
        await handle.status()


# -- where /-/ is not served


async def test_without_the_native_api_all_is_read_at_the_tasks_own_urls(
    house: House, call: MakeCaller
) -> None:
    caller = call(await house.serve(native=False))
    handle = await caller.submit("POST", "/channel/v0/tickets", dialect="transaction")
    assert await handle.status() == "pending"
    await house.end(handle.id, 201, BYTES)
    assert await handle.status() == "completed"
    assert (await handle.result()).content == BYTES
    cancelled = await caller.submit("POST", "/payments")
    await cancelled.cancel()
    with pytest.raises(Cancelled):
        await cancelled.result()
    broken = await caller.submit("POST", "/payments")
    await house.breaks(broken.id, Outcome.INTERRUPTED, doubtful=True)
    with pytest.raises(Interrupted) as told:
        await broken.result()
    assert told.value.outcome_unknown is True
    with pytest.raises(Refused, match=r"/-/ is not served at .*another address \(admin_listen\)"):
        await handle.show()
    with pytest.raises(Unknown):
        await caller.handle(NO_SUCH).result()


@pytest.mark.sound_store("its cable is cut after so many bytes")
async def test_an_error_that_is_handed_out_once_is_read_again_where_its_connection_broke(
    house: House, call: MakeCaller
) -> None:
    """The server sees that nobody got it, and gives it to the next who asks."""
    id = await house.submit()
    await house.end(id, 500, BYTES)
    url = f"http://127.0.0.1:{await house.serve(native=False)}"
    with cut(url, 10**9, 10**9, 200_000) as cable:
        caller = call(cable.url)
        response = await caller.handle(id).result()
    assert (response.status_code, response.content) == (500, BYTES)
    with pytest.raises(Unknown) as told:
        await caller.handle(id).result()
    assert not isinstance(told.value, AnswerLost)


async def test_an_error_that_was_handed_over_and_did_not_arrive_is_told_as_lost(call: MakeCaller) -> None:
    def answer(seen: Seen) -> Answer:
        match seen.target, len(web.came):
            case ("/-/transactions/abc", _):
                return 403, [], b"<html>"  # a proxy's
            case ("/async/status/abc", _):
                return 200, [("Restante-Status", "failed")], b'{"status":"completed"}'
            case (_, 3):
                return 0, [], b""
        return 404, [("Restante-Status", "unknown")], b'{"status":"unknown"}'

    with serving(answer) as web, pytest.raises(AnswerLost, match="kept below /-/"):
        await call(web.url).handle("abc").result()
