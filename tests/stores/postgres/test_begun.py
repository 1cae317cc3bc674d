"""A first attempt that begins with its accept: one commit, and all that two would have written."""

import asyncio

import msgspec

from restante.core.clock import SECOND
from restante.core.endpoint import Filters
from restante.core.model import Accepted, Claim, Submission
from restante.core.outbox import of_event
from restante.core.status import Phase, Status
from restante.stores.postgres import PostgresStore

from ..samples import NOW, a_submission, accepted, applied, begin, claimed, complete, now_is
from ..test_outbox import an_endpoint, mint
from .conftest import Opener, asked, killed

PATIENCE_SECONDS = 20.0

READY = "SELECT tenant, priority, due_at, created_at, sweep_at, begun, hold IS NOT NULL FROM restante.ready"


async def begun_with(store: PostgresStore, **fields: object) -> Submission:
    submission = await a_submission(store, claim=True, **fields)  # type: ignore[arg-type]
    return msgspec.structs.replace(submission, begun=begin(submission.transaction, now=NOW + 7))


async def test_a_mark_that_comes_with_its_accept_is_as_one_that_comes_after_it(
    opening: Opener, database: str
) -> None:
    store = await opening()
    with_it = [await begun_with(store, priority=n, path=f"/{n}") for n in range(3)]
    plain = await a_submission(store)
    answers = await store.accept([*with_it, plain])
    assert answers == [
        *[Accepted(one.transaction, begun=True) for one in with_it],
        Accepted(plain.transaction),
    ]
    assert await now_is(store, plain.transaction) == plain.transaction
    for one in with_it:
        assert one.begun is not None
        assert await now_is(store, one.transaction) == one.begun.after
        assert await store.events([one.transaction.key]) == [[one.event, *one.begun.events]]
    apart = await accepted(store, claim=True)
    await applied(store, begin(apart, now=NOW + 7))
    fed = await store.feed("default", None, 10)
    assert [(entry.behind, entry.last) for entry in fed] == [(0, 2)] * 4
    rows = await asked(database, f"{READY} WHERE key = ANY($1)", [with_it[0].transaction.key, apart.key])
    assert len({(*row[:5], row[6]) for row in rows}) == 1


async def test_what_began_with_its_accept_is_this_process_s_and_ends_as_ever(opening: Opener) -> None:
    store, other = await opening(), await opening()
    submission = await begun_with(store)
    await store.accept([submission])
    assert await claimed(other) == []
    assert submission.begun is not None
    await applied(store, complete(submission.begun.after))
    assert store.queued == 0


async def test_a_process_that_dies_after_such_an_accept_leaves_an_attempt_that_others_see(
    opening: Opener,
) -> None:
    store, other = await opening(lease=SECOND), await opening(lease=SECOND)
    submission = await begun_with(store)
    await store.accept([submission])
    await killed(store)
    claims: list[Claim] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not claims:
            await asyncio.sleep(0.02)
            claims = await other.claim("default", 10, NOW)
    (claim,) = claims
    assert submission.begun is not None
    assert claim.transaction == submission.begun.after
    assert claim.transaction.phase is Phase.SENDING


async def test_deliveries_of_a_mark_are_written_with_the_accept(opening: Opener, database: str) -> None:
    store = await opening()
    submission = await begun_with(store)
    assert submission.begun is not None
    endpoint = an_endpoint(filters=Filters(status=tuple(Status)))
    told = [
        tuple(of_event(event, after, [endpoint], mint=mint, now=NOW))
        for event, after in (
            (submission.event, submission.transaction),
            (submission.begun.events[-1], submission.begun.after),
        )
    ]
    begun = msgspec.structs.replace(submission.begun, deliveries=told[1])
    answers = await store.accept([msgspec.structs.replace(submission, deliveries=told[0], begun=begun)])
    assert answers == [Accepted(submission.transaction, begun=True)]
    rows = await asked(database, "SELECT sequence FROM restante.deliveries ORDER BY sequence")
    assert [row[0] for row in rows] == [1, 2]


async def test_a_replay_begins_nothing(opening: Opener, database: str) -> None:
    store = await opening()
    first = await accepted(store, key=b"k")
    again = await begun_with(store, key=b"k")
    assert await store.accept([again]) == [Accepted(first, replayed=True)]
    assert await asked(database, "SELECT key FROM restante.transactions") == [(first.key,)]
    assert await store.feed("default", None, 10) == []
