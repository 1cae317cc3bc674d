"""Every page, as it is read without a script."""

import re

import pytest

from restante.core import change
from restante.core.clock import DAY, HOUR, MINUTE, SECOND
from restante.core.policy import Limits, Route
from restante.core.status import Dialect
from restante.dashboard import transactions
from restante.dashboard.dashboard import TABLE

from ..gateway.conftest import MakeHouse
from ..gateway.house import House
from .visitor import Visitor, text

CARD = "4200000000000000"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def visitor(house: House) -> Visitor:
    return Visitor(house)


async def test_every_page_says_what_it_loads_and_goes_into_no_frame(house: House, visitor: Visitor) -> None:
    id = await house.submit()
    for target in (
        "/-/",
        "/-/ui/transactions",
        f"/-/ui/transactions/{id}",
        f"/-/ui/transactions/{id}/cancel",
        "/-/ui/endpoints",
        "/-/ui/dead",
        f"/-/ui/transactions/{UNKNOWN}",
    ):
        seen = await visitor.get(target)
        assert seen.code == (404 if UNKNOWN in target else 200)
        assert seen.header("content-type") == "text/html; charset=utf-8"
        policy = seen.header("content-security-policy") or ""
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert seen.header("x-frame-options") == "DENY"
        assert seen.header("cache-control") == "no-store"
        assert seen.header("x-content-type-options") == "nosniff"
        html = seen.body.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|<style", html)
        assert set(re.findall(r'(?:src|href)="([^"#]*)', html)) <= {
            *re.findall(r'"(/-/[^"]*)', html),
            "",
        }


async def test_a_head_is_a_get_without_its_body(visitor: Visitor) -> None:
    got = await visitor.get("/-/")
    seen = await visitor.house.ask("HEAD", "/-/")
    assert (seen.code, seen.body) == (200, b"")
    assert seen.header("content-length") == str(len(got.body))


async def test_the_overview_tells_of_what_there_is(house: House, visitor: Visitor) -> None:
    empty = text(await visitor.get("/-/"))
    assert "Nothing has been submitted yet" in empty
    done, waits = await house.submit(), await house.submit()
    house.clock._now += 2 * SECOND
    await house.end(done)
    for name in ("15m", "1h", "6h", "24h", "7d", "30d", "nonsense"):
        seen = await visitor.get(f"/-/?range={name}")
        told = text(seen)
        assert seen.code == 200
        assert done[:8].upper() in told
        assert waits[:8].upper() in told
        assert "Not finished 1 " in told
        assert "Oldest pending 2.0 s" in told
        assert "2 accepted, 1 completed, 0 failed" in seen.body.decode()
        assert "default ✓ well 0 of 64 1 1" in told
    assert "pending" in told
    assert "completed" in told


async def test_a_list_is_searched_by_each_field(make_house: MakeHouse) -> None:
    route = Route(method="POST", path="/channel/v0/tickets", dialect=Dialect.TRANSACTION, operation="update")
    house = await make_house(routes=[route])
    visitor = Visitor(house)
    plain = await house.submit(restante_tracking_id="order-7")
    ticket = await house.submit("/channel/v0/tickets")
    await house.begin(ticket)
    house.clock._now += HOUR
    late = await house.submit("/async/refunds/9")

    async def found(query: str) -> set[str]:
        html = (await visitor.get(f"/-/ui/transactions?{query}")).body.decode()
        return {id for id in (plain, ticket, late) if f"/-/ui/transactions/{id}" in html}

    assert await found("") == {plain, ticket, late}
    assert await found("status=processing") == {ticket}
    assert await found("operation=update") == {ticket}
    assert await found("endpoint=payments") == {plain}
    assert await found("endpoint=/refunds/*") == {late}
    assert await found("tracking_id=order-7") == {plain}
    assert await found("q=order-7") == {plain}
    assert await found("from=2024-11-08T12:00") == {late}
    assert await found("to=2024-11-08T11:49") == {plain, ticket}
    assert await found("status=&operation=&endpoint=&tracking_id=&from=&to=") == {plain, ticket, late}
    for wrong in ("status=odd", "operation=odd", "from=soon", "after=odd", "status=failed&status=failed"):
        seen = await visitor.get(f"/-/ui/transactions?{wrong}")
        assert (seen.code, "Bad request" in text(seen)) == (400, True)


