"""`restante migrate`, and what the other commands do with a PostgreSQL store."""

import subprocess
import sys
from pathlib import Path

from restante.stores.postgres.migrate import migrations

from ..postgres import Server
from .process import RESTANTE, Running, environment, run
from .test_serve import healthy

UPSTREAM = ("--upstream", "http://127.0.0.1:9")
FREE = ("--listen", "127.0.0.1:0")
SECRET = "hunter2"
NEWEST = len(migrations())


async def test_a_database_is_brought_up_once(tmp_path: Path, postgres: Server) -> None:
    url = await postgres.database(migrated=False)
    first = run("migrate", "--store", url, folder=tmp_path)
    assert (first.returncode, first.stdout, first.stderr) == (0, f"from version 0 to {NEWEST}\n", "")
    again = run("migrate", folder=tmp_path, RESTANTE_STORE=url)
    assert (again.returncode, again.stdout) == (0, f"at version {NEWEST} already\n")
    shown = run("migrate", "--show-sql", "--store", url, folder=tmp_path)
    assert (shown.returncode, shown.stdout) == (0, "")


async def test_the_sql_is_shown_and_not_run(tmp_path: Path, postgres: Server) -> None:
    url = await postgres.database(migrated=False)
    for _ in range(2):
        shown = run("migrate", "--show-sql", "--store", url, folder=tmp_path)
        assert shown.returncode == 0
        assert shown.stdout.startswith("-- 1\nBEGIN;\n")
        assert "CREATE TABLE restante.transactions" in shown.stdout


def test_a_file_is_brought_up_too(tmp_path: Path) -> None:
    (tmp_path / "restante.toml").write_text('store = "sqlite:///here.db"\n')
    ended = run("migrate", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "at this program's version\n")
    assert (tmp_path / "here.db").exists()
    shown = run("migrate", "--show-sql", folder=tmp_path)
    assert shown.returncode == 2
    assert shown.stderr.startswith("restante: store: ")


def test_a_database_that_cannot_be_reached_is_one_line_without_a_password(tmp_path: Path) -> None:
    url = f"postgresql://me:{SECRET}@127.0.0.1:1/db?password={SECRET}"
    for command in (["serve", *UPSTREAM, *FREE], ["migrate"], ["migrate", "--show-sql"]):
        ended = run(*command, "--store", url, folder=tmp_path)
        assert ended.returncode == 2
        assert (
            ended.stderr == "restante: store: postgresql://me@127.0.0.1:1/db: the server cannot be reached\n"
        )
    checked = run("check", *UPSTREAM, "--store", url, folder=tmp_path)
    assert checked.returncode == 0
    assert SECRET not in checked.stdout
    assert "postgresql://me@127.0.0.1:1/db" in checked.stdout


def test_several_servers_share_a_database(tmp_path: Path, database: str) -> None:
    with (
        Running(*RESTANTE, "serve", *UPSTREAM, *FREE, "--store", database, folder=tmp_path) as one,
        Running(*RESTANTE, "serve", *UPSTREAM, *FREE, "--store", database, folder=tmp_path) as other,
    ):
        assert healthy(one.port())
        assert healthy(other.port())


def test_a_store_that_is_in_use_is_not_taken_for_restored(tmp_path: Path, database: str) -> None:
    for store in (database, "sqlite:///here.db"):
        with Running(*RESTANTE, "serve", *UPSTREAM, *FREE, "--store", store, folder=tmp_path) as server:
            assert healthy(server.port())
            refused = run(
                "migrate", "--restored", "--store", store, folder=tmp_path, RESTANTE_UPSTREAM=UPSTREAM[1]
            )
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
        assert refused.stderr.startswith("restante: store: ")
    done = run("migrate", "--restored", "--store", database, folder=tmp_path, RESTANTE_UPSTREAM=UPSTREAM[1])
    assert (done.returncode, done.stdout.split()[0]) == (0, "0")


def test_a_driver_is_imported_only_for_its_store(tmp_path: Path) -> None:
    code = "import sys, restante.cli.entry, restante.assembly; print({'asyncpg', 'apsw'} & set(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "set()\n"
