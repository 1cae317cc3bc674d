"""Look-ups by key, in groups: whatever was asked meanwhile is one query per kind."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from ...core.model import Event, Request, Result, Transaction
from . import keyring
from .database import Database, wrong
from .health import health_of
from .queries import numbers
from .rows import read_event, read_request, read_result, read_rows, read_transaction
from .turnstile import Turnstile
from .worker import Job

Ask = tuple[int, int, int]
"""Which events: key, after, limit."""


_read_runs = msgspec.json.Decoder(list[tuple[int, str, int]]).decode

Owned = tuple[int, str]
"""A transaction's key, and whose it is to be."""


class Reader:
    """The kinds of look-ups. A job's `what` is a list; its value is a list of the same length."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._works: dict[str, Callable[[list[Any]], dict[Any, Any]]] = {
            "transactions": lambda keys: transactions(database, keys),
            "owned": lambda asked: owned(database, asked),
            "requests": lambda keys: requests(database, keys),
            "results": lambda keys: results(database, keys),
            "events": lambda asked: events(database, asked),
            "health": lambda reserves: {
                reserve: health_of(database, reserve=reserve) for reserve in reserves
            },
            "access_keys": lambda digests: keyring.find(database, digests),
            "access_key_pages": lambda places: {place: keyring.page(database, *place) for place in places},
            "chunks": lambda places: {place: database.value("chunk", place) for place in places},
        }

    def run(self, jobs: list[Job], turnstile: Turnstile) -> None:
        """Answers the jobs; what fails, fails for one kind of look-up only."""
        kinds: dict[str, list[Job]] = {}
        for job in jobs:
            kinds.setdefault(job.kind, []).append(job)
        for kind, group in kinds.items():
            try:
                found = self._works[kind](list({key for job in group for key in job.what}))
            except Exception as error:
                for job in group:
                    job.error = wrong(error)
            else:
                for job in group:
                    job.value = [found.get(key) for key in job.what]


def transactions(database: Database, keys: Iterable[int]) -> dict[int, Transaction]:
    """By key; what is not there is not in it."""
    rows = read_rows(database.value("transactions", (numbers(list(keys)),)))
    return {row[0]: read_transaction(row) for row in rows}


def read_runs(database: Database, tenant: str) -> list[tuple[int, str, int]]:
    """The combinations of status, operation and dialect that a tenant has, as they are kept."""
    return _read_runs(database.value("runs", (tenant,)))


def owned(database: Database, asked: Sequence[Owned]) -> dict[Owned, Transaction]:
    """Those that are of the tenant with whom they are asked for; no others are read."""
    keys = [row[0] for row in database.rows("owned_keys", (msgspec.json.encode(asked).decode(),))]
    found = transactions(database, keys) if keys else {}
    return {
        (key, tenant): found[key] for key, tenant in asked if key in found and found[key].tenant == tenant
    }


def requests(database: Database, keys: Sequence[int]) -> dict[int, Request]:
    return {row[0]: read_request(row) for row in database.rows("requests", (numbers(keys),))}


def results(database: Database, keys: Sequence[int]) -> dict[int, Result]:
    return {row[0]: read_result(row) for row in database.rows("results", (numbers(keys),))}


def events(database: Database, asked: Sequence[Ask]) -> dict[Ask, list[Event]]:
    logs: dict[Ask, list[Event]] = {}
    for row in read_rows(database.value("events", (msgspec.json.encode(asked).decode(),))):
        logs.setdefault(asked[row[0]], []).append(read_event(row))
    return logs
