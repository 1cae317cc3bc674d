"""What is asked often is a look-up in an index, whatever the size of the table."""

import re
from collections.abc import Iterator

import apsw
import pytest

from restante.stores.sqlite.migrate import migrations
from restante.stores.sqlite.queries import QUERIES, many

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
