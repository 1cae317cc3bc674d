"""Laws about the work itself: I3, I4, I6 and I9."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from ..core.status import EventKind, Outcome, Status
from .history import SLACK_SECONDS, History
from .journal import Call, Fields, Record, Submit
from .plan import ATTEMPTS, LONGEST_BACKOFF_SECONDS
from .upstream import BUSY

AT_MOST_ONCE = ("once", "asked", "tickets", "later", "prefer")
"""Routes on which a call that may have worked is not followed by another."""

TAKEN = 200
"""The code of a report that changed something."""

REPEATED = ("put", "again")
"""What is sent again whatever became of it."""

LONG_SECONDS = 1.5
"""A call that took so long may have met nobody any more."""

ONCE_WITH_KEY = "again"
"""The route on which it may be, because the upstream honours the key."""


def called(history: History) -> Iterator[str | None]:
    """I3, for each transaction. What is done again on purpose may have a key that the upstream knows: then
    the work was done for the first one."""
    done = {call.op for call in history.calls if call.executed}
    for record in history.records.values():
        yield _called(record, history.calls_of[record.id], done=record.op in done)
        yield from _asked(history, record)
        yield from _given_up(history, record)


def _called(record: Record, calls: list[Call], *, done: bool) -> str | None:
    executed = sum(call.executed for call in calls)
    attempts = [call.attempt for call in calls]
    if len(set(attempts)) < len(attempts):
        return f"{record.id} was sent twice in one attempt: {attempts}"
    if record.kind in AT_MOST_ONCE:
        for first, second in pairwise(calls):
            if not (first.code == BUSY and first.whole):
                return f"{record.id} was sent again (call {second.number}) after call {first.number} had come"
    if record.kind == ONCE_WITH_KEY and len({call.key for call in calls}) > 1:
        return f"{record.id} was sent with several idempotency keys"
    if record.kind in (*AT_MOST_ONCE, ONCE_WITH_KEY) and executed > 1:
        return f"{record.id} was executed {executed} times"
    settled = any(event.settled for event in record.events)
    if record.status == Status.COMPLETED and not (done and (calls or settled)):
        return f"{record.id} is completed, and was not executed"
    nothing = record.status == Status.CANCELLED or record.outcome == Outcome.UNREACHABLE
    undeferred = [call for call in calls if call.executed and not (call.defers and call.whole)]
    if nothing and undeferred and record.kind in AT_MOST_ONCE:  # what was taken over may be cancelled
        return f"{record.id} is {record.outcome or record.status}, and was executed"
    return None


def _asked(history: History, record: Record) -> Iterator[str | None]:
    """What the last look-up found is what it became, unless that answer may have met nobody: an upstream that
    was stopped reads, when it goes on, what was asked and given up long before."""
    end = max((one.moment for one in record.events), default=0.0) + SLACK_SECONDS
    asked = [one for one in history.questions_of[record.id] if history.servers_time(one.at, one.at)[0] <= end]
    for last in sorted(asked, key=lambda one: one.until)[-1:]:
        if last.code == 200 and last.found and not history.struck(last.at, last.until):
            ended = any(event.settled for event in record.events) or record.status == Status.CANCELLED
            right = ended or record.outcome == Outcome.EXPIRED
            yield None if right else f"the last look-up for {record.id} found it, and it is {record.status}"


def _given_up(history: History, record: Record) -> Iterator[str | None]:
    """What may be repeated is, while there are attempts and time; and what is interrupted is so by something:
    a call that ended badly, or a fault while the attempt went on."""
    if record.status != Status.FAILED or record.outcome not in (Outcome.INTERRUPTED, Outcome.TIMED_OUT):
        return
    end = next((one.moment for one in record.events if one.event == EventKind.FAILURE), 0.0)
    if record.kind in REPEATED:
        left = record.attempt < ATTEMPTS and end + LONGEST_BACKOFF_SECONDS < record.deadline
        yield (
            f"{record.id} was given up after attempt {record.attempt}, {record.deadline - end:.1f} s early"
            if left
            else None
        )
    if record.outcome == Outcome.INTERRUPTED:
        calls = history.calls_of[record.id]
        badly = any(not call.whole or call.until - call.at > LONG_SECONDS for call in calls)
        began = min((one.moment for one in record.events if one.attempt == record.attempt), default=end)
        struck = history.struck(*history.own_time(began, end))
        yield None if badly or struck else f"{record.id} is interrupted, and nothing had struck it"


def verbatim(history: History) -> Iterator[str | None]:
    """I4: what came to the upstream is what was submitted, and what callers read is what it answered."""
    submits = {submit.op: submit for submit in history.submits}
    for call in history.calls:
        yield _as_submitted(call, submits.get(call.op), history.records.get(call.transaction))
    for submit in history.submits:
        if submit.call is not None:
            yield _at_once(history, submit)
    for look in history.looks:
        record = history.records.get(look.id)
        if look.digest is None or look.code is None or record is None:
            continue
        if look.call is not None:
            made = history.call_of_number.get(look.call)
            if made is None or (made.transaction, made.answer) != (look.id, look.digest):
                yield f"a result of {look.id} at {look.at:.3f} is not what the upstream answered"
            elif (look.code, look.fields) not in (answers := _answers(history, made)):
                code = look.code in {code for code, _ in answers}
                what = f"header fields {dict(look.fields)}" if code else f"code {look.code}"
                yield f"a result of {look.id} has {what}, and the upstream's (call {made.number}) has not"
            else:
                yield None
        elif look.code == 200:
            told = {question.answer for question in history.questions_of[look.id]}
            right = any(event.settled for event in record.events) and look.digest in told
            yield None if right else f"a result of {look.id} at {look.at:.3f} is nobody's answer"


def _answers(history: History, call: Call) -> set[tuple[int | None, Fields]]:
    """With which code and header fields the result of a call may come: the answer's, or those of a report
    that was not refused."""
    if not call.defers:
        return {(call.code, call.answered)}
    reports = [one for one in history.reports_of[call.transaction] if one.number == call.number]
    return {(one.status, one.answered) for one in reports if one.code in (200, None) and not one.stale}


def _at_once(history: History, submit: Submit) -> str | None:
    """Who waited for the answer got that of a call for his own operation."""
    call = history.call_of_number.get(submit.call or 0)
    told = (submit.code, submit.answer, submit.answered)
    if call is None or call.op != submit.op or (call.code, call.answer, call.answered) != told:
        return f"op {submit.op} was answered at once, and not with what the upstream had answered"
    return None


def _as_submitted(call: Call, submit: Submit | None, record: Record | None) -> str | None:
    """The key of what is done again on purpose may be another."""
    if submit is None:
        return f"call {call.number} is about op {call.op}, which nobody has submitted"
    expected = (submit.method, submit.target, submit.digest)
    came = (call.method, call.target, call.digest)
    if came != expected:
        return f"call {call.number} came other than op {call.op} was submitted"
    if call.fields != submit.fields:
        return f"call {call.number} came with {call.fields}, op {call.op} was submitted with {submit.fields}"
    if submit.key not in (None, call.key) and record is not None and record.retry_of is None:
        return f"call {call.number} came with key {call.key}, op {call.op} was submitted with {submit.key}"
    return None


def one_each(history: History) -> Iterator[str | None]:
    """I6. A key is good for as long as its first transaction; submits without one are one transaction
    each."""
    made: dict[int, list[Record]] = defaultdict(list)
    for record in history.records.values():
        if record.retry_of is None:
            made[record.op].append(record)
    sent: dict[int, list[Submit]] = defaultdict(list)
    for submit in history.submits:
        sent[submit.op].append(submit)
    for op, submits in sent.items():
        records = sorted(made[op], key=lambda one: one.created)
        for first, second in pairwise(records):
            if second.created < first.expires:
                yield f"op {op} is two transactions: {first.id} and {second.id}"
        known = {record.id for record in records}
        for submit in submits:
            if submit.id in history.records:  # else it is I1's
                right = submit.id in known
                yield None if right else f"op {op} was told {submit.id}, which is another's"
        if len(records) > len(submits):
            yield f"op {op} was submitted {len(submits)} times, and is {len(records)} transactions"


def fenced(history: History) -> Iterator[str | None]:
    """I9: attempts are numbered as they begin, and what ends one is about the latest; so is the result."""
    for record in history.records.values():
        yield _in_turn(record)
    for look in history.looks:
        call = history.call_of_number.get(look.call or 0)
        ended = history.records.get(look.id)
        if call is not None and ended is not None:
            stale = call.attempt != ended.attempt
            yield f"{look.id} has the result of attempt {call.attempt} of {ended.attempt}" if stale else None
    for reports in history.reports_of.values():
        for report in reports:
            if report.stale and report.code is not None:
                taken = report.code == TAKEN
                yield f"{report.transaction} took the word of attempt {report.attempt}" if taken else None


def _in_turn(record: Record) -> str | None:
    current = 0
    for event in record.events:
        if event.attempt is None:
            continue
        begins = event.event in ("info", "transition") and not event.defers
        expected = current + 1 if begins else current
        if event.attempt != expected:
            return f"event {event.sequence} of {record.id} is about attempt {event.attempt}, not {expected}"
        current = event.attempt
    return (
        None if current == record.attempt else f"{record.id} has {record.attempt} attempts, its log {current}"
    )
