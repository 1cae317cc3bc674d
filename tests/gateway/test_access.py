"""Who is let in: keys and how they come, scopes, revocation, the upstream's credentials, foreign pages."""

from base64 import b64encode
from typing import Any

import pytest

from restante.core.access import EVERYBODY, Scope
from restante.core.clock import DAY, SECOND
from restante.core.errors import StoreUnavailable
from restante.core.policy import Route
from restante.core.status import Dialect
from restante.gateway import KeyAuth, PassthroughAuth
from restante.gateway.access import NATIVE, OPEN, ROOMS
from restante.gateway.rooms import Room
from restante.service.keys import AWAY, FRESH, KNOWN, Keys

from ..fakes import FakeClock, SeededChance
from .conftest import MakeHouse
from .house import House
from .test_native import is_problem
from .wire import Seen

TICKETS = Route(method="POST", path="/tickets", dialect=Dialect.TRANSACTION, transactions="/seller")
SHOP = {"Authorization": "Basic " + b64encode(b"363:secret").decode()}
OTHER_SHOP = {"Authorization": "Basic " + b64encode(b"364:secret").decode()}
PAGE = "https://app.example"


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house(auth=KeyAuth, routes=[TICKETS])


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def ways(key: str) -> list[dict[str, str]]:
    """In which a key may come."""
    return [
        {"Restante-Key": key},
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"bearer  {key}"},
        {"Authorization": basic("anybody", key)},
        {"Authorization": basic(key, "")},
    ]


async def kept(house: House, id: str) -> dict[str, str]:
    """The header fields that are stored with a transaction."""
    (request,) = await house.store.requests([(await house.find(id)).key])
    assert request is not None
    return {name.decode(): value.decode() for name, value in request.headers}


# -- keys


async def test_a_key_comes_in_a_field_of_ours_or_as_authorization_and_goes_no_further(house: House) -> None:
    key = (await house.key())["Restante-Key"]
    for headers in ways(key):
        seen = await house.ask("POST", "/async/payments", headers, b"{}")
        assert seen.code == 202, headers
        stored = await kept(house, seen.json["request_id"])
        assert "authorization" not in stored
        assert key not in "".join(stored.values())
        assert (await house.ask("POST", "/plain", headers, b"{}")).code == 200
        assert house.upstream.came[-1].header("authorization") is None
        assert house.upstream.came[-1].header("restante-key") is None


async def test_beside_our_own_field_authorization_is_the_upstreams(house: House) -> None:
    headers = {**await house.key(), **SHOP}
    seen = await house.ask("POST", "/async/payments", headers, b"{}")
    assert (await kept(house, seen.json["request_id"]))["authorization"] == SHOP["Authorization"]
    await house.ask("GET", "/plain", headers)
    assert house.upstream.came[-1].header("authorization") == SHOP["Authorization"]


@pytest.mark.parametrize(
    "target",
    ["/async/x", "/async/status/x", "/async/result/x", "/tickets", "/seller/x", "/plain", "/-/transactions"],
)
async def test_without_a_good_key_nothing_is_told_or_sent(house: House, target: str) -> None:
    key = (await house.key())["Restante-Key"]
    old, gone = await house.key(span=SECOND), await house.key()
    await house.clock.advance(SECOND)
    await house.service.keys.revoke("default", gone["Restante-Key"].split("_")[1])
    seen = [
        await house.ask("GET" if target.startswith("/-/") else "POST", target, headers)
        for headers in (
            {},
            {"Restante-Key": ""},
            {"Restante-Key": key[:-1]},
            {"Restante-Key": key.upper()},
            {"Restante-Key": key + "x" * 5000},
            {"Authorization": key},
            {"Authorization": "Basic " + "=" * 7},
            {"Authorization": "Basic " + "A" * 4000},
            {"Authorization": "Digest " + key},
            SHOP,
            {"Restante-Key": "rst_", "Authorization": f"Bearer {key}"},
            old,
            gone,
        )
    ]
    assert {one.code for one in seen} == {401}
    assert all(
        one.header(
            "www-authenticate",
        ).startswith("Bearer")
        for one in seen
    )  # type: ignore[union-attr]
    assert all(key not in str(one.body) for one in seen)
    assert not house.upstream.came


