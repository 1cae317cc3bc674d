"""A connection that breaks at any moment: what was asked is done once, and the answer is the true one."""

import asyncio

import pytest

from restante.core.clock import SECOND
from restante.core.errors import KeyReused, RestanteError
from restante.core.model import Accepted, Body
from restante.core.status import Reading
from restante.stores.postgres import PostgresStore

from ..samples import (
    NOW,
    a_submission,
    accepted,
    applied,
    begin,
    claimed,
    complete,
    completed,
    delay,
    failed,
    now_is,
)
from .conftest import Opener, Wire, asked

MOMENTS = pytest.mark.parametrize("moment", ["before", "after", "late"])
"""Before the server sees it; after its commit; or the server sees it only when we have asked again."""


@pytest.fixture
async def store(opening: Opener, wire: Wire) -> PostgresStore:
    """On the wire."""
    return await opening(wire.url)


async def over(wire: Wire, moment: str) -> None:
    """A late one has come and gone."""
    wire.release.set()
    if moment == "late":
        async with asyncio.timeout(20):
            await wire.delivered.wait()
    assert wire.cuts == 1


@MOMENTS
@pytest.mark.parametrize("key", [None, b"a"])
async def test_a_submission_is_accepted_once(
    store: PostgresStore, wire: Wire, moment: str, key: bytes | None
) -> None:
    some = [await a_submission(store, key=key, claim=True), await a_submission(store)]
    wire.cut("INSERT INTO restante.idempotency AS known", moment)
    assert await store.accept(some) == [Accepted(one.transaction) for one in some]
    await over(wire, moment)
    assert await store.look([one.transaction.id for one in some]) == [one.transaction for one in some]
    assert [len(log) for log in await store.events([one.transaction.key for one in some])] == [1, 1]
    assert store.queued == 2
    assert await claimed(store) == [some[1].transaction.key]  # the first is held
    await applied(store, begin(some[0].transaction))


@MOMENTS
async def test_a_replay_is_one_all_the_same(store: PostgresStore, wire: Wire, moment: str) -> None:
    first = await accepted(store, key=b"a")
    same, other = (
        await a_submission(store, key=b"a"),
        await a_submission(store, key=b"a", fingerprint=b"g" * 32),
    )
    wire.cut("INSERT INTO restante.idempotency AS known", moment)
    answers = await store.accept([same, other])
    await over(wire, moment)
    assert answers[0] == Accepted(first, replayed=True)
    assert isinstance(answers[1], KeyReused)
    assert store.queued == 1


@MOMENTS
async def test_a_change_is_applied_once(store: PostgresStore, wire: Wire, moment: str) -> None:
    pending = await accepted(store, claim=True)
    wire.cut("SET status = c.status", moment)
    begun = begin(pending)
    assert await store.apply([begun]) == [True]
    await over(wire, moment)
    assert await now_is(store, pending) == begun.after
    done = complete(begun.after)
    wire.cut("SET status = c.status", "before" if moment == "late" else moment)
    assert await store.apply([done]) == [True]
    assert await now_is(store, pending) == done.after
    assert await store.results([pending.key]) == [done.result]
    (log,) = await store.events([pending.key])
    assert [event.sequence for event in log] == [1, 2, 3]


@MOMENTS
async def test_a_change_that_was_too_late_is_not_taken_for_applied(
    store: PostgresStore, wire: Wire, moment: str
) -> None:
    begun = await applied(store, begin(await accepted(store)))
    current = await applied(store, delay(begun, until=NOW + SECOND))
    wire.cut("SET status = c.status", moment)
    assert await store.apply([complete(begun)]) == [False]
    await over(wire, moment)
    assert await now_is(store, begun) == current


@MOMENTS
async def test_a_reading_is_reserved_and_settled_once(store: PostgresStore, wire: Wire, moment: str) -> None:
    done = await failed(store)
    wire.cut("SET reading = m.after", moment)
    tokens = await asyncio.gather(*[store.reserve_reading(done.key) for _ in range(5)])
    assert tokens.count(None) == 4
    await over(wire, moment)
    assert await store.reserve_reading(done.key) is None
    (token,) = [token for token in tokens if token is not None]
    wire.cut("SET reading = m.after", "before" if moment == "late" else moment)
    assert await store.settle_reading(done.key, token, Reading.READ)
    assert not await store.settle_reading(done.key, token, Reading.UNREAD)
    assert await store.reserve_reading(done.key) is None


