"""Submissions into rows, idempotency included, with any number of other processes doing the same.

One statement decides, by the unique key of the idempotency table: of racing first submits one is written, and
the others, once it is committed, are replays of it. A commit whose answer was lost is looked up by key: what
is there with the same id was written by it.
"""

from collections.abc import Callable, Sequence

from ...core.errors import KeyReused, RestanteError, StoreUnavailable
from ...core.model import Accepted
from .database import Database
from .entries import Entry, arguments_of
from .lane import Job
from .queries import TELLING
from .reading import transactions
from .rows import DELIVERY_WIDTH, columns
from .trouble import Lost, unavailable

ROUNDS = 5
"""How often an idempotency key may change hands while a submission looks at it."""

Answers = dict[int, Accepted | RestanteError]
"""By the row key of the submission."""


class Accepting:
    """`remember` is told of each submission that was written, after its commit."""

    def __init__(self, database: Database, remember: Callable[[Entry], None]) -> None:
        self._database = database
        self._remember = remember
        self.commits = 0
        self.committed: Callable[[int], None] = lambda count: None

    async def run(self, jobs: list[Job]) -> None:
        """Each job's value becomes its answers. All are written together; where that is refused, one by
        one, so that only the bad one fails."""
        entries = [entry for job in jobs for entry in job.what]
        try:
            answers = await self._accept(entries)
        except StoreUnavailable:
            raise
        except RestanteError as error:
            answers = {entries[0].key: error} if len(entries) == 1 else await self._accept_each(entries)
        for job in jobs:
            job.value = [answers[entry.key] for entry in job.what]

    async def _accept_each(self, entries: list[Entry]) -> Answers:
        answers: Answers = {}
        for entry in entries:
            try:
                answers |= await self._accept([entry])
            except RestanteError as error:
                answers[entry.key] = error
        return answers

    async def _accept(self, entries: list[Entry]) -> Answers:
        answers: Answers = {}
        moved = [entry for entry in entries if entry.former]
        if moved:  # nobody writes these any more, so what is not there now is not there later
            answers = await self._replay(moved, former=True)
        left = [entry for entry in entries if entry.key not in answers]
        for _ in range(ROUNDS):
            if not left:
                return answers
            first = _firsts(left)
            written = await self._insert(first)
            for entry in first:
                if entry.key in written:
                    answers[entry.key] = Accepted(entry.submission.transaction, begun=entry.begun)
                    self._remember(entry)
            left = [entry for entry in left if entry.key not in answers]
            if any(entry.scope is None for entry in left):
                raise RestanteError("a body was dropped before its transaction was stored")
            if left:
                answers |= await self._replay(left)
                left = [entry for entry in left if entry.key not in answers]
        if left:
            raise unavailable()
        return answers

    async def _insert(self, entries: Sequence[Entry]) -> set[int]:
        """The keys that were written."""

        async def write(some: Sequence[Entry]) -> set[int]:
            self.commits += 1
            self.committed(len(some))
            values = arguments_of(some)
            keys = [entry.key for entry in some]
            told = [delivery for entry in some for delivery in entry.deliveries]
            name = "accept" + TELLING if told else "accept"
            more = columns(told, DELIVERY_WIDTH) if told else ()
            rows = await self._database.rows(name, *values, *more, keys=keys)
            self._database.condition.written()
            return {row[0] for row in rows}

        async def settle() -> set[int]:
            ids = {entry.key: entry.submission.transaction.id for entry in entries}
            rows = await self._database.rows("ids", list(ids), again=True)
            there = {key for key, id in rows if ids[key] == id}
            left = [entry for entry in entries if entry.key not in there]
            return there | await write(left) if left else there

        try:
            return await write(entries)
        except Lost:
            return await self._database.find_out(settle)

    async def _replay(self, entries: Sequence[Entry], *, former: bool = False) -> Answers:
        """The answers to those whose idempotency key is known, or was by one of its former scopes. What is
        known no more gets none, and is written after all."""
        asked = [(entry, claim) for entry in entries for claim in (entry.former if former else entry.claims)]
        scopes = list({claim.scope for _, claim in asked})
        rows = await self._database.rows("known_scopes", scopes, again=True)
        known = {row[0]: (row[1], row[2], row[3]) for row in rows}
        answers: Answers = {}
        replays: dict[int, int] = {}
        for entry, claim in asked:
            first = known.get(claim.scope)
            if first is None or first[2] <= entry.submission.transaction.created_at:
                continue
            if first[1] == claim.fingerprint:
                replays[entry.key] = first[0]
            else:
                answers[entry.key] = KeyReused("This idempotency key was used for a different request.")
        if not replays:
            return answers
        keys = list(set(replays.values()))
        await self._database.rows("make_readable", keys, again=True)
        found = await transactions(self._database, keys)
        firsts = {key: Accepted(transaction, replayed=True) for key, transaction in found.items()}
        answers |= {key: firsts[first] for key, first in replays.items() if first in firsts}
        lost = _leading_nowhere(known, keys, firsts)
        if lost:
            await self._database.rows("delete_scopes", *columns(lost, 2), again=True)
        return answers


def _leading_nowhere(
    known: dict[bytes, tuple[int, bytes, int]], keys: list[int], firsts: dict[int, Accepted]
) -> list[tuple[bytes, int]]:
    """Entries that lead to transactions which are not there."""
    gone = set(keys) - firsts.keys()
    return [(scope, key) for scope, (key, _, _) in known.items() if key in gone]


def _firsts(entries: Sequence[Entry]) -> list[Entry]:
    """Of those with the same idempotency key the first; of the others all."""
    seen: set[bytes] = set()
    firsts = []
    for entry in entries:
        if entry.scope is not None:
            if entry.scope in seen:
                continue
            seen.add(entry.scope)
        firsts.append(entry)
    return firsts
