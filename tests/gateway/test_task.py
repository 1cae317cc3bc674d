"""Dialect `task` on the wire: seed 000 and the contract's table, column by column."""

import re

import pytest

from restante.core.clock import HOUR, SECOND
from restante.core.policy import Limits
from restante.core.status import Outcome, Reading

from .conftest import MakeHouse
from .house import House

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
WENT_WRONG = {"message": "We're sorry, but something went wrong"}


def unknown(id: str) -> list[tuple[str, str]]:
    return [("status", "unknown"), ("request_id", id)]


# -- accept


async def test_an_accept_answer_has_exactly_the_four_keys_in_order(house: House) -> None:
    wire = await house.wire()
    seen = await wire.ask("POST", "/async/transactions/authorizations?a=1", {}, b'{"request":{}}')
    assert seen.code == 202
    origin = f"http://127.0.0.1:{house.port}"
    id = seen.json["request_id"]
    assert UUID.fullmatch(id)
    assert seen.pairs == [
        ("status", "processing"),
        ("request_id", id),
        ("status_url", f"{origin}/async/status/{id}"),
        ("response_url", f"{origin}/async/result/{id}"),
    ]
    assert seen.header("content-type") == "application/json"
    assert seen.header("location") == f"{origin}/async/status/{id}"
    assert seen.header("retry-after") == "1"
    assert seen.header("restante-status") == "pending"
    assert seen.header("date") == "Fri, 08 Nov 2024 11:49:35 GMT"
    stored = await house.find(id)
    assert (stored.method, stored.path, stored.query) == ("POST", "/transactions/authorizations", "a=1")


async def test_the_accept_code_is_the_configured_one(make_house: MakeHouse) -> None:
    house = await make_house(accept_status=200)
    seen = await house.ask("POST", "/async/x")
    assert seen.code == 200
    assert seen.json["status"] == "processing"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"])
async def test_any_method_is_accepted(house: House, method: str) -> None:
    seen = await house.ask(method, "/async/x")
    assert seen.code == 202
    stored = await house.find((seen.header("location") or "").rpartition("/")[2])
    assert (stored.method, stored.path) == (method, "/x")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "OPTIONS"])
async def test_other_methods_on_a_task_url_are_submits(house: House, method: str) -> None:
    seen = await house.ask(method, "/async/status/7")
    assert seen.code == 202
    assert (await house.find(seen.json["request_id"])).path == "/status/7"


async def test_the_path_is_kept_as_it_came(house: House) -> None:
    for path in ("/", "/a%2Fb//c/../d;x=%FF", "/status", "/%61sync/x"):
        seen = await house.ask("POST", "/async" + path + "?q=%20a+b&&c")
        stored = await house.find(seen.json["request_id"])
        assert (stored.path, stored.query) == (path, "q=%20a+b&&c")


async def test_a_delayed_task_says_when_to_ask(house: House) -> None:
    seen = await house.ask("POST", "/async/x", {"Restante-Delay": "90s"})
    assert seen.header("retry-after") == "90"
    id = seen.json["request_id"]
    await house.clock.advance(80 * SECOND)
    assert (await house.ask("GET", f"/async/result/{id}")).header("retry-after") == "10"
    await house.clock.advance(80 * SECOND)
    assert (await house.ask("GET", f"/async/result/{id}")).header("retry-after") == "1"


async def test_an_accept_that_answers_a_get_is_not_cached(house: House) -> None:
    assert (await house.ask("GET", "/async/x")).header("cache-control") == "no-store"


# -- running


@pytest.mark.parametrize("begun", [False, True])
async def test_while_it_runs_both_urls_say_processing(house: House, begun: bool) -> None:
    id = await house.submit()
    if begun:
        await house.begin(id)
    word = "processing" if begun else "pending"
    status = await house.ask("GET", f"/async/status/{id}")
    assert (status.code, status.pairs) == (200, [("status", "processing"), ("request_id", id)])
    assert status.header("restante-status") == word
    assert status.header("cache-control") == "no-store"
    result = await house.ask("GET", f"/async/result/{id}")
    assert result.code == 425
    origin = f"http://127.0.0.1:{house.port}"
    assert result.pairs == [
        ("status", "processing"),
        ("request_id", id),
        ("status_url", f"{origin}/async/status/{id}"),
        ("response_url", f"{origin}/async/result/{id}"),
    ]
    assert result.header("retry-after") == "1"
    assert result.header("restante-status") == word


