"""The table of failpoints, in the order in which a transaction, and then a webhook of it, comes by.

A name is what is going on, and how far it is. Around each commit stand two: `before_commit`, nothing of it is
written; `committed`, it is on disk, and nobody was told. The first is where the store is asked; what is
between is the database's: on a file `written` stands there, where the rows are in an open transaction.
"""

from .places import (
    POSTGRES,
    SQLITE,
    Edge,
    Place,
    Point,
    Seen,
    after,
    before,
    brings,
    changes,
    has,
    in_stores,
    is_there,
    sends,
    settles,
    writes,
)


def _commit(name: str, of: str, places: dict[Edge, tuple[Place, ...]]) -> tuple[Point, ...]:
    return (
        Point(f"{name}.before_commit", f"{of} is decided, and not written", places[Edge.BEFORE]),
        Point(f"{name}.committed", f"{of} is on disk, and nobody was told", places[Edge.AFTER]),
    )


def _change(kind: str, of: str) -> tuple[Point, ...]:
    """Around the commit of a change of a transaction."""
    apply = ("store:SQLiteStore.apply", "store:PostgresStore.apply", changes(kind))
    offer = ("store:SQLiteStore.offer_change", "store:PostgresStore.offer_change", changes(kind))
    return _commit(
        kind,
        of,
        {
            Edge.BEFORE: in_stores(Edge.BEFORE, *apply) + in_stores(Edge.BEFORE, *offer),
            Edge.AFTER: in_stores(Edge.AFTER, *apply) + in_stores(Edge.TOLD, *offer),
        },
    )


def _fate(fate: str, of: str) -> tuple[Point, ...]:
    """Around the commit of what becomes of a delivery."""
    settle = ("posting:Posting.settle", "posting:Posting.settle", settles(fate))
    return _commit(fate, of, {edge: in_stores(edge, *settle) for edge in Edge})


def _looks_up(seen: Seen) -> bool:
    return sends(b"restante-transaction")(seen) and not sends(b"restante-attempt")(seen)


def _is_marked(seen: Seen) -> bool:
    return seen.given[1:] in ((), (True,))


def _has_head(seen: Seen) -> bool:
    return bool(seen.given[0]._answer.status)


def _is_whole(seen: Seen) -> bool:
    return str(seen.given[3]).endswith("xx")


