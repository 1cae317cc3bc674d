"""Submissions into rows, idempotency included.

The look-up of idempotency keys and the writing are one transaction of the only writer, so two racing
first submits, in one group or in two, are one transaction.
"""

from typing import Any

from .database import Database
from .queries import numbers
from .rows import Entry, Row, read_rows

FRESH, REUSED = True, False
Answer = bool | list[Any] | str
"""What became of an entry: it is written, its key belongs to another request, the first one's row, or why it
cannot be kept."""

Known = dict[bytes, tuple[int, bytes, int]]
"""Idempotency entries: scope to key, fingerprint, expires_at."""


def accept(database: Database, entries: list[Entry], answers: list[Answer]) -> bool:
    """Writes the entries; the answers to them become those in `answers`. True: it was done."""
    answers.clear()
    known = _known(database, entries)
    fresh: list[Entry] = []
    replays: list[tuple[int, int]] = []
    for entry in entries:
        if entry.claim is not None:
            scope, fingerprint, expires_at = entry.claim
            first = _first(known, entry)
            if first is not None:
                if first[1]:
                    replays.append((len(answers), first[0]))
                answers.append(REUSED)
                continue
            known[scope] = (entry.key, fingerprint, expires_at)
        fresh.append(entry)
        answers.append(FRESH)
    _insert(database, fresh)
    _replay(database, replays, answers)
    return True


def _first(known: Known, entry: Entry) -> tuple[int, bool] | None:
    """The key of the first with this entry's idempotency key, and whether that is the same request."""
    assert entry.claim is not None
    for scope, fingerprint in (entry.claim[:2], *entry.former):
        first = known.get(scope)
        if first is not None and first[2] > entry.created_at:
            return first[0], first[1] == fingerprint
    return None


def _known(database: Database, entries: list[Entry]) -> Known:
    scopes = {entry.claim[0].hex() for entry in entries if entry.claim is not None}
    scopes.update(scope.hex() for entry in entries for scope, _ in entry.former)
    if not scopes:
        return {}
    text = "[" + ",".join(f'"{scope}"' for scope in scopes) + "]"
    return {row[0]: (row[1], row[2], row[3]) for row in database.rows("known_scopes", (text,))}


def _insert(database: Database, fresh: list[Entry]) -> None:
    database.many("insert_transactions", [entry.transaction for entry in fresh])
    database.many("insert_events", [entry.event for entry in fresh])
    database.many("insert_requests", [entry.request for entry in fresh])
    database.many("insert_deliveries", [row for entry in fresh for row in entry.deliveries])
    for entry in fresh:
        if entry.in_pieces:
            database.run("delete_loose", (entry.key, 0))
    begun = [entry.begun for entry in fresh if entry.begun is not None]
    if begun:
        database.many("insert_events", [row for events, _ in begun for row in events])
        database.many("insert_feed", [row for _, feed in begun for row in feed])
    scopes: list[Row] = [
        (scope, entry.key, fingerprint, expires_at)
        for entry in fresh
        if entry.claim is not None
        for scope, fingerprint, expires_at in [entry.claim]
    ]
    if scopes:
        database.many("insert_idempotency", scopes)


def _replay(database: Database, replays: list[tuple[int, int]], answers: list[Answer]) -> None:
    """Puts the first transactions in their places: (place, row key)."""
    if not replays:
        return
    keys = (numbers(list({key for _, key in replays})),)
    database.run("make_readable", keys)
    firsts = {row[0]: row for row in read_rows(database.value("transactions", keys))}
    for place, key in replays:
        answers[place] = firsts[key]