async def test_what_is_not_finished_is_never_unknown(make_house: MakeHouse) -> None:
    house = await make_house(limits=Limits(retention=HOUR))
    id = await house.submit()
    await house.clock.advance(2 * HOUR)  # nobody has ended it yet
    assert (await house.ask("GET", f"/async/status/{id}")).json["status"] == "processing"


# -- done


async def test_a_result_is_the_upstreams_answer(house: House) -> None:
    id = await house.submit()
    headers = ((b"Content-Type", b"application/json"), (b"X-A", b"1"), (b"X-B", b"\xe9"), (b"x-a", b"2"))
    await house.end(id, 201, b'{"transaction":{}}', headers)
    status = await house.ask("GET", f"/async/status/{id}")
    assert status.code == 200
    assert status.pairs == [
        ("status", "completed"),
        ("request_id", id),
        ("response_url", f"http://127.0.0.1:{house.port}/async/result/{id}"),
    ]
    assert status.header("restante-status") == "completed"
    for _ in range(3):
        result = await house.ask("GET", f"/async/result/{id}")
        assert (result.code, result.body) == (201, b'{"transaction":{}}')
        assert result.headers == [
            ("content-type", b"application/json"),
            ("x-a", b"1"),
            ("x-b", b"\xe9"),
            ("x-a", b"2"),
            ("content-length", b"18"),
        ]


async def test_a_success_is_kept_for_the_retention_to_the_microsecond(house: House) -> None:
    id = await house.submit()
    await house.clock.advance(23 * HOUR)
    await house.end(id)
    await house.clock.advance(HOUR - 1)
    assert (await house.ask("GET", f"/async/status/{id}")).code == 200
    assert (await house.ask("GET", f"/async/result/{id}")).code == 200
    await house.clock.advance(1)
    for url in (f"/async/status/{id}", f"/async/result/{id}"):
        gone = await house.ask("GET", url)
        assert (gone.code, gone.pairs) == (404, unknown(id))
        assert gone.header("restante-status") == "unknown"


@pytest.mark.parametrize("end", ["error", "broken", "cancelled"])
async def test_whatever_became_of_it_is_unknown_after_the_retention(house: House, end: str) -> None:
    id = await house.submit()
    if end == "error":
        await house.end(id, 422)
    elif end == "broken":
        await house.breaks(id, Outcome.TIMED_OUT)
    else:
        await house.ask("DELETE", f"/async/status/{id}")
    await house.clock.advance(24 * HOUR)
    for method in ("GET", "DELETE"):
        assert (await house.ask(method, f"/async/status/{id}")).pairs == unknown(id)
    assert (await house.ask("GET", f"/async/result/{id}")).pairs == unknown(id)


async def test_head_is_get_without_the_body_and_consumes_nothing(house: House) -> None:
    id = await house.submit()
    await house.end(id, 422, b'{"message":"no"}', ((b"X-A", b"1"),))
    for _ in range(2):
        seen = await house.ask("HEAD", f"/async/result/{id}")
        assert (seen.code, seen.body) == (422, b"")
        assert seen.headers == [("x-a", b"1"), ("content-length", b"16")]
    status = await house.ask("HEAD", f"/async/status/{id}")
    assert (status.code, status.header("restante-status")) == (200, "failed")
    assert (await house.ask("GET", f"/async/result/{id}")).code == 422


async def test_a_kept_content_length_that_is_not_the_bodys_is_not_replayed(house: House) -> None:
    head = await house.submit()
    await house.end(head, 200, b"", ((b"Content-Length", b"1234"), (b"ETag", b'"a"')))
    seen = await house.ask("GET", f"/async/result/{head}")
    assert (seen.code, seen.header("content-length"), seen.header("etag")) == (200, "0", '"a"')
    for code in (204, 304):
        bare = await house.submit()
        await house.end(bare, code, b"", ((b"Content-Length", b"1234"), (b"ETag", b'"a"')))
        seen = await house.ask("GET", f"/async/result/{bare}")
        assert (seen.code, seen.header("content-length"), seen.header("etag")) == (code, None, '"a"')


async def test_hop_by_hop_fields_and_a_false_status_word_are_dropped(house: House) -> None:
    id = await house.submit()
    headers = (
        (b"Transfer-Encoding", b"chunked"),
        (b"Connection", b"keep-alive, X-Hop"),
        (b"Keep-Alive", b"timeout=5"),
        (b"X-Hop", b"1"),
        (b"Restante-Status", b"unknown"),
        (b"Server", b"them"),
    )
    await house.end(id, 200, b"abc", headers)
    seen = await house.ask("GET", f"/async/result/{id}")
    assert seen.headers == [("server", b"them"), ("content-length", b"3")]


