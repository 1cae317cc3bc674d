"""What has ended is told of at the end of its retention, because here it is removed row by row; and then
nothing is left of it."""

from pathlib import Path

import msgspec

from restante.core.clock import DAY
from restante.core.model import Body, Request, Submission
from restante.core.policy import Limits
from restante.service.credentials import without_credentials
from restante.stores.sqlite import SQLiteStore

from ..samples import HEADERS, NOW, a_submission, accepted, applied, begin, complete, completed


async def test_what_has_ended_lapses_until_it_is_purged(tmp_path: Path) -> None:
    store = await SQLiteStore.open(str(tmp_path / "restante.db"), limits=Limits())
    done, other, open = await completed(store), await completed(store), await accepted(store)
    assert await store.lapsed(NOW + DAY, 10) == [open, done, other]
    await store.purge([msgspec.structs.replace(done, sweep_at=NOW + 30 * DAY)], [])
    assert await store.lapsed(NOW + DAY, 10) == [open, other]
    await store.close()


SECRET, KEPT = b"Bearer PLANTED", b"KEPT"


def with_credentials(submission: Submission, number: int) -> Submission:
    """And a body, of which some need pages of their own."""
    body = SECRET * (1 + number % 40 * 20)
    request = Request((*HEADERS, (b"authorization", SECRET), (b"x", KEPT)), Body(len(body), body))
    return msgspec.structs.replace(submission, request=request)


async def test_what_was_removed_is_nowhere_in_the_file_nor_after_scrubbing_in_the_log(tmp_path: Path) -> None:
    store = await SQLiteStore.open(str(tmp_path / "restante.db"), limits=Limits())
    made = [with_credentials(await a_submission(store), number) for number in range(120)]
    await store.accept(made)
    begun = [await applied(store, begin(one.transaction)) for one in made]
    done = [
        await applied(store, complete(one, body=SECRET * (1 + place * 5))) for place, one in enumerate(begun)
    ]
    await store.scrub()
    assert found(tmp_path) > 0
    later = [msgspec.structs.replace(one, sweep_at=NOW + 30 * DAY) for one in done]
    for place in range(0, len(later), 7):
        await store.purge(later[place : place + 7][::2], [])
        await store.purge(later[place : place + 7][1::2], [])
    await store.scrub()
    assert (tmp_path / "restante.db-wal").stat().st_size == 0
    assert found(tmp_path) == 0
    await store.close()


async def test_credentials_go_from_the_file_with_the_end_of_their_transaction(tmp_path: Path) -> None:
    store = await SQLiteStore.open(str(tmp_path / "restante.db"), limits=Limits())
    for number in range(60):
        one = with_credentials(await a_submission(store), number)
        one = msgspec.structs.replace(one, request=msgspec.structs.replace(one.request, body=Body(2, b"{}")))
        await store.accept([one])
        ended = complete(await applied(store, begin(one.transaction)))
        await applied(store, await without_credentials(store, ended, one.request))
    await store.close()
    assert found(tmp_path) == 0
    assert found(tmp_path, KEPT) == 60


def found(folder: Path, what: bytes = SECRET) -> int:
    """How often it stands in any file."""
    return sum(file.read_bytes().count(what) for file in folder.iterdir())
