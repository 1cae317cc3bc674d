"""Which data key for what, and when each comes and goes.

    r2026-11-22-…   requests and results that expire on that day (UTC)
    h2026-11-21-…   event data of transactions that were accepted on that day

The day is of the *end* where the end is known: then a key is over when its day is, whatever the retention
was and whatever becomes of the settings. How long history is kept is not fixed at accept; so those keys are
named by the beginning, and the store is asked whether it has anything from then.
"""

import logging
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..core.clock import DAY, HOUR, SECOND
from ..core.errors import SettingError, StoreUnavailable
from ..core.policy import Limits
from .folder import IDENTITY, KeyFolder

log = logging.getLogger("restante.sealing")

RESULTS, HISTORY = "r", "h"

GRACE = HOUR
"""How long after its day a key is kept: clocks differ, and what is being read may be read to its end."""

AHEAD = HOUR
"""So long before its day a key is made, so that no accept has to."""

RETRY_SECONDS = 5

_EPOCH = date(1970, 1, 1).toordinal()
_LAST = date.max.toordinal() - _EPOCH

Named = tuple[str, AESGCM]
Asked = Callable[[int], Awaitable[bool]]
"""Asks the store about what is there from before a moment."""


class Forgotten(Exception):
    """The key was destroyed, because what was sealed under it was to be forgotten."""


class Ring:
    """The keys of one folder. Raises `StoreUnavailable` where it cannot be read, or a key is not there."""

    def __init__(self, folder: KeyFolder, now: Callable[[], int], limits: Limits) -> None:
        self._folder = folder
        self.now = now
        self._retention, self._history = limits.retention, limits.history
        self._at_hand: dict[tuple[str, int], Named] = {}
        self._missed: set[str] = set()

    @property
    def identity(self) -> tuple[bytes, int]:
        """A key that tells this folder from all others, and when both were made: what was kept before may be
        in clear."""
        found = self._folder.bytes_of(IDENTITY)
        if found is None:
            raise _away()
        return found[0], int.from_bytes(found[1], "big")

    @property
    def past_clear(self) -> bool:
        """Whether nothing that was kept in clear is kept any more, but for event data."""
        return self.now() >= self.identity[1] + self._history

    def for_results(self, expires_at: int) -> Named:
        return self._of_day(RESULTS, expires_at // DAY)

    def for_history(self, created_at: int) -> Named:
        return self._of_day(HISTORY, created_at // DAY)

    def find(self, name: str) -> AESGCM:
        """Raises `Forgotten` where its time is over."""
        try:
            found = self._folder.find(name)
        except (OSError, SettingError) as error:
            raise self._missing(name, error) from None
        if found is None:
            if self._is_over(name):
                raise Forgotten
            raise self._missing(name, None)
        return found

    def prepare(self, now: int) -> None:
        """Makes what is needed soon."""
        for moment in (now, now + AHEAD):
            self.for_results(moment + self._retention)
            self.for_history(moment)

    async def clear(self, now: int, *, unfinished: Asked, kept: Asked) -> int:
        """Destroys what is over; how many keys that were. `unfinished`: whether anything is that should have
        ended by then. `kept`: whether anything is kept that was accepted before."""
        destroyed = 0
        for name in self._folder.names():
            end = _end(name)
            if end is None or now < end + GRACE:
                continue
            results = name[0] == RESULTS
            if (not results and now < end + self._history) or await (unfinished if results else kept)(end):
                continue
            self._folder.destroy(name)
            destroyed += 1
            log.info("the data key %s is destroyed", name)
        self._folder.look()
        self._folder.clear((now - HOUR) / SECOND)
        today = now // DAY
        for place in [place for place, (name, _) in self._at_hand.items() if place[1] < today - 1]:
            del self._at_hand[place]
        return destroyed

    def _of_day(self, kind: str, day: int) -> Named:
        place = (kind, min(day, _LAST))
        named = self._at_hand.get(place)
        if named is None:
            name = kind + date.fromordinal(_EPOCH + place[1]).isoformat()
            try:
                name = self._folder.make_one_of(name)
                named = self._at_hand[place] = name, self._folder.make(name)
            except (OSError, SettingError) as error:
                raise self._missing(name, error) from None
        return named

    def _is_over(self, name: str) -> bool:
        end = _end(name)
        kept = self._history if name[:1] == HISTORY else 0
        return end is not None and self.now() >= end + kept

    def _missing(self, name: str, error: Exception | None) -> StoreUnavailable:
        if name not in self._missed:
            self._missed.add(name)
            why = (
                os.strerror(error.errno or 0)
                if isinstance(error, OSError)
                else error or "there is no such file"
            )
            log.error("the data key %s cannot be used: %s", name, why)
        return _away()


def _away() -> StoreUnavailable:
    return StoreUnavailable("A data key cannot be read or written.", retry_after_seconds=RETRY_SECONDS)


def _end(name: str) -> int | None:
    """The end of a key's day; None: it is none of a day."""
    try:
        day = datetime.strptime(name[1:11], "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return (day.toordinal() - _EPOCH + 1) * DAY
