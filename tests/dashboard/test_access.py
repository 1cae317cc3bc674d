"""Who sees what, for how long, and whose forms are ours."""

import re
from typing import Any

import pytest

from restante.core.access import EVERYBODY, Scope
from restante.core.clock import DAY, HOUR, SECOND
from restante.core.status import Status
from restante.dashboard.dashboard import CONTENT, TABLE
from restante.dashboard.session import LIFE
from restante.gateway import KeyAuth, PassthroughAuth

from ..gateway.conftest import MakeHouse
from ..gateway.house import House
from .visitor import Visitor, hidden, text


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house(auth=KeyAuth)


async def one(house: House, tenant: str = "default") -> str:
    """A transaction of the tenant's."""
    key = await house.key(tenant)
    seen = await house.ask("POST", "/async/payments", key, b"{}")
    id: str = seen.json["request_id"]
    return id


def pages(id: str) -> list[str]:
    return ["/" + "/".join(("-", "ui", *pattern)).replace("{id}", id) for pattern in TABLE if pattern]


async def test_who_is_not_logged_in_is_sent_to_the_login_and_back(house: House) -> None:
    visitor = Visitor(house)
    id = await one(house)
    for target in ("/-/", "/-/ui/transactions?status=pending", *pages(id)):
        seen = await visitor.get(target)
        assert (seen.code, seen.body) == (303, b"")
        assert (seen.header("location") or "").startswith("/-/login")
    place = (await visitor.get("/-/ui/transactions?status=pending")).header("location") or ""
    key = (await house.key())["Restante-Key"]
    seen = await visitor.submit(place, key=key)
    assert (seen.code, seen.header("location")) == (303, "/-/ui/transactions?status=pending")
    assert (await visitor.get("/-/ui/transactions?status=pending")).code == 200


