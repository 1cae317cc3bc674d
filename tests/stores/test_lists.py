"""Lists: the tenant's own, filtered, in order, page by page without gaps."""

import itertools
from random import Random
from typing import Any

import pytest

from restante.core.model import Query, Transaction
from restante.core.status import Dialect, Status
from restante.ports import Store

from .samples import NOW, accepted, applied, begin, completed, failed


async def found(store: Store, **fields: Any) -> list[int]:
    fields.setdefault("tenant", "default")
    return [one.key for one in await store.find(Query(**fields))]


@pytest.fixture
async def some(store: Store) -> list[Transaction]:
    """Nine, three at a time at the same moment, the fifth another tenant's."""
    return [
        await accepted(
            store,
            created_at=NOW + place // 3,
            tenant="other" if place == 4 else "default",
            operation=("create", "update")[place % 2],
            path=f"/path/{place}",
            dialect=Dialect.TRANSACTION if place == 8 else Dialect.TASK,
            tracking_id=None if place < 2 else f"t{place % 2}",
        )
        for place in range(9)
    ]


async def test_a_list_is_newest_first_with_the_key_as_tie_breaker(
    store: Store, some: list[Transaction]
) -> None:
    keys = [one.key for one in some if one.tenant == "default"]
    assert await found(store) == keys[::-1]
    assert await found(store, ascending=True) == keys


async def test_a_list_shows_whole_transactions(store: Store, some: list[Transaction]) -> None:
    assert await store.find(Query(tenant="other")) == [some[4]]


async def test_another_tenants_transactions_are_in_no_list(store: Store, some: list[Transaction]) -> None:
    secret = some[4]
    for query in (
        Query(tenant="default", path=secret.path),
        Query(tenant="default", tracking_id=secret.tracking_id, path=secret.path),
        Query(tenant="nobody"),
    ):
        assert await store.find(query) == []


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({"operation": "update"}, [1, 3, 5, 7]),
        ({"path": "/path/3"}, [3]),
        ({"path_prefix": "/path/"}, [0, 1, 2, 3, 5, 6, 7, 8]),
        ({"path_prefix": "/path/8"}, [8]),
        ({"path_prefix": "/p%"}, []),
        ({"dialect": Dialect.TRANSACTION}, [8]),
        ({"tracking_id": "t1"}, [3, 5, 7]),
        ({"tracking_id": "t0", "created_from": NOW + 2}, [6, 8]),
        ({"created_from": NOW + 1}, [3, 5, 6, 7, 8]),
        ({"created_to": NOW}, [0, 1, 2]),
        ({"created_from": NOW + 1, "created_to": NOW + 1}, [3, 5]),
        ({"operation": "update", "path": "/path/3"}, [3]),
        ({"operation": "create", "path": "/path/3"}, []),
        ({"operation": "create", "tracking_id": "t0", "created_to": NOW + 1}, [2]),
        ({"status": Status.PENDING, "operation": "update"}, [1, 3, 5, 7]),
        ({"status": Status.PENDING, "path": "/path/3"}, [3]),
        ({"status": Status.PROCESSING, "path": "/path/3"}, []),
        ({"status": Status.FAILED, "operation": "update", "path": "/path/3"}, []),
        ({"status": Status.PENDING, "created_from": NOW + 2}, [6, 7, 8]),
        ({"status": Status.COMPLETED}, []),
        ({"status": Status.PENDING, "limit": 2}, [0, 1]),
        ({"limit": 3, "offset": 2}, [2, 3, 5]),
        ({"offset": 100}, []),
        ({"limit": 0}, []),
    ],
)
async def test_filters(
    store: Store, some: list[Transaction], fields: dict[str, Any], places: list[int]
) -> None:
    assert await found(store, ascending=True, **fields) == [some[place].key for place in places]


async def test_statuses_are_those_of_now(store: Store) -> None:
    one, two = await completed(store), await accepted(store)
    assert await found(store, status=Status.COMPLETED) == [one.key]
    assert await found(store, status=Status.PENDING) == [two.key]


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("filters", [{}, {"operation": "create"}, {"tracking_id": "t0"}])
async def test_a_cursor_walks_over_everything_once(
    store: Store, some: list[Transaction], ascending: bool, filters: dict[str, Any]
) -> None:
    whole = await found(store, ascending=ascending, **filters)
    walked: list[int] = []
    after = None
    while page := await found(store, ascending=ascending, limit=2, after_key=after, **filters):
        walked += page
        after = page[-1]
    assert walked == whole
    assert len(walked) > 2


FILTERS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("status", (None, Status.PENDING, Status.PROCESSING, Status.COMPLETED, Status.FAILED, Status.CANCELLED)),
    ("operation", (None, "create", "update", "delete")),
    ("dialect", (None, Dialect.TASK, Dialect.TRANSACTION)),
    ("path", (None, "/a", "/ab", "/none")),
    ("path_prefix", (None, "/a", "/ab")),
    ("tracking_id", (None, "t0")),
    ("created_from", (None, NOW + 5)),
    ("created_to", (None, NOW + 15)),
)


VALUES = 3
"""How many choices of values are tried for each combination of filters."""


def combinations() -> set[tuple[Any, ...]]:
    """Every combination of filters, each with a few values."""
    chance, each = Random(1), [choices for _, choices in FILTERS]
    return {
        tuple(chance.choice(some[1:]) if has else None for has, some in zip(given, each, strict=True))
        for given in itertools.product((False, True), repeat=len(FILTERS))
        for _ in range(VALUES)
    }


async def test_every_combination_of_filters_finds_what_looking_at_each_would(store: Store) -> None:
    some = [
        await (accepted, completed, failed)[place % 3](
            store,
            created_at=NOW + place // 2,
            tenant="other" if place % 11 == 4 else "default",
            operation=("create", "update")[place % 5 % 2],
            path=("/a", "/ab", "/abc", "/b")[place % 7 % 4],
            dialect=(Dialect.TASK, Dialect.TRANSACTION)[place % 4 == 1],
            tracking_id=("t0", "t1", None)[place // 3 % 3],
        )
        for place in range(48)
    ]
    some[9] = await applied(store, begin(some[9]))
    own = [one for one in some if one.tenant == "default"]
    for values in combinations():
        fields = {name: value for (name, _), value in zip(FILTERS, values, strict=True) if value is not None}
        keys = [one.key for one in own if all(fits(one, name, value) for name, value in fields.items())]
        ascending = len(fields) % 2 == 0
        assert await found(store, ascending=ascending, **fields) == (keys if ascending else keys[::-1])


def fits(one: Transaction, name: str, value: Any) -> bool:
    match name:
        case "path_prefix":
            return one.path.startswith(value)
        case "created_from":
            return one.created_at >= value
        case "created_to":
            return one.created_at <= value
        case _:
            return bool(getattr(one, name) == value)


async def test_a_cursor_goes_on_where_its_row_has_gone(store: Store, some: list[Transaction]) -> None:
    gone = some[2]
    await store.purge([], [gone])
    assert await found(store, ascending=True, after_key=gone.key, limit=2) == [some[3].key, some[5].key]
    assert await found(store, after_key=gone.key) == [some[1].key, some[0].key]


async def test_a_cursor_behind_everything_ends(store: Store, some: list[Transaction]) -> None:
    assert await found(store, after_key=some[-1].key + 1000) == []
