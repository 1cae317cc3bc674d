"""What is asked often is a look-up in an index, whatever the size of the table."""

import re
from collections.abc import Iterator
from typing import Any

import apsw
import pytest

from restante.core.model import Query
from restante.core.status import Status
from restante.stores.sqlite import search
from restante.stores.sqlite.database import Database
from restante.stores.sqlite.migrate import migrations
from restante.stores.sqlite.opening import open_file
from restante.stores.sqlite.queries import QUERIES, many
from restante.stores.sqlite.search import Search

SCANS_ALLOWED = {
    "count_unfinished": "once, at the start, over the index of what is unfinished",
    "lapse_all": "once, at the start, over the index of what is unfinished",
    "unreserve_all": "once, at the start, over an index that is all but empty",
    "all_loose": "once, at the start, over a table that is all but empty",
    "secret": "one row",
    "probe": "one row",
}


@pytest.fixture(scope="module")
def connection() -> Iterator[apsw.Connection]:
    connection = apsw.Connection("")
    for script in migrations():
        connection.execute(script)
    yield connection
    connection.close()


def plan(connection: apsw.Connection, name: str) -> list[str]:
    text = QUERIES[name]
    numbered = [int(number) for number in re.findall(r"\?(\d)", text)]
    bindings = [0] * max(numbered, default=text.count("?"))
    return [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + text, bindings)]


@pytest.mark.parametrize("name", [name for name in QUERIES if name not in SCANS_ALLOWED])
def test_no_query_reads_a_whole_table(connection: apsw.Connection, name: str) -> None:
    text = QUERIES[name]
    if text.split()[0] not in ("SELECT", "UPDATE", "DELETE", "INSERT", "WITH"):
        return
    for step in plan(connection, name):
        table = step.removeprefix("SCAN ").split()[0]
        whole = step.startswith("SCAN ") and table in (
            "transactions",
            "events",
            "requests",
            "results",
            "chunks",
            "idempotency",
        )
        assert not whole, f"{name}: {step}"


@pytest.mark.parametrize("name", ["apply_changes", "apply_changes_and_sweeps", "move_sweeps"])
def test_changes_for_many_rows_look_each_up(connection: apsw.Connection, name: str) -> None:
    width = QUERIES[name].count("?")
    for text, bindings, _ in many(name, [[0] * width] * 127):
        steps = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + text, bindings)]
        assert any("SEARCH transactions USING INTEGER PRIMARY KEY" in step for step in steps), steps
        assert not any(step.startswith("SCAN transactions") for step in steps), steps


def test_turns_are_read_from_their_index_alone(connection: apsw.Connection) -> None:
    for name in ("due", "next_due"):
        assert any("USING COVERING INDEX turns" in step for step in plan(connection, name))
    steps = plan(connection, "priorities")
    assert sum("USING COVERING INDEX turns" in step for step in steps) == 2
    assert "SCAN transactions USING COVERING INDEX turns" in plan(connection, "count_unfinished")
    assert not any("TEMP B-TREE" in step for name in ("due", "lapsed") for step in plan(connection, name))


class Watched(Database):
    """Writes down the plan of everything that is searched for."""

    def __init__(self, path: str) -> None:
        super().__init__(path, cache_kib=1024, vfs=None)
        self.plans: list[str] = []

    def search(self, text: str, bindings: dict[str, Any]) -> list[tuple[Any, ...]]:
        self.plans += [row[3] for row in self.connection.execute("EXPLAIN QUERY PLAN " + text, bindings)]
        return super().search(text, bindings)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A store with 3,000 rows: nearly all completed payments, three of everything else."""
    path = str(tmp_path_factory.mktemp("plans") / "restante.db")
    open_file(path, vfs=None).close()
    database = Watched(path)
    database.connection.execute(ROWS)
    yield database
    database.close()


ROWS = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
INSERT INTO transactions
SELECT i, randomblob(16), 'default', i, i, CASE i % 1000 WHEN 1 THEN 0 WHEN 2 THEN 1 WHEN 3 THEN 3 ELSE 2 END,
    NULL, 0, 1, 0, 0, 0, 'POST', iif(i % 1000 = 4, '/refunds', '/payments'), '',
    iif(i % 1000 = 5, 'delete', 'create'), 'default', 0, 'order-' || i, i, i, i, i, NULL, 0, NULL
FROM n
"""

RANGE = {"created_from": 10, "created_to": 2_990}

SEARCHES: list[tuple[dict[str, Any], str, int]] = [
    ({}, "lists", 3000),
    ({"status": Status.FAILED}, "endings", 3),
    ({"status": Status.COMPLETED}, "endings", 2991),
    ({"status": Status.PENDING}, "turns", 3),
    ({"status": Status.PROCESSING}, "turns", 3),
    ({"path": "/refunds"}, "paths", 3),
    ({"operation": "delete"}, "operations", 3),
    ({"tracking_id": "order-7"}, "trackings", 1),
    ({"status": Status.FAILED, "path": "/payments"}, "endings", 3),
    ({"status": Status.COMPLETED, "path": "/refunds"}, "paths", 3),
    ({"status": Status.COMPLETED, "operation": "delete"}, "operations", 3),
    ({"status": Status.FAILED, "operation": "create", "path": "/payments"}, "endings", 3),
    ({"operation": "delete", "path": "/payments"}, "operations", 3),
    ({"operation": "create", "path": "/refunds"}, "paths", 3),
    ({"operation": "create", "path": "/none"}, "paths", 0),
    ({"status": Status.PENDING, "path": "/payments"}, "turns", 3),
    ({"status": Status.FAILED, "tracking_id": "order-3"}, "trackings", 1),
    ({"status": Status.PENDING, "tracking_id": "order-1"}, "trackings", 1),
]


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("behind", [None, 1500])
@pytest.mark.parametrize("within", [{}, RANGE])
@pytest.mark.parametrize(("fields", "index", "count"), SEARCHES, ids=str)
def test_a_search_walks_the_index_with_the_fewest_rows(
    watched: Watched,
    fields: dict[str, Any],
    index: str,
    count: int,
    within: dict[str, int],
    behind: int | None,
    ascending: bool,
) -> None:
    watched.plans.clear()
    query = Query(tenant="default", limit=5000, after_key=behind, ascending=ascending, **fields, **within)
    found = Search(watched)._find(query)
    assert len(found) == count or within or behind
    last = [step for step in watched.plans if "TEMP B-TREE" not in step][-1]
    assert f"INDEX {index}" in last
    if index != "turns":
        assert last.startswith("SEARCH transactions")
        assert not any("TEMP B-TREE" in step for step in watched.plans), watched.plans
        if behind and within:  # entered at the cursor, left at the other end
            assert "created_at>? AND created_at<?" in last


def test_much_that_waits_is_met_by_walking_the_newest(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_SORTED", 3)
    for fields, index in (
        ({}, "lists"),
        ({"path": "/payments"}, "paths"),
        ({"operation": "none"}, "operations"),
    ):
        watched.plans.clear()
        Search(watched)._find(Query(tenant="default", status=Status.PENDING, **fields))
        assert f"INDEX {index}" in watched.plans[-1]


def test_filters_that_are_as_common_are_taken_in_a_fixed_order(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_BOUNDS", (10, 100))
    watched.plans.clear()
    query = Query(tenant="default", status=Status.COMPLETED, path="/payments", operation="create")
    assert len(Search(watched)._find(query)) == 50
    assert "INDEX endings" in watched.plans[-1]
