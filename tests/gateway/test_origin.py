"""The URLs that are handed out are on the origin that the caller used."""

import pytest

from restante.core.errors import BadRequest
from restante.core.policy import Policy
from restante.gateway.origin import Origins, origin

from .conftest import MakeHouse
from .house import House


async def origin_of(house: House, headers: dict[str, str]) -> str:
    seen = await house.ask("POST", "/async/x", headers)
    assert seen.code == 202, seen
    url: str = seen.json["status_url"]
    id = seen.json["request_id"]
    assert seen.json["response_url"] == url.replace("/async/status/", "/async/result/")
    assert url.endswith(f"/async/status/{id}")
    await house.end(id)
    again = await house.ask("GET", f"/async/status/{id}", headers)
    assert again.json["response_url"] == seen.json["response_url"]
    return url.removesuffix(f"/async/status/{id}")


@pytest.mark.parametrize("host", ["pay.example", "pay.example:8443", "127.0.0.1:1", "[::1]:8600", "a_b"])
async def test_it_is_the_host_that_was_called(house: House, host: str) -> None:
    assert await origin_of(house, {"Host": host}) == f"http://{host}"


async def test_a_port_is_one_that_there_is(house: House) -> None:
    assert await origin_of(house, {"Host": "a:65535"}) == "http://a:65535"
    for host in ("a:65536", "a:99999", "[::1]:70000"):
        assert (await house.ask("POST", "/async/x", {"Host": host})).code == 400


async def test_a_public_url_wins(make_house: MakeHouse) -> None:
    house = await make_house(public_url="https://pay.example/")
    assert await origin_of(house, {"Host": "inner"}) == "https://pay.example"


FORWARDED = {"Host": "inner", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "pay.example"}


async def test_a_trusted_proxy_is_believed(make_house: MakeHouse) -> None:
    house = await make_house(trusted_proxies=("127.0.0.0/8",))
    assert await origin_of(house, FORWARDED) == "https://pay.example"
    assert await origin_of(house, {"Host": "inner", "X-Forwarded-Proto": "gopher"}) == "http://inner"
    listed = {**FORWARDED, "X-Forwarded-Host": "evil.example, pay.example"}
    assert await origin_of(house, listed) == "https://pay.example"
    bad = await house.ask("POST", "/async/x", {**FORWARDED, "X-Forwarded-Host": "a b"})
    assert bad.code == 400


async def test_anybody_else_is_not_believed(make_house: MakeHouse) -> None:
    house = await make_house(trusted_proxies=("10.0.0.0/8",))
    assert await origin_of(house, FORWARDED) == "http://inner"


@pytest.mark.parametrize(
    "host",
    ["", "a b", "a/b", "a@b", 'a"b', "a:b", "a:1:2", "[::1", "[zz]", "a\\b", "é", "a" * 300, "a?b", "[1.2]"],
)
async def test_a_host_that_is_none_is_refused(house: House, host: str) -> None:
    for method, path in (("POST", "/async/x"), ("GET", "/async/status/1"), ("GET", "/async/result/1")):
        wire = await house.wire()
        wire.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        seen = await wire.answer()
        assert (seen.code, seen.json.get("field")) == (400, "Host")


async def test_without_a_host_there_are_no_urls(house: House) -> None:
    seen = await house.ask("POST", "/async/x", {"Host": ""})
    assert (seen.code, seen.json["field"]) == (400, "Host")


def test_addresses_mapped_into_ipv6_are_recognised() -> None:
    origins = Origins(Policy(upstreams={}, trusted_proxies=("10.0.0.0/8",)))
    headers = [(b"x-forwarded-proto", b"https")]
    scope = {"client": ("::ffff:10.1.2.3", 1), "scheme": "http", "headers": headers}
    assert origins.of(scope, scope["headers"], b"h") == "https://h"
    for client in (("::ffff:11.1.2.3", 1), ("testclient", 1), None):
        assert origins.of({**scope, "client": client}, scope["headers"], b"h") == "http://h"


def test_a_refusal_is_not_remembered_as_an_origin() -> None:
    for _ in range(2):
        with pytest.raises(BadRequest):
            origin("http", b"a b")
