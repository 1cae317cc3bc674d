"""Numbered migrations: each is applied once, whole, in one transaction with its number.

A number is never reused, a script that was released is never edited. A script only adds, and waits for no
lock longer than a moment, so that it can run while the version before is at work; and a database that is
newer than this program is used as it is, unless it names the `least` that a program must know of. Of several
that start at once one migrates, the others wait for it.
"""

import asyncio
import logging
import os
import re
from pathlib import Path
from typing import Any

import asyncpg

from ...core.errors import SettingError
from .pool import open_connection
from .queries import QUERIES
from .tls import tls_trouble
from .url import Target

LOCK_SECONDS = 5
"""How long one step waits for a lock."""

STEP_SECONDS = 6 * 3600.0
"""How long one may take: some read a whole table, beside everything else."""

TRIES = 5
PAUSE_SECONDS = 0.2

KEYED = 12
"""The migration that a program must know of to work where idempotency keys are kept under keyed hashes."""

LOCK = 0x52657374616E7465
"""Held by whoever migrates, until the step is over ("Restante")."""

log = logging.getLogger("restante.stores")

_MIGRATIONS = Path(__file__).with_name("migrations")

_PREPARE = """\
CREATE SCHEMA IF NOT EXISTS restante;
CREATE TABLE IF NOT EXISTS restante.migrations (
    number integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);"""

REFUSED = "this role lacks a privilege in the schema restante; it must own the schema and its tables"

_PRIVILEGES = """
SELECT there IS NOT NULL, coalesce(has_schema_privilege(there, 'USAGE'), false),
    coalesce(has_schema_privilege(there, 'CREATE'), false),
    (
        SELECT count(*) FROM pg_class
        WHERE relnamespace = there AND relkind IN ('r', 'p') AND NOT pg_has_role(relowner, 'USAGE')
    )
FROM (SELECT (SELECT oid FROM pg_namespace WHERE nspname = 'restante')) AS schema (there)
"""


def migrations() -> list[str]:
    """The scripts, in order; their numbers have no gaps."""
    found = sorted(path for path in _MIGRATIONS.iterdir() if re.match(r"\d{4}_\w+\.sql$", path.name))
    assert [int(path.name[:4]) for path in found] == list(range(1, len(found) + 1))
    return [path.read_text(encoding="utf-8") for path in found]


def step(number: int, script: str, secret: bytes) -> str:
    """One migration as one transaction, to be run here or by hand. The secret goes in with the first."""
    lines = [
        f"-- {number}",
        "BEGIN;",
        f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s';",
        "SET LOCAL statement_timeout = 0;",
        f"SELECT pg_advisory_xact_lock({LOCK});",
        *([_PREPARE] if number == 1 else []),
        f"INSERT INTO restante.migrations (number) VALUES ({number});",
        script.strip(),
    ]
    if number == 1:
        lines.append(f"INSERT INTO restante.meta (secret, probes) VALUES ('\\x{secret.hex()}', 0);")
    return "\n".join([*lines, "COMMIT;", ""])


async def migrate(target: Target) -> tuple[int, int]:
    """Brings the database to the newest schema: its number before and after. Raises `SettingError`."""
    for left in reversed(range(TRIES)):
        connection = await reached(target)
        try:
            before = version = await version_of(connection)
            scripts = migrations()
            if version > len(scripts):
                if version >= KEYED and await connection.fetchval(QUERIES["least"]) > len(scripts):
                    raise SettingError(
                        "store", f"{target.shown}: a newer version of Restante is needed for it"
                    )
                log.warning("the database is of a newer version (%d) than this program", version)
            for number, script in enumerate(scripts[version:], start=version + 1):
                await connection.execute(step(number, script, os.urandom(16)), timeout=STEP_SECONDS)
                version = number
            return before, version
        except asyncpg.InsufficientPrivilegeError:
            raise await lacking(target, otherwise=REFUSED) from None
        except (asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError) as error:
            log.debug("another process was faster: %r", error)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            if not left:
                raise SettingError(
                    "store", f"{target.shown}: a migration waited too long for a lock"
                ) from None
            log.debug("a migration waits for a lock: %r", error)
        finally:
            connection.terminate()
        await asyncio.sleep(PAUSE_SECONDS)
    raise SettingError("store", f"{target.shown}: the migrations were overtaken {TRIES} times")


async def pending(target: Target) -> str:
    """The SQL that `migrate` would run."""
    connection = await reached(target)
    try:
        version = await version_of(connection)
    except asyncpg.InsufficientPrivilegeError:
        raise await lacking(target, otherwise=REFUSED) from None
    finally:
        connection.terminate()
    scripts = migrations()[version:]
    return "\n".join(
        step(number, script, os.urandom(16)) for number, script in enumerate(scripts, start=version + 1)
    )


async def version_of(connection: Any) -> int:
    """The number of the last migration; 0 for a database without any."""
    if await connection.fetchval("SELECT to_regclass('restante.migrations')") is None:
        return 0
    number: int = await connection.fetchval("SELECT coalesce(max(number), 0) FROM restante.migrations")
    return number


async def lacking(target: Target, *, otherwise: str) -> SettingError:
    """What the role may not do, and must, after something failed; `otherwise` where it may do all."""
    connection = await reached(target)
    try:
        exists, uses, creates, others = await connection.fetchrow(_PRIVILEGES)
    finally:
        connection.terminate()
    missing = " and ".join(name for name, has in (("USAGE", uses), ("CREATE", creates)) if not has)
    if not exists:
        why = (
            "this role may not create the schema restante; "
            "GRANT CREATE ON DATABASE … TO …, or let another run `restante migrate`"
        )
    elif missing:
        why = (
            f"this role has no {missing} on the schema restante, which is there; connect as the role that "
            f"owns it, or GRANT {missing.replace(' and', ',')} ON SCHEMA restante TO … "
            "and make it the owner of the tables"
        )
    elif others:
        why = (
            f"this role must own the tables of the schema restante, and {others} are another's; "
            "connect as the role that owns them, or ALTER TABLE … OWNER TO … each"
        )
    else:
        why = otherwise
    return SettingError("store", f"{target.shown}: {why}")


async def reached(target: Target) -> Any:
    """A connection; raises `SettingError` of one line, without anything secret, where there is none."""
    try:
        return await open_connection(target)
    except SettingError:
        raise
    except asyncpg.InvalidPasswordError:
        why = "the server refuses this user or password"
    except asyncpg.InvalidAuthorizationSpecificationError:
        why = (
            "the server refuses this user or password, or wants TLS where there is none or the reverse; "
            "see its pg_hba.conf and ?sslmode="
        )
    except asyncpg.InvalidCatalogNameError:
        why = "there is no such database"
    except (asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError):
        why = "the server takes no connection at the moment"
    except asyncpg.TargetServerAttributeNotMatched:
        why = "none of the servers is of the wanted kind (target_session_attrs)"
    except asyncpg.ProtocolViolationError as error:
        log.debug("no connection: %r", error)
        why = "this seems to be a pooler; say so with ?pooler=on"
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        log.debug("no connection: %r", error)
        why = (
            tls_trouble(error, target.url)
            or "the server refuses the connection, or the URL is not one of PostgreSQL"
        )
    except TimeoutError:
        why = "no answer in time"
    except OSError as error:
        log.debug("no connection: %r", error)
        why = tls_trouble(error, target.url) or (
            str(error)
            if isinstance(error, ConnectionRefusedError) and error.errno is None
            else ("the server cannot be reached")
        )
    raise SettingError("store", f"{target.shown}: {why}") from None
