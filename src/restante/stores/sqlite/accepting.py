"""Submissions into rows, idempotency included.

The look-up of idempotency keys and the writing are one transaction of the only writer, so two racing
first submits, in one group or in two, are one transaction.
"""

from ...core.errors import KeyReused
from ...core.model import Accepted
from .database import Database
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
    entries: list[Entry] = [entry for job in jobs for entry in job.what]
    known = _known(database, entries)
    answers: dict[int, Accepted | KeyReused] = {}
    replays: dict[int, int] = {}
    fresh: list[Entry] = []
    for place, entry in enumerate(entries):
        submission = entry.submission
        transaction = submission.transaction
        claim = submission.idempotency
        if claim is not None:
            first = known.get(claim.scope)
            if first is not None and first[2] > transaction.created_at:
                if first[1] == claim.fingerprint:
                    replays[place] = first[0]
                else:
                    answers[place] = KeyReused("This idempotency key was used for a different request.")
                continue
            known[claim.scope] = (transaction.key, claim.fingerprint, transaction.expires_at)
        fresh.append(entry)
        answers[place] = Accepted(transaction)
    _insert(database, fresh)
    answers.update(_replay(database, replays))
    place = 0
    for job in jobs:
        end = place + len(job.what)
        job.value = [answers[number] for number in range(place, end)]
        place = end
    return True


def count_fresh(job: Job) -> int:
    """How many of a job's entries became transactions."""
    return sum(isinstance(answer, Accepted) and not answer.replayed for answer in job.value)


def _known(database: Database, entries: list[Entry]) -> Known:
    scopes = {entry.submission.idempotency.scope.hex() for entry in entries if entry.submission.idempotency}
    if not scopes:
        return {}
    text = "[" + ",".join(f'"{scope}"' for scope in scopes) + "]"
    return {row[0]: (row[1], row[2], row[3]) for row in database.rows("known_scopes", (text,))}


def _insert(database: Database, fresh: list[Entry]) -> None:
    database.many("insert_transactions", [entry.transaction for entry in fresh])
    database.many("insert_events", [entry.event for entry in fresh])
    database.many("insert_requests", [entry.request for entry in fresh])
    scopes: list[Row] = []
    for entry in fresh:
        transaction, claim = entry.submission.transaction, entry.submission.idempotency
        if claim is not None:
            scopes.append((claim.scope, transaction.key, claim.fingerprint, transaction.expires_at))
        if entry.submission.request.body.inline is None:
            database.run("delete_loose", (transaction.key, 0))
    if scopes:
        database.many("insert_idempotency", scopes)


def _replay(database: Database, replays: dict[int, int]) -> dict[int, Accepted | KeyReused]:
    if not replays:
        return {}
    keys = (numbers(list(set(replays.values()))),)
    database.run("make_readable", keys)
    rows = read_rows(database.value("transactions", keys))
    first = {row[0]: Accepted(read_transaction(row), replayed=True) for row in rows}
    return {place: first[key] for place, key in replays.items()}
