"""What expires together goes together, as a whole, and nothing goes that is needed."""

import asyncio
import itertools
from typing import Any

import asyncpg
import msgspec
import pytest

from restante.core import change
from restante.core.clock import DAY, HOUR, MINUTE
from restante.core.model import Accepted, Body, Transaction
from restante.stores.postgres import PostgresStore, partitions
from restante.stores.postgres.health import health_of
from restante.stores.postgres.keys import (
    FIRST_HOUR,
    LAST_HOUR,
    LAST_KEY,
    LAST_PLAIN,
    WIDE,
    key_for,
    keys_of,
    parted,
    within,
)
from restante.stores.postgres.partitions import AHEAD_HOURS, GRACE, LATE, LOCK, LONGEST_REST_SECONDS, RESTS
from restante.stores.postgres.places import HOURS, Partition

from ...postgres import Server
from ..samples import (
    NOW,
    a_key,
    a_submission,
    accepted,
    applied,
    begin,
    claimed,
    complete,
    completed,
    failed,
    now_is,
    read,
)
from .conftest import Opener, asked, killed

EXPIRED = (NOW + DAY) // HOUR * HOUR + HOUR + GRACE
"""When the hour is over in which expires what was accepted at NOW."""

FORGOTTEN = NOW + 32 * DAY
BY_HOUR = ("requests", "results", "chunks")
BY_DAY = ("transactions", "events", "endings")


async def tables(database: str) -> set[str]:
    rows = await asked(
        database,
        "SELECT relname FROM pg_class WHERE relnamespace = 'restante'::regnamespace AND relkind = 'r' "
        "AND relname ~ '_[0-9]+$'",
    )
    return {row[0] for row in rows}


async def of(database: str, *names: str) -> set[str]:
    """The partitions of these tables."""
    return {name for name in await tables(database) if name.rpartition("_")[0] in names}


async def test_a_change_of_a_group_is_written_beside_what_it_replaces(opening: Opener, database: str) -> None:
    store = await opening()
    pages = "SELECT key, (ctid::text::point)[0] FROM restante.transactions ORDER BY key"
    submissions = [await a_submission(store) for _ in range(64)]
    pending = [
        answer.transaction for answer in await store.accept(submissions) if isinstance(answer, Accepted)
    ]
    before = await asked(database, pages)
    await applied(store, *map(begin, pending))
    assert await asked(database, pages) == before


async def large(store: PostgresStore, **fields: Any) -> Transaction:
    """One whose request and answer are in pieces."""
    submission = await a_submission(store, body=Body(6, None), **fields)
    await store.write_chunk(submission.transaction.key, 0, 0, b"pieces")
    (answer,) = await store.accept([submission])
    assert isinstance(answer, Accepted)
    begun = await applied(store, begin(answer.transaction))
    await store.write_chunk(begun.key, 1, 0, b"pieces")
    return await applied(store, complete(begun, body=Body(6, None)))


# -- keys


