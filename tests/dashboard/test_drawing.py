"""What is drawn is to scale, and nothing is left out because it is short."""

from collections import Counter

import msgspec
import pytest

from restante.core import change
from restante.core.clock import MILLISECOND, SECOND
from restante.core.figures import Counted
from restante.core.model import Body, Result
from restante.core.status import Outcome
from restante.dashboard import plots, spelling
from restante.dashboard.series import Sums
from restante.dashboard.timeline import LEAST, WIDTH, timeline

from ..core.samples import a_transaction

NOW = 1_700_000_000 * SECOND


def test_a_life_is_stretches_that_meet() -> None:
    fresh = msgspec.structs.replace(a_transaction(), created_at=NOW, updated_at=NOW, due_at=NOW)
    log = [change.accepted(fresh)]
    t = fresh
    for moment, make in (
        (1, lambda t, now: change.begin(t, attempt=1, now=now, lease=15 * SECOND)),
        (
            3,
            lambda t, now: change.delay(
                t, attempt=1, now=now, until=now + SECOND, reason="a test", doubtful=False
            ),
        ),
        (7, lambda t, now: change.begin(t, attempt=2, now=now, lease=15 * SECOND)),
        (8, lambda t, now: change.defer(t, attempt=2, now=now)),
        (
            10,
            lambda t, now: change.settle(
                t, now=now, result=Result(200, (), Body(0), 2), data={}, message="done"
            ),
        ),
    ):
        made = make(t, NOW + moment * SECOND)
        log += made.events
        t = made.after
    line = timeline(t, log, [], now=NOW + 99 * SECOND)
    assert line.span == 10 * SECOND
    found = {lane.name: [(one.start - NOW, one.span) for one in lane.stretches] for lane in line.lanes}
    assert found == {
        "Waiting": [(0, SECOND), (3 * SECOND, 4 * SECOND)],
        "Attempts": [(SECOND, 2 * SECOND), (7 * SECOND, SECOND)],
        "With the upstream": [(8 * SECOND, 2 * SECOND)],
    }
    assert sum(lane.total for lane in line.lanes) == line.span
    attempts = line.lanes[1].stretches
    assert [one.kind for one in attempts] == ["failed", "completed"]
    assert (line.left(attempts[0]), line.width(attempts[0])) == (WIDTH / 10, WIDTH / 5)


def test_what_still_goes_on_is_drawn_to_the_present() -> None:
    t = msgspec.structs.replace(a_transaction(), created_at=NOW, updated_at=NOW)
    line = timeline(t, [change.accepted(t)], [], now=NOW + 4 * SECOND)
    assert [(one.start, one.end) for one in line.lanes[0].stretches] == [(NOW, NOW + 4 * SECOND)]


def test_the_shortest_stretch_is_seen_and_stays_inside() -> None:
    t = msgspec.structs.replace(a_transaction(), created_at=NOW, due_at=NOW)
    begun = change.begin(t, attempt=1, now=NOW + 10 * SECOND, lease=15 * SECOND)
    ended = change.fail(begun.after, attempt=1, now=NOW + 10 * SECOND, outcome=Outcome.UNREACHABLE, data={})
    line = timeline(ended.after, [change.accepted(t), *begun.events, *ended.events], [], now=NOW)
    (attempt,) = line.lanes[1].stretches
    assert line.width(attempt) == LEAST
    assert line.left(attempt) == WIDTH - LEAST


def test_a_line_has_gaps_where_nothing_is_known() -> None:
    assert plots.path([0.0, 5.0, None, 10.0], 10.0) == "M125.0 100.0 L375.0 50.0 M750.0 0.0 L1000.0 0.0"
    assert plots.path([], 1.0) == ""
    assert plots.area([2.0, 2.0], 4.0) == "M250.0 100 L250.0 50.0 L750.0 50.0 L750.0 100 Z"


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (0.03, 0.05), (1, 1), (1.01, 2), (4.2, 5), (55, 100), (900, 1000)]
)
def test_a_scale_ends_at_a_round_number(most: float, top: float) -> None:
    assert plots.nice_top([[0.0, most, None]]) == pytest.approx(top)


def test_decades_hold_all_there_is() -> None:
    assert plots.decades([[None]], floor=1000.0) == (1000.0, 10_000.0)
    low, high = plots.decades([[2_500.0, None], [3_000_000.0]], floor=1000.0)
    assert (low, high) == pytest.approx((1000.0, 10_000_000.0))


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (None, "–"),
        (0, "0"),
        (1_500, "1.5 ms"),
        (80 * MILLISECOND, "80 ms"),
        (3_400 * MILLISECOND, "3.4 s"),
        (59 * SECOND, "59 s"),
        (125 * SECOND, "2 min 5 s"),
        (3600 * SECOND, "1 h"),
        (90_000 * SECOND, "1 d 1 h"),
    ],
)
def test_spans_are_told_in_two_units_at_most(span: int | None, text: str) -> None:
    assert spelling.span(span) == text


def test_numbers_are_told_shortly() -> None:
    assert [spelling.rate(one) for one in (0, 0.05, 0.5, 2.0, 12.34, 20.0, 1234.5)] == [
        "0",
        "0.05",
        "0.5",
        "2",
        "12.3",
        "20",
        "1,234",
    ]
    assert [spelling.size(one) for one in (1, 1023, 1536, 5 << 20)] == [
        "1 byte",
        "1023 bytes",
        "1.5 KiB",
        "5.0 MiB",
    ]
    assert str(spelling.broken("/a/<b>")) == "/a/<wbr>&lt;b&gt;"


def test_a_rate_that_is_something_is_not_0() -> None:
    assert [spelling.rate(value) for value in (0, 0.003, 0.01, 0.5, 12.34, 1234)] == [
        "0",
        "<0.01",
        "0.01",
        "0.5",
        "12.3",
        "1,234",
    ]


def test_event_data_is_told_in_words() -> None:
    assert [spelling.word(value) for value in (True, False, None, 0, "x")] == ["yes", "no", "none", "0", "x"]


def test_an_upstreams_health_is_what_it_did_with_what_it_was_given() -> None:
    kinds = Counted.COMPLETED, Counted.FAILED, Counted.DELAYED, Counted.ILL, Counted.UNREACHED
    for counts, word in {
        (0, 0, 0, 0, 0): "idle",
        (0, 0, 4, 0, 0): "retrying",
        (0, 3, 6, 3, 3): "unreachable",
        (1, 3, 0, 3, 3): "failing",
        (0, 9, 0, 0, 0): "well",  # all were answered with 4xx
        (9, 1, 0, 1, 0): "unsteady",
        (99, 1, 0, 1, 0): "well",
    }.items():
        assert Sums(kinds=Counter(dict(zip(kinds, counts, strict=True)))).health[0] == word, counts