async def test_the_cookie_is_for_nobody_else(house: House) -> None:
    visitor = Visitor(house)
    key = (await house.key())["Restante-Key"]
    seen = await visitor.submit("/-/login", key=key)
    cookie = seen.header("set-cookie") or ""
    assert {"Path=/-/", "HttpOnly", "SameSite=Strict", f"Max-Age={LIFE // SECOND}"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert key not in cookie
    assert key.encode() not in seen.body


async def test_behind_https_the_cookie_is_secure(make_house: MakeHouse) -> None:
    house = await make_house(auth=KeyAuth, public_url="https://pay.example")
    visitor = Visitor(house)
    key = (await house.key())["Restante-Key"]
    page = await visitor.get("/-/login")
    form = {**hidden(page), "key": key}
    seen = await visitor.post("/-/login", form, Origin="https://pay.example")
    assert "; Secure" in (seen.header("set-cookie") or "")


@pytest.mark.parametrize(
    "place", ["//evil.example", "https://evil.example", "/\\evil", "ui/../../x", "ui/\r\nX: y"]
)
async def test_nobody_is_sent_elsewhere(house: House, place: str) -> None:
    visitor = Visitor(house)
    page = await visitor.get("/-/login")
    key = (await house.key())["Restante-Key"]
    seen = await visitor.post("/-/login", {**hidden(page), "next": place, "key": key})
    assert (seen.code, seen.header("location")) == (303, "/-/")


@pytest.mark.parametrize(
    "wrong", ["", "nonsense", "rst_" + "0" * 20 + "_" + "x" * 32, "rst_" + "x" * 500, "é"]
)
async def test_a_wrong_key_is_no_login(house: House, wrong: str) -> None:
    visitor = Visitor(house)
    seen = await visitor.submit("/-/login", key=wrong)
    assert seen.code in (400, 403)
    assert visitor.cookie is None


async def test_a_key_that_may_look_at_nothing_is_no_login(house: House) -> None:
    visitor = Visitor(house)
    key = (await house.key("default", Scope.SUBMIT))["Restante-Key"]
    seen = await visitor.submit("/-/login", key=key)
    assert (seen.code, visitor.cookie) == (403, None)
    assert "neither the scope" in text(seen)


async def test_who_comes_by_a_link_elsewhere_is_let_in_all_the_same(house: House) -> None:
    visitor = await Visitor(house).log_in()
    target = "/-/ui/transactions?status=pending"
    seen = await house.ask("GET", target, {"Sec-Fetch-Site": "cross-site"})  # without the cookie
    assert seen.code == 200
    assert f'content="0; url={target}"' in seen.body.decode()
    fields = {"Cookie": visitor.cookie or "", "Sec-Fetch-Site": "same-origin"}
    assert "Transactions" in text(await house.ask("GET", target, fields))
    assert (await house.ask("GET", target, {"Sec-Fetch-Site": "same-origin"})).code == 303


async def test_a_session_ends_with_its_key_its_time_or_a_log_out(house: House) -> None:
    key, shown = await house.service.keys.make(tenant="default", scopes=tuple(Scope), span=None)
    first, second = Visitor(house), Visitor(house)
    for visitor in (first, second):
        assert (await visitor.submit("/-/login", key=shown)).code == 303
        assert (await visitor.get("/-/")).code == 200
    page = await first.get("/-/")
    assert (await first.post("/-/logout", {"token": hidden(page)["token"]})).header("location") == "/-/login"
    assert first.cookie is None
    assert (await first.get("/-/")).code == 303
    assert (await second.get("/-/")).code == 200
    await house.service.keys.revoke("default", key.id)
    assert (await second.get("/-/")).code == 303

    third = await Visitor(house).log_in()
    house.clock._now += LIFE - SECOND
    assert (await third.get("/-/")).code == 200
    house.clock._now += SECOND
    assert (await third.get("/-/")).code == 303


async def test_a_session_lasts_no_longer_than_its_key(house: House) -> None:
    _, shown = await house.service.keys.make(tenant="default", scopes=tuple(Scope), span=HOUR)
    visitor = Visitor(house)
    assert "Max-Age=3600;" in ((await visitor.submit("/-/login", key=shown)).header("set-cookie") or "")
    house.clock._now += HOUR
    assert (await visitor.get("/-/")).code == 303


async def test_a_cookie_that_was_changed_is_none(house: House) -> None:
    visitor = await Visitor(house).log_in()
    good = visitor.cookie or ""
    assert (await visitor.get("/-/")).code == 200
    for place in (20, 60, len(good) - 2):
        other = "A" if good[place] != "A" else "B"
        visitor.cookie = good[:place] + other + good[place + 1 :]
        assert (await visitor.get("/-/")).code == 303
    for odd in (
        "restante-session=",
        "restante-session=x",
        "restante-session=" + "A" * 500,
        f"{good}; {good}",
    ):
        visitor.cookie = odd
        assert (await visitor.get("/-/")).code == 303


async def test_another_process_knows_the_session(house: House) -> None:
    visitor = await Visitor(house).log_in()
    port = await house.serve()
    assert visitor.cookie is not None
    wire = await house.wire(port)
    assert (await wire.ask("GET", "/-/", {"Cookie": visitor.cookie})).code == 200


async def test_a_cookie_opens_nothing_but_pages(house: House) -> None:
    visitor = await Visitor(house).log_in()
    id = await one(house)
    for target in ("/-/transactions", f"/-/transactions/{id}", "/-/events", f"/async/status/{id}"):
        assert (await visitor.get(target)).code == 401
    assert (await visitor.post(f"/-/transactions/{id}/cancel", {})).code == 401


async def test_a_key_in_a_header_field_opens_no_page(house: House) -> None:
    assert (await house.ask("GET", "/-/", await house.key())).code == 303


async def test_somebody_elses_is_as_what_never_was(house: House) -> None:
    theirs, never = await one(house), "00000000-0000-4000-8000-000000000000"
    visitor = await Visitor(house).log_in("other")
    assert theirs not in (await visitor.get("/-/")).body.decode()
    assert theirs not in (await visitor.get("/-/ui/transactions")).body.decode()
    for here, nowhere in zip(pages(theirs), pages(never), strict=True):
        if here == nowhere:
            continue
        seen, empty = await visitor.get(here), await visitor.get(nowhere)
        assert (seen.code, text(seen)) == (empty.code, text(empty))
        assert seen.code in (403, 404)
    token = hidden(await visitor.get("/-/"))["token"]
    for action in ("cancel", "retry"):
        assert (await visitor.post(f"/-/ui/transactions/{theirs}/{action}", {"token": token})).code == 404
    assert (await house.find(theirs)).status is Status.PENDING
    found = await visitor.get(f"/-/ui/transactions?q={theirs[:8]}")
    assert "There is none with this code" in text(found)


async def test_one_tenant_is_not_told_of_the_others(house: House) -> None:
    for _ in range(3):
        await one(house)
    mine = await one(house, "other")
    visitor = await Visitor(house).log_in("other")
    told = text(await visitor.get("/-/"))
    assert "Not finished 1 " in told
    assert "Running" not in told
    assert "1 accepted" in (await visitor.get("/-/")).body.decode()
    assert (await visitor.get("/-/?tenant=default")).body.decode().count("/-/ui/transactions/") == (
        await visitor.get("/-/")
    ).body.decode().count("/-/ui/transactions/")
    assert "tenants have something waiting" not in text(await visitor.get(f"/-/ui/transactions/{mine}"))
    assert (await visitor.get("/-/ui/upstreams/default/pause")).code == 403


async def test_who_reaches_everybody_sees_all_and_each(house: House) -> None:
    mine, theirs = await one(house), await one(house, "other")
    await house.end(mine)
    house.clock._now += 3 * SECOND
    visitor = await Visitor(house).log_in(EVERYBODY, Scope.READ, Scope.OPERATE)
    seen = await visitor.get("/-/")
    told = text(seen)
    assert "Not finished 1 " in told
    assert "0 of 64" in told
    assert "2 accepted, 1 completed" in seen.body.decode()
    assert "default 1 0" in told  # tenants
    assert "Longest due 3.0 s" in told
    for id, tenant in ((mine, "default"), (theirs, "other")):
        assert re.search(rf"{id[:8].upper()} .*? {tenant} ", told.partition("Latest")[2])
    listed = await visitor.get("/-/ui/transactions?tenant=other")
    assert f"/-/ui/transactions/{theirs}?tenant=other" in listed.body.decode()
    assert mine not in listed.body.decode()
    assert "Whose?" in text(await visitor.get("/-/ui/transactions"))
    assert (await visitor.get(f"/-/ui/transactions/{mine}")).code == 200
    seen = await visitor.submit(f"/-/ui/transactions/{theirs}/cancel?tenant=other")
    assert seen.header("location") == f"/-/ui/transactions/{theirs}?tenant=other"
    found = await house.service.look("other", theirs)
    assert found is not None
    assert found.status is Status.CANCELLED


async def test_who_may_look_may_not_change_anything(house: House) -> None:
    id = await one(house)
    visitor = await Visitor(house).log_in("default", Scope.READ)
    page = await visitor.get(f"/-/ui/transactions/{id}")
    assert "Cancel" not in text(page)
    token = hidden(page)["token"]
    for pattern, methods in TABLE.items():
        if "POST" in methods:
            target = "/-/ui/" + "/".join(pattern).replace("{id}", id)
            assert (await visitor.get(target)).code == 403
            assert (await visitor.post(target, {"token": token})).code == 403
    assert (await house.find(id)).status is Status.PENDING


async def test_contents_are_for_who_may_read(house: House) -> None:
    id = await one(house)
    visitor = await Visitor(house).log_in("default", Scope.OPERATE)
    assert "for keys of the scope read" in text(await visitor.get(f"/-/ui/transactions/{id}"))
    contents = [pattern for pattern, methods in TABLE.items() if methods.get("GET", (0, 0))[1] == CONTENT]
    assert len(contents) == 2
    for pattern in contents:
        assert (await visitor.get("/-/ui/" + "/".join(pattern).replace("{id}", id))).code == 403


FOREIGN: list[dict[str, Any]] = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "", "Sec_Fetch_Site": ""},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "none"},
]


