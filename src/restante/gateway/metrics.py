"""`GET /-/metrics`: what was counted, and how things stand, for Prometheus. It is no tenant's."""

from ..core.clock import SECOND
from ..core.errors import NoRoute
from ..core.headers import first
from ..ports.telemetry import Gauge
from .call import Call
from .desk import Desk
from .reply import NO_STORE, Reply, length

GAUGES = {
    "queued": "Transactions that neither run nor are finished, delayed and deferred ones too.",
    "running": "Attempts under way, by upstream.",
    "paused": "1 where an upstream is sent nothing.",
    "oldest_due_seconds": "How long what is due at an upstream has waited for its attempt, at most.",
    "streams": "Live event streams that are open.",
    "store_alarms": "Measures of the store that are past their limits.",
}
"""What is read when it is asked for, beside the store's own measures."""


async def show(desk: Desk, call: Call, _: str) -> Reply:
    """In the form that `Accept` asks for: OpenMetrics, or Prometheus's text."""
    if desk.exposition is None:
        raise NoRoute("There is nothing at this path.")
    accept = (first(call.headers, b"accept") or b"").decode("latin-1")
    body, kind = desk.exposition.write(accept, await _gauges(desk))
    return Reply(200, [(b"content-type", kind.encode("latin-1")), length(body), NO_STORE], body)


async def _gauges(desk: Desk) -> list[Gauge]:
    """Numbers as they are now, or, of the store, were within the last minute. Raises `StoreUnavailable`."""
    service = desk.service
    loads = await service.store.loads()
    paused = service.pauses.names
    names = desk.policy.upstreams
    now = desk.clock.now()
    due = [await service.store.next_due(name, 0) for name in names]
    measures = (await service.health.fresh()).measures
    values: dict[str, dict[str, float]] = {
        "queued": {name: loads[name].queued if name in loads else 0 for name in names},
        "running": {name: loads[name].running if name in loads else 0 for name in names},
        "paused": {name: name in paused for name in names},
        "oldest_due_seconds": {
            name: 0.0 if at is None else max(now - at, 0) / SECOND
            for name, at in zip(names, due, strict=True)
        },
        "streams": {"": desk.streams},
        "store_alarms": {"": sum(measure.alarming for measure in measures)},
    }
    gauges = [Gauge(name, GAUGES[name], value) for name, value in values.items()]
    about = "A measure of the store, as in /-/store."
    return gauges + [Gauge(f"store_{one.name}", about, {"": one.value}) for one in measures]
