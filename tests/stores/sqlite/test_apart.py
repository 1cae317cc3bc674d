"""The writing process lives and dies with its server, and says what a thread would say."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from restante.core.errors import RestanteError, SettingError, StoreUnavailable
from restante.core.policy import Limits
from restante.stores.sqlite import SQLiteStore
from restante.stores.sqlite.apart import AHEAD, ENOUGH, Apart, Inbox, Opening, framed

from ... import forked
from ..samples import a_submission, accepted, now_is

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 30.0


@pytest.fixture
async def apart(path: Path) -> AsyncIterator[SQLiteStore]:
    store = await SQLiteStore.open(str(path), limits=Limits(), apart=True)
    yield store
    await store.close()


def hand_of(store: SQLiteStore) -> Apart:
    hand = store._write._hand
    assert isinstance(hand, Apart)
    return hand


async def test_the_file_is_free_once_both_have_ended(path: Path, apart: SQLiteStore) -> None:
    transaction = await accepted(apart)
    await apart.close()
    assert hand_of(apart)._child.process.returncode == 0
    again = await SQLiteStore.open(str(path), limits=Limits())
    assert await now_is(again, transaction) == transaction
    await again.close()


def test_where_the_writing_process_ends_its_server_ends_too(path: Path) -> None:
    command = [sys.executable, "-m", "tests.stores.sqlite.victim", str(path), "apart"]
    with forked.Popen(command, stdout=forked.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("accepted")
        (writer,) = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        os.kill(int(writer), signal.SIGKILL)
        assert server.wait(PATIENCE_SECONDS) == -signal.SIGKILL


def test_a_writing_process_whose_server_is_gone_before_it_has_begun_says_nothing(path: Path) -> None:
    asyncio.run(opened_and_closed(path))
    ours, theirs = socket.socketpair()
    with path.open("rb+") as file, theirs:
        command = [sys.executable, "-m", "restante.stores.sqlite.child", str(theirs.fileno())]
        socket.send_fds(ours, [framed(Opening(str(path), 0))], [file.fileno()])
        ours.close()
        ended = subprocess.run(
            command, pass_fds=[theirs.fileno()], capture_output=True, timeout=PATIENCE_SECONDS, check=False
        )
    assert (ended.returncode, ended.stderr) == (0, b"")


async def opened_and_closed(path: Path) -> None:
    await (await SQLiteStore.open(str(path), limits=Limits())).close()


async def test_signals_that_end_a_server_are_not_for_its_writer(apart: SQLiteStore) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(hand_of(apart)._child.process.pid, number)
    await apart.ping()


async def test_a_writer_that_cannot_be_started_is_a_setting_that_is_wrong(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SettingError, match="could not be started"):
        await SQLiteStore.open(str(path), limits=Limits(), apart=True)
    monkeypatch.undo()
    store = await SQLiteStore.open(str(path), limits=Limits())  # the lock was let go
    await store.close()


async def test_a_file_that_cannot_be_used_is_said_as_ever(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no folder"):
        await SQLiteStore.open(str(tmp_path / "none" / "x.db"), limits=Limits(), apart=True)


async def test_refusals_come_over_with_what_they_say(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = await SQLiteStore.open(str(path), limits=Limits(reserve=1 << 62), apart=True)
    with pytest.raises(StoreUnavailable, match="reserve") as refused:
        await store.accept([await a_submission(store)])
    assert refused.value.retry_after_seconds == 5
    (said,) = caplog.records
    assert said.levelno == logging.ERROR
    assert said.message.startswith("new work is refused")  # no other level and name before it
    assert "reserve" in said.message
    await store.close()


async def test_what_is_no_row_fails_alone(apart: SQLiteStore, caplog: pytest.LogCaptureFixture) -> None:
    good, same = await a_submission(apart), await a_submission(apart)
    await apart.accept([same])
    answers = await asyncio.gather(apart.accept([same]), apart.accept([good]), return_exceptions=True)
    assert isinstance(answers[0], RestanteError)
    assert await now_is(apart, good.transaction) == good.transaction
    assert any("a write failed" in record.message for record in caplog.records)


async def test_a_file_that_was_removed_is_noticed(path: Path, apart: SQLiteStore) -> None:
    path.unlink()
    with pytest.raises(StoreUnavailable, match="removed"):
        await apart.ping()


async def test_what_is_larger_than_any_buffer_comes_over_whole(apart: SQLiteStore) -> None:
    pieces = [bytes([place]) * 1024 * 1024 for place in range(16)]
    await asyncio.gather(*[apart.write_chunk(7, 0, place, piece) for place, piece in enumerate(pieces)])
    for place, piece in enumerate(pieces):
        assert await apart.read_chunk(7, 0, place) == piece


async def test_groups_are_sent_ahead_and_each_gets_its_own_answers(apart: SQLiteStore) -> None:
    submissions = [await a_submission(apart) for _ in range(3 * ENOUGH)]
    before = apart.commits
    first = [asyncio.ensure_future(apart.accept([each])) for each in submissions[: 2 * ENOUGH]]
    await asyncio.sleep(0)
    assert apart.commits - before == 2 and not any(each.done() for each in first)
    answers = await asyncio.gather(*first, *(apart.accept([each]) for each in submissions[2 * ENOUGH :]))
    assert [one.transaction.id for (one,) in answers] == [each.transaction.id for each in submissions]
    assert None not in await apart.look([each.transaction.id for each in submissions])


async def test_no_more_than_so_many_groups_are_sent_ahead(apart: SQLiteStore) -> None:
    submissions = [await a_submission(apart) for _ in range((AHEAD + 2) * ENOUGH)]
    before = apart.commits
    waiting = [asyncio.ensure_future(apart.accept([each])) for each in submissions]
    await asyncio.sleep(0)
    assert apart.commits - before == AHEAD
    await asyncio.gather(*waiting)


def test_messages_are_taken_apart_wherever_they_were_cut() -> None:
    stream = b"".join(framed(text) for text in ("a", "b" * 300, ""))
    for cut in range(len(stream) + 1):
        inbox = Inbox()
        messages = inbox.add(stream[:cut]) + inbox.add(stream[cut:])
        assert [msgspec.msgpack.decode(message) for message in messages] == ["a", "b" * 300, ""]
