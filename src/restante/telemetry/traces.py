"""Spans for OpenTelemetry, by its SDK: one trace for a transaction, whoever does what of it, and when.

    the transaction            accept → its end; a part of the caller's span, if there is one
    ├── accept                 → its commit
    ├── queue                  due → its first attempt
    ├── attempt 1, 2, …        the upstream is shown this span as its parent
    └── webhook 1, 2, …        each attempt at each delivery

A span is told of when it is over, with ids that follow from what it is about (core/trace.py). So nothing is
kept of those that are open, and a restart breaks none. What the caller's trace is stands in the stored
request: it is looked up once, some time after, for many together; where too much waits for that, spans are
left out.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from .. import __version__
from ..core.delivery import Attempt
from ..core.errors import RestanteError, Unreadable
from ..core.machine import TERMINAL
from ..core.model import Change, Request, Transaction
from ..core.outbox import Errand
from ..core.policy import Route
from ..core.status import Status as Stands
from ..core.trace import Trace, attempt_span, span_of, trace_of, webhook_span
from ..ports import Clock
from ..ports.telemetry import Silence

log = logging.getLogger("restante.traces")

REMEMBERED = 10_000
"""Traces that are known without a look into the store."""

MAX_WAITING = 10_000
"""Spans that wait for such a look."""

LOOK = 200
"""Transactions that are looked up together."""

Requests = Callable[[Sequence[int]], Awaitable[list[Request | None]]]

RESOURCE = Resource.create({"service.name": "restante", "service.version": __version__})
SCOPE = InstrumentationScope("restante", __version__)


class Span(NamedTuple):
    """One that is over; `part` of the span with that id, None: of the caller's. Moments in microseconds."""

    transaction: Transaction
    name: str
    id: str
    part: str | None
    began: int
    ended: int
    kind: SpanKind = SpanKind.INTERNAL
    attributes: dict[str, str | int] = {}  # noqa: RUF012
    failed: bool = False


class Traces(Silence):
    """`requests` are the store's. `processor` is given the spans, and told when there will be no more."""

    def __init__(self, requests: Requests, *, clock: Clock, processor: SpanProcessor) -> None:
        self._requests = requests
        self._clock = clock
        self._processor = processor
        self._known: OrderedDict[int, Trace] = OrderedDict()
        self._waiting: deque[Span] = deque()
        self._looking: asyncio.Task[None] | None = None
        self.left_out = 0

    # -- Telemetry

    def accepted(self, route: Route, transactions: Sequence[Transaction]) -> None:
        now = self._clock.now()
        for one in transactions:
            self._tell(Span(one, "accept", span_of(one.id, "accept"), span_of(one.id), one.created_at, now))

    def changed(self, change: Change, route: Route) -> None:
        before, after = change.before, change.after
        whole = span_of(after.id)
        begun = change.events[0].created_at if change.events else after.updated_at
        if after.attempt and not before.attempt:
            due = before.created_at if before.due_at is None else before.due_at
            self._tell(Span(after, "queue", span_of(after.id, "queue"), whole, due, max(begun, due)))
        if after.status in TERMINAL:
            self._tell(
                Span(
                    after,
                    f"{route.method} {route.path}" if route.method != "*" else f"{after.method} {route.path}",
                    whole,
                    None,
                    after.created_at,
                    after.updated_at,
                    SpanKind.SERVER,
                    _about(after),
                    after.status is Stands.FAILED,
                )
            )

    def attempted(
        self, transaction: Transaction, attempt: int, result: str, *, began: int, ended: int
    ) -> None:
        self._tell(
            Span(
                transaction,
                f"attempt {attempt}",
                attempt_span(transaction.id, attempt),
                span_of(transaction.id),
                began,
                ended,
                SpanKind.CLIENT,
                {"restante.upstream": transaction.upstream, "restante.result": result},
                result != "2xx",
            )
        )

    def delivered(self, errand: Errand, attempt: Attempt, outcome: str) -> None:
        transaction = errand.transaction
        if transaction is None:
            return
        self._tell(
            Span(
                transaction,
                f"webhook {attempt.number}",
                webhook_span(errand.delivery.id, attempt.number),
                span_of(transaction.id),
                attempt.at,
                attempt.at + attempt.duration,
                SpanKind.PRODUCER,
                {"restante.endpoint": errand.delivery.endpoint, "restante.outcome": outcome},
                outcome != "delivered",
            )
        )

    async def stop(self) -> None:
        """Gives what is known to who collects it; as long as that takes, at most what its client allows."""
        while self._looking is not None:
            await asyncio.wait([self._looking])
        if self.left_out:
            log.warning("%d spans were left out: too much waited for the store", self.left_out)
        await asyncio.to_thread(self._processor.shutdown)

    # -- the caller's trace

    def _tell(self, span: Span) -> None:
        trace = self._known.get(span.transaction.key)
        if trace is not None:
            self._end(span, trace)
        elif len(self._waiting) >= MAX_WAITING:
            self.left_out += 1
        else:
            self._waiting.append(span)
            if self._looking is None:
                self._looking = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        try:
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(len(self._waiting), LOOK))]
                await self._learn(list({span.transaction.key: span.transaction for span in some}.values()))
                for span in some:
                    self._end(span, self._known.get(span.transaction.key))
        finally:
            self._looking = None

    async def _learn(self, transactions: list[Transaction]) -> None:
        """What cannot be read, or is kept no longer, is a trace of its own."""
        unknown = [one for one in transactions if one.key not in self._known]
        found: list[Request | None] = [None] * len(unknown)
        try:
            found = await self._requests([one.key for one in unknown])
        except Unreadable:
            log.debug("requests that cannot be read are traces of their own")
        except RestanteError as error:
            log.debug("the callers' traces were not looked up: %s", error)
        for one, request in zip(unknown, found, strict=True):
            self._known[one.key] = trace_of(one.id, () if request is None else request.headers)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _end(self, span: Span, trace: Trace | None) -> None:
        trace = trace or trace_of(span.transaction.id, ())
        if trace.sampled:
            self._processor.on_end(_readable(span, trace))


def _readable(span: Span, trace: Trace) -> ReadableSpan:
    part = trace.parent if span.part is None else span.part
    attributes: dict[str, str | int] = {"restante.transaction": span.transaction.id, **span.attributes}
    return ReadableSpan(
        name=span.name,
        context=_context(trace, span.id),
        parent=None if part is None else _context(trace, part, remote=span.part is None),
        resource=RESOURCE,
        attributes=attributes,
        kind=span.kind,
        instrumentation_scope=SCOPE,
        status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
        start_time=span.began * 1000,
        end_time=max(span.ended, span.began) * 1000,
    )


def _context(trace: Trace, span: str, *, remote: bool = False) -> SpanContext:
    return SpanContext(int(trace.id, 16), int(span, 16), remote, TraceFlags(trace.flags))


def _about(transaction: Transaction) -> dict[str, str | int]:
    about: dict[str, str | int] = {
        "http.request.method": transaction.method,
        "restante.tenant": transaction.tenant,
        "restante.status": transaction.status.value,
        "restante.attempts": transaction.attempt,
    }
    if transaction.outcome is not None:
        about["restante.outcome"] = transaction.outcome.value
    if transaction.result_status is not None:
        about["http.response.status_code"] = transaction.result_status
    return about


def tracing_to(url: str, requests: Requests, *, clock: Clock) -> Traces:
    """Spans in batches to a collector's OTLP/HTTP URL. Raises `ImportError` without the extra."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return Traces(requests, clock=clock, processor=BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
