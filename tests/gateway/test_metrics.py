"""What was counted, and how things stand, as Prometheus reads it."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from restante.core.access import EVERYBODY
from restante.core.clock import SECOND
from restante.core.errors import Refused
from restante.core.policy import Limits, Route
from restante.core.status import Dialect, Outcome
from restante.gateway import KeyAuth
from restante.gateway.metrics import GAUGES
from restante.gateway.problems import problem_of, reason_of
from restante.telemetry.prometheus import FAMILIES, Family

from .conftest import MakeHouse
from .house import House
from .test_native import is_problem

Figures = dict[tuple[str, ...], float]
TICKETS = Route(
    method="POST", path="/tickets", dialect=Dialect.TRANSACTION, transactions="/transactions", upstream="slow"
)


async def figures(house: House, **headers: str) -> Figures:
    """By name and the values of the labels, in the order of their names."""
    seen = await house.ask("GET", "/-/metrics", headers)
    assert seen.code == 200, seen
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(seen.body.decode())
        for sample in family.samples
    }


async def test_a_life_is_counted_by_route_and_upstream(make_house: MakeHouse) -> None:
    house = await make_house(routes=[TICKETS], others=["slow"])
    first = await house.submit("/tickets")
    await house.submit("/tickets", Idempotency_Key="one")
    await house.submit("/tickets", Idempotency_Key="one")
    house.clock._now += 3 * SECOND
    await house.end(first)
    await house.end(await house.submit("/async/payments"), 500)
    await house.breaks(await house.submit("/async/tickets"), Outcome.EXPIRED)
    seen = await figures(house)
    assert seen["restante_accepted_total", "POST /tickets", "slow"] == 3
    assert seen["restante_accepted_total", "* /*", "default"] == 1
    assert seen["restante_replayed_total",] == 1
    assert seen["restante_finished_total", "answered", "POST /tickets", "completed", "slow"] == 1
    assert seen["restante_finished_total", "expired", "POST /tickets", "failed", "slow"] == 1
    assert seen["restante_finished_total", "answered", "* /*", "failed", "default"] == 1
    assert seen["restante_queue_seconds_sum", "slow"] == 3
    assert seen["restante_queue_seconds_count", "slow"] == 1
    assert seen["restante_total_seconds_sum", "POST /tickets", "slow"] == 3
    assert seen["restante_queued", "slow"] == 1
    assert seen["restante_queued", "default"] == 0
    assert seen["restante_commit_writes_count",] >= 5


async def test_how_long_the_queue_has_waited(house: House) -> None:
    assert (await figures(house))["restante_oldest_due_seconds", "default"] == 0
    await house.submit()
    house.clock._now += 7 * SECOND
    assert (await figures(house))["restante_oldest_due_seconds", "default"] == 7


async def test_what_is_refused_is_counted_by_the_reason(make_house: MakeHouse) -> None:
    house = await make_house(limits=Limits(max_queued=1, max_body=100), strict=False)
    assert (await house.ask("POST", "/async/x", {"Restante-Delay": "soon"}, b"")).code == 400
    assert (await house.ask("POST", "/async/x", None, b"x" * 101)).code == 413
    await house.submit()
    assert (await house.ask("POST", "/async/x", None, b"")).code == 503
    assert (await house.ask("GET", "/async/status/none")).code == 404
    seen = await figures(house)
    refused = {labels[1]: value for labels, value in seen.items() if labels[0] == "restante_refused_total"}
    assert refused == {"bad-request": 1, "body-too-large": 1, "queue-full": 1}


def test_a_reason_is_what_the_problem_says() -> None:
    for kind in [RuntimeError, *every(Refused)]:
        error = kind("GET") if kind is not RuntimeError else RuntimeError()
        assert problem_of(error).type == f"urn:restante:problem:{reason_of(error)}"


def every(kind: type[Refused]) -> list[type[Refused]]:
    return [kind, *(below for one in kind.__subclasses__() for below in every(one))]


async def test_paths_and_tenants_make_no_series(make_house: MakeHouse) -> None:
    house = await make_house()
    await house.submit("/async/a")
    before = set(await figures(house))
    for path in ("/async/b", "/async/c?d", "/async/very/long"):
        await house.end(await house.submit(path))
    after = set(await figures(house))
    assert not any(word in label for _, *labels in after for label in labels for word in ("/b", "/c", "long"))
    assert not any("tenant" in name for name, *_ in after)
    assert {labels[0] for labels in after} >= {labels[0] for labels in before}


async def test_openmetrics_is_given_to_whoever_reads_it(house: House) -> None:
    await house.submit()
    seen = await house.ask("GET", "/-/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})
    assert seen.header("content-type").startswith("application/openmetrics-text")
    names = {family.name for family in openmetrics(seen.body.decode())}
    assert {"restante_accepted", "restante_build_info", "process_resident_memory_bytes"} <= names


async def test_figures_are_no_tenants(make_house: MakeHouse) -> None:
    house = await make_house(auth=KeyAuth)
    assert is_problem(await house.ask("GET", "/-/metrics"), 401)
    assert is_problem(await house.ask("GET", "/-/metrics", await house.key("shop")), 403)
    assert await figures(house, **await house.key(EVERYBODY))


async def test_every_family_is_described_and_keeps_to_the_conventions(house: House) -> None:
    text = (await house.ask("GET", "/-/metrics")).body.decode()
    for family in FAMILIES:
        name = family.name if family.buckets else f"{family.name}_total"
        assert f"# HELP {name} {family.about}" in text
        assert is_named_well(family)
    for name, about in GAUGES.items():
        assert f"# HELP restante_{name} {about}\n# TYPE restante_{name} gauge" in text


def is_named_well(family: Family) -> bool:
    """A unit in full for what is measured, none of its own for what is counted; few labels."""
    measured = family.name.endswith(("_seconds", "_writes"))
    return (
        family.name.startswith("restante_") and measured == bool(family.buckets) and len(family.labels) <= 4
    )
