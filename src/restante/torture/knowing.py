"""Laws about what callers are told: I1, I2, I5, I7 and I10."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from math import inf

from ..core.machine import TABLE, TERMINAL
from ..core.status import Status
from .history import (
    NOT_FOUND,
    NOT_NOW,
    SLACK_SECONDS,
    TOO_EARLY,
    UNKNOWN,
    History,
    is_error,
    is_unknown,
    may_have_read,
)
from .journal import Look, Record, Reported, Submit
from .working import TAKEN

READ_OFTEN = ("tickets", "prefer")
"""Kinds of work whose errors may be read any number of times."""

SWEPT_SECONDS = 75.0
"""By then what is to go has gone: the sweeper looks once a minute at least."""

RANKS = {Status.PENDING: 0, Status.PROCESSING: 1, **dict.fromkeys(TERMINAL, 2)}


def known(history: History) -> Iterator[str | None]:
    """I1: what was accepted is there at the end, or until its history is over, and is never denied meanwhile.
    A call at the upstream has a transaction, too: what is worked on was on disk before."""
    for submit in history.submits:
        if submit.id is not None:
            there = submit.id in history.records
            yield None if there else f"{submit.id} was accepted (op {submit.op}) and is not there at the end"
    for look in history.looks:
        if look.what == "native" and look.code is not None and not _is_forgotten(history, look):
            yield f"{look.id} was unknown at {look.at:.3f}" if look.code == NOT_FOUND else None
    for call in history.calls:
        there = call.transaction in history.records
        yield (
            None if there else f"call {call.number} was for {call.transaction}, which is not there at the end"
        )
    for id, reports in history.reports_of.items():
        for report in reports:
            if report.code is not None:
                wrong = report.code == NOT_FOUND
                yield f"{id} was unknown to who reported about it at {report.at:.3f}" if wrong else None


def forward(history: History) -> Iterator[str | None]:
    """I2: of two looks the later one sees as much or more; the log is gapless and follows the state table."""
    for id, record in history.records.items():
        yield _log(record)
        yield from _in_time(id, history.looks_of[id], record)
        yield from _reported(record, history.reports_of[id])


def _reported(record: Record, reports: list[Reported]) -> Iterator[str | None]:
    """Of all reports of its end one is taken at most, and that is what it became."""
    ends = [one for one in reports if one.says in TERMINAL]
    taken = [one for one in ends if one.code == TAKEN]
    if ends:
        yield f"{record.id} took {len(taken)} reports of its end" if len(taken) > 1 else None
    for one in taken[:1]:
        wrong = one.says != record.status
        yield f"{record.id} was reported {one.says}, and is {record.status}" if wrong else None


def _log(record: Record) -> str | None:
    numbers = [event.sequence for event in record.events]
    if numbers != list(range(1, record.sequence + 1)):
        return f"{record.id} has events {numbers}, and its sequence is {record.sequence}"
    status = Status.PENDING
    for event in record.events:
        after = Status(event.status)
        if after is not status and after not in TABLE[status].values():
            return f"{record.id} went from {status} to {after}"
        if after is status and status in TERMINAL and event.event != "info":
            return f"{record.id} ended twice"
        status = after
    if status != record.status:
        return f"{record.id} is {record.status}, and its last event says {status}"
    return None if status in TERMINAL else f"{record.id} has not ended: {status}"


def _in_time(id: str, looks: list[Look], record: Record) -> Iterator[str | None]:
    """Each look against all that were over before it began."""
    seen = [(look, status) for look in looks if (status := status_of(look)) is not None]
    over = sorted(seen, key=lambda one: one[0].until)
    place = rank = sequence = 0
    end: str | None = None
    for look, status in seen:
        while place < len(over) and over[place][0].until < look.at:
            earlier, earlier_status = over[place]
            rank = max(rank, RANKS[earlier_status])
            sequence = max(sequence, earlier.sequence or 0)
            end = earlier_status if RANKS[earlier_status] == 2 else end
            place += 1
        if RANKS[status] < rank:
            yield f"{id} was {status} at {look.at:.3f}, after it had been further"
        elif look.sequence is not None and look.sequence < sequence:
            yield f"{id} had {look.sequence} events at {look.at:.3f}, after it had had {sequence}"
        elif RANKS[status] == 2 and status != (end or status):
            yield f"{id} was {status} at {look.at:.3f}, after it had been {end}"
        else:
            yield None
        if RANKS[status] == 2 and status != record.status:
            yield f"{id} was {status} at {look.at:.3f}, and is {record.status} at the end"
        if look.sequence is not None and look.sequence > record.sequence:
            yield f"{id} had {look.sequence} events at {look.at:.3f}, and has {record.sequence} at the end"


def status_of(look: Look) -> Status | None:
    """What a look told of the transaction's status."""
    told = look.status or look.word
    return None if told is None or told == UNKNOWN else Status(told)