@MOMENTS
async def test_pieces_are_written_and_purged_all_the_same(
    store: PostgresStore, wire: Wire, moment: str
) -> None:
    submission = await a_submission(store, body=Body(3, None))
    key = submission.transaction.key
    wire.cut("INSERT INTO restante.chunks", moment)
    await store.write_chunk(key, 0, 0, b"abc")
    await over(wire, moment)
    await store.accept([submission])
    assert await store.read_chunk(key, 0, 0) == b"abc"
    wire.cut("forgotten_scopes AS", "after")
    await store.purge([], [submission.transaction])
    assert await store.read_chunk(key, 0, 0) is None
    assert await now_is(store, submission.transaction) is None


async def test_reads_do_not_notice(store: PostgresStore, wire: Wire) -> None:
    done = await completed(store)
    for words, read in (
        ("result_status, reading, retry_of::text", lambda: store.look([done.id])),
        ("WITH ORDINALITY", lambda: store.events([done.key])),
        ("AS turn", lambda: store.next_due("default", NOW)),
    ):
        expected = await read()
        wire.cut(words, "after")
        assert await read() == expected
    assert wire.cuts == 3


async def test_a_claim_that_was_lost_is_given_back(opening: Opener, wire: Wire, database: str) -> None:
    store = await opening(wire.url, lease=SECOND)
    pending = await accepted(store)
    wire.cut("SKIP LOCKED", "after")
    with pytest.raises(Exception, match="at the moment"):
        await store.claim("default", 10, NOW)
    (row,) = await asked(database, "SELECT hold FROM restante.ready")
    assert row[0] is not None
    async with asyncio.timeout(10):
        while not await claimed(store):
            await asyncio.sleep(0.05)
    await applied(store, begin(pending))


async def test_backends_that_are_terminated_are_replaced(store: PostgresStore, database: str) -> None:
    """Again and again, under load: nobody notices. (One that ends while it is being opened is a server that
    cannot be reached, and there callers are refused for a moment: those are left alone.)
    """
    await store.tidy(NOW)  # a partition takes longer to make than they are left alone for
    submissions = [await a_submission(store) for _ in range(300)]
    done = 0

    async def one_by_one(some: int) -> None:
        for submission in submissions[some::6]:
            assert await store.accept([submission]) == [Accepted(submission.transaction)]
            begun = begin(submission.transaction)
            assert await store.apply([begun]) == [True]
            assert await store.apply([complete(begun.after)]) == [True]
            nonlocal done
            done += 1

    async def terminate() -> None:
        for place in range(6):
            while done < 40 * place:
                await asyncio.sleep(0)
            while not await asked(
                database,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND query LIKE '%restante.%'",
            ):
                pass

    await asyncio.gather(*[one_by_one(some) for some in range(6)], terminate())
    found = await store.look([submission.transaction.id for submission in submissions])
    assert {one.status for one in found if one} == {"completed"}
    assert {len(log) for log in await store.events([one.key for one in found if one])} == {3}
    assert store.queued == 0


async def test_a_commit_that_a_standby_may_not_have_is_followed_by_one_that_it_has(
    opening: Opener, database: str
) -> None:
    """Whoever cancels the waiting for a standby makes the server report success, with a warning."""
    store = await opening()
    for statement in (
        "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE WARNING 'canceling wait for synchronous replication'; RETURN NULL; END $$",
        "CREATE TRIGGER warn AFTER INSERT ON restante.events FOR EACH ROW EXECUTE FUNCTION warn()",
    ):
        await asked(database, statement)
    submission = await a_submission(store)
    assert await store.accept([submission]) == [Accepted(submission.transaction)]
    assert (await asked(database, "SELECT probes FROM restante.meta"))[0][0] == 1
    assert await store.apply([begin(submission.transaction)]) == [True]
    assert (await asked(database, "SELECT probes FROM restante.meta"))[0][0] == 2
    assert [len(log) for log in await store.events([submission.transaction.key])] == [2]


async def test_what_the_driver_says_is_not_told_to_callers(store: PostgresStore) -> None:
    submission = await a_submission(store)
    await store.accept([submission])
    with pytest.raises(RestanteError) as refused:
        await store.accept([submission])
    assert str(refused.value) == "the store could not keep or find this"
    assert refused.value.__cause__ is None
