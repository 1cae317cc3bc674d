"""The API's description says what is served, and pages below `/-/` do nothing but be looked at."""

import json
import re

import pytest

from restante.core.access import EVERYBODY, Scope
from restante.core.policy import Route
from restante.core.status import Dialect
from restante.gateway import KeyAuth
from restante.gateway.access import NATIVE
from restante.gateway.native import TABLE
from restante.gateway.openapi import CALLS, document

from .conftest import MakeHouse
from .house import House

TICKETS = Route(path="/tickets", dialect=Dialect.TRANSACTION, transactions="/seller/v0/transactions")


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house(auth=KeyAuth, routes=[TICKETS])


async def test_every_call_that_is_served_is_described_and_no_other(house: House) -> None:
    seen = await house.ask("GET", "/-/openapi.json")
    assert (seen.code, seen.header("content-type")) == (200, "application/json")
    assert seen.json == json.loads(json.dumps(document(house.policy)))
    described = {f"{method.upper()} {path}" for path, some in seen.json["paths"].items() for method in some}
    served = {f"{method} /-/{'/'.join(pattern)}" for pattern, methods in TABLE for method in methods}
    assert served == set(CALLS) == set(NATIVE)
    assert described - served == {
        "GET /async/status/{id}",
        "DELETE /async/status/{id}",
        "GET /async/result/{id}",
        "POST /async/{path}",
        "GET /seller/v0/transactions",
        "GET /seller/v0/transactions/{id}",
    }


async def test_operations_have_names_of_their_own_and_links_lead_to_them(house: House) -> None:
    operations = [one for some in document(house.policy)["paths"].values() for one in some.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)
    for one in operations:
        for answer in one["responses"].values():
            assert set(answer.get("links", {})) <= set(names)


async def test_the_description_refers_to_nothing_that_is_not_in_it(house: House) -> None:
    content = document(house.policy)
    for name in re.findall(r"#/components/schemas/(\w+)", json.dumps(content)):
        assert name in content["components"]["schemas"]


async def test_who_may_do_what_is_in_it(house: House) -> None:
    paths = document(house.policy)["paths"]
    assert paths["/-/healthz"]["get"]["security"] == []
    pause = paths["/-/upstreams/{id}/pause"]["post"]
    assert pause["security"] == [{"key": []}, {"bearer": []}, {"basic": []}]
    assert pause["description"] == "Needs the scope `operate` of the tenant `*`."
    assert {"401", "403", "404"} <= set(pause["responses"])


def policy_of(value: str | None) -> dict[str, str]:
    assert value is not None
    parts = [part.strip().partition(" ") for part in value.split(";")]
    return {name: rest for name, _, rest in parts}


async def test_every_page_runs_nothing_loads_nothing_and_goes_into_no_frame(house: House) -> None:
    pages = 0
    who = await house.key(EVERYBODY, Scope.READ, Scope.OPERATE)
    for pattern, methods in TABLE:
        if "GET" not in methods or "{id}" in pattern:
            continue
        target = f"/-/{'/'.join(pattern)}" + ("?tenant=x" if pattern[0] not in ("store", "upstreams") else "")
        seen = await house.ask("GET", target, who)
        if not (seen.header("content-type") or "").startswith("text/html"):
            continue
        pages += 1
        allowed = policy_of(seen.header("content-security-policy"))
        assert allowed["default-src"] == allowed["frame-ancestors"] == allowed["base-uri"] == "'none'"
        assert "unsafe" not in str(allowed)
        assert seen.header("x-content-type-options") == "nosniff"
        assert seen.header("referrer-policy") == "no-referrer"
        assert b"<script" not in seen.body
        assert b"style=" not in seen.body
        assert not re.search(rb"\son\w+=", seen.body)
    assert pages == 1


async def test_what_an_upstream_answered_does_nothing_below_ours(house: House) -> None:
    who = await house.key()
    id = (await house.ask("POST", "/async/x", who, b"")).json["request_id"]
    await house.end(id, body=b"<script>alert(1)</script>", headers=((b"content-type", b"text/html"),))
    seen = await house.ask("GET", f"/-/transactions/{id}/result", who)
    assert (seen.code, seen.header("content-type")) == (200, "text/html")
    assert policy_of(seen.header("content-security-policy"))["sandbox"] == ""
    assert seen.header("x-content-type-options") == "nosniff"
    plain = await house.ask("GET", f"/async/result/{id}", who)
    assert plain.header("content-security-policy") is None, "on its own paths it is the upstream's"