@pytest.mark.parametrize("fields", FOREIGN, ids=str)
@pytest.mark.parametrize("open", [True, False], ids=["open", "keys"])
async def test_a_form_of_another_page_changes_nothing(
    make_house: MakeHouse, fields: dict[str, str], open: bool
) -> None:
    house = await make_house(**({} if open else {"auth": KeyAuth}))
    visitor = Visitor(house)
    id = await one(house)
    if not open:
        await visitor.log_in()
    target = f"/-/ui/transactions/{id}/cancel"
    form = hidden(await visitor.get(target))
    assert (await visitor.post(target, form, **fields)).code == 403
    assert (await house.find(id)).status is Status.PENDING
    assert (await visitor.post(target, form)).code == 303
    assert (await house.find(id)).status is Status.CANCELLED


async def test_a_form_brings_the_token_of_its_session_and_day(house: House) -> None:
    id = await one(house)
    visitor, other = await Visitor(house).log_in(), await Visitor(house).log_in()
    house.clock._now += 1  # sessions of one moment would be one
    target = f"/-/ui/transactions/{id}/cancel"
    theirs = hidden(await other.get(target))["token"]
    for token in ("", "x", theirs):
        assert (await visitor.post(target, {"token": token})).code == 403
    assert (await house.find(id)).status is Status.PENDING


