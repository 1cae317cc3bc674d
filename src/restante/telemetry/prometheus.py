"""What happens, counted in Prometheus's words and units, by its client library.

Labels are names of the configuration (routes, upstreams), words of ours and classes of codes: so there are no
more series than somebody has written down. No tenant is one: what one tenant does is no other's business,
and there may be any number. Several processes on one address (`--workers`) count into files that the library
keeps, so that whichever of them is asked answers for all.

What the configuration names is there at 0 before it happens: an alert sees a first time only where there was
a number before it.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from .. import __version__
from ..core.clock import SECOND
from ..core.delivery import Attempt
from ..core.machine import TERMINAL
from ..core.model import Change, Transaction
from ..core.outbox import Errand
from ..core.policy import ANY_ROUTE, Policy, Route
from ..core.status import EventKind, Outcome, Status
from ..ports.telemetry import Gauge
from .tally import TOGETHER, Tally

SPANS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    300,
    1800,
    7200,
    86400,
)
"""Seconds: from what a fast upstream takes to the longest retention by default."""

GROUPS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The library's variable: where processes that are asked for as one count together."""


AT_HAND = 1024
"""Series of a family that are at hand: looking one up by its labels costs more than counting does."""


class Family(NamedTuple):
    """Series of one name. With `buckets` (upper bounds) a histogram, else a counter, named with `_total`."""

    name: str
    about: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


ACCEPTED = Family("restante_accepted", "Submissions that were accepted.", ("route", "upstream"))
REPLAYED = Family("restante_replayed", "Submissions answered as an earlier, equal one was.")
REFUSED = Family("restante_refused", "Submissions that were refused, by the reason.", ("reason",))
FINISHED = Family("restante_finished", "Transactions that ended.", ("route", "upstream", "status", "outcome"))
DELAYED = Family("restante_delayed", "Attempts that another one will follow.", ("upstream",))
QUEUE = Family(
    "restante_queue_seconds", "From when a transaction was due to its first attempt.", ("upstream",), SPANS
)
UPSTREAM = Family(
    "restante_upstream_seconds",
    "An attempt at an upstream, from its first byte to the answer's last, by what came of it.",
    ("upstream", "result"),
    SPANS,
)
TOTAL = Family(
    "restante_total_seconds", "From a transaction's accept to its end.", ("route", "upstream"), SPANS
)
LOST = Family(
    "restante_leases_lost", "Attempts that were lost, with their process or to another one.", ("upstream",)
)
WEBHOOKS = Family(
    "restante_webhook_seconds", "An attempt at a webhook, by what came of it.", ("outcome",), SPANS
)
COMMITS = Family("restante_commit_writes", "Writes that shared a commit of the store.", (), GROUPS)

FAMILIES = (ACCEPTED, REPLAYED, REFUSED, FINISHED, DELAYED, QUEUE, UPSTREAM, TOTAL, LOST, WEBHOOKS, COMMITS)
"""All that is counted."""


ENDS = (
    (Status.COMPLETED, Outcome.ANSWERED),
    (Status.FAILED, Outcome.ANSWERED),
    (Status.FAILED, Outcome.UNREACHABLE),
    (Status.FAILED, Outcome.TIMED_OUT),
    (Status.FAILED, Outcome.INTERRUPTED),
    (Status.FAILED, Outcome.EXPIRED),
    (Status.CANCELLED, None),
)
"""How transactions end."""

SENT = ("delivered", "missed", "dead")
"""What comes of an attempt at a webhook (`Telemetry.delivered`)."""


