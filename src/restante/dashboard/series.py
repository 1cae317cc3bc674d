"""Figures over time: what the overview plots, and what it says of each upstream."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from ..core.access import EVERYBODY
from ..core.clock import MINUTE, SECOND
from ..core.figures import HOURS, MINUTES, Counted, Figure, quantile
from ..ports import Store


class Stretch(msgspec.Struct, frozen=True):
    """So many places of so many minutes each, of figures of minutes or of hours."""

    name: str
    label: str
    places: int
    width: int
    minutes: int = MINUTES


STRETCHES = {
    one.name: one
    for one in (
        Stretch("15m", "15 min", 15, 1),
        Stretch("1h", "1 hour", 60, 1),
        Stretch("6h", "6 hours", 72, 5),
        Stretch("24h", "24 hours", 96, 15),
        Stretch("7d", "7 days", 84, 120, HOURS),
        Stretch("30d", "30 days", 90, 480, HOURS),
    )
}
DEFAULT = "1h"

LATELY = 5
"""Minutes over which the present rates are taken."""


class Sums(msgspec.Struct):
    """What was counted together: by kind, and how long it took by step."""

    kinds: Counter[int] = msgspec.field(default_factory=Counter)
    took: Counter[int] = msgspec.field(default_factory=Counter)
    waited: Counter[int] = msgspec.field(default_factory=Counter)

    def add(self, figure: Figure) -> None:
        what = figure.what
        if what >= Counted.WAITED:
            self.waited[what - Counted.WAITED] += figure.count
        elif what >= Counted.TOOK:
            self.took[what - Counted.TOOK] += figure.count
        else:
            self.kinds[what] += figure.count

    @property
    def ended(self) -> int:
        return sum(self.kinds[kind] for kind in (Counted.COMPLETED, Counted.FAILED, Counted.CANCELLED))

    @property
    def done(self) -> int:
        return self.kinds[Counted.COMPLETED] + self.kinds[Counted.FAILED]

    @property
    def failed(self) -> float | None:
        """The part of what was done that failed."""
        return self.kinds[Counted.FAILED] / self.done if self.done else None

    @property
    def health(self) -> tuple[str, str]:
        """How their upstream does: a word, and the name of its looks. An answer of 4xx is no ill health."""
        kinds, done = self.kinds, self.done
        if not done:
            return ("retrying", "pending") if kinds[Counted.DELAYED] else ("idle", "cancelled")
        if kinds[Counted.UNREACHED] == done:
            return "unreachable", "failed"
        ill = kinds[Counted.ILL] / done
        if ill >= 0.5:
            return "failing", "failed"
        return ("unsteady", "processing") if ill >= 0.05 else ("well", "completed")

    def took_at(self, part: float) -> int | None:
        return quantile(self.took, part)


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """By place, from the oldest; `starts` and `seconds` of each."""

    over: Stretch
    starts: list[int]
    seconds: list[float]
    places: list[Sums]
    upstreams: Mapping[str, Sums]
    total: Sums
    queued: list[int]  # at the end of each place

    def rates(self, kind: Counted) -> list[float]:
        return [sums.kinds[kind] / span for sums, span in zip(self.places, self.seconds, strict=True)]

    def took(self, part: float) -> list[float | None]:
        return [sums.took_at(part) for sums in self.places]


async def series(store: Store, tenant: str, over: Stretch, *, now: int) -> Series:
    """`over` up to this moment."""
    last = now // MINUTE // over.width
    first = (last - over.places + 1) * over.width
    figures = await store.figures(
        tenant, minutes=over.minutes, first=first, places=over.places, width=over.width
    )
    places = [Sums() for _ in range(over.places)]
    upstreams: dict[str, Sums] = {}
    total = Sums()
    for figure in figures:
        for sums in (places[figure.place], upstreams.setdefault(figure.upstream, Sums()), total):
            sums.add(figure)
    for place, count in (await store.pending_figures(tenant, first=first, width=over.width)).items():
        if place < over.places:
            places[place].kinds[Counted.ACCEPTED] += count
            total.kinds[Counted.ACCEPTED] += count
    starts = [(first + place * over.width) * MINUTE for place in range(over.places)]
    whole = over.width * MINUTE
    seconds = [max(min(whole, now - start), 10 * SECOND) / SECOND for start in starts]
    return Series(
        over=over,
        starts=starts,
        seconds=seconds,
        places=places,
        upstreams=upstreams,
        total=total,
        queued=_queued(places, queued_of(store, tenant)),
    )


def queued_of(store: Store, tenant: str) -> int:
    """How many are not finished."""
    return store.queued if tenant == EVERYBODY else store.queued_of(tenant)


async def lately(store: Store, tenant: str, *, now: int) -> tuple[Sums, float]:
    """What was counted in the last minutes, and over how many seconds."""
    first = now // MINUTE - LATELY
    sums = Sums()
    for figure in await store.figures(tenant, minutes=MINUTES, first=first, places=LATELY + 1, width=1):
        sums.add(figure)
    for count in (await store.pending_figures(tenant, first=first, width=LATELY + 1)).values():
        sums.kinds[Counted.ACCEPTED] += count
    return sums, (now - first * MINUTE) / SECOND


def _queued(places: list[Sums], now: int) -> list[int]:
    """From how many there are now, backwards over what came and went."""
    found = []
    count = now
    for sums in reversed(places):
        found.append(max(count, 0))
        count -= sums.kinds[Counted.ACCEPTED] - sums.ended
    return found[::-1]
