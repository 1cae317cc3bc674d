"""The first page: how it goes now, how it went, and the latest of what was submitted."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from ..core.access import EVERYBODY
from ..core.change import until_text
from ..core.clock import HOUR, MILLISECOND, MINUTE
from ..core.figures import HOURS, Counted
from ..core.model import Load, Query, Transaction
from ..core.policy import Upstream
from ..core.status import Status
from ..ports.dashboard import Shown
from ..service.figures import BATCH
from . import plots, spelling
from .plots import Line, Plot
from .series import DEFAULT, STRETCHES, Series, Sums, lately, queued_of, series
from .visit import Visit

LATEST = 20
LATEST_OF_ALL = 100
"""Among so many of the newest keys of all tenants are the latest; what was removed leaves gaps in them."""

TENANTS = 50
"""Tenants that are listed for whoever reaches them all."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream. `load` and `upstream` are None where they are not the visitor's to see, or not there."""

    name: str
    sums: Sums
    paused: bool
    load: Load | None
    upstream: Upstream | None

    @property
    def state(self) -> tuple[str, str]:
        """A word, and the name of its looks."""
        return ("paused", "pending") if self.paused else self.sums.health


async def show(visit: Visit, _: str) -> Shown:
    store, tenant, now = visit.store, visit.tenant, visit.now
    over = STRETCHES.get(visit.query.get("range", DEFAULT), STRETCHES[DEFAULT])
    await store.count_figures(BATCH)
    everybody = tenant == EVERYBODY
    seen, (recent, seconds), loads, latest, oldest = await asyncio.gather(
        series(store, tenant, over, now=now),
        lately(store, tenant, now=now),
        _loads(visit),
        _latest(visit),
        _oldest(visit),
    )
    tenants = []
    if visit.reaches_all:
        since = now // MINUTE - over.places * over.width
        tenants = [
            (name, count, queued_of(store, name))
            for name, count in await store.counted_tenants(first=since - since % HOURS, limit=TENANTS)
        ]
    return visit.page(
        "overview.html",
        seen=seen,
        stretches=STRETCHES.values(),
        recent=_present(recent, seconds),
        queued=queued_of(store, tenant),
        oldest=oldest,
        plots=_plots(seen),
        upstreams=upstreams(visit, seen, loads),
        latest=latest,
        tenants=tenants,
        everybody=everybody,
    )


async def _loads(visit: Visit) -> dict[str, Load]:
    return await visit.store.loads() if visit.sees_all else {}


async def _oldest(visit: Visit) -> int | None:
    """How long what waits longest has waited: from its accept; of all tenants' from when it was due, which is
    what the store finds at once."""
    if visit.tenant != EVERYBODY:
        pending = Query(tenant=visit.tenant, status=Status.PENDING, ascending=True, limit=1)
        found = await visit.service.find(pending)
        return visit.now - found[0].created_at if found else None
    due = [await visit.store.next_due(name, 0) for name in visit.policy.upstreams]
    return max((visit.now - at for at in due if at is not None and at <= visit.now), default=None)


async def _latest(visit: Visit) -> list[Transaction]:
    """Of one tenant from its list, of everybody by their keys."""
    if visit.tenant != EVERYBODY:
        return await visit.service.find(Query(tenant=visit.tenant, limit=LATEST))
    found, _ = await visit.store.with_code(EVERYBODY, "", before=None, limit=LATEST_OF_ALL)
    return list(found)[:LATEST]


def upstreams(visit: Visit, seen: Series, loads: Mapping[str, Load]) -> list[Row]:
    """All of the configuration for whoever sees all, with what they have to do; else those that were used."""
    known = visit.policy.upstreams
    names = [*known, *(name for name in seen.upstreams if name not in known)]
    return [
        Row(
            name=name,
            sums=seen.upstreams.get(name, Sums()),
            paused=name in visit.service.pauses.names,
            load=loads.get(name, Load()) if visit.sees_all else None,
            upstream=known.get(name) if visit.sees_all else None,
        )
        for name in names
        if visit.sees_all or name in seen.upstreams
    ]


