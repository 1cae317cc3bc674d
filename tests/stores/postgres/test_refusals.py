"""What the server refuses for now is refused for now; what it refuses for ever fails alone."""

import asyncio

import pytest

from restante.core.errors import RestanteError, StoreUnavailable
from restante.core.model import Accepted

from ..samples import a_submission, accepted, applied, begin, now_is
from .conftest import Opener, asked

STATES = {
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "55P03": "a lock is not to be had",
    "57014": "a statement took too long",
    "58030": "the disk is broken",
    "XX000": "the server is broken",
    "40001": "again and again in somebody's way",
}


async def refusing(database: str, state: str, when: str = "true") -> None:
    """From now on every event is refused with this state."""
    await asked(
        database,
        f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {when} THEN "
        f"RAISE EXCEPTION 'secret: hunter2' USING ERRCODE = '{state}'; END IF; RETURN NEW; END $$",
    )
    await asked(
        database,
        "CREATE TRIGGER refuse BEFORE INSERT ON restante.events FOR EACH ROW EXECUTE FUNCTION refuse()",
    )


@pytest.mark.parametrize("state", STATES, ids=STATES.get)
async def test_what_may_pass_is_refused_for_now(opening: Opener, database: str, state: str) -> None:
    store = await opening()
    pending = await accepted(store, claim=True)
    await refusing(database, state)
    submission = await a_submission(store, key=b"a", claim=True)
    for write in (store.accept([submission]), store.apply([begin(pending)])):
        with pytest.raises(StoreUnavailable) as refused:
            await write
        assert refused.value.retry_after_seconds
        assert "hunter2" not in str(refused.value)
        assert "SQL" not in str(refused.value)
    assert await now_is(store, pending) == pending
    assert await now_is(store, submission.transaction) is None
    await asked(database, "DROP TRIGGER refuse ON restante.events")
    assert await store.accept([submission]) == [Accepted(submission.transaction)]
    await applied(store, begin(pending))
    assert store.queued == 2


async def test_one_that_will_never_be_written_fails_alone(opening: Opener, database: str) -> None:
    store = await opening()
    pending = [await accepted(store) for _ in range(5)]
    await refusing(database, "23514", f"NEW.key = {pending[2].key}")
    answers = await asyncio.gather(*[store.apply([begin(one)]) for one in pending], return_exceptions=True)
    assert [answers[place] for place in (0, 1, 3, 4)] == [[True]] * 4
    assert isinstance(answers[2], RestanteError)
    assert not isinstance(answers[2], StoreUnavailable)
    assert "hunter2" not in str(answers[2])


async def test_who_is_in_the_way_for_a_moment_is_not_noticed(opening: Opener, database: str) -> None:
    store = await opening()
    await asked(database, "CREATE SEQUENCE tries")
    await refusing(database, "40P01", "nextval('tries') < 3")
    submission = await a_submission(store)
    assert await store.accept([submission]) == [Accepted(submission.transaction)]