async def test_a_large_result_is_streamed_whole(house: House) -> None:
    id = await house.submit()
    body = bytes(range(256)) * 8192  # 2 MiB
    await house.end(id, 200, body)
    assert (await house.ask("GET", f"/async/result/{id}")).body == body


# -- the work itself broke


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.UNREACHABLE, 502),
        (Outcome.INTERRUPTED, 502),
        (Outcome.TIMED_OUT, 504),
        (Outcome.EXPIRED, 504),
    ],
)
async def test_broken_work_says_sorry_and_is_read_once(house: House, outcome: Outcome, code: int) -> None:
    id = await house.submit()
    await house.breaks(id, outcome)
    for method, url in (("GET", "status"), ("GET", "status"), ("HEAD", "result")):
        seen = await house.ask(method, f"/async/{url}/{id}")
        assert (seen.code, seen.header("restante-status")) == (code, "failed")
    seen = await house.ask("GET", f"/async/result/{id}")
    assert (seen.code, seen.json, seen.header("restante-status")) == (code, WENT_WRONG, "failed")
    for url in ("status", "result"):
        assert (await house.ask("GET", f"/async/{url}/{id}")).pairs == unknown(id)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.ANSWERED])
@pytest.mark.parametrize("doubtful", [False, True])
async def test_what_broke_says_how_and_whether_it_may_have_been_done(
    house: House, outcome: Outcome, doubtful: bool
) -> None:
    """Code and body are the same for what was surely not sent and for a card that may have been charged."""
    id = await house.submit()
    for name in ("restante-outcome", "restante-outcome-unknown"):
        assert (await house.ask("GET", f"/async/status/{id}")).header(name) is None
    await house.breaks(id, outcome, doubtful=doubtful)
    for method, url in (("GET", "status"), ("HEAD", "result"), ("GET", "result")):
        seen = await house.ask(method, f"/async/{url}/{id}")
        told = (seen.header("restante-outcome"), seen.header("restante-outcome-unknown"))
        assert told == (outcome.value, "true" if doubtful else "false")
    gone = await house.ask("GET", f"/async/result/{id}")
    assert (gone.code, gone.header("restante-outcome")) == (404, None)


async def test_an_upstream_cannot_say_how_it_broke(house: House) -> None:
    id = await house.submit()
    await house.end(
        id, 502, b"", ((b"Restante-Outcome", b"unreachable"), (b"Restante-Outcome-Unknown", b"false"))
    )
    seen = await house.ask("GET", f"/async/result/{id}")
    assert (seen.code, [name for name, _ in seen.headers]) == (502, ["content-length"])


# -- read once


async def test_an_error_result_is_read_once(house: House) -> None:
    id = await house.submit()
    await house.end(id, 422, b'{"message":"no"}', ((b"Content-Type", b"application/json"),))
    assert (await house.ask("GET", f"/async/status/{id}")).json["status"] == "completed"
    assert (await house.ask("GET", f"/-/transactions/{id}/result")).code == 422
    seen = await house.ask("GET", f"/async/result/{id}")
    assert (seen.code, seen.body) == (422, b'{"message":"no"}')
    assert seen.headers == [("content-type", b"application/json"), ("content-length", b"16")]
    for url in ("status", "result"):
        gone = await house.ask("GET", f"/async/{url}/{id}")
        assert (gone.code, gone.pairs) == (404, unknown(id))
    await house.reading_becomes(id, Reading.READ)
    assert (await house.ask("DELETE", f"/async/status/{id}")).pairs == unknown(id)


@pytest.mark.parametrize("code", [300, 302, 304, 400, 404, 425, 500, 599])
async def test_whatever_is_not_2xx_is_read_once(house: House, code: int) -> None:
    id = await house.submit()
    await house.end(id, code, b"", ((b"Location", b"/elsewhere"),))
    seen = await house.ask("GET", f"/async/result/{id}")
    assert (seen.code, seen.header("location")) == (code, "/elsewhere")
    assert seen.header("restante-status") is None
    assert (await house.ask("GET", f"/async/result/{id}")).pairs == unknown(id)


# -- unknown


