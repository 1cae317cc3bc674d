"""Moments as text and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.clock import DAY
from restante.dialects.moments import naive, parse, zulu

NOON = 1_731_066_575_938_000


@pytest.mark.parametrize(
    "text",
    [
        "2024-11-08T11:49:35.938000",
        "2024-11-08T11:49:35.938Z",
        "2024-11-08T11:49:35.938+00:00",
        "2024-11-08T11:49:35.938 00:00",  # a plus that was not percent-encoded
        "2024-11-08T08:49:35.938-03:00",
        "2024-11-08T13:49:35.938 02:00",
        "2024-11-08 11:49:35.938",
        " 2024-11-08T11:49:35.938 ",
    ],
)
def test_all_these_are_the_same_moment(text: str) -> None:
    assert parse(text) == NOON


def test_a_date_is_its_first_microsecond_and_at_the_end_of_a_range_its_last() -> None:
    start = parse("2024-11-08")
    assert naive(start) == "2024-11-08T00:00:00.000000"
    assert parse("2024-11-08", end=True) == start + DAY - 1
    assert parse("2024-11-08T00:00", end=True) == start


@pytest.mark.parametrize(
    "text", ["", "now", "2024", "2024-13-01", "2024-11-08T25:00", "12:00", "0001-01-01T00:00+14:00"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@given(st.integers(min_value=0, max_value=4_102_444_800_000_000))
def test_what_is_written_is_read_as_it_was(moment: int) -> None:
    assert parse(naive(moment)) == parse(zulu(moment)) == moment
    assert len(naive(moment)) == 26