async def test_two_keys_are_none(house: House) -> None:
    one, other = await house.key(), await house.key()
    wire = await house.wire()
    for name in (b"Restante-Key: ", b"Authorization: Bearer "):
        fields = b"".join(name + key["Restante-Key"].encode() + b"\r\n" for key in (one, other))
        wire.write(b"POST /async/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" + fields + b"\r\n")
        assert (await wire.answer()).code == 401


async def test_a_key_of_ours_beside_another_is_not_sent_on(house: House) -> None:
    one, other = await house.key(), (await house.key())["Restante-Key"]
    for authorization in (f"Bearer {other}", basic(other, ""), basic(other, "x"), basic("x", other)):
        for target in ("/async/x", "/plain"):
            seen = await house.ask("POST", target, {**one, "Authorization": authorization}, b"{}")
            assert seen.code == 401
    assert not house.upstream.came


async def test_a_key_that_reaches_all_tenants_does_not_use_up_an_error(house: House) -> None:
    who, all = await house.key(), await house.key(EVERYBODY, Scope.READ)
    id = await house.submit(**who)
    await house.end(id, 500, b"sorry")
    for _ in range(2):
        assert (await house.ask("GET", f"/async/result/{id}", all)).body == b"sorry"
    assert (await house.ask("GET", f"/async/result/{id}", who)).body == b"sorry"
    for one in (who, all):
        assert (await house.ask("GET", f"/async/result/{id}", one)).code == 404


@pytest.mark.parametrize("scope", list(Scope))
async def test_each_call_needs_its_scope_and_no_other(house: House, scope: Scope) -> None:
    who = await house.key("default", scope)
    calls = {name: need for name, need in NATIVE.items() if need is not OPEN}
    targets = {
        Room.TASK_STATUS: "/async/status/x",
        Room.TASK_RESULT: "/async/result/x",
        Room.TRANSACTIONS: "/seller",
        Room.TRANSACTION: "/seller/x",
        Room.TASK: "/async/x",
        Room.SUBMIT: "/tickets",
        Room.PREFER: "/other",
        Room.THROUGH: "/other",
    }
    for room, needs in ROOMS.items():
        calls |= {
            f"{'POST' if method == '*' else method} {targets[room]} {room}": need
            for method, need in needs.items()
        }
    for name, need in calls.items():
        method, target, *room = name.split(" ")
        headers = {**who, **({"Prefer": "respond-async"} if room == [str(int(Room.PREFER))] else {})}
        seen = await house.ask(
            method, target.replace("{id}", "x"), headers, None if method == "GET" else b"{}"
        )
        assert (seen.code == 403) is (scope not in need.scopes or need.all), (name, seen.body)


async def test_what_needs_no_scope_needs_no_key(house: House) -> None:
    for target in ("/-/healthz", "/-/readyz"):
        assert (await house.ask("GET", target)).code == 200


async def test_a_key_that_is_known_is_asked_for_without_a_task(house: House) -> None:
    key = await house.key()
    headers = [(b"restante-key", key["Restante-Key"].encode())]
    assert house.auth.recognise(headers) is None
    admitted = await house.auth.identify(headers)
    assert house.auth.recognise(headers) == admitted
    await house.clock.advance(FRESH)
    assert house.auth.recognise(headers) is None


# -- revoking


async def code(house: House, who: dict[str, str]) -> int:
    return (await house.ask("GET", "/-/transactions", who)).code


async def test_a_key_is_revoked_at_once_where_it_is_revoked(house: House) -> None:
    boss, who = await house.key(), await house.key()
    assert await code(house, who) == 200
    id = who["Restante-Key"].split("_")[1]
    seen = await house.ask("POST", f"/-/keys/{id}/revoke", boss, b"")
    assert (seen.code, seen.json["good"]) == (200, False)
    assert await code(house, who) == 401
    again = await house.ask("POST", f"/-/keys/{id}/revoke", boss, b"")
    assert again.json == seen.json