def test_a_key_says_in_which_hour_it_expires() -> None:
    for expires_at, hour in ((NOW, NOW // HOUR), (0, FIRST_HOUR), (1 << 62, LAST_HOUR)):
        key = key_for(5, expires_at)
        assert (key >> 28, key & 0xFFFFFFF) == (hour, 5)
        assert LAST_PLAIN < key <= LAST_KEY < 1 << 48


def test_keys_lie_between_few_bounds() -> None:
    keys = [key_for(number, NOW + number * MINUTE) for number in range(60)]
    first, last = within(keys, 1)
    assert first <= min(keys) <= max(keys) <= last
    assert last - first < 2 << 28
    assert within([7, 9], 24) == (0, LAST_PLAIN)
    far = [key_for(0, NOW), key_for(0, NOW + 99 * DAY)]
    assert within([7, *keys], 24) == within(far, 24) == (0, LAST_KEY)
    bounds = {within([key_for(0, NOW + hour * HOUR)], 24) for hour in range(48)}
    assert len(bounds) == 3  # days begin at midnight


@pytest.mark.parametrize("hours", [1, 24])
def test_keys_are_looked_up_in_parts_that_lie_in_few_partitions(hours: int) -> None:
    near = [key_for(number, NOW + number * hours * HOUR) for number in range(WIDE)]
    assert parted(near, hours) == [near]
    first, last = within(near, hours)
    assert last - first < keys_of(0, hours * WIDE * 2)[1] + 1
    far = [key_for(number, NOW + number * 7 * hours * HOUR) for number in range(40)]
    parts = parted([5, *far, 6], hours)
    assert sorted(key for part in parts for key in part) == sorted([5, 6, *far])
    assert all(within(part, hours) != (0, LAST_KEY) for part in parts)
    assert parted([], hours) == []


@pytest.mark.parametrize("table", HOURS)
def test_a_partition_is_known_by_its_name(table: str) -> None:
    for hour in (FIRST_HOUR, NOW // HOUR, LAST_HOUR):
        partition = Partition.of(table, hour)
        assert Partition.named(partition.name) == partition
        first, last = partition.keys
        assert first <= key_for(0, hour * HOUR) <= last
    assert Partition.named(f"{table}_plain") is None
    assert Partition.named(f"{table}_20231332") is None


# -- made


async def test_partitions_are_made_ahead_and_no_accept_makes_one(opening: Opener, database: str) -> None:
    store = await opening()
    await store.tidy(NOW)
    made = await tables(database)
    assert (
        len(made & {Partition.of("results", (NOW + DAY) // HOUR + n).name for n in range(9)})
        == 1 + AHEAD_HOURS
    )
    assert len(made) <= 3 * (1 + AHEAD_HOURS) + 3 * 2
    for hours in range(1 + AHEAD_HOURS):
        await completed(store, expires_at=NOW + DAY + hours * HOUR)
    assert await tables(database) == made
    await store.tidy(NOW + MINUTE)
    assert await tables(database) == made
    await store.tidy(NOW + HOUR)
    assert len(await of(database, *BY_HOUR)) == 3 * (2 + AHEAD_HOURS)


async def test_nothing_is_refused_for_want_of_a_partition(opening: Opener) -> None:
    """However many come at once, on however many servers, and whatever their clocks say."""
    stores = [await opening(), await opening()]
    moments = [NOW, 5, 1 << 62, NOW + 400 * DAY, *[NOW + hours * HOUR for hours in range(6)]]
    some = await asyncio.gather(
        *[
            completed(store, expires_at=moment, body=b"x")
            for moment in moments
            for store in stores
            for _ in "12"
        ]
    )
    assert await stores[0].look([one.id for one in some]) == list(some)
    assert None not in await stores[1].results([one.key for one in some])


async def test_a_partition_whose_making_was_cut_off_is_made(opening: Opener, database: str) -> None:
    store = await opening()
    other = await asyncpg.connect(database)
    await other.execute("SELECT pg_advisory_lock($1)", LOCK)
    accepting = asyncio.create_task(completed(store))
    async with asyncio.timeout(20):
        while not await other.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            await asyncio.sleep(0)
    await other.close()
    done = await accepting
    assert await now_is(store, done) == done


async def test_pieces_find_a_place_too(opening: Opener) -> None:
    store = await opening()
    key = await a_key(store, expires_at=NOW + 90 * DAY)
    await store.write_chunk(key, 0, 0, b"piece")
    assert await store.read_chunk(key, 0, 0) == b"piece"


async def test_who_may_make_no_tables_is_told_so(
    opening: Opener, postgres: Server, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = database.partition("?")[0].rpartition("/")[2]
    await postgres.run(
        "CREATE ROLE writer LOGIN; GRANT USAGE ON SCHEMA restante TO writer; "
        "GRANT ALL ON ALL TABLES IN SCHEMA restante TO writer; "
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA restante TO writer",
        database=name,
    )
    store = await opening(database.replace("restante@", "writer@"))
    with pytest.raises(Exception, match="at the moment"):
        await store.tidy(NOW)
    assert "must own" in caplog.text


async def test_making_one_waits_for_nobody_who_reads_or_writes(opening: Opener, database: str) -> None:
    store = await opening()
    await completed(store)
    other = await asyncpg.connect(database)
    async with other.transaction():
        await other.execute("SELECT count(*) FROM restante.transactions, restante.results")
        await other.execute("UPDATE restante.transactions SET method = 'PUT'")
        await asyncio.wait_for(store.tidy(NOW + 9 * HOUR), 5)
        await asyncio.wait_for(completed(store, expires_at=NOW + 40 * DAY), 5)
    await other.close()


# -- dropped


async def test_it_rests_between_the_idempotency_keys_that_it_forgets(
    opening: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that accepts go on beside it."""
    store = await opening()
    for n in range(4):
        await completed(store, key=b"%d" % n)
    loop = asyncio.get_running_loop()
    spans: list[tuple[float, float]] = []
    value = store._database.value

    async def timed(name: str, *arguments: Any, **options: Any) -> Any:
        began = loop.time()
        found = await value(name, *arguments, **options)
        if name == "forget_scopes":
            spans.append((began, loop.time()))
        return found

    monkeypatch.setattr(store._database, "value", timed)
    monkeypatch.setattr(partitions, "SCOPES", 1)
    await store.tidy(EXPIRED)
    assert len(spans) == 5
    for (began, ended), (next_began, _) in itertools.pairwise(spans):
        assert next_began - ended >= min((ended - began) * RESTS, LONGEST_REST_SECONDS) * 0.99


async def test_results_do_not_wait_until_the_idempotency_keys_are_gone(
    opening: Opener, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await opening()
    await completed(store, key=b"one")
    results = Partition.of("results", (NOW + DAY) // HOUR).name
    assert results in await tables(database)
    value = store._database.value
    there = []

    async def watched(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "forget_scopes":
            there.append(results in await tables(database))
        return await value(name, *arguments, **options)

    monkeypatch.setattr(store._database, "value", watched)
    await store.tidy(EXPIRED)
    assert there == [False] * 2


async def test_an_hour_is_past_without_a_look_at_its_rows(opening: Opener, database: str) -> None:
    store = await opening()
    await completed(store)
    (partition,) = await of(database, "transactions")
    (made,) = await asked(
        database,
        f"SELECT indexdef FROM pg_indexes WHERE tablename = '{partition}' AND indexdef LIKE '%brin%'",
    )
    assert "(key, expires_at, created_at)" in made[0]


async def test_a_result_goes_with_its_hour_and_its_history_with_its_day(
    opening: Opener, database: str
) -> None:
    store = await opening()
    some = [await completed(store, key=b"%d" % n) for n in range(5)]
    some += [await failed(store), await large(store, key=b"large"), await failed(store)]
    await read(store, some[-1])
    kept = await completed(store, key=b"kept", expires_at=NOW + DAY + 9 * HOUR)
    some = [found for one in some if (found := await now_is(store, one))]
    keys = [one.key for one in some]

    await store.tidy(EXPIRED - 1)
    assert None not in await store.results(keys)
    await store.tidy(EXPIRED)
    assert await store.results(keys) == await store.requests(keys) == [None] * len(keys)
    assert [await store.read_chunk(some[6].key, attempt, 0) for attempt in (0, 1)] == [None, None]
    assert await store.look([one.id for one in some]) == some
    assert await store.events(keys) != [[]] * len(keys)
    assert [row[0] for row in await asked(database, "SELECT key FROM restante.idempotency")] == [kept.key]
    assert await asked(database, "SELECT 1 FROM restante.loose") == []
    assert None not in await store.results([kept.key])

    await store.tidy(FORGOTTEN)
    assert await store.look([one.id for one in (*some, kept)]) == [None] * (len(some) + 1)
    assert await store.events(keys) == [[]] * len(keys)
    hours = (FORGOTTEN + DAY) // HOUR
    assert await tables(database) == {
        Partition.of(table, hours + n).name for table in HOURS for n in range(1 + AHEAD_HOURS)
    }
    for table in HOURS:
        assert await asked(database, f"SELECT 1 FROM restante.{table}") == []


async def test_dropping_deletes_no_row(opening: Opener, database: str) -> None:
    store = await opening()
    for _ in range(3):
        await completed(store)
    await asked(database, "SELECT pg_stat_force_next_flush()")
    await store.tidy(EXPIRED)
    await asked(database, "SELECT pg_stat_clear_snapshot()")
    for measure in (await health_of(store._database)).measures:
        if measure.name.endswith("_dead_rows") and not measure.name.startswith(("ready", "transactions")):
            assert measure.value == 0, measure
    rows = await asked(
        database, "SELECT sum(n_tup_del)::int FROM pg_stat_user_tables WHERE relname <> 'ready'"
    )
    assert rows[0][0] == 0


async def test_what_nobody_has_ended_is_ended_before_it_goes(opening: Opener) -> None:
    store = await opening()
    pending = await accepted(store, body=b"important")
    sending = await applied(store, begin(await accepted(store)))
    for moment in (EXPIRED, FORGOTTEN, FORGOTTEN + 99 * DAY):
        await store.tidy(moment)
        assert await store.look([pending.id, sending.id]) == [pending, sending]
        assert None not in await store.requests([pending.key, sending.key])
    lapsed = await store.lapsed(EXPIRED, 10)
    assert lapsed == [pending, sending]
    for one in lapsed:
        await applied(store, change.expire(one, now=EXPIRED))
    await store.tidy(FORGOTTEN)
    assert await store.look([pending.id, sending.id]) == [None, None]


async def test_a_body_that_is_being_written_keeps_its_hour(opening: Opener, database: str) -> None:
    store, writer = await opening(), await opening()
    submission = await a_submission(writer, body=Body(6, None))
    key = submission.transaction.key
    await writer.write_chunk(key, 0, 0, b"pieces")
    await store.tidy(EXPIRED)
    assert await writer.read_chunk(key, 0, 0) == b"pieces"
    late = msgspec.structs.replace(
        submission.transaction,
        created_at=EXPIRED,
        deadline=EXPIRED + DAY,
        expires_at=EXPIRED + DAY,
        sweep_at=EXPIRED + DAY,
        due_at=EXPIRED,
    )
    await writer.accept([msgspec.structs.replace(submission, transaction=late)])
    done = await applied(writer, complete(await applied(writer, begin(late))))
    await store.tidy(EXPIRED + DAY - 1)
    assert await writer.read_chunk(key, 0, 0) == b"pieces"
    assert None not in await store.results([key])
    await store.tidy(EXPIRED + DAY)
    assert await store.results([key]) == [None]
    assert await now_is(store, done) == done


async def test_what_was_never_referred_to_leaves_nothing(opening: Opener, database: str) -> None:
    store = await opening()
    other = await opening()
    keys = [await a_key(other) for _ in range(3)]
    for key in keys:
        await other.write_chunk(key, 0, 0, b"pieces")
    await killed(other)
    await asked(database, "DELETE FROM restante.nodes WHERE node = $1", other._nodes.node)
    await store._nodes._void()
    await store.drop_chunks(0, 0)  # waits for what was begun
    await store.tidy(EXPIRED)
    assert await of(database, "chunks") == {
        Partition.of("chunks", (EXPIRED + DAY) // HOUR + n).name for n in range(1 + AHEAD_HOURS)
    }
    assert await asked(database, "SELECT 1 FROM restante.loose") == []


async def test_history_is_kept_as_long_as_the_settings_say_now(opening: Opener) -> None:
    one = await opening(history=10 * DAY)
    done = await completed(one)
    longer = await opening(history=40 * DAY)
    await longer.tidy(NOW + 12 * DAY)
    assert await now_is(longer, done) == done
    await one.tidy(NOW + 11 * DAY + GRACE + DAY)
    assert await now_is(one, done) is None


async def test_a_clock_that_is_behind_loses_nothing(opening: Opener) -> None:
    """What was accepted into an hour that others think is over."""
    ahead, behind = await opening(), await opening()
    await completed(ahead)
    await ahead.tidy(EXPIRED)
    pending = await accepted(behind, body=b"late")
    await ahead.tidy(EXPIRED)
    assert await now_is(ahead, pending) == pending
    assert await claimed(ahead) == [pending.key]
    assert None not in await ahead.requests([pending.key])


async def test_what_was_taken_out_and_not_dropped_is_dropped_by_another(
    opening: Opener, database: str
) -> None:
    store = await opening()
    done = await completed(store)
    name = Partition.of("results", (NOW + DAY) // HOUR).name
    await asked(database, f"ALTER TABLE restante.results DETACH PARTITION restante.{name} CONCURRENTLY")
    await store.tidy(EXPIRED)
    assert name not in await tables(database)
    assert await now_is(store, done) == done


@pytest.mark.parametrize("table", ["results", "transactions"])
async def test_what_was_taken_out_and_is_needed_is_put_back(
    opening: Opener, database: str, table: str
) -> None:
    store = await opening()
    done = await completed(store)
    name = Partition.of(table, (NOW + DAY) // HOUR).name
    await asked(database, f"ALTER TABLE restante.{table} DETACH PARTITION restante.{name} CONCURRENTLY")
    await store.tidy(NOW)
    assert await now_is(store, done) == done
    assert None not in await store.results([done.key])


async def test_a_drop_that_was_given_up_halfway_is_ended_by_another(opening: Opener, database: str) -> None:
    store = await opening()
    await completed(store)
    name = Partition.of("results", (NOW + DAY) // HOUR).name
    reader = await asyncpg.connect(database)
    await reader.execute("BEGIN")
    await reader.execute("SELECT count(*) FROM restante.results")
    with pytest.raises(asyncpg.QueryCanceledError):
        other = await asyncpg.connect(database)
        await other.execute("SET statement_timeout = 100")
        await other.execute(f"ALTER TABLE restante.results DETACH PARTITION restante.{name} CONCURRENTLY")
    await other.close()
    await completed(store, expires_at=NOW + DAY + HOUR)
    await reader.execute("COMMIT")
    await reader.close()
    await store.tidy(EXPIRED)
    assert name not in await tables(database)


async def test_several_drop_at_once_while_others_work(opening: Opener, database: str) -> None:
    """Nobody is refused, nobody waits for long, and nothing is left over."""
    stores = [await opening() for _ in range(3)]
    hours = range(8)
    for hour in hours:
        await asyncio.gather(*[completed(stores[0], expires_at=NOW + hour * HOUR) for _ in range(3)])
    stop = asyncio.Event()
    kept: list[Transaction] = []

    async def work(store: PostgresStore) -> None:
        while not stop.is_set():
            done = await completed(store, expires_at=NOW + 2 * DAY)
            assert await store.look([done.id]) == [done]
            assert len((await store.events([done.key]))[0]) == 3
            kept.append(done)

    working = [asyncio.create_task(work(store)) for store in stores for _ in range(4)]
    for _ in range(3):
        await asyncio.gather(*[store.tidy(NOW + 9 * HOUR) for store in stores])
    stop.set()
    await asyncio.gather(*working)
    assert len(kept) > 3
    assert await stores[0].look([one.id for one in kept]) == kept
    over = {Partition.of("results", NOW // HOUR + hour).name for hour in hours}
    assert not over & await tables(database)


async def test_one_that_cannot_be_dropped_is_told_of(opening: Opener, database: str) -> None:
    store = await opening()
    pending = await accepted(store)

    async def alarms(moment: int) -> dict[str, int]:
        await store.tidy(moment)
        return {one.name: one.value for one in (await store.health(moment)).measures if one.alarming}

    assert await alarms(NOW) == {}
    assert await alarms(EXPIRED + LATE) == {"late_partitions": 3}
    await applied(store, change.cancel(pending, now=NOW))
    assert await alarms(EXPIRED + LATE) == {}


async def test_missing_ones_are_told_of(opening: Opener) -> None:
    store = await opening()
    await store.tidy(NOW)
    for hours, left in enumerate((AHEAD_HOURS, 2, 1, 0, -1, -1)):
        health = await store.health(NOW + hours * HOUR)
        (ahead,) = [one for one in health.measures if one.name == "partitions_ahead_hours"]
        assert (ahead.value, ahead.alarming) == (left, left < 1)


async def test_behind_a_pooler_it_is_the_same(opening: Opener, pooled: str, database: str) -> None:
    store = await opening(pooled)
    done = await completed(store)
    await store.tidy(EXPIRED)
    assert await store.results([done.key]) == [None]
    await store.tidy(FORGOTTEN)
    assert await now_is(store, done) is None
