"""Spans of time as people write them: 500ms, 3s, 5m, 24h, 30d."""

import re

from .clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND

_UNITS = {"ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_FORM = re.compile(r"([0-9]{1,13})(ms|s|m|h|d)")

FORM = "a duration such as 500ms, 3s, 5m, 24h or 30d"


def parse_duration(text: str) -> int:
    """Microseconds; raises ValueError where `text` is no duration."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected {FORM}")
    return int(match[1]) * _UNITS[match[2]]
