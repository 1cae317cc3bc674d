"""Numbers, moments and spans as people read them. Moments are told in UTC; the page's script tells them in
the reader's own time, with UTC behind it."""

from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from ..core.change import until_text
from ..core.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from ..core.delivery import State
from ..core.status import Status

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

GLYPHS: dict[str, str] = {
    Status.PENDING: "○",
    Status.PROCESSING: "◐",
    Status.COMPLETED: "✓",
    Status.FAILED: "✕",
    Status.CANCELLED: "⊘",
    State.WAITING: "○",
    State.SENDING: "◐",
    State.DELIVERED: "✓",
    State.DEAD: "✕",
}
"""A shape beside each word, so that nothing is told by colour alone."""

_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))


def instant(moment: int) -> str:
    """`2024-11-08 11:49:35 UTC`."""
    return (_EPOCH + timedelta(microseconds=moment)).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(moment: int) -> str:
    """For programs."""
    return until_text(moment)


def span(microseconds: int | None) -> str:
    """Two units at most: `2 h 5 min`, `3.4 s`, `12 ms`."""
    if microseconds is None:
        return "–"
    value = abs(microseconds)
    if not value:
        return "0"
    if value < SECOND:
        milliseconds = value / MILLISECOND
        return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"
    if value < MINUTE:
        return f"{value / SECOND:.1f} s" if value < 10 * SECOND else f"{value // SECOND} s"
    for place, (unit, name) in enumerate(_UNITS):
        if value >= unit:
            text = f"{value // unit} {name}"
            smaller, small = _UNITS[place + 1]
            rest = value % unit // smaller
            return f"{text} {rest} {small}" if rest else text
    return "0 s"


def size(count: int) -> str:
    """`512 bytes`, `1.4 KiB`."""
    if count < 1024:
        return "1 byte" if count == 1 else f"{count} bytes"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024 or unit == "GiB":
            return f"{value:.1f} {unit}"
    raise AssertionError


def number(value: int) -> str:
    """`12,345`."""
    return f"{value:,}"


def rate(value: float) -> str:
    """So much a second: three digits at most, and never 0 for what is some."""
    if 0 < value < 0.01:
        return "<0.01"
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.2f}".rstrip("0").rstrip(".")


def word(value: object) -> str:
    """A value of JSON that is no object or array."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def broken(path: str) -> Markup:
    """A path that may be broken into lines behind its slashes."""
    return Markup("{}{}").format(path[:1], Markup("/<wbr>").join(path[1:].split("/")))
