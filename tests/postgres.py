"""A real PostgreSQL for tests, started here: no service, no manual step, as root or not.

It is the one that `restante torture` starts, with what is faster where nothing must survive. Each test gets a
database, the copy of one that is migrated, or one that another test has had and that was made as empty again:
to copy takes ten times as long.
"""

import itertools

import asyncpg

from restante.stores.postgres.migrate import migrate
from restante.stores.postgres.url import read_url
from restante.torture import postgres
from restante.torture.postgres import USER, Cluster

STANDBY = "standby"

SETTINGS = {**postgres.SETTINGS, "autovacuum": "off", "full_page_writes": "off"}

OTHERS_END = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

SHAPE = """
    SELECT md5(string_agg(line, ' ' ORDER BY line)) FROM (
        SELECT concat_ws('-', 'class', oid, xmin, relpages, reltuples) FROM pg_class WHERE oid >= 16384
        UNION ALL SELECT concat_ws('-', 'attribute', attrelid, attnum, xmin)
            FROM pg_attribute WHERE attrelid >= 16384
        UNION ALL SELECT concat_ws('-', 'constraint', oid, xmin) FROM pg_constraint WHERE oid >= 16384
        UNION ALL SELECT concat_ws('-', 'trigger', oid, xmin) FROM pg_trigger WHERE oid >= 16384
        UNION ALL SELECT concat_ws('-', 'function', oid, xmin) FROM pg_proc WHERE oid >= 16384
        UNION ALL SELECT concat_ws('-', 'schema', oid, xmin) FROM pg_namespace
        UNION ALL SELECT concat_ws('-', 'setting', xmin) FROM pg_db_role_setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) all_of_it (line)
"""
"""Of everything but rows: changes with whatever is created, altered, analysed or dropped."""

TABLES = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace = 'restante'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""

SEQUENCES = """
    SELECT format('SELECT setval(%L, %s, false)', seqrelid::regclass, seqstart) FROM pg_sequence
"""


class Server(Cluster):
    """One server. `fsync` stays on where a test is about what survives.

    `primary`: this one is its standby, named `STANDBY`, and what it has to begin with is a copy of it.
    """

    def __init__(self, *, fsync: bool = False, primary: "Server | None" = None, **settings: str) -> None:
        super().__init__({**SETTINGS, "fsync": "on" if fsync else "off", **settings})
        self._numbers = itertools.count(1)
        self._migrated = False
        self._emptying = self._shape = ""
        self._spare: list[str] = []
        if primary is None:
            self.make()
        else:
            where = f"host={primary.folder} user={USER} application_name={STANDBY}"
            self.call("pg_basebackup", "-D", str(self.data), "-d", where, "-c", "fast", "--no-sync", "-R")
        self.start()

    async def database(self, *, migrated: bool = True) -> str:
        """The URL of a fresh one."""
        name = f"test{next(self._numbers)}"
        if migrated and not self._migrated:
            await self.run("CREATE DATABASE migrated")
            await migrate(read_url(self.url("migrated")))
            await self._note()
            self._migrated = True
        await self.run(f"CREATE DATABASE {name} TEMPLATE {'migrated' if migrated else 'template0'}")
        return self.url(name)

    async def drop(self, url: str) -> None:
        name = url.partition("?")[0].rpartition("/")[2]
        await self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def lend(self) -> str:
        """The URL of a migrated one with nothing in it; to be given back."""
        return self._spare.pop() if self._spare else await self.database()

    async def give_back(self, url: str) -> None:
        """Makes it as it was, or drops it where more than rows was changed."""
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(OTHERS_END)
            as_it_was = await connection.fetchval(SHAPE) == self._shape
            if as_it_was:
                await connection.execute(self._emptying)
        finally:
            await connection.close()
        if as_it_was:
            self._spare.append(url)
        else:
            await self.drop(url)

    async def _note(self) -> None:
        """What a migrated one is like, and how it is made so again."""
        connection = await asyncpg.connect(self.url("migrated"))
        try:
            self._shape = await connection.fetchval(SHAPE)
            steps = ["BEGIN", "SET LOCAL session_replication_role = replica"]  # in any order of tables
            for (table,) in await connection.fetch(TABLES):
                steps.append(f"DELETE FROM {table}")
                rows = await connection.fetchval(f"SELECT quote_literal(jsonb_agg(t)) FROM {table} t")
                if rows is not None:
                    steps.append(
                        f"INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, {rows})"
                    )
            steps += [step for (step,) in await connection.fetch(SEQUENCES)]
            self._emptying = "; ".join([*steps, "COMMIT"])
        finally:
            await connection.close()
