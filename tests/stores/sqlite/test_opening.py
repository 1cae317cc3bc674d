"""One file, one server; a file that cannot be used is one clear line that names the setting."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from restante.core.errors import SettingError
from restante.core.idempotency import plain
from restante.core.model import Query
from restante.core.policy import Limits
from restante.stores.sqlite import SQLiteStore
from restante.stores.sqlite.migrate import APPLICATION, migrations

from ..samples import accepted

BEFORE_HASHING = 10
"""The last version whose idempotency keys are plain hashes."""

SCHEMA = Path(__file__).parents[3] / "src/restante/stores/sqlite/schema.sql"


async def refusal(path: Path | str) -> str:
    with pytest.raises(SettingError) as refused:
        await SQLiteStore.open(str(path), limits=Limits())
    assert refused.value.setting == "store"
    text = str(refused.value)
    assert "\n" not in text
    return text


def schema(path: Path) -> str:
    rows = apsw.Connection(str(path)).execute(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name"
    )
    return "".join(f"{row[0]};\n\n" for row in rows)


def in_another_process(path: Path) -> "subprocess.CompletedProcess[str]":
    code = (
        "import asyncio, sys\n"
        "from restante.core.policy import Limits\n"
        "from restante.stores.sqlite import SQLiteStore\n"
        "asyncio.run(SQLiteStore.open(sys.argv[1], limits=Limits()))\n"
    )
    return subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)


async def test_a_second_server_is_refused(path: Path) -> None:
    store = await SQLiteStore.open(str(path), limits=Limits())
    assert "in use by another server" in await refusal(path)
    path.with_name("other.db").symlink_to(path)
    assert "in use by another server" in await refusal(path.with_name("other.db"))
    path.with_name("hard.db").hardlink_to(path)
    for name in (path, path.with_name("hard.db")):
        assert "in use by another server" in await refusal(name)
        done = await asyncio.to_thread(in_another_process, name)
        assert "in use by another server" in done.stderr
    await store.close()
    await (await SQLiteStore.open(str(path), limits=Limits())).close()


async def test_the_file_is_for_this_user_alone(path: Path) -> None:
    store = await SQLiteStore.open(str(path), limits=Limits())
    await accepted(store)
    for file in path.parent.glob("restante.db*"):
        assert file.stat().st_mode & 0o077 == 0
    await store.close()


async def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    assert "there is no folder" in await refusal(tmp_path / "no" / "restante.db")
    assert "cannot be opened" in await refusal(tmp_path)
    assert "path to a file" in await refusal("")
    assert "path to a file" in await refusal(":memory:")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "cannot be opened" in await refusal(tmp_path / "restante.db")


async def test_what_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"dear diary" * 1000)
    assert "not a database" in await refusal(path)
    assert path.read_bytes() == b"dear diary" * 1000


async def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    for statement in ("CREATE TABLE mine (x)", "PRAGMA user_version = 1"):
        connection = apsw.Connection(str(path))
        connection.execute(statement)
        before = schema(path)
        connection.close()
        assert "another program" in await refusal(path)
        assert schema(path) == before


async def test_a_newer_schema_is_refused(path: Path) -> None:
    await (await SQLiteStore.open(str(path), limits=Limits())).close()
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", len(migrations()) + 1)
    connection.close()
    assert "newer version" in await refusal(path)


async def test_a_refused_file_is_free_again(path: Path) -> None:
    path.write_bytes(b"dear diary" * 1000)
    await refusal(path)
    path.unlink()
    await (await SQLiteStore.open(str(path), limits=Limits())).close()


async def test_a_migration_that_was_interrupted_is_made_again(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(migrations()[0])
    connection.close()  # before its commit
    store = await SQLiteStore.open(str(path), limits=Limits())
    await accepted(store)
    await store.close()


async def test_a_file_of_the_first_version_is_brought_up_and_says_so(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("application_id", APPLICATION)
    connection.execute(migrations()[0])
    connection.execute("INSERT INTO meta VALUES (zeroblob(16), 0)")
    connection.pragma("user_version", 1)
    connection.close()
    store = await SQLiteStore.open(str(path), limits=Limits())
    kept = await accepted(store)
    assert await store.find(Query(tenant="default", path=kept.path)) == [kept]
    await store.close()
    assert schema(path) == SCHEMA.read_text()
    first, last = (record.getMessage() for record in caplog.records)
    assert first.endswith(f"from version 1 to {len(migrations())} (up to 0 transactions)")
    assert f"at version {len(migrations())} after" in last


async def test_a_file_of_the_version_before_is_looked_into_for_plain_hashes(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("application_id", APPLICATION)
    for script in migrations()[:BEFORE_HASHING]:
        connection.execute(script)
    connection.execute("INSERT INTO meta (secret, probes) VALUES (zeroblob(16), 0)")
    connection.execute("INSERT INTO idempotency VALUES (x'00', 1, x'00', 77)")
    connection.pragma("user_version", BEFORE_HASHING)
    connection.close()
    store = await SQLiteStore.open(str(path), limits=Limits())
    assert store.hashing == plain(until=77).followed_by(bytes(16))
    await store.close()


async def test_a_new_file_is_made_without_a_word(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await (await SQLiteStore.open(str(path), limits=Limits())).close()
    assert not caplog.records


async def test_the_schema_is_the_one_in_the_snapshot(path: Path) -> None:
    """To renew it: RENEW=1 pytest tests/stores/sqlite/test_opening.py, and look at the difference."""
    await (await SQLiteStore.open(str(path), limits=Limits())).close()
    found = schema(path)
    if os.environ.get("RENEW"):
        SCHEMA.write_text(found)
    assert SCHEMA.read_text() == found


async def test_the_file_is_as_durable_as_promised(path: Path) -> None:
    store = await SQLiteStore.open(str(path), limits=Limits())
    for database in store._opened.databases:
        assert database.connection.pragma("synchronous") == 2
        assert database.connection.pragma("journal_mode") == "wal"
    await store.close()
