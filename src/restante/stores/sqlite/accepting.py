"""Submissions into rows, idempotency included.

The look-up of idempotency keys and the writing are one transaction of the only writer, so two racing
first submits, in one group or in two, are one transaction.
"""

from ...core.errors import KeyReused
from ...core.model import Accepted
from .database import Database
from .memory import Memory
from .queries import numbers
from .rows import Entry, Row, read_rows, read_transaction
from .worker import Job

Known = dict[bytes, tuple[int, bytes, int]]
"""Idempotency entries: scope to key, fingerprint, expires_at."""


def accept_alone(database: Database, job: Job) -> bool:
    """The entries of one call."""
    return accept_together(database, [job])


def accept_together(database: Database, jobs: list[Job]) -> bool:
    """Writes the entries of all jobs; each job's value is its list of answers. True: it was done."""
    known = _known(database, jobs)
    fresh: list[Entry] = []
    replays: list[tuple[list[Accepted | KeyReused], int, int]] = []
    for job in jobs:
        answers: list[Accepted | KeyReused] = []
        for entry in job.what:
            transaction = entry.submission.transaction
            claim = entry.submission.idempotency
            if claim is not None:
                first = known.get(claim.scope)
                if first is not None and first[2] > transaction.created_at:
                    if first[1] == claim.fingerprint:
                        replays.append((answers, len(answers), first[0]))
                    answers.append(KeyReused("This idempotency key was used for a different request."))
                    continue
                known[claim.scope] = (transaction.key, claim.fingerprint, transaction.expires_at)
            fresh.append(entry)
            answers.append(Accepted(transaction))
        job.value = answers
    _insert(database, fresh)
    _replay(database, replays)
    return True


def remember(job: Job, memory: Memory) -> None:
    """After the commit: what became a transaction is queued."""
    for answer in job.value:
        if isinstance(answer, Accepted) and not answer.replayed:
            memory.queued.add(answer.transaction.tenant)


def _known(database: Database, jobs: list[Job]) -> Known:
    claims = [entry.submission.idempotency for job in jobs for entry in job.what]
    scopes = {claim.scope.hex() for claim in claims if claim is not None}
    if not scopes:
        return {}
    text = "[" + ",".join(f'"{scope}"' for scope in scopes) + "]"
    return {row[0]: (row[1], row[2], row[3]) for row in database.rows("known_scopes", (text,))}


def _insert(database: Database, fresh: list[Entry]) -> None:
    database.many("insert_transactions", [entry.transaction for entry in fresh])
    database.many("insert_events", [entry.event for entry in fresh])
    database.many("insert_requests", [entry.request for entry in fresh])
    for entry in fresh:
        if entry.submission.request.body.inline is None:
            database.run("delete_loose", (entry.submission.transaction.key, 0))
    scopes: list[Row] = [
        (claim.scope, transaction.key, claim.fingerprint, transaction.expires_at)
        for transaction, claim in [(one.submission.transaction, one.submission.idempotency) for one in fresh]
        if claim is not None
    ]
    if scopes:
        database.many("insert_idempotency", scopes)


def _replay(database: Database, replays: list[tuple[list[Accepted | KeyReused], int, int]]) -> None:
    """Puts the first transactions in their places: (answers, place, row key)."""
    if not replays:
        return
    keys = (numbers(list({key for _, _, key in replays})),)
    database.run("make_readable", keys)
    rows = read_rows(database.value("transactions", keys))
    firsts = {row[0]: Accepted(read_transaction(row), replayed=True) for row in rows}
    for answers, place, key in replays:
        answers[place] = firsts[key]