class Metrics:
    """A `Telemetry` and an `Exposition`. Series of the `policy`'s routes and upstreams, and of the `reasons`
    for which submissions are refused, begin at 0; others with what is counted first."""

    def __init__(self, policy: Policy | None = None, reasons: Sequence[str] = ()) -> None:
        self._own = own = CollectorRegistry()
        accepted = _counter(ACCEPTED, own)
        self._accepted_on = lru_cache(AT_HAND)(
            lambda method, path, upstream: accepted.labels(f"{method} {path}", upstream)
        )
        self._replayed = _counter(REPLAYED, own)
        self._refused = _counter(REFUSED, own)
        self._finished = _counter(FINISHED, own)
        self._delayed = _counter(DELAYED, own)
        self._queue = _histogram(QUEUE, own)
        self._attempts = _histogram(UPSTREAM, own)
        self._total = _histogram(TOTAL, own)
        self._lost = _counter(LOST, own)
        self._webhooks = _histogram(WEBHOOKS, own)
        self._commits = _histogram(COMMITS, own)
        self._together = 1 if os.environ.get(SHARED) else TOGETHER
        self._tallies: list[Tally] = []
        self._queue_on = lru_cache(None)(lambda upstream: self._tally(self._queue.labels(upstream)))
        self._attempts_on = lru_cache(None)(
            lambda upstream, result: self._tally(self._attempts.labels(upstream, result))
        )
        self._ended_on = lru_cache(None)(self._ended)
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)
        for reason in reasons:
            self._refused.labels(reason)
        if policy is not None:
            self._begin(policy)

    def _begin(self, policy: Policy) -> None:
        for name in policy.upstreams:
            for family in (self._lost, self._delayed, self._queue):
                family.labels(name)
        for route in policy.routes if policy.strict else (*policy.routes, ANY_ROUTE):
            if route.upstream in policy.upstreams:
                self._accepted_on(route.method, route.path, route.upstream)
                self._total.labels(name_of(route), route.upstream)
                for status, outcome in ENDS:
                    self._finished.labels(name_of(route), route.upstream, status.value, _word(outcome))
        for sent in SENT:
            self._webhooks.labels(sent)

    # -- Telemetry

    def accepted(self, route: Route, transactions: Sequence[Transaction]) -> None:
        self._accepted_on(route.method, route.path, route.upstream).inc(len(transactions))

    def replayed(self) -> None:
        self._replayed.inc()

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()

    def changed(self, change: Change, route: Route) -> None:
        before, after = change.before, change.after
        if after.attempt == 1 and not before.attempt:
            self._queue_on(after.upstream).add(_begun(change) - _due(before))
        if after.status in TERMINAL:
            ended = self._ended_on(route.method, route.path, after.upstream, after.status, after.outcome)
            ended.add(after.updated_at - after.created_at)
        elif any(event.kind is EventKind.DELAY for event in change.events):
            self._delayed.labels(after.upstream).inc()

    def attempted(
        self, transaction: Transaction, attempt: int, result: str, *, began: int, ended: int
    ) -> None:
        self._attempts_on(transaction.upstream, result).add(ended - began)

    def lease_lost(self, upstream: str) -> None:
        self._lost.labels(upstream).inc()

    def delivered(self, errand: Errand, attempt: Attempt, outcome: str) -> None:
        self._webhooks.labels(outcome).observe(_seconds(attempt.duration))

    def committed(self, writes: int) -> None:
        self._commits.observe(writes)

    def _ended(self, method: str, path: str, upstream: str, status: Status, outcome: Outcome | None) -> Tally:
        name = f"{method} {path}"
        count = self._finished.labels(name, upstream, status.value, _word(outcome))
        return self._tally(self._total.labels(name, upstream), count)

    def _tally(self, series: Histogram, count: Counter | None = None) -> Tally:
        """Spans of a series and, with it, how many they are. Where another process may be asked for them,
        none waits."""

        def tell(spans: Sequence[int]) -> None:
            if count is not None:
                count.inc(len(spans))
            observe = series.observe
            for span in spans:
                observe(max(span, 0) / SECOND)

        tally = Tally(tell, self._together)
        self._tallies.append(tally)
        return tally

    # -- Exposition

    def write(self, accept: str, gauges: Sequence[Gauge]) -> tuple[bytes, str]:
        """In a registry made for the purpose: what is read now is nobody else's to see."""
        for tally in self._tallies:
            tally.tell()
        registry = CollectorRegistry()
        registry.register(_Read(gauges))
        if os.environ.get(SHARED):
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry.register(_All(self._own, self._process))
        encode, kind = choose_encoder(accept)
        return encode(registry), kind


class _All:
    """What other registries have."""

    def __init__(self, *registries: CollectorRegistry) -> None:
        self._registries = registries

    def collect(self) -> list[Metric]:
        return [metric for registry in self._registries for metric in registry.collect()]


class _Read:
    """Numbers that were read just now."""

    def __init__(self, gauges: Sequence[Gauge]) -> None:
        self._gauges = gauges

    def collect(self) -> list[Metric]:
        families: list[Metric] = []
        for gauge in self._gauges:
            labels = ["upstream"] if any(gauge.values) else []
            family = GaugeMetricFamily(f"restante_{gauge.name}", gauge.about, labels=labels)
            for upstream, value in gauge.values.items():
                family.add_metric([upstream] if labels else [], value)
            families.append(family)
        version = GaugeMetricFamily("restante_build_info", "The version that runs.", labels=["version"])
        version.add_metric([__version__], 1)
        return [*families, version]


def _counter(family: Family, registry: CollectorRegistry) -> Counter:
    return Counter(family.name, family.about, family.labels, registry=registry)


def _histogram(family: Family, registry: CollectorRegistry) -> Histogram:
    return Histogram(family.name, family.about, family.labels, registry=registry, buckets=family.buckets)


def name_of(route: Route) -> str:
    """As the configuration spells it in `match`."""
    return f"{route.method} {route.path}"


def _word(outcome: Outcome | None) -> str:
    return "" if outcome is None else outcome.value


def _begun(change: Change) -> int:
    """When the first attempt began: an attempt that reached nobody begins and ends in one change."""
    return change.events[0].created_at if change.events else change.after.updated_at


def _due(transaction: Transaction) -> int:
    return transaction.created_at if transaction.due_at is None else transaction.due_at


def _seconds(span: int) -> float:
    return max(span, 0) / SECOND