POINTS: tuple[Point, ...] = (
    # -- a request comes in
    Point(
        "accept.piece_kept",
        "a piece of a large request is on disk, and no transaction refers to it",
        in_stores(Edge.AFTER, "store:SQLiteStore.write_chunk", "store:PostgresStore.write_chunk"),
    ),
    Point(
        "accept.before_commit",
        "a request is read whole, and nothing of it is written",
        in_stores(Edge.BEFORE, "store:SQLiteStore.offer", "store:PostgresStore.offer"),
    ),
    Point(
        "accept.written",
        "its rows are in the transaction of the file, which is open",
        (after(f"{SQLITE}accepting:accept", brings),),
    ),
    Point(
        "accept.repeated",
        "an equal submit has found the first one, and nobody was told",
        (
            after(f"{SQLITE}accepting:_replay", lambda seen: bool(seen.given[1])),
            after(f"{POSTGRES}accepting:Accepting._replay", brings),
        ),
    ),
    Point(
        "accept.committed",
        "it is on disk; of a file only the writing process knows that",
        (
            after(f"{SQLITE}writer:Writer.run", writes("accept")),
            after(f"{POSTGRES}accepting:Accepting._insert", brings),
        ),
    ),
    Point(
        "accept.told",
        "it is on disk, and neither the runner nor who waits for the answer was told",
        in_stores(Edge.TOLD, "store:SQLiteStore.offer", "store:PostgresStore.offer", brings),
    ),
    Point(
        "accept.answering",
        "the runner has it, where it has room, and the answer is being made",
        (before("gateway.submit:_reply"),),
    ),
    Point(
        "accept.answered",
        "the accept's answer was handed to the socket, and may be out or not",
        (
            after("gateway.cycle:DirectCycle.answer"),
            after("gateway.call:Call.answer", lambda seen: b"location" in dict(seen.given[2])),
        ),
    ),
    # -- an attempt
    Point(
        "claim.taken",
        "what waited in the store is held by this process, without a mark",
        in_stores(Edge.AFTER, "store:SQLiteStore.claim", "store:PostgresStore.claim", brings),
    ),
    Point(
        "attempt.begun", "its turn has come, and nothing was done", (before("runner.direct:Attempt.start"),)
    ),
    Point(
        "attempt.connected",
        "the connection is in hand, and there is no mark",
        (after("runner.attempt:Attempts._connect"), after("runner.direct:Attempt.prepare", brings)),
    ),
    *_change("mark", 'the mark "about to be sent"'),
    Point(
        "change.written",
        "the rows of any change are in the transaction of the file, which is open",
        (after(f"{SQLITE}changing:apply_together", brings),),
    ),
    Point(
        "attempt.sending",
        "marked, and not one byte has left",
        (
            before("runner.attempt:Attempts._send"),
            before("runner.direct:Attempt._send", _is_marked),
        ),
    ),
    Point(
        "attempt.sent",
        "the request was handed to the socket, and may be out or not",
        (
            after("outbound.exchange:Exchange.send", sends(b"restante-attempt")),
            after("outbound.exchange:Exchange.send_stream", sends(b"restante-attempt")),
        ),
    ),
    Point(
        "attempt.answer_begun",
        "the answer's head has come, the upstream has done it",
        (after("runner.attempt:Attempts._send"), before("runner.direct:Attempt._read", _has_head)),
    ),
    Point(
        "attempt.piece_kept",
        "a piece of a large answer is on disk, and nothing refers to it",
        (after("runner.attempt:Attempts._write_chunk"),),
    ),
    Point(
        "attempt.answered",
        "the answer is here whole, and nothing of it is written",
        (before("runner.ends:Ends.measure", _is_whole),),
    ),
    Point(
        "lease.renewed",
        "an attempt that takes long has been lent out for longer",
        in_stores(Edge.AFTER, "store:SQLiteStore.renew", "store:PostgresStore.renew"),
    ),
    *_change("end", "the end, with its result and deliveries,"),
    *_change("retry", "that there will be another attempt"),
    *_change("expiry", "the end by a deadline"),
    *_change("cancel", "the cancelling"),
    *_change("note", "a resolution of what had ended"),
    # -- an outcome that nobody knows, and an end that comes later
    *_change("question", "that the upstream will be asked"),
    Point("lookup.asking", "a look-up is due, and not made", (before("runner.lookup:Lookups._get"),)),
    Point(
        "lookup.sent",
        "the look-up was handed to the socket, and may be out or not",
        (after("outbound.exchange:Exchange.send", _looks_up),),
    ),
    Point("lookup.answered", "its answer is here, and not written", (after("runner.lookup:Lookups._get"),)),
    *_change("deferral", "that the upstream will report the end"),
    *_change("progress", "a report of progress"),
    # -- an error is read
    Point(
        "reading.reserved",
        "the one reading is reserved on disk, and not a byte was sent",
        (after("service.reading:reserve", is_there),),
    ),
    Point(
        "reading.sent",
        "the last byte was handed to the socket, and the reading is not confirmed",
        (before("service.reading:settle", has(read=True)),),
    ),
    Point(
        "reading.confirmed",
        "the reading is confirmed on disk",
        (after("service.reading:settle", has(read=True)),),
    ),
    # -- a webhook
    Point(
        "delivery.taken",
        "a delivery is lent out to this process, and nothing was done",
        in_stores(Edge.AFTER, "posting:Posting.take", "posting:Posting.take", brings),
    ),
    Point("delivery.sending", "not one byte has left", (before("webhooks.carrying:Carrying._carry"),)),
    Point(
        "delivery.sent",
        "it was handed to the socket, and may be out or not",
        (after("outbound.exchange:Exchange.send", sends(b"webhook-id")),),
    ),
    Point(
        "delivery.answered",
        "the receiver has answered, and nothing is written",
        (after("webhooks.carrying:Carrying._carry"),),
    ),
    *_fate("arrival", "that it has arrived"),
    *_fate("miss", "that it has not, and is tried again,"),
    *_fate("dead_letter", "that it is given up"),
    *_fate("replay", "that it is sent once more"),
    # -- what is kept no longer
    Point(
        "sweep.found",
        "what has ended, or should have, is found; nothing is done",
        in_stores(Edge.AFTER, "store:SQLiteStore.lapsed", "store:PostgresStore.lapsed", brings),
    ),
    Point(
        "sweep.written",
        "its rows are gone in the transaction of the file, which is open",
        (after(f"{SQLITE}removing:purge"),),
    ),
    Point(
        "sweep.removed",
        "they are gone; pieces of large bodies are not",
        (after(f"{SQLITE}writer:Writer.run", writes("purge")),),
    ),
    Point(
        "sweep.piece_dropped",
        "some pieces of a large body are gone, others are not",
        (after(f"{SQLITE}removing:drop_pieces", brings),),
    ),
    Point(
        "sweep.detached",
        "a partition is taken out of its table, and is there",
        (after(f"{POSTGRES}database:Database.command", lambda seen: "DETACH" in seen.given[1]),),
    ),
    Point(
        "sweep.dropped",
        "a partition is dropped, and others are not",
        (after(f"{POSTGRES}database:Database.command", lambda seen: "DROP TABLE" in seen.given[1]),),
    ),
    Point(
        "outbox_sweep.committed",
        "old deliveries, or entries of the feed, are gone",
        in_stores(Edge.AFTER, "posting:Posting.sweep_outbox", "posting:Posting.sweep_outbox", brings),
    ),
)

BY_NAME = {point.name: point for point in POINTS}
