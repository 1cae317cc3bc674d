"""Upstreams below `/-/`: what they have to do; paused and resumed by name."""

from .house import House
from .test_native import is_problem


async def test_upstreams_are_listed_with_what_they_have_to_do(house: House) -> None:
    await house.submit("/async/payments")
    seen = await house.ask("GET", "/-/upstreams")
    (name, upstream), *_ = house.policy.upstreams.items()
    one = {
        "name": name,
        "url": f"http://{upstream.authority}{upstream.base_path}",
        "running": 0,
        "queued": 1,
        "paused": False,
    }
    assert (seen.code, seen.json) == (200, {"upstreams": [one]})
    assert list(seen.json["upstreams"][0]) == list(one)


async def test_while_an_upstream_is_paused_everything_goes_on_being_accepted(house: House) -> None:
    (name,) = house.policy.upstreams
    for _ in range(2):
        seen = await house.ask("POST", f"/-/upstreams/{name}/pause")
        assert (seen.code, seen.json["paused"]) == (200, True)
    id = await house.submit("/async/payments")
    shown = (await house.ask("GET", f"/-/transactions/{id}")).json
    assert (shown["status"], shown["waiting"]) == ("pending", "the upstream is paused")
    (one,) = (await house.ask("GET", "/-/upstreams")).json["upstreams"]
    assert (one["paused"], one["queued"]) == (True, 1)
    for _ in range(2):
        seen = await house.ask("POST", f"/-/upstreams/{name}/resume")
        assert (seen.code, seen.json["paused"]) == (200, False)
    assert (await house.ask("GET", f"/-/transactions/{id}")).json["waiting"] is None


async def test_an_upstream_that_is_not_there_is_a_problem(house: House) -> None:
    for what in ("pause", "resume"):
        seen = await house.ask("POST", f"/-/upstreams/none/{what}")
        assert is_problem(seen, 404)
        assert seen.json["type"] == "urn:restante:problem:unknown-upstream"
    assert is_problem(await house.ask("GET", "/-/upstreams/none/pause"), 405)
    assert await house.store.paused() == frozenset()
