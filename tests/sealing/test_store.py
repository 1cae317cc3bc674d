"""What is in a sealed store: nothing that can be read, changed or put elsewhere without its keys."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import asyncpg
import msgspec
import pytest

from restante.assembly.sealing import seal_store
from restante.core import change
from restante.core.clock import DAY, HOUR
from restante.core.endpoint import Endpoint
from restante.core.errors import KeyReused, SettingError, StoreUnavailable, Unreadable
from restante.core.idempotency import Hashing, idempotency_key, plain
from restante.core.model import Accepted, Body, IdempotencyKey, Request, Result, Transaction
from restante.core.policy import Limits
from restante.ports import REQUEST_CHUNKS, Store
from restante.sealing import store as sealing_store
from restante.service.credentials import without_credentials
from restante.stores.postgres import PostgresStore
from restante.stores.sqlite import SQLiteStore

from ..fakes import FakeClock
from ..postgres import Server
from ..stores.samples import NOW, a_key, a_submission, accepted, applied, begin, complete
from .keys import NEW, sealing, settings_with

MARKER = b"4200000000000000"
LARGE = MARKER * 20_000
PIECE = 128 * 1024


class Opening:
    """A store that can be opened again and again, sealed or not, and looked at from outside."""

    prefix = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: Store | None = None

    async def bare(self) -> Store:
        await self.close()
        self._open = await self._opened()
        return self._open

    async def open(self, *masters: bytes, clock: FakeClock | None = None, keys: str = "keys") -> Store:
        self._open = await sealing(await self.bare(), self.folder / keys, *masters, clock=clock)
        return self._open

    async def close(self) -> None:
        if self._open is not None:
            await self._open.close()
            self._open = None

    async def _opened(self) -> Store:
        raise NotImplementedError

    async def run(self, text: str) -> None:
        raise NotImplementedError

    async def bytes(self) -> bytes:
        raise NotImplementedError


class File(Opening):
    async def _opened(self) -> Store:
        return await SQLiteStore.open(str(self.path), limits=Limits())

    @property
    def path(self) -> Path:
        return self.folder / "restante.db"

    async def run(self, text: str) -> None:
        await self.close()
        connection = apsw.Connection(str(self.path))
        connection.execute(text)
        connection.close()

    async def bytes(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())


class Database(Opening):
    prefix = "restante."

    def __init__(self, folder: Path, url: str, server: Server) -> None:
        super().__init__(folder)
        self.url = url
        self._server = server

    async def _opened(self) -> Store:
        return await PostgresStore.open(self.url, limits=Limits())

    async def run(self, text: str) -> None:
        await self.close()
        connection = await asyncpg.connect(self.url)
        await connection.execute(text)
        await connection.close()

    async def bytes(self) -> bytes:
        await self.run("CHECKPOINT")
        return b"".join(path.read_bytes() for path in self._server.data.rglob("*") if path.is_file())


@pytest.fixture(params=["file", "database"])
def prepared(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    if request.param == "file":
        return File(tmp_path)
    url = request.getfixturevalue("database")
    return Database(tmp_path, url, request.getfixturevalue("postgres"))


@pytest.fixture
async def place(prepared: Opening) -> AsyncIterator[Opening]:
    yield prepared
    await prepared.close()


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[File]:
    file = File(tmp_path)
    yield file
    await file.close()


def an_endpoint(number: int = 1) -> Endpoint:
    return Endpoint(
        id=f"ep_{number}",
        tenant="default",
        url="https://a.example",
        created_at=NOW,
        updated_at=NOW,
        secrets=("whsec_" + MARKER.decode(), "whsec_b"),
        username="shop",
        password=MARKER.decode(),
    )


async def in_pieces(store: Store, key: int, attempt: int) -> Body:
    for position, start in enumerate(range(0, len(LARGE), PIECE)):
        await store.write_chunk(key, attempt, position, LARGE[start : start + PIECE])
    return Body(len(LARGE), None)


async def read_pieces(store: Store, key: int, attempt: int) -> bytes:
    pieces = [await store.read_chunk(key, attempt, position) for position in range(-(-len(LARGE) // PIECE))]
    return b"".join(piece or b"" for piece in pieces)


SECRET_HEADERS = ((b"Authorization", b"Basic " + MARKER), (b"Host", b"a"), (b"Cookie", MARKER))


async def submitted(
    store: Store, body: Body | bytes = b'{"card":"' + MARKER + b'"}', **fields: Any
) -> Transaction:
    submission = await a_submission(store, body=body, **fields)
    request = Request(SECRET_HEADERS, submission.request.body)
    (answer,) = await store.accept([msgspec.structs.replace(submission, request=request)])
    assert isinstance(answer, Accepted)
    return answer.transaction


async def answered(store: Store, transaction: Transaction, body: Body | bytes = MARKER) -> Transaction:
    content = body if isinstance(body, Body) else Body(len(body), body)
    begun = await applied(store, begin(transaction))
    result = Result(200, ((b"Set-Cookie", MARKER),), content, 1)
    data = {"picked": MARKER.decode()}
    return await applied(store, change.complete(begun, attempt=1, now=NOW, result=result, data=data))


async def test_nothing_that_was_sealed_is_on_the_disk(place: Opening) -> None:
    store = await place.open()
    small = await answered(store, await submitted(store))
    row = await a_key(store)
    await in_pieces(store, row, REQUEST_CHUNKS)
    submission = await a_submission(store, body=Body(len(LARGE), None))
    transaction = msgspec.structs.replace(submission.transaction, key=row)
    submission = msgspec.structs.replace(submission, transaction=transaction)
    assert isinstance((await store.accept([submission]))[0], Accepted)
    begun = await applied(store, begin(transaction))
    large = await applied(store, complete(begun, body=await in_pieces(store, row, 1)))
    assert await store.keep_endpoint(an_endpoint(), most=10)

    store = await place.open()
    assert await store.endpoints() == [an_endpoint()]
    (request,) = await store.requests([small.key])
    assert request == Request(SECRET_HEADERS, Body(27, b'{"card":"' + MARKER + b'"}'))
    (result,) = await store.results([small.key])
    assert result == Result(200, ((b"Set-Cookie", MARKER),), Body(16, MARKER), 1)
    (log,) = await store.events([small.key])
    assert log[-1].data == {"picked": MARKER.decode()}
    assert await read_pieces(store, large.key, REQUEST_CHUNKS) == LARGE
    assert await read_pieces(store, large.key, 1) == LARGE
    assert MARKER not in await place.bytes()


async def test_without_keys_all_of_it_is(file: File) -> None:
    """So the test above looks where it should."""
    store = await file.bare()
    await answered(store, await submitted(store))
    await store.keep_endpoint(an_endpoint(), most=10)
    assert MARKER in await file.bytes()


PLAIN = idempotency_key(
    "a", tenant="default", authorization=b"Basic x", method="POST", path="/", query="", body_digest=b""
)


async def submit_again(
    store: Store, known: IdempotencyKey = PLAIN, *, hashing: Hashing | None = None, at: int = NOW
) -> Accepted | KeyReused:
    """The same request with the same key, as a service does it."""
    submission = await a_submission(store, created_at=at, expires_at=at + DAY)
    kept = (hashing or store.hashing).of(known, at)
    (answer,) = await store.accept([msgspec.structs.replace(submission, idempotency=kept)])
    return answer


async def test_an_idempotency_key_is_kept_under_a_key_that_the_store_does_not_have(file: File) -> None:
    store = await file.open()
    first = await submit_again(store)
    assert isinstance(first, Accepted)
    store = await file.open()
    assert await submit_again(store) == Accepted(first.transaction, replayed=True)
    bare = await file.bare()
    kept = {one.scope for one in (PLAIN, bare.hashing.of(PLAIN, NOW))}
    on_disk = await file.bytes()
    assert not [scope for scope in kept if scope in on_disk]
    assert PLAIN.fingerprint not in on_disk


@pytest.mark.parametrize("before", ["keyed", "plain"])
async def test_an_idempotency_key_from_before_is_found_as_long_as_it_would_have_been(
    place: Opening, before: str
) -> None:
    store = await place.bare()
    first = await submit_again(store, hashing=None if before == "keyed" else plain())
    assert isinstance(first, Accepted)
    store = await place.open()
    submits = [submit_again(store) for _ in range(20)]
    assert await asyncio.gather(*submits) == [Accepted(first.transaction, replayed=True)] * 20
    other = IdempotencyKey(PLAIN.scope, b"g" * 32)
    assert isinstance(await submit_again(store, other), KeyReused)
    assert len(store.hashing.of(PLAIN, NOW + DAY - 1).former) == 2
    assert store.hashing.of(PLAIN, NOW + DAY).former == ()
    new = await submit_again(store, other, at=NOW + DAY)
    assert isinstance(new, Accepted)
    assert not new.replayed
    store = await place.open()
    assert isinstance(await submit_again(store, at=NOW + DAY + 1), KeyReused)


async def test_nothing_is_looked_for_twice_where_there_was_nothing_before(place: Opening) -> None:
    store = await place.open()
    assert store.hashing.of(PLAIN, 0).former == ()


def others(table: str, column: str, source: str = "", *, key: str = "{2}") -> str:
    """Takes it from another row."""
    taken = f"SELECT {column} FROM {{0}}{source or table} WHERE key = {key}"
    return f"UPDATE {{0}}{table} SET {column} = ({taken}) WHERE key = {{1}}"


TAMPERINGS = {
    "a request's fields of another row": others("requests", "headers"),
    "a request's body of another row": others("requests", "body"),
    "a request's body gone": "UPDATE {0}requests SET body = {3} WHERE key = {1}",
    "a result's fields of another row": others("results", "headers"),
    "a result's body of another row": others("results", "body"),
    "a result's status": "UPDATE {0}results SET status = 201 WHERE key = {1}",
    "a result in the place of a request": others("requests", "headers", "results", key="{1}"),
    "an event of another row": "UPDATE {0}events SET data = "
    "(SELECT data FROM {0}events WHERE key = {2} AND sequence = 3) WHERE key = {1} AND sequence = 3",
    "an event that is none": "UPDATE {0}events SET data = '{{\"restante:sealed\":7}}' "
    "WHERE key = {1} AND sequence = 3",
}


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_what_was_changed_or_put_elsewhere_is_refused(
    place: Opening, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = await place.open()
    one, two = [await answered(store, await submitted(store)) for _ in range(2)]
    empty = "x''" if isinstance(place, File) else "''"
    await place.run(TAMPERINGS[what].format(place.prefix, one.key, two.key, empty))
    store = await place.open()
    refused = 0
    for ask in (store.requests, store.results, store.events):
        try:
            await ask([one.key])  # type: ignore[operator]
        except Unreadable as error:
            refused += 1
            assert MARKER.decode() not in str(error)
        assert await ask([two.key]) != [None]  # type: ignore[operator]
    assert refused == 1
    (record,) = caplog.records
    assert str(one.key) in record.getMessage()
    assert record.exc_info is None


async def test_a_piece_of_a_large_body_is_refused_in_another_place(place: Opening) -> None:
    store = await place.open()
    begun = [await applied(store, begin(await accepted(store))) for _ in range(2)]
    for one in begun:
        await applied(store, complete(one, body=await in_pieces(store, one.key, 1)))
    table, (one, two) = f"{place.prefix}chunks", begun
    await place.run(
        f"UPDATE {table} SET data = (SELECT data FROM {table} WHERE key = {two.key} AND position = 0) "
        f"WHERE key = {one.key} AND position = 0"
    )
    store = await place.open()
    with pytest.raises(Unreadable):
        await store.read_chunk(one.key, 1, 0)
    assert await store.read_chunk(one.key, 1, 1) == LARGE[PIECE : 2 * PIECE]
    assert await read_pieces(store, two.key, 1) == LARGE


async def test_nothing_in_clear_is_taken_once_all_from_before_is_gone(file: File) -> None:
    clock = FakeClock()
    store = await file.bare()
    before = await submitted(store, expires_at=NOW + 90 * DAY)
    store = await file.open(clock=clock)
    (found,) = await store.requests([before.key])
    assert found is not None
    assert found.headers == SECRET_HEADERS
    await clock.advance(30 * DAY)
    with pytest.raises(Unreadable):
        await store.requests([before.key])


@pytest.mark.parametrize("large", [False, True])
async def test_a_request_from_before_stays_in_clear_and_loses_its_credentials_with_the_end(
    place: Opening, large: bool
) -> None:
    store = await place.bare()
    key = await a_key(store)
    body = await in_pieces(store, key, REQUEST_CHUNKS) if large else Body(16, MARKER)
    submission = await a_submission(store, body=body)
    transaction = msgspec.structs.replace(submission.transaction, key=key)
    before = Request(SECRET_HEADERS, body)
    await store.accept([msgspec.structs.replace(submission, transaction=transaction, request=before)])
    store = await place.open()
    begun = await applied(store, begin(transaction))
    end = await without_credentials(store, complete(begun), None)
    assert end.request == Request(((b"Host", b"a"),), body)
    await applied(store, end)
    assert await store.requests([key]) == [end.request]
    if large:
        assert await read_pieces(store, key, REQUEST_CHUNKS) == LARGE


async def test_a_claim_brings_no_request_that_cannot_be_opened(file: File) -> None:
    store = await file.open()
    one, two = [await submitted(store) for _ in range(2)]
    await file.run(f"UPDATE requests SET body = x'00' WHERE key = {one.key}")
    store = await file.open()
    claims = {claim.transaction.key: claim.request for claim in await store.claim("default", 10, NOW)}
    assert claims[one.key] is None
    assert claims[two.key] is not None


# -- which keys, and for how long


def keys_in(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "keys").glob("*.key"))


def days_in(folder: Path) -> set[str]:
    """Of keys for a day."""
    return {name[:11] for name in keys_in(folder) if name[1:5].isdigit()}


async def test_a_results_key_is_destroyed_when_the_last_result_under_it_has_expired(place: Opening) -> None:
    clock = FakeClock(NOW // DAY * DAY + 10 * HOUR)
    store = await place.open(clock=clock)
    done = await answered(store, await submitted(store, expires_at=clock.now() + DAY))
    name = next(name for name in keys_in(place.folder) if name.startswith("r"))
    await clock.advance(DAY + 14 * HOUR)  # midnight behind the end
    await store.tidy(clock.now())
    assert name in keys_in(place.folder)
    if isinstance(place, File):  # a database has let go of it by itself
        assert (await store.results([done.key]))[0] is not None
    await clock.advance(HOUR)
    await store.tidy(clock.now())
    assert name not in keys_in(place.folder)
    assert await store.results([done.key]) == [None]
    assert await store.requests([done.key]) == [None]


async def test_what_is_not_finished_keeps_its_key(place: Opening) -> None:
    clock = FakeClock()
    store = await place.open(clock=clock)
    old = await submitted(store)
    await clock.advance(9 * DAY)
    await store.tidy(clock.now())
    (request,) = await store.requests([old.key])
    assert request is not None
    begun = await applied(store, begin(old))
    await applied(store, change.expire(begun, now=clock.now()))
    await store.tidy(clock.now())
    assert await store.requests([old.key]) == [None]


async def test_event_data_is_readable_as_long_as_the_transaction_is_there(place: Opening) -> None:
    clock = FakeClock()
    store = await place.open(clock=clock)
    done = await answered(store, await submitted(store))
    await clock.advance(90 * DAY)
    await store.tidy(clock.now())
    if isinstance(place, File):  # a database has let go of it by itself
        (log,) = await store.events([done.key])
        assert log[-1].data == {"picked": MARKER.decode()}
        await store.purge([], [done])
        await store.tidy(clock.now())
    assert not [name for name in keys_in(place.folder) if name.startswith("h2023")]


async def test_a_copy_of_the_store_is_of_no_use_once_its_key_is_destroyed(file: File, tmp_path: Path) -> None:
    """With the master key, with whatever is left in the folder, and with a clock that is turned back."""
    clock = FakeClock()
    store = await file.open(clock=clock)
    done = await answered(store, await submitted(store))
    await file.close()
    shutil.copy(file.path, tmp_path / "copy.db")
    store = await file.open(clock=clock)
    await clock.advance(3 * DAY)
    await store.tidy(clock.now())
    await file.close()
    copy = await sealing(
        await SQLiteStore.open(str(tmp_path / "copy.db"), limits=Limits()),
        tmp_path / "keys",
        clock=FakeClock(),
    )
    try:
        with pytest.raises(StoreUnavailable):
            await copy.results([done.key])
        with pytest.raises(StoreUnavailable):
            await copy.requests([done.key])
    finally:
        await copy.close()


async def test_each_day_has_a_key_of_its_own_made_before_it_begins(file: File) -> None:
    clock = FakeClock(NOW // DAY * DAY + 22 * HOUR)
    store = await file.open(clock=clock)
    assert days_in(file.folder) == {"h2023-11-14", "r2023-11-15"}
    await clock.advance(HOUR + 1)
    await store.tidy(clock.now())
    assert days_in(file.folder) == {"h2023-11-14", "r2023-11-15", "h2023-11-15", "r2023-11-16"}


async def test_a_key_that_is_missing_is_said_to_be_so_and_nothing_is_lost(
    file: File, caplog: pytest.LogCaptureFixture
) -> None:
    store = await file.open()
    kept = await submitted(store)
    (name,) = [name for name in keys_in(file.folder) if name.startswith("r")]
    await file.close()
    (file.folder / "keys" / name).rename(file.folder / "elsewhere")
    store = await file.open()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.requests([kept.key])
    other = await submitted(store)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "restante.sealing"]
    assert said == f"the data key {name.removesuffix('.key')} cannot be used: there is no such file"
    (file.folder / "elsewhere").rename(file.folder / "keys" / name)
    assert None not in await store.requests([kept.key, other.key])


async def test_it_is_not_ready_while_a_new_days_key_cannot_be_made(file: File) -> None:
    clock = FakeClock()
    store = await file.open(clock=clock)
    (file.folder / "keys").rename(file.folder / "away")
    await store.ping()
    await submitted(store)
    await clock.advance(2 * DAY)
    with pytest.raises(StoreUnavailable):
        await store.ping()
    with pytest.raises(StoreUnavailable):
        await store.accept([await a_submission(store, created_at=clock.now(), expires_at=clock.now() + DAY)])
    with pytest.raises(StoreUnavailable):
        await store.tidy(clock.now())
    (file.folder / "away").rename(file.folder / "keys")
    await store.ping()


# -- who may open it


async def test_what_is_sealed_is_not_opened_without_keys(file: File) -> None:
    await file.open()
    with pytest.raises(SettingError, match=r"sealing.keys and sealing.folder are needed"):
        await seal_store(await file.bare(), settings_with(file.folder / "keys"), FakeClock())


async def test_another_master_key_is_told_at_the_start(place: Opening) -> None:
    await place.open()
    with pytest.raises(
        SettingError, match=r"sealing\.keys: the data key \S+ is under the master key \w{8}, which"
    ):
        await place.open(NEW)


async def test_another_folder_is_told_at_the_start(place: Opening, tmp_path: Path) -> None:
    await place.open()
    with pytest.raises(SettingError, match=r"sealing.folder: .* cannot be used: No such file"):
        await place.open(keys="none")
    (tmp_path / "empty").mkdir(mode=0o700)
    with pytest.raises(SettingError, match="is not the folder of this store"):
        await place.open(keys="empty")
    other = await SQLiteStore.open(str(tmp_path / "other.db"), limits=Limits())
    await (await sealing(other, tmp_path / "others")).close()
    with pytest.raises(SettingError, match="is another store's folder"):
        await place.open(keys="others")
    await place.open()


async def test_secrets_that_were_in_clear_are_sealed_with_the_first_start(place: Opening) -> None:
    store = await place.bare()
    assert await store.keep_endpoint(an_endpoint(), most=10)
    store = await place.open()
    (endpoint,) = await store.endpoints()
    assert msgspec.structs.replace(endpoint, version=1) == an_endpoint()
    (bare,) = await (await place.bare()).endpoints()
    assert MARKER.decode() not in str(bare)


async def test_an_endpoint_whose_url_was_changed_signs_nothing(file: File) -> None:
    store = await file.open()
    await store.keep_endpoint(an_endpoint(), most=10)
    (inside,) = await (await file.bare()).endpoints()
    changed = msgspec.structs.replace(inside, url="https://b.example", version=2)
    await (await file.bare()).keep_endpoint(changed, most=10)
    with pytest.raises(SettingError, match="store: endpoint ep_1 was changed"):
        await file.open()


CLEAR = frozenset(
    [
        "queued",
        "queued_of",
        "count",
        "reserve_numbers",
        "key",
        "look",
        "next_due",
        "renew",
        "release",
        "give_back",
        "reading_token",
        "reserve_reading",
        "settle_reading",
        "find",
        "lapsed",
        "next_lapse",
        "purge",
        "stored",
        "sweep_keys",
        "keeps_from_before",
        "sealing",
        "mark_sealing",
        "scrub",
        "hashing",
        "pause",
        "resume",
        "paused",
        "shared",
        "alone",
        "divide",
        "loads",
        "listen",
        "health",
        "close",
        "drop_endpoint",
        "post",
        "next_deliveries",
        "lanes",
        "deliveries",
        "look_deliveries",
        "sweep_outbox",
        "feed",
        "secret",
        "add_keys",
        "find_keys",
        "list_keys",
        "revoke_keys",
        "count_figures",
        "figures",
        "pending_figures",
        "counted_tenants",
        "sweep_figures",
        "standing",
        "with_code",
        "deliveries_about",
    ]
)
"""Methods of a store that have nothing to do with what is sealed."""


def test_every_method_of_a_store_is_sealed_or_known_to_be_in_clear() -> None:
    names = {name for name in dir(Store) if not name.startswith("_")}
    own = {name for name in vars(sealing_store.SealedStore) if not name.startswith("_")}
    assert own | CLEAR == names
    assert not own & CLEAR