async def test_a_key_that_was_revoked_elsewhere_is_good_for_a_second_or_until_that_is_heard(
    house: House,
) -> None:
    for heard in (False, True):
        who = await house.key()
        assert await code(house, who) == 200
        id = who["Restante-Key"].split("_")[1]
        await house.store.revoke_keys([id], tenant="default", now=house.clock.now())
        assert await code(house, who) == 200
        if heard:
            house.service.keys.heard()
        else:
            await house.clock.advance(FRESH)
        assert await code(house, who) == 401


class Ring:
    """A store's keys, which may be away."""

    secret = bytes(16)

    def __init__(self) -> None:
        self.keys: dict[bytes, Any] = {}
        self.away = False
        self.asked = 0
        self.meanwhile = lambda: None

    async def add_keys(self, keys: Any) -> None:
        self.keys |= {key.digest: key for key in keys}

    async def find_keys(self, digests: Any) -> list[Any]:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        found = [self.keys.get(digest) for digest in digests]
        self.meanwhile()
        return found


async def known(ring: Ring) -> tuple[Keys, FakeClock, bytes]:
    clock = FakeClock()
    keys = Keys(store=ring, clock=clock, chance=SeededChance())  # type: ignore[arg-type]
    key, _ = await keys.make(tenant="one", scopes=[Scope.READ], span=DAY)
    assert await keys.find(key.digest) == key
    return keys, clock, key.digest


async def test_a_known_key_is_good_for_a_while_after_the_store_went_away() -> None:
    ring = Ring()
    keys, clock, digest = await known(ring)
    ring.away = True
    await clock.advance(FRESH)
    assert await keys.find(digest)
    asked = ring.asked
    assert await keys.find(digest)
    assert ring.asked == asked, "a store that is away is asked once in a second, too"
    with pytest.raises(StoreUnavailable):
        await keys.find(bytes(32))
    await clock.advance(AWAY - FRESH)
    with pytest.raises(StoreUnavailable):
        await keys.find(digest)


async def test_a_key_that_is_revoked_while_it_is_looked_up_is_looked_up_again() -> None:
    ring = Ring()
    keys, clock, digest = await known(ring)
    await clock.advance(FRESH)

    def meanwhile() -> None:
        ring.meanwhile = lambda: None
        keys.heard()

    ring.meanwhile = meanwhile
    assert await keys.find(digest)
    assert keys.at_hand(digest) is None


async def test_a_key_expires_to_the_second_also_where_it_is_known() -> None:
    keys, clock, digest = await known(Ring())
    await clock.advance(DAY - 1)
    assert await keys.find(digest)
    await clock.advance(1)
    assert keys.at_hand(digest) is None
    assert await keys.find(digest) is None


async def test_only_so_many_keys_are_remembered() -> None:
    ring = Ring()
    keys, _, first = await known(ring)
    for number in range(KNOWN):
        key, _ = await keys.make(tenant=f"t{number}", scopes=[Scope.READ], span=None)
        await keys.find(key.digest)
    assert keys.at_hand(first) is None
    assert keys.at_hand(key.digest) is not None


# -- below /-/


async def test_a_key_is_shown_once_and_never_listed(house: House) -> None:
    boss = await house.key()
    seen = await house.ask("POST", "/-/keys", boss, b'{"tenant":"default","scopes":["read"],"expires":"90d"}')
    assert seen.code == 201
    made = seen.json
    assert seen.header("location") == f"/-/keys/{made['id']}"
    assert list(made) == ["id", "tenant", "scopes", "good", "created_at", "expires_at", "revoked_at", "key"]
    assert await code(house, {"Restante-Key": made.pop("key")}) == 200
    listed = (await house.ask("GET", "/-/keys?limit=1", boss)).json
    assert listed["keys"] in ([made], []) or listed["next"]
    every = (await house.ask("GET", "/-/keys", boss)).json["keys"]
    assert made in every


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"[]", "body"),
        (b'{"tenant":"default","scopes":["read"],"for":"ever"}', "for"),
        (b'{"scopes":["read"]}', "tenant"),
        (b'{"tenant":"a b","scopes":["read"]}', "tenant"),
        (b'{"tenant":"default","scopes":[]}', "scopes"),
        (b'{"tenant":"default","scopes":"read"}', "scopes"),
        (b'{"tenant":"default","scopes":["write"]}', "scopes"),
        (b'{"tenant":"default","scopes":[{}]}', "scopes"),
        (b'{"tenant":"*","scopes":["submit"]}', "scopes"),
        (b'{"tenant":"default","scopes":["read"],"expires":"0s"}', "expires"),
        (b'{"tenant":"default","scopes":["read"],"expires":90}', "expires"),
    ],
)
async def test_a_wrong_wish_for_a_key_is_a_problem_that_names_it(
    house: House, body: bytes, field: str
) -> None:
    seen = await house.ask("POST", "/-/keys", await house.key(), body)
    is_problem(seen, 400)
    assert seen.json["field"] == field