async def test_an_id_or_a_code_leads_to_its_transaction(
    house: House, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [await house.submit() for _ in range(3)]
    for asked in (ids[1], ids[1].upper(), ids[1][:8], ids[1][:8].upper()):
        seen = await visitor.get(f"/-/ui/transactions?q={asked}")
        assert (seen.code, seen.header("location")) == (303, f"/-/ui/transactions/{ids[1]}")
    assert "There is none with this code." in text(await visitor.get("/-/ui/transactions?q=00000000"))
    monkeypatch.setattr(transactions, "LOOKED_AT", 2)
    told = text(await visitor.get("/-/ui/transactions?q=00000000"))
    assert "There is none with this code among the newest 2 that were looked at." in told
    assert (await visitor.get("/-/ui/transactions?q=00000000&before=odd")).code == 400


async def test_a_list_goes_on_page_by_page(house: House, visitor: Visitor) -> None:
    ids = {await house.submit() for _ in range(60)}
    target, seen = "/-/ui/transactions?status=pending", set[str]()
    for _ in range(2):
        html = (await visitor.get(target)).body.decode()
        seen |= set(re.findall(r"/-/ui/transactions/([0-9a-f-]{36})", html))
        older = re.search(r'rel="next" href="([^"]+)"', html)
        if older is None:
            break
        target = older[1].replace("&amp;", "&")
        assert "status=pending" in target
    assert seen == ids


async def test_a_transaction_tells_its_life(house: House, visitor: Visitor) -> None:
    id = await house.submit(restante_tracking_id="order-7")
    house.clock._now += 3 * SECOND
    begun = await house.begin(id)
    later = house.clock.now() + 5 * SECOND
    await house.service.apply(
        change.delay(begun, attempt=1, now=later, until=later + MINUTE, reason="refused <b>", doubtful=False)
    )
    house.clock._now += 10 * SECOND
    told = text(await visitor.get(f"/-/ui/transactions/{id}"))
    for words in (id, id[:8].upper(), "order-7", "POST", "/payments", "Waiting", "Attempts"):
        assert words in told
    assert "Why is it still processing?" in told
    assert "Next attempt Attempt 1 is over; the next one is made then." in told
    assert "( in 55 s )" in told
    assert "refused <b>" in told  # escaped on the page
    assert b"refused <b>" not in (await visitor.get(f"/-/ui/transactions/{id}")).body


async def test_why_it_is_still_pending_is_told(house: House, visitor: Visitor) -> None:
    first, second = await house.submit(), await house.submit()
    delayed = await house.submit(restante_delay="10m")
    house.clock._now += SECOND

    async def why(id: str) -> str:
        return text(await visitor.get(f"/-/ui/transactions/{id}")).partition("Timeline")[0]

    assert "It is the next of default." in await why(first)
    assert "1 of default come before it." in await why(second)
    assert "default takes 64 at a time" in await why(second)
    assert "Delayed It is not to be run before then." in await why(delayed)
    await house.service.pauses.pause("default")
    assert "Paused The upstream default is paused" in await why(first)
    await house.begin(first)
    assert "Under way Attempt 1 is being made." in await why(first)
    await house.end(second)
    assert "Why is it" not in await why(second)


async def test_bodies_are_shown_masked(make_house: MakeHouse) -> None:
    house = await make_house(mask=("/secret",))
    visitor = Visitor(house)
    wire = await house.wire()
    body = b'{"card":"%s","secret":"x-1","deep":{"list":[1,true,null,"<i>"]}}' % CARD.encode()
    sent = await wire.ask("POST", "/async/payments?card=" + CARD, {"Authorization": "Bearer hush"}, body)
    id = sent.json["request_id"]
    before = await visitor.get(f"/-/ui/transactions/{id}")
    await house.end(id, 422, f"card {CARD} refused".encode(), ((b"Content-Type", b"text/plain"),))
    seen = await visitor.get(f"/-/ui/transactions/{id}")
    for page in (before, seen):
        assert CARD.encode() not in page.body
        assert b"hush" not in page.body
        assert b"x-1" not in page.body
        assert b"<i>" not in page.body
    assert "420000******0000" in text(seen)
    assert "card 420000******0000 refused" in text(seen)
    assert "some of it is masked" in text(seen)
    for name in ("request", "result"):
        assert (await visitor.get(f"/-/ui/transactions/{id}/{name}")).code == 404  # it is text


async def test_a_card_in_a_path_is_masked_wherever_that_is_told(house: House, visitor: Visitor) -> None:
    id = await house.submit(f"/async/cards/{CARD}")
    for target in (
        "/-/",
        "/-/ui/transactions",
        f"/-/ui/transactions/{id}",
        f"/-/ui/transactions/{id}/cancel",
    ):
        seen = await visitor.get(target)
        assert "420000******0000" in text(seen), target
        assert CARD.encode() not in seen.body


async def test_what_is_no_text_is_a_file_and_nothing_else(house: House, visitor: Visitor) -> None:
    id = await house.submit()
    await house.end(id, 200, b"\x89PNG\0<script>", ((b"Content-Type", b"text/html"),))
    page = await visitor.get(f"/-/ui/transactions/{id}")
    assert f'href="/-/ui/transactions/{id}/result" download' in page.body.decode()
    assert b"PNG" not in page.body
    seen = await visitor.get(f"/-/ui/transactions/{id}/result")
    assert (seen.code, seen.body) == (200, b"\x89PNG\0<script>")
    assert seen.header("content-type") == "application/octet-stream"
    assert seen.header("content-disposition") == f'attachment; filename="{id[:8].upper()}-result.bin"'
    assert seen.header("x-content-type-options") == "nosniff"
    assert "sandbox" in (seen.header("content-security-policy") or "")


async def test_a_large_body_is_cut_and_a_large_file_comes_whole(make_house: MakeHouse) -> None:
    house = await make_house(limits=Limits(inline_body=1000, chunk=100_000))
    visitor = Visitor(house)
    wire = await house.wire()
    large = b"words and words " * 40_000
    text_id = (await wire.ask("POST", "/async/a", {}, large)).json["request_id"]
    file_id = (await wire.ask("POST", "/async/a", {}, b"\0" + large)).json["request_id"]
    seen = await visitor.get(f"/-/ui/transactions/{text_id}")
    assert "only the beginning is shown" in text(seen)
    assert len(seen.body) < 300 * 1024
    assert (await visitor.get(f"/-/ui/transactions/{file_id}/request")).body == b"\0" + large
    assert f'href="/-/ui/transactions/{text_id}/request" download' in seen.body.decode()
    whole = await visitor.get(f"/-/ui/transactions/{text_id}/request")
    assert (whole.code, whole.body) == (200, large)
    assert whole.header("content-type") == "application/octet-stream"
    assert whole.header("content-disposition") == f'attachment; filename="{text_id[:8].upper()}-request.txt"'
    assert whole.header("x-content-type-options") == "nosniff"
    assert "sandbox" in (whole.header("content-security-policy") or "")


async def test_text_is_read_as_latin_1_only_where_it_is_no_utf_8_and_that_is_said(
    house: House, visitor: Visitor
) -> None:
    wire = await house.wire()
    kind = {"Content-Type": "text/plain"}
    odd = (await wire.ask("POST", "/async/a", kind, b"caf\xe9")).json["request_id"]
    long = (await wire.ask("POST", "/async/a", kind, b"x" + "é".encode() * 200_000)).json["request_id"]
    told = text(await visitor.get(f"/-/ui/transactions/{odd}"))
    assert "café" in told
    assert "read as Latin-1" in told
    told = text(await visitor.get(f"/-/ui/transactions/{long}"))
    assert "xéé" in told  # though it is cut in the middle of a character
    assert "Latin-1" not in told


async def test_long_json_of_which_something_is_hidden_is_no_file(make_house: MakeHouse) -> None:
    house = await make_house(mask=("/secret",))
    visitor = Visitor(house)
    wire = await house.wire()
    long = b'{"secret":"x-1","words":"%b"}' % (b"words " * 60_000)
    id = (await wire.ask("POST", "/async/a", {}, long)).json["request_id"]
    seen = await visitor.get(f"/-/ui/transactions/{id}")
    assert b"x-1" not in seen.body
    assert b"download" not in seen.body
    assert (await visitor.get(f"/-/ui/transactions/{id}/request")).code == 404


async def test_what_is_past_its_retention_is_not_shown(house: House, visitor: Visitor) -> None:
    id = await house.submit()
    await house.end(id)
    house.clock._now += 2 * DAY
    told = text(await visitor.get(f"/-/ui/transactions/{id}"))
    assert "It is past its retention" in told
    assert (await visitor.get(f"/-/ui/transactions/{id}/result")).code == 410


async def test_an_error_is_not_consumed_by_looking(house: House, visitor: Visitor) -> None:
    id = await house.submit()
    await house.end(id, 500, b"oops")
    for _ in range(2):
        assert "oops" in text(await visitor.get(f"/-/ui/transactions/{id}"))
    assert (await house.ask("GET", f"/async/result/{id}")).code == 500


async def test_files_are_kept_by_browsers_under_the_name_of_their_content(visitor: Visitor) -> None:
    page = (await visitor.get("/-/")).body.decode()
    found = set(re.findall(r'"(/-/static/[^"]+)"', page))
    assert len(found) == 3
    for target in found:
        seen = await visitor.get(target)
        assert (seen.code, "immutable" in (seen.header("cache-control") or "")) == (200, True)
        assert "immutable" not in (
            (await visitor.get(target.partition("?")[0])).header("cache-control") or ""
        )
    assert (await visitor.get("/-/static/nothing.css")).code == 404
    assert (await visitor.get("/-/static/../dashboard.py")).code == 404


async def test_what_is_no_page_is_told_so(visitor: Visitor) -> None:
    for target in (
        "/-/ui/",
        "/-/ui/odd",
        "/-/ui/transactions/x/y/z",
        "/-/ui/transactions/odd",
        "/-/ui/endpoints/odd",
    ):
        assert (await visitor.get(target)).code == 404, target
    assert (await visitor.get("/-/odd")).json["status"] == 404  # not the dashboard's


@pytest.mark.parametrize(
    "target",
    [
        "/" + "/".join(("-", "ui", *pattern))
        for pattern, methods in TABLE.items()
        if "GET" in methods and pattern
    ],
)
async def test_an_unknown_id_is_unknown_on_every_page(visitor: Visitor, target: str) -> None:
    if "{id}" in target:
        seen = await visitor.get(target.replace("{id}", UNKNOWN))
        assert seen.code == 404
        assert "There is no " in text(seen)
