"""A store is moved from a file into a PostgreSQL: wholly, once, and what is asked is answered as before."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from restante.assembly.moving import Moved, move_store
from restante.core import change
from restante.core.access import EVERYBODY
from restante.core.clock import DAY, HOUR
from restante.core.errors import KeyReused, SettingError
from restante.core.model import Accepted, Body, Transaction
from restante.core.policy import Limits
from restante.core.status import Outcome, Phase, Reading, Status
from restante.ports import Store
from restante.stores.postgres import PostgresStore
from restante.stores.sqlite import SQLiteStore

from ..sealing.keys import sealing
from .postgres.conftest import asked
from .samples import (
    NOW,
    a_key,
    a_submission,
    accepted,
    applied,
    begin,
    claimed,
    complete,
    completed,
    delay,
    failed,
    many_events,
    read,
)
from .test_keyring import an_access_key

PIECE = 128 * 1024
LARGE = bytes(range(256)) * 4096  # 1 MiB


async def in_pieces(store: Store, key: int, attempt: int, content: bytes) -> Body:
    for position in range(0, len(content), PIECE):
        await store.write_chunk(key, attempt, position // PIECE, content[position : position + PIECE])
    return Body(len(content), None)


async def sending(store: Store, **fields: Any) -> Transaction:
    return await applied(store, begin(await accepted(store, **fields)))


async def fill(store: Store) -> dict[str, Transaction]:
    """One of everything, by what it is."""
    kept: dict[str, Transaction] = {}
    kept["pending"] = await accepted(store, key=b"first", tracking_id="order \0 1")
    kept["another tenant's"] = await accepted(store, tenant="b", key=b"theirs", priority=7)
    kept["delayed"] = await accepted(store, due_at=NOW + HOUR)
    kept["sending"] = await sending(store)
    begun = await sending(store)
    kept["between two attempts"] = await applied(store, delay(begun, until=NOW + HOUR))
    begun = await sending(store)
    kept["deferred"] = await applied(store, change.defer(begun, attempt=1, now=NOW))
    begun = await sending(store)
    kept["looking"] = await applied(store, delay(begun, until=NOW + HOUR, lookup=1))
    kept["completed"] = await completed(store, key=b"done", tenant="c")
    begun = await sending(store)
    large = await in_pieces(store, begun.key, 1, LARGE)
    kept["completed, 1 MiB"] = await applied(store, complete(begun, body=large))
    kept["failed, unread"] = await failed(store, key=b"failed")
    kept["failed, read"] = await failed(store)
    await read(store, kept["failed, read"])
    kept["failed, being read"] = await failed(store)
    assert await store.reserve_reading(kept["failed, being read"].key) is not None
    kept["cancelled"] = await applied(store, change.cancel(await accepted(store), now=NOW))
    kept["done again"] = await accepted(store, retry_of=kept["failed, read"].id)
    pending = await accepted(store)
    kept["past its deadline"] = await applied(store, change.expire(pending, now=NOW + DAY))
    kept["past its retention"] = gone = await completed(store, key=b"gone")
    await store.purge([msgspec.structs.replace(gone, sweep_at=NOW + 9 * DAY)], [])
    kept["of many words"] = await many_events(store, 1200)
    number = await a_key(store)
    await in_pieces(store, number, 0, LARGE)  # an upload that never became a transaction
    submission = await a_submission(store)
    key = submission.transaction.key
    body = await in_pieces(store, key, 0, LARGE)
    request = msgspec.structs.replace(submission.request, body=body)
    (answer,) = await store.accept([msgspec.structs.replace(submission, request=request)])
    assert isinstance(answer, Accepted)
    kept["a request of 1 MiB"] = answer.transaction
    return kept


async def told(store: Store, kept: dict[str, Transaction]) -> dict[str, Any]:
    """All that can be asked about these."""
    ids = [transaction.id for transaction in kept.values()]
    keys = [transaction.key for transaction in kept.values()]
    found: dict[str, Any] = {}
    logs = [
        [*first, *second]
        for first, second in zip(await store.events(keys), await store.events(keys, after=1000), strict=True)
    ]
    columns = zip(
        await store.look(ids), await store.requests(keys), await store.results(keys), logs, strict=True
    )
    for name, (transaction, request, result, log) in zip(kept, columns, strict=True):
        pieces = [await store.read_chunk(kept[name].key, attempt, 0) for attempt in (0, 1)]
        pieces += [await store.read_chunk(kept[name].key, attempt, 7) for attempt in (0, 1)]
        found[name] = [transaction, request, result, log, pieces]
    return found


def content(folder: Path) -> dict[str, str]:
    """What the file is, its log included; an empty log is none."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.stat().st_size and not path.name.endswith("-shm")
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "restante.db"


