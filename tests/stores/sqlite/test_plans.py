"""What is asked often is a look-up in an index, whatever the size of the table."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import apsw
import msgspec
import pytest

from restante.core.model import Query
from restante.core.status import Dialect, Status
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
    "loads": "when somebody asks, over the index of what is unfinished",
    "all_loose": "once, at the start, over a table that is all but empty",
    "secret": "one row",
    "count_transactions": "once, before a move",
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
    for name, looks in (("lines", 5), ("next_due", 5)):
        steps = [step for step in plan(connection, name) if " transactions " in step]
        assert len(steps) == looks
        assert all(step.startswith("SEARCH transactions USING COVERING INDEX turns") for step in steps)
    assert "SCAN transactions USING COVERING INDEX turns" in plan(connection, "count_unfinished")
    assert not any("TEMP B-TREE" in step for name in ("due", "lapsed") for step in plan(connection, name))


class Watched(Database):
    """Writes down the plan of every page, and how many steps it took."""

    STEPS = 20

    def __init__(self, path: str) -> None:
        super().__init__(path, cache_kib=1024, vfs=None)
        self.plan: list[str] = []
        self.steps = 0
        self.connection.set_progress_handler(self._count, self.STEPS)

    def _count(self) -> bool:
        self.steps += self.STEPS
        return False

    def search(self, text: str, bindings: dict[str, Any]) -> list[tuple[Any, ...]]:
        self.plan = [row[3] for row in self.connection.execute("EXPLAIN QUERY PLAN " + text, bindings)]
        self.steps = 0
        return super().search(text, bindings)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A store with 3,000 rows: payments that failed and updated tickets that went well, three of all else."""
    path = str(tmp_path_factory.mktemp("plans") / "restante.db")
    open_file(path, vfs=None).close()
    database = Watched(path)
    database.connection.execute(ROWS)
    yield database
    database.close()


ROWS = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
INSERT INTO transactions
SELECT i, randomblob(16), 'default', i, i,
    CASE i % 1000 WHEN 1 THEN 0 WHEN 2 THEN 1 ELSE iif(i % 2, 2, 3) END,
    NULL, 0, 1, 0, 0, iif(i % 1000 = 6, 1, 0), 'POST',
    CASE WHEN i % 1000 = 4 THEN '/refunds' WHEN i % 2 THEN '/tickets' ELSE '/payments' END, '',
    CASE WHEN i % 1000 = 5 THEN 'delete' WHEN i % 2 THEN 'update' ELSE 'create' END,
    'default', 0, 'order-' || i, i, i, i, i, NULL, 0, NULL, 0, NULL
FROM n
"""

RANGE = {"created_from": 10, "created_to": 2_990}

SEARCHES: list[tuple[dict[str, Any], int]] = [
    ({}, 3000),
    ({"status": Status.FAILED}, 1497),
    ({"status": Status.PENDING}, 3),
    ({"status": Status.PROCESSING}, 3),
    ({"status": Status.CANCELLED}, 0),
    ({"operation": "delete"}, 3),
    ({"operation": "read"}, 0),
    ({"dialect": Dialect.TRANSACTION}, 3),
    ({"path": "/refunds"}, 3),
    ({"path": "/tickets"}, 1500),
    ({"status": Status.COMPLETED, "operation": "create"}, 0),
    ({"status": Status.COMPLETED, "path": "/payments"}, 0),
    ({"status": Status.FAILED, "path": "/refunds"}, 3),
    ({"status": Status.FAILED, "path": "/payments", "operation": "create"}, 1494),
    ({"operation": "update", "path": "/payments"}, 0),
    ({"operation": "create", "path": "/none"}, 0),
    ({"status": Status.PENDING, "operation": "update"}, 3),
    ({"status": Status.PENDING, "operation": "create"}, 0),
    ({"status": Status.PENDING, "path": "/tickets"}, 3),
    ({"tracking_id": "order-7"}, 1),
    ({"tracking_id": "order-7", "status": Status.FAILED}, 0),
    ({"tracking_id": "order-1", "status": Status.PENDING, "path": "/tickets"}, 1),
]


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("behind", [None, 1500])
@pytest.mark.parametrize("within", [{}, RANGE])
@pytest.mark.parametrize(("fields", "count"), SEARCHES, ids=str)
def test_a_page_reads_no_more_than_it_takes(
    watched: Watched,
    fields: dict[str, Any],
    count: int,
    within: dict[str, int],
    behind: int | None,
    ascending: bool,
) -> None:
    query = Query(tenant="default", after_key=behind, ascending=ascending, **fields, **within)
    search = Search(watched)
    assert len(search._find(msgspec.structs.replace(query, limit=5000))) == count or within or behind
    watched.steps, watched.plan = 0, []
    assert len(search._find(msgspec.structs.replace(query, limit=10))) == min(10, count) or within or behind
    assert watched.steps <= 1500  # to walk half of the rows takes 7,500
    for step in watched.plan:
        assert "TEMP B-TREE" not in step
        assert "transactions" not in step or step.startswith("SEARCH transactions USING")
        if "SEARCH" in step:
            assert "tenant=?" in step
            if "tracking_id" not in fields:
                assert "USING COVERING INDEX" in step
            if behind and within:  # entered at the cursor, left at the other end
                assert "created_at>? AND created_at<?" in step


def test_a_path_is_entered_by_its_index_where_it_has_ended(watched: Watched) -> None:
    search = Search(watched)
    search._find(Query(tenant="default", path="/tickets"))
    used = Counter(step.split("INDEX ")[1].split()[0] for step in watched.plan if "INDEX" in step)
    assert used == {"paths": 4, "lists": 2}
    search._find(Query(tenant="default", path="/tickets", status=Status.COMPLETED))
    assert not any("lists" in step for step in watched.plan)


def test_the_rare_beginning_of_a_path_is_looked_up_and_a_common_one_is_met(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sorted_rows, ended in ((4, "paths"), (3, "lists")):
        monkeypatch.setattr(search, "_SORTED", sorted_rows)
        query = Query(tenant="default", path_prefix="/ref", status=Status.FAILED)
        assert [row.key for row in Search(watched)._find(query)] == [2004, 1004, 4]
        assert any(f"COVERING INDEX {ended}" in step for step in watched.plan)
        assert len(Search(watched)._find(Query(tenant="default", path_prefix="/", limit=5000))) == 3000


def test_the_runs_of_a_tenant_are_stepped_to(watched: Watched) -> None:
    watched.steps = 0
    runs = watched.value("runs", ("default",))
    assert runs == (
        '[[0,"update",0],[1,"create",0],[2,"delete",0],[2,"update",0],[3,"create",0],[3,"create",1]]'
    )
    assert watched.steps <= 600
    assert watched.value("runs", ("nobody",)) == "[]"


def test_a_cursor_is_looked_up_by_its_key(connection: apsw.Connection) -> None:
    assert plan(connection, "cursor") == ["SEARCH transactions USING INTEGER PRIMARY KEY (rowid>?)"]