@pytest.mark.parametrize("tenant", ["other", EVERYBODY])
async def test_a_tenants_operator_makes_no_keys_for_others(house: House, tenant: str) -> None:
    body = f'{{"tenant":"{tenant}","scopes":["read"]}}'.encode()
    assert (await house.ask("POST", "/-/keys", await house.key(), body)).code == 403
    assert (await house.ask("POST", "/-/keys", await house.key(EVERYBODY, Scope.OPERATE), body)).code == 201


# -- the caller's own credentials


@pytest.fixture
async def shops(make_house: MakeHouse) -> House:
    return await make_house(auth=PassthroughAuth)


async def found(house: House, id: str, who: dict[str, str]) -> int:
    return (await house.ask("GET", f"/async/status/{id}", who)).code


async def ended(house: House, id: str, who: dict[str, str]) -> Seen:
    """After the upstream has answered."""
    seen = await house.ask("GET", f"/-/transactions/{id}", who)
    tenant = seen.json["tenant"]
    look = house.service.look
    house.service.look = lambda _, id: look(tenant, id)  # type: ignore[method-assign,assignment]
    try:
        await house.end(id)
    finally:
        house.service.look = look  # type: ignore[method-assign]
    return await house.ask("GET", f"/async/result/{id}", who)


async def test_whoever_submitted_with_credentials_reads_with_them_and_nobody_else(shops: House) -> None:
    id = await shops.submit(**SHOP)
    assert await found(shops, id, SHOP) == 200
    assert await found(shops, id, OTHER_SHOP) == 404
    assert await found(shops, id, {}) == 401
    assert (await shops.ask("POST", "/async/x", {}, b"")).code == 401
    assert (await ended(shops, id, SHOP)).code == 200


async def test_they_go_to_the_upstream_and_are_kept_until_the_end_only(shops: House) -> None:
    id = await shops.submit(**SHOP, Cookie="a=b", X_Other="1")
    (tenant,) = {(await shops.ask("GET", f"/-/transactions/{id}", SHOP)).json["tenant"]}
    assert "363" not in tenant
    (row,) = await shops.store.look([id])
    assert row is not None
    (request,) = await shops.store.requests([row.key])
    assert request is not None
    assert (b"authorization", SHOP["Authorization"].encode()) in request.headers
    await ended(shops, id, SHOP)
    (after,) = await shops.store.requests([row.key])
    assert after is not None
    dropped = (b"authorization", b"cookie")
    assert after.headers == tuple(pair for pair in request.headers if pair[0] not in dropped)
    assert after.body == request.body


async def test_what_goes_straight_through_is_between_caller_and_upstream(shops: House) -> None:
    for who in ({}, SHOP):
        assert (await shops.ask("GET", "/plain", who)).code == 200
        assert shops.upstream.came[-1].header("authorization") == who.get("Authorization")


async def test_nobody_operates_with_the_upstreams_credentials_but_with_a_key(shops: House) -> None:
    assert (await shops.ask("GET", "/-/store", SHOP)).code == 403
    boss = await shops.key(EVERYBODY, Scope.OPERATE)
    assert (await shops.ask("GET", "/-/store", {**SHOP, **boss})).code == 200
    assert (await shops.ask("GET", "/-/store", {**SHOP, "Restante-Key": "rst_x"})).code == 401


# -- pages of other origins


@pytest.fixture
async def open_to_page(make_house: MakeHouse) -> House:
    return await make_house(auth=KeyAuth, routes=[TICKETS], cors_origins=(PAGE,))


PATHS = ["/-/transactions", "/async/x", "/async/status/x", "/tickets", "/seller", "/plain"]