def read_once(history: History) -> Iterator[str | None]:
    """I5. A replay of the submit makes an error readable once more, also one of which nobody heard: a server
    that was stopped takes it when it goes on. Where a fault struck between the last byte and the word that
    it was read, it may be read again; nowhere else."""
    replays: dict[str, list[Submit]] = defaultdict(list)
    unheard: dict[int, list[Submit]] = defaultdict(list)
    for submit in history.submits:
        if submit.id is not None and submit.replayed:
            replays[submit.id].append(submit)
        elif submit.id is None and submit.key is not None:
            unheard[submit.op].append(submit)
    for id, record in history.records.items():
        if record.status != Status.FAILED or record.kind in READ_OFTEN:
            continue
        looks = history.looks_of[id]
        renewals = [(one.at, one.until) for one in replays[id]]
        renewals += [(one.at, inf) for one in unheard[record.op]]
        yield from _readings(history, id, looks, renewals)
        for look in looks:
            if look.what in ("status", "result") and is_unknown(look) and _is_before(history, look, record):
                taken = any(may_have_read(other) and other.at <= look.until for other in looks)
                yield (
                    None if taken else f"the error of {id} was gone at {look.at:.3f}, and nobody had read it"
                )


def _readings(
    history: History, id: str, looks: list[Look], renewals: list[tuple[float, float]]
) -> Iterator[str | None]:
    """Each reading after the first needs a renewal of its own since the one before began."""
    reads = sorted(filter(is_error, looks), key=lambda look: look.until)
    for first, second in pairwise(reads):
        again = next((one for one in renewals if one[0] <= second.until and one[1] >= first.at), None)
        if again is not None:
            renewals.remove(again)
        allowed = again is not None or history.struck(first.at, first.until)
        yield None if allowed else f"the error of {id} was read at {first.at:.3f} and {second.at:.3f}"


def retained(history: History) -> Iterator[str | None]:
    """I7. An error that somebody may have read is I5's."""
    for look in history.looks:
        record = history.records.get(look.id)
        if record is None or look.code is None or look.what == "native":
            continue
        if _is_before(history, look, record):
            if look.what != "kept" and record.status != Status.FAILED:
                wrong = is_unknown(look)
                yield f"{look.id} was unknown at {look.at:.3f}, before it expired" if wrong else None
        elif _is_after(history, look, record):
            running = look.word in (Status.PENDING, Status.PROCESSING) or look.code == TOO_EARLY
            there = look.call is not None or (not is_unknown(look) and not running and look.code < 300)
            yield f"{look.id} was there at {look.at:.3f}, after it had expired" if there else None
    for kept in history.kept:
        yield f"bytes of {kept.id} are still there, long after it had expired" if kept.bytes else None
        record = history.records.get(kept.id)
        if record and record.forgotten is not None and record.forgotten + SWEPT_SECONDS < kept.at:
            yield f"{kept.id} is still there, long after its history was over" if kept.row else None


def _is_before(history: History, look: Look, record: Record) -> bool:
    return _latest(history, look) + SLACK_SECONDS < record.expires


def _latest(history: History, look: Look) -> float:
    """The latest that the servers' clock can have shown by its end."""
    return max(history.servers_time(look.at, look.until)[1], history.latest(look.until))


def _is_forgotten(history: History, look: Look) -> bool:
    """Whether it may be, by the latest that the servers' clock can have shown."""
    record = history.records.get(look.id)
    if record is None or record.forgotten is None:
        return False
    return _latest(history, look) + SLACK_SECONDS >= record.forgotten


def _is_after(history: History, look: Look, record: Record) -> bool:
    return history.servers_time(look.at, look.until)[0] - SLACK_SECONDS > record.expires


def apart(history: History) -> Iterator[str | None]:
    """I10: whoever asks for what is another's is told what everybody is told of what never was; and whoever
    reads logs, or the files of a sealed store, finds nothing that was sent or answered."""
    for one in history.foreign:
        if one.code is not None and one.code != NOT_NOW:
            wrong = one.code != NOT_FOUND
            yield (
                f"{one.tenant} was answered {one.code} about {one.id}, which is another's" if wrong else None
            )
    for file in history.scanned:
        yield f"{file.path} holds what was sent or answered" if file.planted else None
    for record in history.records.values():
        owner = history.tenant_of_op.get(record.op)
        wrong = owner != record.tenant
        yield f"{record.id} of {owner} is in the list of {record.tenant}" if wrong else None
