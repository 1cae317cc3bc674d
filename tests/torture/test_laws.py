"""The checker sees each way in which a law can be violated, in histories made by hand; and no violation where
there is none."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from restante.torture.history import History
from restante.torture.journal import (
    CLOCK,
    Act,
    AnyEntry,
    Call,
    Delivery,
    Endpoint,
    Fed,
    Hit,
    Journal,
    Kept,
    Look,
    Question,
    Receipt,
    Record,
    Reported,
    Scanned,
    Streamed,
    Told,
    read,
)
from restante.torture.laws import LAWS, check
from restante.torture.planted import PIECE, WORD, scanned

from .histories import (
    ANSWERED,
    PAID,
    REFUSED,
    broken,
    call,
    changed,
    entries,
    found,
    log,
    look,
    record,
    submit,
)


def test_a_history_in_which_every_law_is_kept_is_found_so_and_every_law_was_held_against_something() -> None:
    findings = check(History(entries()))
    assert [finding.law for finding in findings] == list(LAWS)
    assert not [finding for finding in findings if finding.violated or not finding.checked]


def test_what_was_accepted_and_is_not_there_is_seen() -> None:
    assert "I1" in broken(submit("lost", 3))


def test_a_call_for_nothing_that_is_there_is_seen() -> None:
    assert "I1" in broken(call(4, "never", 1, 3.0))


def test_an_id_that_is_unknown_for_a_moment_is_seen() -> None:
    assert broken(look("paid", 2.5, "native", code=404, word="unknown")) == {"I1"}


def test_a_status_that_goes_back_is_seen() -> None:
    assert "I2" in broken(look("paid", 4.0, "native", code=200, status="processing", sequence=5))


def test_events_that_are_gone_again_are_seen() -> None:
    assert broken(look("paid", 4.0, "native", code=200, status="completed", sequence=4)) == {"I2"}


def test_an_end_that_became_another_is_seen() -> None:
    assert broken(look("paid", 4.0, "status", code=200, word="cancelled")) == {"I2"}


def test_looks_at_the_same_time_may_come_in_any_order() -> None:
    early = look("paid", 1.9, "native", until=2.5, code=200, status="processing", sequence=4)
    assert not broken(early)


@pytest.mark.parametrize(
    "events",
    [
        (*PAID, Told(sequence=6, event="failure", status="failed")),
        (*PAID, Told(sequence=6, event="transition", status="completed")),
        PAID[:-1],
        (*PAID[:2], *PAID[3:]),
    ],
    ids=["another end", "twice", "no end", "a gap"],
)
def test_a_log_that_does_not_follow_the_table_is_seen(events: tuple[Told, ...]) -> None:
    assert "I2" in broken(record("paid", 1, events), without=found(Record, id="paid"))


def test_a_note_after_the_end_is_none() -> None:
    noted = (*REFUSED, Told(sequence=4, event="info", status="failed"))
    assert "I2" not in broken(record("refused", 2, noted), without=found(Record, id="refused"))


def test_a_second_call_after_one_that_may_have_worked_is_seen() -> None:
    assert "I3" in changed(found(Call, number=1), whole=False, code=None, does="hang up")
    assert "I3" in changed(found(Call, number=1), executed=True)


def test_what_was_sent_twice_in_one_attempt_is_seen() -> None:
    assert "I3" in changed(found(Call, number=2), attempt=1)


def test_what_is_completed_and_was_never_done_is_seen() -> None:
    assert "I3" in changed(found(Call, number=2), executed=False)


def test_what_was_cancelled_and_was_done_is_seen() -> None:
    cancelled = log(("transition", "pending", None), ("transition", "cancelled", None))
    gone = broken(
        record("refused", 2, cancelled), call(4, "refused", 2, 1.5), without=found(Record, id="refused")
    )
    assert "I3" in gone


def test_an_answer_that_is_not_the_upstreams_is_seen() -> None:
    assert changed(found(Look, id="paid", what="result"), digest="other") == {"I4"}
    assert "I4" in changed(found(Look, id="paid", what="result"), call=3)
    assert changed(found(Look, id="paid", what="result"), code=201) == {"I4"}


def test_a_result_that_is_nobodys_answer_is_seen_unless_a_look_up_has_told_it() -> None:
    assert broken(look("paid", 4.0, "result", code=200, digest="told")) == {"I4"}
    told = Question(at=1.0, until=1.1, op=1, transaction="paid", found=True, answer="told")
    settled = (*PAID[:-1], Told(sequence=5, event="transition", status="completed", settled=True))
    assert not broken(
        look("paid", 4.0, "result", code=200, digest="told"),
        told,
        record("paid", 1, settled),
        without=found(Record, id="paid"),
    )


def test_a_request_that_came_changed_is_seen() -> None:
    assert changed(found(Call, number=2), digest="other") == {"I4"}
    assert changed(found(Call, number=2), target="/once/1?") == {"I4"}


def test_an_error_that_was_read_twice_is_seen() -> None:
    again = look("refused", 5.0, "result", code=422, call=3, digest="answer 3")
    assert broken(again) == {"I5"}


def test_an_error_may_be_read_again_after_a_replay_or_where_a_fault_struck_the_reading() -> None:
    again = look("refused", 5.0, "result", code=422, call=3, digest="answer 3")
    assert not broken(again, submit("refused", 2, at=4.0, replayed=True))
    assert not broken(again, Hit(at=2.05, until=2.2, kind="kill -9", node=0))
    assert broken(again, Hit(at=8.0, until=8.2, kind="kill -9", node=0)) == {"I5"}


def test_a_replay_that_nobody_heard_of_allows_one_more_reading_and_no_second() -> None:
    unheard = submit(None, 2, at=0.3, key="key-2", code=None)
    again = [look("refused", at, "result", code=422, call=3, digest="answer 3") for at in (5.0, 6.0)]
    assert not broken(unheard, again[0])
    assert broken(unheard, *again) == {"I5"}


def test_an_error_that_is_gone_unread_is_seen() -> None:
    assert "I5" in broken(without=found(Look, id="refused", what="result"))


def test_an_error_is_not_gone_unread_where_a_reader_left() -> None:
    left = look("refused", 2.0, "result")
    assert not broken(left, without=found(Look, id="refused", what="result"))


def test_two_transactions_for_one_key_are_seen() -> None:
    assert "I6" in broken(record("second", 1, PAID, created=3.0))


def test_a_key_is_good_no_longer_than_its_first_transaction() -> None:
    later = record("second", 1, PAID, created=61.0, expires=121.0)
    assert "I6" not in broken(later)


def test_what_is_done_again_on_purpose_is_no_second_transaction_for_the_key() -> None:
    assert "I6" not in broken(record("second", 1, PAID, created=3.0, retry_of="paid"))


def test_what_is_unknown_before_it_expires_is_seen() -> None:
    assert broken(look("paid", 30.0, "status", code=404, word="unknown")) == {"I7"}


def test_what_is_there_after_it_expired_is_seen() -> None:
    assert broken(look("paid", 61.0, "result", code=200, call=2, digest="answer 2")) == {"I7"}
    assert broken(look("paid", 61.0, "status", code=200, word="completed")) == {"I7"}


def test_a_clock_that_was_put_on_is_the_servers_own() -> None:
    jump = Hit(at=10.0, until=10.0, kind=CLOCK, amount=40.0)
    assert not broken(look("paid", 30.0, "status", code=404, word="unknown"), jump)
    assert broken(look("paid", 30.0, "result", code=200, call=2, digest="answer 2"), jump) == {"I7"}
    back = Hit(at=25.0, until=25.0, kind=CLOCK, amount=0.0)
    gone = look("paid", 28.0, "result", code=404, word="unknown")
    assert not broken(gone, jump, back), "it had expired before the clock was put back"
    assert broken(gone) == {"I7"}


def test_bytes_that_are_left_are_seen() -> None:
    assert changed(found(Kept, id="paid"), bytes=True) == {"I7"}


def test_a_webhook_that_was_never_written_is_seen() -> None:
    assert "I8" in broken(without=found(Delivery, id="paid-5"))
    assert "I8" in broken(without=found(Delivery, id="paid-2"))


def test_a_webhook_that_is_still_on_its_way_is_seen() -> None:
    assert changed(found(Delivery, id="paid-5"), state="waiting") == {"I8"}


def test_a_webhook_that_counts_as_delivered_and_is_not_is_seen() -> None:
    assert broken(without=found(Receipt, id="paid-5")) == {"I8"}
    assert changed(found(Receipt, id="paid-5"), code=500) == {"I8"}


def test_a_dead_webhook_need_not_have_arrived() -> None:
    assert not broken(
        Delivery(
            at=50, until=50, endpoint="e2", id="w", transaction="paid", sequence=5, state="dead", attempts=6
        )
    )


def test_a_webhook_that_names_the_wrong_one_before_it_is_seen() -> None:
    assert changed(found(Receipt, id="paid-5"), previous=3) == {"I8"}


def test_nothing_is_missed_by_an_endpoint_that_was_not_always_on() -> None:
    endpoint = found(Endpoint, id="ep")
    other = Endpoint(at=-9, until=-8, tenant="acme", id="e2", receiver="gone", every=False, steady=False)
    assert not broken(other)
    assert "I8" in broken(
        Endpoint(at=-9, until=-8, tenant="acme", id="e2", receiver="x", every=False, steady=True)
    )
    assert isinstance(endpoint, Endpoint)


def test_an_event_that_the_feed_leaves_out_or_tells_twice_is_seen() -> None:
    one: AnyEntry = found(Fed, id="paid", sequence=3)
    assert broken(without=one) == {"I8"}
    assert broken(one) == {"I8"}


def test_an_end_by_an_attempt_that_was_overtaken_is_seen() -> None:
    stale = log(
        ("transition", "pending", None),
        ("transition", "processing", 1),
        ("delay", "processing", 1),
        ("info", "processing", 2),
        ("failure", "failed", 1),
    )
    assert "I9" in broken(record("paid", 1, stale), without=found(Record, id="paid"))
    assert "I9" in changed(found(Look, id="paid", what="result"), call=1, digest="answer 1", code=503)


def test_whoever_sees_anothers_is_seen() -> None:
    assert broken(look("paid", 5.0, "status", code=200, word="completed", tenant="borg")) == {"I10"}
    cancelled = Act(at=5.0, until=5.1, node=0, tenant="borg", id="paid", what="cancel", code=409)
    assert broken(cancelled) == {"I10"}
    assert "I10" in changed(found(Record, id="paid"), tenant="borg")


def test_what_is_unknown_before_its_history_is_over_is_seen_and_may_be_after() -> None:
    refused = look("paid", 200.0, "native", code=404, word="unknown")
    ended = msgspec.structs.replace(found(Record, id="paid"), forgotten=300.0)
    assert "I1" in broken(ended, refused)
    assert not broken(ended, msgspec.structs.replace(refused, at=301.0, until=301.0))


def test_what_is_kept_when_its_history_is_over_is_seen() -> None:
    ended = msgspec.structs.replace(found(Record, id="paid"), forgotten=300.0)
    there = Kept(at=400.0, until=400.0, id="paid", bytes=False, row=True)
    assert broken(ended, there) == {"I7"}
    assert not broken(ended, msgspec.structs.replace(there, at=310.0, until=310.0))
    assert not broken(ended, msgspec.structs.replace(there, row=False))


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    with Journal(tmp_path / "all.jsonl") as journal:
        for entry in entries():
            journal.note(entry)
    assert list(read(tmp_path / "all.jsonl")) == entries()


# -- work that is deferred


def deferred(**more: Any) -> Call:
    made = call(4, "later", 3, 1.0)
    return msgspec.structs.replace(made, code=202, defers=True, answer="told", **more)


def reported(at: float, **more: Any) -> Reported:
    return Reported(
        **{
            "at": at,
            "until": at + 0.1,
            "number": 4,
            "op": 3,
            "transaction": "later",
            "attempt": 1,
            "says": "completed",
            "status": 200,
            "answer": "told",
            "answered": ANSWERED,
            "code": 200,
            **more,
        }
    )


LATER = (
    *log(("transition", "pending", None), ("transition", "processing", 1)),
    Told(sequence=3, event="info", status="processing", attempt=1, defers=True),
    Told(sequence=4, event="transition", status="completed"),
)


def later(*more: AnyEntry, made: Call | None = None, events: tuple[Told, ...] = LATER) -> set[str]:
    """The laws that are violated where work was deferred, told, and read, and more was noted. That nobody
    was told of it by webhook is not looked at here."""
    whole = [submit("later", 3, kind="later"), made or deferred()]
    return broken(*whole, record("later", 3, events, kind="later"), *more) - {"I8"}


def test_work_that_was_deferred_and_told_of_is_in_order() -> None:
    read = look("later", 5.0, "result", code=200, call=4, digest="told")
    assert not later(reported(2.0), reported(3.0, code=409), read)


def test_two_reports_of_an_end_that_are_both_taken_are_seen() -> None:
    assert later(reported(2.0), reported(3.0)) == {"I2"}


def test_an_end_that_is_not_the_one_that_was_reported_is_seen() -> None:
    assert later(reported(2.0, says="failed")) == {"I2"}


def test_a_report_of_an_attempt_that_was_followed_by_another_and_is_taken_is_seen() -> None:
    assert later(reported(2.0), reported(3.0, says="info", stale=True)) == {"I9"}
    assert not later(reported(2.0), reported(3.0, stale=True, code=409))


def test_a_report_whose_transaction_is_unknown_is_seen() -> None:
    assert later(reported(2.0), reported(3.0, code=404)) == {"I1"}


def test_a_result_that_was_not_told_is_seen() -> None:
    read = look("later", 5.0, "result", code=200, call=4, digest="told")
    assert later(reported(2.0, code=409), read) == {"I4"}
    assert not later(reported(2.0, code=None), read)


def test_work_that_was_deferred_may_be_done_and_cancelled_and_other_work_may_not() -> None:
    cancelled = (*LATER[:3], Told(sequence=4, event="transition", status="cancelled"))
    assert not later(reported(2.0, code=409), events=cancelled)
    assert later(made=deferred(whole=False), events=cancelled) == {"I3"}


# -- answers at once, look-ups, streams, files


def test_an_answer_at_once_that_is_anothers_is_seen() -> None:
    assert not broken(submit(None, 1, code=200, call=2, answer="answer 2", answered=ANSWERED))
    assert broken(submit(None, 2, code=200, call=2, answer="answer 2")) == {"I4"}
    assert broken(submit(None, 1, code=200, call=2, answer="other")) == {"I4"}


def test_what_the_last_look_up_found_and_it_did_not_become_is_seen() -> None:
    found_it = Question(at=0.2, until=0.3, op=2, transaction="refused", found=True, answer="told")
    assert broken(found_it) == {"I3"}
    assert not broken(msgspec.structs.replace(found_it, code=500))
    assert not broken(found_it, Hit(at=0.25, until=1.7, kind="kill -9", node=0))


def test_what_an_upstream_reads_when_all_is_over_was_given_up_long_before() -> None:
    late = Question(at=11.0, until=11.1, op=2, transaction="refused", found=True, answer="told")
    assert not broken(late)
    assert broken(late, msgspec.structs.replace(late, at=0.2, until=0.3)) == {"I3"}


def streamed(after: int, *events: Told, code: int = 200) -> Streamed:
    return Streamed(
        at=3.0, until=4.0, node=0, tenant="acme", id="paid", after=after, code=code, events=events
    )


def test_a_stream_that_tells_the_log_from_where_it_was_asked_to_is_in_order() -> None:
    assert not broken(streamed(0, *PAID[:2]), streamed(2, *PAID[2:]), streamed(5, code=204))


def test_a_stream_with_a_gap_or_of_another_log_or_that_is_over_too_early_is_seen() -> None:
    assert broken(streamed(0, PAID[0], PAID[2])) == {"I8"}
    assert broken(streamed(1, *PAID[:2])) == {"I8"}
    assert broken(streamed(0, msgspec.structs.replace(PAID[0], status="failed"))) == {"I8"}
    assert broken(streamed(4, code=204)) == {"I8"}


def test_what_was_sent_and_is_in_a_file_is_seen(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "clean").write_bytes(bytes(3 * PIECE))
    across = tmp_path / "across"
    across.write_bytes(bytes(PIECE - 3) + WORD + bytes(9))
    seen = dict(scanned([tmp_path]))
    assert seen == {tmp_path / "below" / "clean": False, across: True}
    assert broken(Scanned(at=90.0, until=90.0, path=str(across), planted=True)) == {"I10"}
    assert not broken(Scanned(at=90.0, until=90.0, path=str(across), planted=False))