def _present(sums: Sums, seconds: float) -> dict[str, Any]:
    kinds = sums.kinds
    return {
        "accepted": kinds[Counted.ACCEPTED] / seconds,
        "completed": kinds[Counted.COMPLETED] / seconds,
        "failed": kinds[Counted.FAILED] / seconds,
        "p50": sums.took_at(0.5),
        "p95": sums.took_at(0.95),
        "p99": sums.took_at(0.99),
    }


def _plots(seen: Series) -> list[Plot]:
    return [_throughput(seen), _queue(seen), _latency(seen)]


def _throughput(seen: Series) -> Plot:
    rates = {name: seen.rates(kind) for name, kind in _RATES.items()}
    top = plots.nice_top(list(rates.values()))
    notes = [
        ", ".join(f"{name} {spelling.rate(values[place])}" for name, values in rates.items()) + " per second"
        for place in range(seen.over.places)
    ]
    total = seen.total.kinds
    return Plot(
        name="Throughput",
        unit="per second",
        lines=tuple(
            Line(name, name, plots.path(values, top), plots.area(values, top) if name == "accepted" else "")
            for name, values in rates.items()
        ),
        ticks=tuple(spelling.rate(top * part) for part in (1.0, 0.5, 0.0)),
        notes=_notes(seen, notes),
        summary=f"In the last {seen.over.label}: "
        + ", ".join(f"{total[kind]:,} {name}" for name, kind in _RATES.items()),
        empty=not any(map(any, rates.values())),
    )


_RATES = {"accepted": Counted.ACCEPTED, "completed": Counted.COMPLETED, "failed": Counted.FAILED}


def _queue(seen: Series) -> Plot:
    values: list[float | None] = [float(count) for count in seen.queued]
    top = max(plots.nice_top([values]), 2.0)
    top = 6.0 if top == 5.0 else top  # there is no half transaction
    return Plot(
        name="Queue depth",
        unit="not finished",
        lines=(Line("queued", "not finished", plots.path(values, top), plots.area(values, top)),),
        ticks=tuple(spelling.number(round(top * part)) for part in (1.0, 0.5, 0.0)),
        notes=_notes(seen, [f"{count:,} not finished" for count in seen.queued]),
        summary=f"{seen.queued[-1]:,} are not finished now, {max(seen.queued):,} were at most",
        empty=not any(seen.queued),
    )


def _latency(seen: Series) -> Plot:
    lines = {f"p{part}": seen.took(part / 100) for part in (50, 95, 99)}
    low, high = plots.decades(list(lines.values()), floor=float(MILLISECOND))
    ticks = []
    at = high
    while at >= low * 0.999:
        ticks.append(_short(at))
        at /= 10
    notes = [
        ", ".join(
            f"{name} {spelling.span(None if values[place] is None else round(values[place] or 0))}"
            for name, values in lines.items()
        )
        for place in range(seen.over.places)
    ]
    last = [f"{name} {spelling.span(seen.total.took_at(int(name[1:]) / 100))}" for name in lines]
    return Plot(
        name="Time taken",
        unit="accept to end",
        lines=tuple(
            Line(name, name, plots.path(values, high, bottom=low, log=True)) for name, values in lines.items()
        ),
        ticks=tuple(ticks),
        notes=_notes(seen, notes),
        summary=f"In the last {seen.over.label}: " + ", ".join(last),
        empty=not any(value for values in lines.values() for value in values),
    )


def _short(span: float) -> str:
    """A power of ten."""
    if span >= HOUR:
        return f"{span / HOUR:.0f} h"
    return f"{span / 1_000_000:.0f} s" if span >= 1_000_000 else f"{span / MILLISECOND:.0f} ms"


def _notes(seen: Series, texts: list[str]) -> tuple[tuple[str, str], ...]:
    return tuple((until_text(start), text) for start, text in zip(seen.starts, texts, strict=True))
