"""Odd inputs are refused or shown, never an error of ours."""

import json

import pytest

from ..gateway.house import House
from .visitor import Visitor, text

ODD = [
    "q=%00",
    "q=%FF%FE",
    "q=" + "x" * 290,
    "q=" + "x" * 400,
    "tenant=%00%F0%9F%92%A9",
    "status=%00",
    "from=0001-01-01",
    "from=9999-12-31T23:59:59%2B14:00",
    "to=9999-12-31T23:59:59-14:00",
    "from=" + "9" * 200,
    "endpoint=*",
    "endpoint=%00*",
    "tracking_id=%27%3B--",
    "after=" + "0" * 36,
    "after=00000000-0000-4000-8000-000000000000",
    "q=00000000&before=" + "9" * 18,
    "q=00000000&before=" + "9" * 19,
    "q=00000000&before=%C2%B2",
    "range=%3Cscript%3E",
    "&".join(f"a{place}=1" for place in range(60)),
    "state=%00",
    "=&&=&;",
]


@pytest.mark.parametrize("query", ODD, ids=lambda query: query[:30])
async def test_odd_queries_are_answered(house: House, query: str) -> None:
    visitor = Visitor(house)
    id = await house.submit()
    for page in (
        "/-/",
        "/-/ui/transactions",
        f"/-/ui/transactions/{id}",
        "/-/ui/endpoints",
        "/-/ui/dead",
        "/-/login",
    ):
        seen = await visitor.get(f"{page}?{query}")
        assert seen.code in (200, 303, 400), (page, seen.code)
        assert b"<script>" not in seen.body


BODIES = {
    "deep": b"[" * 90 + b"1" + b"]" * 90,
    "deeper": b"[" * 5000 + b"]" * 5000,
    "wide": json.dumps(list(range(5000))).encode(),
    "a surrogate": b'{"a":"\\ud800"}',
    "large numbers": b'{"a":1e400,"b":123456789012345678901234567890}',
    "a number": b"3",
    "text": b"null",
    "markup": b'{"</script><script>alert(1)</script>":"<img src=x onerror=alert(1)>"}',
    "broken": b'{"a":',
    "latin": "é".encode("latin-1") * 3,
    "controls": bytes(range(1, 32)),
    "repeated": b'{"a":1,"a":2}',
    "half a character": b"abc\xe2\x82",
}


@pytest.mark.parametrize("name", BODIES)
async def test_odd_bodies_are_shown(house: House, name: str) -> None:
    visitor = Visitor(house)
    wire = await house.wire()
    sent = await wire.ask("POST", "/async/a", {"Content-Type": "application/json"}, BODIES[name])
    id = sent.json["request_id"]
    await house.end(id, 200, BODIES[name], ((b"Content-Type", b"text/plain; charset=odd"),))
    seen = await visitor.get(f"/-/ui/transactions/{id}")
    assert seen.code == 200
    assert "Request" in text(seen)
    assert b"<img" not in seen.body.partition(b"<main")[2]
    assert b"alert(1)</script>" not in seen.body
    for part in ("request", "result"):
        assert (await visitor.get(f"/-/ui/transactions/{id}/{part}")).code in (200, 404)