@pytest.mark.parametrize(
    "id",
    [
        "",
        "10203",
        "00000000-0000-0000-0000-000000000000",
        "a2ac9f8e-1b22-886b-be46-528e48be6c76",
        "a2ac9f8e-1b22-486b-be46-528e48be6c76/",
        "a/b/c",
        "%FF%00",
        "..%2F..%2Fetc",
        "'%20OR%201=1--",
        '"%22<script>',
        "x" * 5000,
    ],
)
async def test_an_unknown_id_of_any_form_is_404_unknown(house: House, id: str) -> None:
    for method, url in (("GET", "status"), ("GET", "result"), ("DELETE", "status")):
        seen = await house.ask(method, f"/async/{url}/{id}?x=1")
        assert (seen.code, seen.pairs) == (404, unknown(id))
        assert seen.header("restante-status") == "unknown"
        assert seen.header("content-type") == "application/json"


async def test_an_id_in_another_case_is_unknown(house: House) -> None:
    id = (await house.submit()).upper()
    assert (await house.ask("GET", f"/async/status/{id}")).pairs == unknown(id)


# -- cancel


async def test_a_waiting_task_can_be_cancelled(house: House) -> None:
    id = await house.submit()
    for _ in range(2):  # a second cancel answers like the first
        seen = await house.ask("DELETE", f"/async/status/{id}")
        assert (seen.code, seen.pairs) == (200, [("status", "cancelled"), ("request_id", id)])
    status = await house.ask("GET", f"/async/status/{id}")
    assert (status.code, status.pairs) == (200, [("status", "cancelled"), ("request_id", id)])
    assert status.header("restante-status") == "cancelled"
    for _ in range(3):
        result = await house.ask("GET", f"/async/result/{id}")
        assert (result.code, list(result.json)) == (410, ["message"])
        assert result.header("restante-status") == "cancelled"


@pytest.mark.parametrize("end", [None, 200, 422])
async def test_it_may_be_too_late_to_cancel(house: House, end: int | None) -> None:
    id = await house.submit()
    if end is None:
        await house.begin(id)
    else:
        await house.end(id, end)
    seen = await house.ask("DELETE", f"/async/status/{id}")
    assert (seen.code, list(seen.json)) == (409, ["message"])
    word = {None: "processing", 200: "completed", 422: "failed"}[end]
    assert seen.header("restante-status") == word


async def test_a_result_cannot_be_deleted(house: House) -> None:
    id = await house.submit()
    seen = await house.ask("DELETE", f"/async/result/{id}")
    assert (seen.code, list(seen.json), seen.header("allow")) == (405, ["message"], "GET, HEAD")


# -- idempotency


@pytest.mark.parametrize("header", ["Idempotency-Key", "RequestID"])
async def test_the_same_key_and_request_is_the_same_task(house: House, header: str) -> None:
    wire = await house.wire()
    first = await wire.ask("POST", "/async/x", {header: "k"}, b"{}")
    await house.end(first.json["request_id"])
    again = await wire.ask("POST", "/async/x", {header: '"k"'}, b"{}")
    assert (again.code, again.body) == (first.code, first.body)
    assert again.header("idempotent-replayed") == "true"
    assert [pair for pair in again.headers if pair[0] != "idempotent-replayed"] == first.headers
    other = await wire.ask("POST", "/async/x", {header: "k"}, b"{ }")
    assert (other.code, list(other.json)) == (422, ["message"])


async def test_a_replay_makes_a_read_error_readable_once_more(house: House) -> None:
    id = await house.submit(Idempotency_Key="k")
    await house.end(id, 422)
    assert (await house.ask("GET", f"/async/result/{id}")).code == 422
    assert (await house.ask("GET", f"/async/result/{id}")).code == 404
    assert await house.submit(Idempotency_Key="k") == id
    assert (await house.ask("GET", f"/async/result/{id}")).code == 422
    assert (await house.ask("GET", f"/async/result/{id}")).code == 404


async def test_a_deadline_longer_than_the_retention_is_refused(house: House) -> None:
    seen = await house.ask("POST", "/async/x", {"Restante-Deadline": "25h"})
    assert (seen.code, seen.json["field"]) == (400, "Restante-Deadline")
    assert house.store.queued == 0


async def test_callers_are_told_what_the_route_has_lately_taken(house: House) -> None:
    first = await house.submit()
    house.clock._now += 20 * SECOND
    await house.end(first)
    seen = await house.ask("POST", "/async/payments", None, b"{}")
    assert seen.header("retry-after") == "20"
    house.clock._now += 5 * SECOND
    for url in (seen.json["status_url"], seen.json["response_url"]):
        asked = await house.ask("GET", url.removeprefix(f"http://127.0.0.1:{house.port}"))
        assert (asked.json["status"], asked.header("retry-after")) == ("processing", "15")
