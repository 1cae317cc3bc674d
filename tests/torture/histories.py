"""A small history in which every law is kept, made by hand; tests break one thing in it.

One tenant, `acme`: `paid` was accepted, sent in two attempts (the first was told 503), and completed;
`refused` ended with the upstream's error, which one reader got. Moments are seconds since the first."""

from collections.abc import Sequence
from typing import Any

import msgspec

from restante.torture.history import History
from restante.torture.journal import (
    AnyEntry,
    Call,
    Delivery,
    Endpoint,
    Fed,
    Kept,
    Look,
    Receipt,
    Record,
    Submit,
    Told,
)
from restante.torture.laws import check

EXPIRES = 60.0
CHANGES = ("transition", "failure")
ASKED = (("x-order", "1"), ("x-twice", "b"), ("x-twice", "a"))
ANSWERED = (("content-type", "application/json"), ("x-order", "1"), ("x-twice", "b"), ("x-twice", "a"))


def submit(id: str | None, op: int, *, at: float = 0.0, **more: Any) -> Submit:
    return Submit(
        **{
            "at": at,
            "until": at + 0.1,
            "node": 0,
            "tenant": "acme",
            "op": op,
            "kind": "once",
            "method": "POST",
            "target": f"/once/{op}",
            "digest": "asked",
            "fields": ASKED,
            "code": 202,
            "id": id,
            **more,
        }
    )


def look(id: str, at: float, what: str, **more: Any) -> Look:
    """The result of a call has the header fields that the upstream gave it."""
    fields = ANSWERED if "call" in more else ()
    whole = {
        "at": at,
        "until": at + 0.1,
        "node": 0,
        "tenant": "acme",
        "id": id,
        "what": what,
        "fields": fields,
    }
    return Look(**{**whole, **more})


def call(number: int, id: str, op: int, at: float, **more: Any) -> Call:
    return Call(
        **{
            "at": at,
            "until": at + 0.1,
            "number": number,
            "op": op,
            "transaction": id,
            "attempt": 1,
            "key": id,
            "method": "POST",
            "target": f"/once/{op}",
            "digest": "asked",
            "fields": ASKED,
            "does": "answer",
            "executed": True,
            "code": 200,
            "answer": f"answer {number}",
            "answered": ANSWERED,
            "whole": True,
            **more,
        }
    )


def log(*events: tuple[str, str, int | None]) -> tuple[Told, ...]:
    """Events from what they are, the status after, and the attempt they are about."""
    return tuple(
        Told(sequence=number, event=event, status=status, attempt=attempt)
        for number, (event, status, attempt) in enumerate(events, 1)
    )


def record(id: str, op: int, events: Sequence[Told], **more: Any) -> Record:
    return Record(
        **{
            "at": 50.0,
            "until": 50.1,
            "tenant": "acme",
            "id": id,
            "op": op,
            "kind": "once",
            "status": events[-1].status,
            "outcome": "answered",
            "attempt": max((one.attempt or 0 for one in events), default=0),
            "retry_of": None,
            "created": 0.05,
            "expires": EXPIRES,
            "sequence": len(events),
            "events": tuple(events),
            **more,
        }
    )


PAID = log(
    ("transition", "pending", None),
    ("transition", "processing", 1),
    ("delay", "processing", 1),
    ("info", "processing", 2),
    ("transition", "completed", None),
)
REFUSED = log(
    ("transition", "pending", None),
    ("transition", "processing", 1),
    ("failure", "failed", None),
)


def entries() -> list[AnyEntry]:
    """The history in which nothing is wrong."""
    whole: list[AnyEntry] = [
        submit("paid", 1, key="key-1"),
        submit(None, 1, at=0.2, key="key-1", code=None),
        submit("paid", 1, at=0.4, key="key-1", replayed=True),
        submit("refused", 2, key="key-2"),
        call(1, "paid", 1, 0.5, key="key-1", executed=False, does="busy", code=503),
        call(2, "paid", 1, 1.0, key="key-1", attempt=2),
        call(3, "refused", 2, 1.0, key="key-2", executed=False, does="refuse", code=422),
        look("paid", 0.6, "native", code=200, status="processing", sequence=3),
        look("paid", 2.0, "native", code=200, status="completed", sequence=5),
        look("paid", 3.0, "result", code=200, call=2, digest="answer 2"),
        look("refused", 2.0, "result", code=422, call=3, digest="answer 3"),
        look("refused", 4.0, "status", code=404, word="unknown"),
        look("paid", 61.0, "status", code=404, word="unknown"),
        look("paid", 61.0, "native", code=200, status="completed", sequence=5),
        look("paid", 5.0, "status", code=404, word="unknown", tenant="borg"),
        record("paid", 1, PAID),
        record("refused", 2, REFUSED),
        Endpoint(at=-9.0, until=-8.0, tenant="acme", id="ep", receiver="every", every=True, steady=True),
        Kept(at=90.0, until=90.0, id="paid", bytes=False),
    ]
    for id, events in (("paid", PAID), ("refused", REFUSED)):
        for event in events:
            webhook = f"{id}-{event.sequence}"
            whole.append(
                Delivery(
                    at=50.0,
                    until=50.0,
                    endpoint="ep",
                    id=webhook,
                    transaction=id,
                    sequence=event.sequence,
                    state="delivered",
                    attempts=1,
                )
            )
            whole.append(
                Receipt(
                    at=2.0,
                    until=2.1,
                    receiver="every",
                    id=webhook,
                    type=f"transaction.{event.status if event.event in CHANGES else event.event}",
                    status=event.status,
                    transaction=id,
                    sequence=event.sequence,
                    previous=event.sequence - 1 or None,
                    code=204,
                )
            )
            whole.append(Fed(at=50.0, until=50.1, tenant="acme", id=id, sequence=event.sequence))
    return whole


def broken(*added: AnyEntry, without: AnyEntry | None = None) -> set[str]:
    """The laws that are violated when entries are added, or one is left out."""
    whole = entries()
    if without is not None:
        whole.remove(without)
    return {finding.law for finding in check(History([*whole, *added])) if finding.violated}


def changed(entry: AnyEntry, **fields: Any) -> set[str]:
    """The laws that are violated when one entry says something else."""
    return broken(msgspec.structs.replace(entry, **fields), without=entry)


def found(kind: type[AnyEntry], **fields: Any) -> AnyEntry:
    """The first entry of that kind that says so."""
    return next(
        entry
        for entry in entries()
        if isinstance(entry, kind) and all(getattr(entry, name) == value for name, value in fields.items())
    )
