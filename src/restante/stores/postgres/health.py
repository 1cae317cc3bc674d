"""How the database is: what vacuum has not got to yet, and what keeps it from getting there.

The server counts dead rows itself, so one look reads a few lines of its statistics. Of other roles'
sessions it tells their age only to a member of `pg_read_all_stats`; how far back the oldest transaction
that writes reaches, prepared ones and replication slots, it tells everybody.
"""

from ...ports import Measure, StoreHealth
from .database import Database

DEAD_READY_LIMIT = 50_000
"""Dead rows of `ready`, which is vacuumed for every 2,000: claims step over all of them."""

DEAD_LIMIT = 100_000
"""Dead rows of another table; where it has more than twice as many live ones, half of these."""

OLDEST_TRANSACTION_LIMIT_SECONDS = 300
"""Nothing of ours lasts longer than some seconds; while an old one does, no dead row can go."""

OLDEST_SNAPSHOT_LIMIT = 1_000_000
"""How many transactions lie behind the oldest snapshot that anybody, a standby or a slot too, may look at."""


async def health_of(database: Database) -> StoreHealth:
    """Raises `StoreUnavailable`."""
    measures = []
    for name, value, live in await database.rows("health", again=True):
        match name:
            case "oldest_transaction_seconds":
                limit = OLDEST_TRANSACTION_LIMIT_SECONDS
            case "oldest_snapshot_transactions":
                limit = OLDEST_SNAPSHOT_LIMIT
            case "ready_dead_rows":
                limit = DEAD_READY_LIMIT
            case _:
                limit = max(DEAD_LIMIT, live // 2)
        measures.append(Measure(name, value, limit))
    return StoreHealth(tuple(measures))
