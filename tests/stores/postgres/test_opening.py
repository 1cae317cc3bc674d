"""Opening: what cannot be used is one line that names `store`; what is old is brought up, once."""

import asyncio

import pytest

from restante.core.clock import SECOND
from restante.core.errors import SettingError
from restante.core.model import Query
from restante.core.policy import Limits
from restante.core.status import Status
from restante.stores.postgres import PostgresStore
from restante.stores.postgres.migrate import migrate, migrations, pending, step
from restante.stores.postgres.url import read_url

from ...postgres import Server
from ..samples import NOW, accepted, applied, begin, delay, now_is
from .conftest import asked

SECRET = "hunter2"


async def refusal(url: str) -> str:
    with pytest.raises(SettingError) as refused:
        await PostgresStore.open(url, limits=Limits())
    text = str(refused.value)
    assert text.startswith("store: ")
    assert "\n" not in text
    assert SECRET not in text
    return text


async def test_a_server_that_is_not_there_is_one_line() -> None:
    assert "cannot be reached" in await refusal(f"postgresql://me:{SECRET}@127.0.0.1:1/db?password={SECRET}")
    assert "cannot be reached" in await refusal("postgresql://me@/db?host=/no/such/folder")
    assert "127.0.0.1:1,127.0.0.1:2" in await refusal("postgresql://me@127.0.0.1:1,127.0.0.1:2/db")


async def test_a_database_that_is_not_there_is_one_line(postgres: Server) -> None:
    assert "no such database" in await refusal(postgres.url("nothing"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h",
        "postgresql://h/",
        "mysql://h/db",
        "postgresql://h/db?pooler=perhaps",
        "postgresql://[/db",
    ],
)
async def test_a_url_that_is_none_is_refused(url: str) -> None:
    await refusal(url)


async def test_commits_that_do_not_wait_for_the_disk_are_refused(postgres: Server, database: str) -> None:
    name = database.partition("?")[0].rpartition("/")[2]
    await postgres.run(f"ALTER DATABASE {name} SET synchronous_commit = off")
    assert "synchronous_commit" in await refusal(database)


async def test_a_database_in_another_encoding_is_refused(postgres: Server) -> None:
    await postgres.run("CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'")
    assert "UTF8" in await refusal(postgres.url("latin"))


async def test_a_role_that_may_create_nothing_is_told_what_to_do(postgres: Server) -> None:
    url = await postgres.database(migrated=False)
    await postgres.run("CREATE ROLE poor LOGIN")
    assert "GRANT CREATE ON DATABASE" in await refusal(url.replace("restante@", "poor@"))


async def test_a_role_is_told_which_privilege_it_lacks(postgres: Server) -> None:
    url = await postgres.database()
    name = url.partition("?")[0].rpartition("/")[2]
    poor = url.replace("restante@", "meagre@")
    await postgres.run("CREATE ROLE meagre LOGIN")
    for missing, then in (
        ("no USAGE and CREATE on the schema", "GRANT USAGE ON SCHEMA restante TO meagre"),
        ("no CREATE on the schema", "GRANT CREATE ON SCHEMA restante TO meagre"),
        ("must own the tables", "GRANT SELECT ON restante.migrations TO meagre"),
        ("must own the tables", "REASSIGN OWNED BY meagre TO restante"),
    ):
        told = await refusal(poor)
        assert missing in told
        assert "DATABASE" not in told
        await postgres.run(then, database=name)
    with pytest.raises(SettingError, match="must own"):
        await PostgresStore.open(poor, limits=Limits())
    await postgres.run(f"DROP DATABASE {name}")
    await postgres.run("DROP ROLE meagre")


async def test_many_that_start_at_once_migrate_once(postgres: Server) -> None:
    url = await postgres.database(migrated=False)
    stores = await asyncio.gather(*[PostgresStore.open(url, limits=Limits()) for _ in range(5)])
    rows = await asked(url, "SELECT number FROM restante.migrations ORDER BY number")
    assert [row[0] for row in rows] == list(range(1, len(migrations()) + 1))
    assert len({store.secret for store in stores}) == 1
    transaction = await accepted(stores[0])
    assert await now_is(stores[4], transaction) == transaction
    for store in stores:
        await store.close()
    assert await migrate(read_url(url)) == (len(migrations()), len(migrations()))


async def test_the_sql_that_is_shown_can_be_run_by_hand(postgres: Server) -> None:
    url = await postgres.database(migrated=False)
    name = url.partition("?")[0].rpartition("/")[2]
    await postgres.run(await pending(read_url(url)), database=name)
    assert await pending(read_url(url)) == ""
    store = await PostgresStore.open(url, limits=Limits())
    await accepted(store)
    await store.close()


async def test_what_was_put_off_before_it_was_listed_is_found(database: str) -> None:
    store = await PostgresStore.open(database, limits=Limits())
    begun = await applied(store, begin(await accepted(store)))
    later = await applied(store, delay(begun, until=NOW + SECOND))
    await accepted(store)
    await asked(database, "UPDATE restante.ready SET begun = false")  # as the version before left it
    (script,) = [script for script in migrations() if "SET begun = true" in script]
    await asked(database, script)
    assert await store.find(Query(tenant="default", status=Status.PROCESSING)) == [later]
    await store.close()


async def test_a_newer_database_is_used_as_it_is(database: str) -> None:
    await asked(database, "INSERT INTO restante.migrations (number) VALUES (1000)")
    await asked(database, "ALTER TABLE restante.transactions ADD COLUMN more text DEFAULT 'x'")
    store = await PostgresStore.open(database, limits=Limits())
    transaction = await accepted(store)
    assert await now_is(store, transaction) == transaction
    await store.close()
    rows = await asked(database, "SELECT max(number) FROM restante.migrations")
    assert rows[0][0] == 1000


def test_a_step_waits_for_no_lock_longer_than_a_moment() -> None:
    for number, script in enumerate(migrations(), start=1):
        text = step(number, script, bytes(16))
        assert (
            text.index("BEGIN") < text.index("lock_timeout") < text.index("INSERT INTO restante.migrations")
        )
        assert text.rstrip().endswith("COMMIT;")
        assert text.count("COMMIT") == 1


async def test_of_several_hosts_the_one_that_is_there_is_used(postgres: Server, database: str) -> None:
    several = database.replace("host=", "host=/no/such/folder,") + "&target_session_attrs=read-write"
    store = await PostgresStore.open(several, limits=Limits())
    await accepted(store)
    await store.close()