@pytest.mark.parametrize("target", PATHS)
async def test_a_configured_page_may_ask_and_read(open_to_page: House, target: str) -> None:
    house = open_to_page
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "restante-key, content-type",
    }
    seen = await house.ask("OPTIONS", target, asked)
    assert (seen.code, seen.header("access-control-allow-origin")) == (204, PAGE)
    assert seen.header("access-control-allow-methods") == "POST"
    assert seen.header("access-control-allow-headers") == "restante-key, content-type"
    assert seen.header("access-control-allow-credentials") is None
    for who in ({}, await house.key()):
        for method in ("GET", "POST"):
            seen = await house.ask(method, target, {**who, "Origin": PAGE}, b"" if method == "POST" else None)
            assert seen.header("access-control-allow-origin") == PAGE
            assert b"Origin" in seen.all("vary")


@pytest.mark.parametrize(
    "origin", ["https://other.example", "null", "https://app.example.evil", "http://app.example", ""]
)
@pytest.mark.parametrize("target", PATHS)
async def test_no_other_page_reads_anything(open_to_page: House, target: str, origin: str) -> None:
    house = open_to_page
    who = await house.key()
    for method in ("OPTIONS", "GET"):
        asked = {"Origin": origin or " ", "Access-Control-Request-Method": "POST", **who}
        seen = await house.ask(method, target, asked)
        assert not [name for name, _ in seen.headers if name.startswith("access-control")]


async def test_without_configured_pages_a_preflight_is_the_upstreams(house: House) -> None:
    asked = {**await house.key(), "Origin": PAGE, "Access-Control-Request-Method": "POST"}
    assert (await house.ask("OPTIONS", "/plain", asked)).code == 200
    assert house.upstream.came[-1].method == "OPTIONS"
    assert (await house.ask("OPTIONS", "/-/transactions", asked)).code == 405


async def test_an_upstreams_own_word_about_pages_stands(open_to_page: House) -> None:
    house = open_to_page
    house.upstream.raw = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n"
    seen = await house.ask("GET", "/plain", {**await house.key(), "Origin": PAGE})
    assert seen.all("access-control-allow-origin") == [b"*"]


@pytest.mark.parametrize("origins", [(), (PAGE,)])
async def test_a_foreign_page_changes_nothing_below_our_own_path(
    make_house: MakeHouse, origins: tuple[str, ...]
) -> None:
    house = await make_house(cors_origins=origins)  # open: no key that it would lack
    pause = "/-/upstreams/default/pause"
    for origin in ("https://evil.example", "null"):
        seen = await house.ask("POST", pause, {"Origin": origin}, b"")
        is_problem(seen, 403)
        assert seen.json["type"].endswith("foreign-page")
    assert not await house.store.paused()
    for origin in (*origins, f"http://127.0.0.1:{house.port}"):
        assert (await house.ask("POST", pause, {"Origin": origin}, b"")).code == 200


async def test_where_no_key_is_asked_for_our_own_path_is_called_by_our_own_names_only(
    make_house: MakeHouse,
) -> None:
    house = await make_house(hosts=frozenset({"gateway.internal"}))
    for name in ("evil.example", "evil.example:8600", "127.0.0.1.evil.example", "internal", "LocalHost.evil"):
        for method, path in (("GET", "/-/endpoints/callbacks/secret"), ("POST", "/-/endpoints")):
            seen = await house.ask(method, path, {"Host": name})
            assert is_problem(seen, 421), name
            assert seen.json["type"].endswith("foreign-host")
        for path in ("/plain", "/-/healthz", "/-/readyz"):
            assert (await house.ask("GET", path, {"Host": name})).code == 200
    for name in (
        "127.0.0.1",
        "10.0.0.7:80",
        "[::1]:8600",
        "localhost:1",
        "LOCALHOST.",
        "Gateway.Internal:8600",
    ):
        assert (await house.ask("GET", "/-/endpoints", {"Host": name})).code == 200, name


async def test_who_has_a_key_may_call_by_any_name(house: House) -> None:
    key = await house.key()
    assert (await house.ask("GET", "/-/endpoints", {**key, "Host": "any.example"})).code == 200
