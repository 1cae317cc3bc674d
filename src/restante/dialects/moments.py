"""Moments as text and back. Inside, a moment is an integer of microseconds since 1970, UTC."""

import re
from datetime import UTC, date, datetime, timedelta

from ..core.clock import DAY

EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_SPACED_ZONE = re.compile(r"(.*\d) (\d\d:?\d\d)")  # a `+` that was not percent-encoded came as a space

FORM = "an ISO 8601 date or date and time, such as 2024-11-08 or 2024-11-08T11:49:35.938Z"


def naive(moment: int) -> str:
    """`2024-11-08T11:49:35.938000`: UTC without a zone, microseconds always (seed 004)."""
    return (EPOCH + timedelta(microseconds=moment)).isoformat(timespec="microseconds")


def zulu(moment: int) -> str:
    """`2024-11-08T11:49:35.938000Z`: RFC 3339."""
    return naive(moment) + "Z"


def parse(text: str, *, end: bool = False) -> int:
    """The moment that `text` names; without a zone it is UTC. Raises ValueError.

    A date alone is its first microsecond, or with `end` its last: both ends of a range are inclusive.
    """
    text = text.strip()
    if len(text) == 10:
        start = _since(datetime.combine(date.fromisoformat(text), datetime.min.time()))
        return start + DAY - 1 if end else start
    spaced = _SPACED_ZONE.fullmatch(text)
    if spaced is not None and "T" in text:
        text = f"{spaced[1]}+{spaced[2]}"
    moment = datetime.fromisoformat(text)
    try:
        return _since(moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None))
    except OverflowError:
        raise ValueError("out of range") from None


def _since(moment: datetime) -> int:
    return (moment - EPOCH) // _MICROSECOND