def moving(path: Path, url: str, **more: Callable[[Moved], None]) -> Any:
    return move_store(f"sqlite:///{path}", url, **more)


async def refusal(path: Path, url: str) -> str:
    with pytest.raises(SettingError) as refused:
        await moving(path, url)
    text = str(refused.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("sealed", [False, True])
async def test_everything_is_as_before_but_what_a_crash_ends(
    path: Path, database: str, tmp_path_factory: pytest.TempPathFactory, sealed: bool
) -> None:
    keys_folder = tmp_path_factory.mktemp("keys") / "keys"
    store: Store = await SQLiteStore.open(str(path), limits=Limits())
    if sealed:
        store = await sealing(store, keys_folder)
    kept = await fill(store)
    before = await told(store, kept)
    secret = store.secret
    keys = [an_access_key(store, number, tenant=f"tenant {number % 2}") for number in range(1, 6)]
    await store.add_keys(keys)
    (keys[3],) = await store.revoke_keys([keys[3].id], tenant=EVERYBODY, now=NOW)
    for upstream in ("default", "bank"):
        await store.pause(upstream)
    await store.resume("default")
    await store.close()
    file = content(path.parent)
    moved = await moving(path, database)
    assert content(path.parent) == file
    assert (moved.transactions, moved.count) == (len(kept), len(kept))
    assert moved.events == sum(len(rows[3]) for rows in before.values())
    assert moved.body_bytes > 2 * len(LARGE)

    arrived: Store = await PostgresStore.open(database, limits=Limits())
    if sealed:
        arrived = await sealing(arrived, keys_folder)
    try:
        assert arrived.secret == secret
        assert await arrived.paused() == {"bank"}
        assert await arrived.find_keys([key.digest for key in keys]) == keys
        for name in ("sending", "of many words"):
            before[name][0] = msgspec.structs.replace(before[name][0], due_at=0)
        before["failed, being read"][0] = msgspec.structs.replace(
            before["failed, being read"][0], reading=Reading.UNREAD
        )
        after = await told(arrived, kept)
        for name, rows in before.items():
            assert after[name] == rows, name
        assert (
            arrived.queued
            == moved.unfinished
            == sum(rows[0].status in (Status.PENDING, Status.PROCESSING) for rows in before.values())
        )
        assert not await asked(database, "SELECT * FROM restante.loose")
        (orphans,) = await asked(database, "SELECT count(*) FROM restante.chunks")
        assert orphans[0] == 2 * len(LARGE) // PIECE
    finally:
        await arrived.close()


async def test_what_was_waiting_runs_and_what_was_being_sent_has_lapsed(path: Path, database: str) -> None:
    store = await SQLiteStore.open(str(path), limits=Limits())
    kept = await fill(store)
    await store.close()
    await moving(path, database)
    arrived = await PostgresStore.open(database, limits=Limits())
    try:
        due = {kept[name].key for name in ("pending", "another tenant's", "sending", "done again")}
        due |= {kept["of many words"].key, kept["a request of 1 MiB"].key}
        claims = {claim.transaction.key: claim for claim in await arrived.claim("default", 100, NOW)}
        assert claims.keys() == due
        assert claims[kept["sending"].key].transaction.phase is Phase.SENDING
        pending = claims[kept["pending"].key].transaction
        assert (await applied(arrived, begin(pending))).attempt == 1
        ended = await applied(arrived, complete(begin(pending).after))
        assert ended.outcome is Outcome.ANSWERED
        assert kept["delayed"].key in await claimed(arrived, now=NOW + HOUR)
        # The one answer that may be read once is, by one reader.
        reserved = [await arrived.reserve_reading(kept["failed, being read"].key) for _ in range(2)]
        assert [token is None for token in reserved] == [False, True]
        assert await arrived.reserve_reading(kept["failed, read"].key) is None
    finally:
        await arrived.close()


async def test_idempotency_keys_go_on_replaying(path: Path, database: str) -> None:
    store = await SQLiteStore.open(str(path), limits=Limits())
    kept = await fill(store)
    last = max(transaction.key for transaction in kept.values())
    await store.close()
    await moving(path, database)
    arrived = await PostgresStore.open(database, limits=Limits())
    try:
        for key, name in ((b"first", "pending"), (b"done", "completed"), (b"failed", "failed, unread")):
            submission = await a_submission(arrived, key=key)
            assert submission.transaction.key > last
            (answer,) = await arrived.accept([submission])
            assert isinstance(answer, Accepted)
            assert (answer.replayed, answer.transaction.id) == (True, kept[name].id)
            (other,) = await arrived.accept([await a_submission(arrived, key=key, fingerprint=b"o" * 32)])
            assert isinstance(other, KeyReused)
        (fresh,) = await arrived.accept([await a_submission(arrived, key=b"gone")])
        assert isinstance(fresh, Accepted)
        assert not fresh.replayed
        assert arrived.hashing.until >= NOW + DAY  # the file may have had some from before
    finally:
        await arrived.close()


async def test_what_a_killed_server_left_in_its_log_is_moved_too(path: Path, database: str) -> None:
    store = await SQLiteStore.open(str(path), limits=Limits())
    kept = await accepted(store)
    copy = path.with_name("copy")
    copy.mkdir()
    for suffix in ("", "-wal"):  # as they lie there after kill -9
        source = Path(f"{path}{suffix}")
        (copy / source.name).write_bytes(source.read_bytes())
    await store.close()
    file = content(copy)
    assert f"{path.name}-wal" in file
    assert (await moving(copy / path.name, database)).transactions == 1
    assert content(copy) == file
    arrived = await PostgresStore.open(database, limits=Limits())
    assert await arrived.look([kept.id]) == [kept]
    await arrived.close()


async def test_nothing_is_left_beside_the_file(path: Path, database: str) -> None:
    store = await SQLiteStore.open(str(path), limits=Limits())
    await accepted(store)
    await store.close()
    file = content(path.parent)
    await moving(path, database)
    await refusal(path, database)
    assert [beside.name for beside in path.parent.iterdir()] == [path.name]
    assert content(path.parent) == file


async def test_a_moved_store_is_not_moved_again(path: Path, database: str) -> None:
    store = await SQLiteStore.open(str(path), limits=Limits())
    await accepted(store)
    await store.close()
    await moving(path, database)
    assert "unused" in await refusal(path, database)


async def test_a_database_that_ever_gave_out_a_key_takes_nothing(path: Path, database: str) -> None:
    await (await SQLiteStore.open(str(path), limits=Limits())).close()
    server = await PostgresStore.open(database, limits=Limits())
    assert "a server is at work" in await refusal(path, database)
    await server.reserve_numbers(1)
    await server.close()
    assert "unused" in await refusal(path, database)


async def test_a_file_in_use_or_none_of_ours_is_refused(path: Path, database: str) -> None:
    assert str(path) in await refusal(path, database)
    assert not path.exists()
    store = await SQLiteStore.open(str(path), limits=Limits())
    text = await refusal(path, database)
    assert text.startswith("from: ")
    assert "in use" in text
    await store.close()
    other = path.with_name("other.db")
    other.write_bytes(b"not a database, but long enough to be looked at" * 20)
    assert "not a database of Restante" in await refusal(other, database)
    assert other.read_bytes().startswith(b"not")


async def test_a_move_that_breaks_off_has_moved_nothing(path: Path, database: str) -> None:
    store = await SQLiteStore.open(str(path), limits=Limits())
    for _ in range(3):
        await store.accept([await a_submission(store) for _ in range(200)])
    secret = store.secret
    await store.close()

    class Broken(Exception):
        pass

    def break_off(moved: Moved) -> None:
        if moved.transactions == 400:
            raise Broken

    with pytest.raises(Broken):
        await moving(path, database, told=break_off)
    server = await PostgresStore.open(database, limits=Limits())
    assert (server.queued, server.secret == secret) == (0, False)
    await server.close()
    assert (await moving(path, database)).transactions == 600
    server = await PostgresStore.open(database, limits=Limits())
    assert (server.queued, server.secret == secret) == (600, True)
    await server.close()


async def test_a_server_that_starts_meanwhile_is_not_left_with_the_former_secret(
    path: Path, database: str
) -> None:
    store = await SQLiteStore.open(str(path), limits=Limits())
    kept = await accepted(store)
    await store.close()
    opening: list[asyncio.Task[PostgresStore]] = []

    def start(moved: Moved) -> None:
        opening.append(asyncio.ensure_future(PostgresStore.open(database, limits=Limits())))

    await moving(path, database, told=start)
    server = await opening[0]
    assert await server.look([kept.id]) == [kept]
    await server.close()