async def test_a_form_of_three_days_ago_is_too_old(make_house: MakeHouse) -> None:
    house = await make_house()
    visitor = Visitor(house)
    id = await house.submit()
    target = f"/-/ui/transactions/{id}/cancel"
    form = hidden(await visitor.get(target))
    house.clock._now += 3 * DAY
    assert "too old" in text(await visitor.post(target, form))


async def test_a_page_that_may_ask_for_answers_may_not_send_forms(make_house: MakeHouse) -> None:
    house = await make_house(cors_origins=("https://shop.example",))
    visitor = Visitor(house)
    id = await house.submit()
    target = f"/-/ui/transactions/{id}/cancel"
    form = hidden(await visitor.get(target))
    seen = await visitor.post(target, form, Origin="https://shop.example", Sec_Fetch_Site="cross-site")
    assert seen.code == 403
    assert (await house.find(id)).status is Status.PENDING


async def test_by_a_foreign_name_there_is_no_page(make_house: MakeHouse) -> None:
    house = await make_house(hosts=frozenset({"localhost"}))
    id = await house.submit()
    for target in ("/-/", "/-/login", f"/-/ui/transactions/{id}", "/-/ui/live"):
        assert (await house.ask("GET", target, {"Host": "evil.example"})).code == 421
    form = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert (await house.ask("POST", f"/-/ui/transactions/{id}/cancel", form, b"token=x")).code == 421


async def test_where_nobody_is_asked_for_a_key_there_is_no_login(make_house: MakeHouse) -> None:
    visitor = Visitor(await make_house())
    for target in ("/-/login", "/-/logout"):
        seen = await visitor.get(target)
        assert (seen.code, seen.header("location")) == (303, "/-/")
    assert "Log out" not in (await visitor.get("/-/")).body.decode()


async def test_operators_of_a_passthrough_have_keys(make_house: MakeHouse) -> None:
    house = await make_house(auth=PassthroughAuth)
    assert (await house.ask("GET", "/-/", {"Authorization": "Basic eDp5"})).code == 303
    visitor = await Visitor(house).log_in(EVERYBODY, Scope.READ, Scope.OPERATE)
    assert (await visitor.get("/-/")).code == 200


async def test_a_form_is_small(house: House) -> None:
    visitor = Visitor(house)
    assert (await visitor.post("/-/login", {"key": "x" * 20_000})).code == 413
