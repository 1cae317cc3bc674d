"""Any order of submits, claims, answers, reads, cancels, crashes and sweeps, against a dictionary.

The model keeps what each transaction is, and every version it ever was: a worker that decides from an old one
must change nothing. A crash is a store that is opened again: what was held or lent out is free, and what was
being read is unread.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Search
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from restante.core import change
from restante.core.clock import DAY, HOUR, SECOND
from restante.core.errors import KeyReused, RestanteError, TooLate
from restante.core.machine import TERMINAL
from restante.core.model import Change, Transaction
from restante.core.policy import Limits
from restante.core.retention import forgotten_at, has_result, read_once
from restante.core.status import Phase, Reading
from restante.ports import Store
from restante.stores.postgres import PostgresStore
from restante.stores.sqlite import SQLiteStore
from restante.stores.sqlite.queries import _REPEATED, QUERIES

from ..postgres import Server
from ..proof import record
from .samples import NOW, a_submission, begin, complete, fail

LIMITS = Limits(retention=DAY, history=2 * DAY)
SPANS = (SECOND, 16 * SECOND, HOUR, 13 * HOUR, 25 * HOUR)
SCOPES = (None, b"one", b"two")
PRINTS = (b"f" * 32, b"g" * 32)


class Model(RuleBasedStateMachine):
    """`open` gives the store as it was left; `crashes` where opening it again is one. `done` counts what was
    asked of the store, `struck` what went wrong."""

    open: Callable[[], Coroutine[Any, Any, Store]]
    clear: Callable[[], Coroutine[Any, Any, None]]
    crashes: bool
    done: Counter[str]
    struck: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.done["programs"] += 1
        self.loop = asyncio.new_event_loop()
        self.do(type(self).clear())
        self.store: Store = self.do(type(self).open())
        self.now = NOW
        self.rows: dict[int, Transaction] = {}  # all that are known
        self.versions: list[Transaction] = []
        self.held: set[int] = set()
        self.scopes: dict[bytes, tuple[int, bytes, int]] = {}  # key, fingerprint, expires_at
        self.kept: set[int] = set()  # those whose result was not removed
        self.tokens: dict[int, list[int]] = {}

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        if hasattr(Store, work.__name__):
            self.done[f"`{work.__name__}`"] += 1
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.do(self.store.close())
        self.loop.close()

    def one(self, number: int, fits: Callable[[Transaction], bool] = lambda row: True) -> Transaction | None:
        rows = [row for row in self.rows.values() if fits(row)]
        return rows[number % len(rows)] if rows else None

    @property
    def readable(self) -> list[int]:
        """Errors that are handed out once, read or not."""
        return [key for key, row in self.rows.items() if read_once(row) and key in self.kept]

    # -- what callers do

    @rule(scope=st.sampled_from(SCOPES), print=st.sampled_from(PRINTS), claim=st.booleans())
    def submit(self, scope: bytes | None, print: bytes, claim: bool) -> None:
        span = {"deadline": self.now + HOUR, "sweep_at": self.now + HOUR, "expires_at": self.now + DAY}
        moment = {"created_at": self.now, "updated_at": self.now, "due_at": self.now}
        submission = self.do(
            a_submission(self.store, key=scope, fingerprint=print, claim=claim, **moment, **span)
        )
        (answer,) = self.do(self.store.accept([submission]))
        first = self.scopes.get(scope or b"")
        if first is not None and self.now < first[2]:
            key, known, _ = first
            if known != print:
                assert isinstance(answer, KeyReused)
                return
            assert answer.replayed
            self.rows[key] = msgspec.structs.replace(self.rows[key], reading=Reading.UNREAD)
            assert answer.transaction == self.rows[key]
            return
        assert not answer.replayed
        transaction = answer.transaction
        self.rows[transaction.key] = transaction
        self.versions.append(transaction)
        if claim:
            self.held.add(transaction.key)
        if scope is not None:
            self.scopes[scope] = (transaction.key, print, self.now + DAY)

    @rule(number=st.integers(0, 99))
    def cancel(self, number: int) -> None:
        row = self.one(number)
        if row is None:
            return
        try:
            step = change.cancel(row, now=self.now)
        except TooLate:
            return
        if step is not None:
            self.apply(step)

    @rule(number=st.integers(0, 99))
    def begin_to_read(self, number: int) -> None:
        if not self.readable:
            return
        row = self.rows[self.readable[number % len(self.readable)]]
        token = self.do(self.store.reserve_reading(row.key))
        assert (token is not None) == (row.reading is Reading.UNREAD)
        if token is not None:
            assert token not in self.tokens.get(row.key, [])
            self.tokens.setdefault(row.key, []).append(token)
            self.rows[row.key] = msgspec.structs.replace(row, reading=Reading.RESERVED)

    @rule(number=st.integers(0, 99), after=st.sampled_from((Reading.READ, Reading.UNREAD)), old=st.booleans())
    def end_reading(self, number: int, after: Reading, old: bool) -> None:
        row = self.one(number, lambda row: bool(self.tokens.get(row.key)))
        if row is None:
            return
        tokens = self.tokens[row.key]
        token = tokens[0] if old else tokens[-1]
        settled = self.do(self.store.settle_reading(row.key, token, after))
        assert settled == (row.reading is Reading.RESERVED and token == tokens[-1])
        if settled:
            self.rows[row.key] = msgspec.structs.replace(row, reading=after)

    @rule(number=st.integers(0, 99))
    def replay_while_it_is_read(self, number: int) -> None:
        first = {key: (scope, print) for scope, (key, print, ends) in self.scopes.items() if self.now < ends}
        row = self.one(number, lambda row: row.key in first and row.reading is Reading.RESERVED)
        if row is not None:
            scope, print = first[row.key]
            self.submit(scope=scope, print=print, claim=False)
            self.begin_to_read(self.readable.index(row.key))

    @rule(scope=st.sampled_from(SCOPES), print=st.sampled_from(PRINTS))
    def submit_what_fails(self, scope: bytes | None, print: bytes) -> None:
        before = set(self.rows)
        self.submit(scope=scope, print=print, claim=True)
        for key in self.rows.keys() - before:
            self.apply(begin(self.rows[key], now=self.now))
            self.apply(fail(self.rows[key], now=self.now))

    # -- what runners do

    @rule(limit=st.integers(1, 5))
    def claim(self, limit: int) -> None:
        due = sorted(
            (row.due_at, row.key)
            for row in self.rows.values()
            if row.status not in TERMINAL
            and row.phase is not Phase.DEFERRED
            and row.due_at is not None
            and row.due_at <= self.now
            and row.key not in self.held
        )
        claims = self.do(self.store.claim("default", limit, self.now))
        assert [claim.transaction.key for claim in claims] == [key for _, key in due][:limit]
        for claim in claims:
            assert claim.transaction == self.rows[claim.transaction.key]
            self.held.add(claim.transaction.key)

    @rule(number=st.integers(0, 999))
    def dispatch(self, number: int) -> None:
        self.decide(number, lambda row: row.phase is Phase.WAITING and row.status not in TERMINAL, begin)

    @rule(number=st.integers(0, 999), well=st.booleans())
    def answer(self, number: int, well: bool) -> None:
        self.decide(number, lambda row: row.phase is Phase.SENDING, complete if well else fail)

    def decide(self, number: int, fits: Callable[[Transaction], bool], step: Callable[..., Change]) -> None:
        """From any version that ever was, late ones too."""
        versions = [one for one in self.versions if fits(one) and one.key in self.rows]
        if versions:
            self.apply(step(versions[number % len(versions)], now=self.now))

    def apply(self, step: Change) -> None:
        row = self.rows[step.before.key]
        current = (row.sequence, row.attempt) == (step.before.sequence, step.before.attempt)
        after = msgspec.structs.replace(step.after, reading=row.reading)
        assert self.do(self.store.apply([step])) == [current]
        if not current:
            self.struck["late workers"] += 1
            return
        self.rows[row.key] = after
        self.versions.append(after)
        if after.phase is not Phase.SENDING:
            self.held.discard(row.key)
        if step.result is not None:
            self.kept.add(row.key)

    # -- what time does

    @rule(span=st.sampled_from(SPANS))
    def advance(self, span: int) -> None:
        self.now += span

    @rule()
    def sweep(self) -> None:
        lapsed = self.do(self.store.lapsed(self.now, 100))
        due = {row.key for row in self.rows.values() if row.sweep_at <= self.now}
        unfinished = {key for key in due if self.rows[key].status not in TERMINAL}
        found = {row.key for row in lapsed}
        assert unfinished <= found <= due
        if self.crashes:
            assert found == due
        for key in unfinished:
            self.apply(change.expire(self.rows[key], now=self.now))
        results, forget = [], []
        for row in (self.rows[key] for key in found - unfinished):
            if self.now >= forgotten_at(row, LIMITS):
                forget.append(row)
            elif self.now >= row.expires_at:
                results.append(msgspec.structs.replace(row, sweep_at=forgotten_at(row, LIMITS)))
        self.do(self.store.purge(results, forget))
        for row in results:
            self.rows[row.key] = row
        for row in (*results, *forget):
            self.kept.discard(row.key)
            self.scopes = {scope: first for scope, first in self.scopes.items() if first[0] != row.key}
        for row in forget:
            del self.rows[row.key]

    @precondition(lambda self: self.crashes)
    @rule()
    def crash(self) -> None:
        self.struck["crashes"] += 1
        self.do(self.store.close())
        self.store = self.do(type(self).open())
        self.held.clear()
        for key, row in self.rows.items():
            if row.phase is Phase.SENDING:
                row = msgspec.structs.replace(row, due_at=0)
            if row.reading is Reading.RESERVED:
                row = msgspec.structs.replace(row, reading=Reading.UNREAD)
            self.rows[key] = row

    # -- what is always so

    @invariant()
    def every_row_is_as_the_model_says(self) -> None:
        rows = list(self.rows.values())
        assert self.do(self.store.look([row.id for row in rows])) == rows
        assert self.store.queued == sum(row.status not in TERMINAL for row in rows)

    @invariant()
    def the_log_has_no_gaps_and_ends_with_the_status(self) -> None:
        rows = list(self.rows.values())
        for row, log in zip(rows, self.do(self.store.events([row.key for row in rows])), strict=True):
            assert [event.sequence for event in log] == list(range(1, row.sequence + 1))
            assert log[-1].status is row.status

    @invariant()
    def results_are_kept_until_they_are_removed(self) -> None:
        rows = list(self.rows.values())
        for row, result in zip(rows, self.do(self.store.results([row.key for row in rows])), strict=True):
            if has_result(row, self.now):
                assert result is not None and result.attempt == row.attempt
            if result is not None:
                assert row.key in self.kept


def run(
    open: Callable[[], Coroutine[Any, Any, Store]],
    clear: Callable[[], Coroutine[Any, Any, None]],
    *,
    crashes: bool,
    examples: int,
    done: Counter[str] | None = None,
    phases: Sequence[Search] = tuple(Search),
) -> Counter[str]:
    """What struck; what was done is added to `done`."""
    struck: Counter[str] = Counter()
    own = {"open": staticmethod(open), "clear": staticmethod(clear), "crashes": crashes}
    own |= {"done": Counter() if done is None else done, "struck": struck}
    model = type("Model", (Model,), own)
    how = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=phases,
    )
    run_state_machine_as_test(model, settings=how)
    return struck


def run_on_a_file(folder: Path, **how: Any) -> Counter[str]:
    async def clear() -> None:
        for file in folder.iterdir():
            file.unlink()

    return run(
        lambda: SQLiteStore.open(str(folder / "restante.db"), limits=LIMITS), clear, crashes=True, **how
    )


def test_a_file_is_as_the_model_says(tmp_path: Path) -> None:
    run_on_a_file(tmp_path, examples=15)


@pytest.mark.slow
def test_a_file_is_as_the_model_says_for_long(tmp_path: Path) -> None:
    done: Counter[str] = Counter()
    struck = run_on_a_file(tmp_path, examples=150, done=done)
    record("the model, SQLite", operations=done, faults=struck)


@pytest.mark.slow
def test_a_database_is_as_the_model_says(postgres: Server) -> None:
    urls: list[str] = []

    async def clear() -> None:
        while urls:
            await postgres.give_back(urls.pop())
        urls.append(await postgres.lend())

    done: Counter[str] = Counter()
    struck = run(
        lambda: PostgresStore.open(urls[0], limits=LIMITS), clear, crashes=False, examples=15, done=done
    )
    record("the model, PostgreSQL", operations=done, faults=struck)


FENCE = " AND transactions.sequence = c.column2 AND transactions.attempt = c.column3"
WEAK = {
    "a worker that lost its place settles all the same": ("apply_changes", FENCE, ""),
    "whoever reads first gives back what another reads now": (
        "settle_reading",
        " AND reader = ?",
        " AND ? > 0",
    ),
    "an error is handed out to two": (
        "reserve_reading",
        " AND (reading = 0 OR reading = 1 AND reader = ?2)",
        "",
    ),
    "a replay leaves the error read": ("make_readable", "reading > 0", "reading > 9"),
    "a crash leaves readers in their places": ("unreserve_all", "reading = 1", "reading = 1 AND key < 0"),
    "what was being sent is lent for ever": (
        "lapse_all",
        "status < 2 AND phase = 1",
        "status < 2 AND phase = 9",
    ),
}
"""Statement, what is in it, and what is put in its place."""


@pytest.mark.slow
@pytest.mark.parametrize("what", WEAK)
def test_the_model_notices_that(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, text, other = WEAK[what]
    assert text in QUERIES[name]
    monkeypatch.setitem(QUERIES, name, QUERIES[name].replace(text, other))
    if name in _REPEATED:
        texts = tuple(one.replace(text, other) for one in _REPEATED[name])
        monkeypatch.setitem(_REPEATED, name, texts)
    done: Counter[str] = Counter()
    with pytest.raises((AssertionError, RestanteError)):
        run_on_a_file(tmp_path, examples=300, phases=[Search.generate], done=done)
    assert done["`accept`"]  # or the statement is no statement any more
    record(what, operations={"programs": done["programs"]}, caught=["the model"])
