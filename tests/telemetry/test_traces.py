"""A transaction is one trace, whoever tells what of it, before a restart or after."""

from pathlib import Path

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from restante.core.clock import SECOND
from restante.core.policy import Retry
from restante.core.status import Phase
from restante.core.trace import TRACEPARENT, span_of
from restante.ports import Store
from restante.telemetry.traces import MAX_WAITING, Traces

from ..core.samples import a_transaction
from ..couriers import answered
from ..e2e.harness import OK, RecordingUpstream
from ..fakes import FakeClock
from ..world import World, a_world, eventually

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 90\r\nContent-Length: 0\r\n\r\n"


class Told:
    """Spans that were told of in a world; `restarted` is somebody who knows nothing from before."""

    def __init__(self, world: World) -> None:
        self.exporter = InMemorySpanExporter()
        self.world = world
        self.restarted()

    def restarted(self) -> None:
        self.traces = Traces(
            self.world.store.requests, clock=self.world.clock, processor=SimpleSpanProcessor(self.exporter)
        )
        self.world.service.telemetry = self.traces

    async def spans(self, last: str = "POST /*") -> dict[str, tuple[str, str | None, str]]:
        """Until there is one of that name. By name: id, parent's id and trace, in hex digits."""
        await eventually(lambda: last in [span.name for span in self.exporter.get_finished_spans()])
        return {
            span.name: (
                f"{span.context.span_id:016x}",
                f"{span.parent.span_id:016x}" if span.parent else None,
                f"{span.context.trace_id:032x}",
            )
            for span in self.exporter.get_finished_spans()
            if span.context is not None
        }


async def test_accept_queue_attempts_and_end_are_one_trace_over_a_restart(tmp_path: Path) -> None:
    answers = [BUSY, OK]
    retry = Retry(on_codes=frozenset({503}))
    async with (
        RecordingUpstream(lambda call: answers.pop(0)) as upstream,
        a_world(tmp_path, upstream.url, retry=retry) as world,
    ):
        told = Told(world)
        transaction = await world.submit(headers={"traceparent": CALLER})
        await told.spans("attempt 1")
        await world.until(transaction, lambda found: found.attempt == 1 and found.phase is Phase.WAITING)
        told.restarted()
        await world.later(90 * SECOND)
        await world.ended(transaction)
        spans = await told.spans()
        trace, parent = CALLER.split("-")[1:3]
        whole = span_of(transaction.id)
        assert spans.pop("POST /*") == (whole, parent, trace)
        assert set(spans) == {"accept", "queue", "attempt 1", "attempt 2"}
        assert {span[1:] for span in spans.values()} == {(whole, trace)}
        shown = [call.header("traceparent").split("-") for call in upstream.calls]
        assert [one[1] for one in shown] == [trace, trace]
        assert [one[2] for one in shown] == [spans["attempt 1"][0], spans["attempt 2"][0]]


async def test_without_a_caller_the_trace_is_the_transactions_own(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        told = Told(world)
        done = await world.ended(await world.submit())
        spans = await told.spans()
        assert spans["POST /*"] == (span_of(done.id), None, done.id.replace("-", ""))
        (whole,) = [span for span in told.exporter.get_finished_spans() if span.name == "POST /*"]
        assert (whole.kind, whole.status.status_code) == (SpanKind.SERVER, StatusCode.UNSET)
        assert whole.start_time == done.created_at * 1000 and whole.end_time == done.updated_at * 1000
        assert dict(whole.attributes or {})["restante.outcome"] == "answered"


async def test_what_the_caller_does_not_sample_is_not_told_of(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, a_world(tmp_path, upstream.url) as world:
        told = Told(world)
        await world.ended(await world.submit(headers={"traceparent": UNSAMPLED}))
        await world.ended(await world.submit("PUT"))
        traces = {trace for _, _, trace in (await told.spans("PUT /*")).values()}
        assert len(traces) == 1 and UNSAMPLED.split("-")[1] not in traces
        assert upstream.calls[0].header("traceparent").endswith("-00")


async def test_a_webhook_is_a_part_and_its_receiver_is_shown_so(tmp_path: Path) -> None:
    async with (
        RecordingUpstream() as upstream,
        a_world(tmp_path, upstream.url, traced=True) as world,
    ):
        told = Told(world)
        world.courier.script["https://shop.example/"] = lambda parcel: answered(200)
        headers = {"traceparent": CALLER, "restante-callback-url": "https://shop.example/"}
        transaction = await world.submit(headers=headers)
        await world.ended(transaction)
        await eventually(lambda: bool(world.courier.sent))
        span, parent, trace = (await told.spans("webhook 1"))["webhook 1"]
        assert (parent, trace) == (span_of(transaction.id), CALLER.split("-")[1])
        shown = dict(world.courier.sent[0].headers)[b"traceparent"].decode()
        assert shown == f"00-{trace}-{span}-01"


async def test_where_the_store_cannot_keep_up_spans_are_left_out(tmp_path: Path) -> None:
    class NoStore(Store): ...  # never asked: nobody lets the loop go on

    traces = Traces(
        lambda keys: NoStore.requests(None, keys),  # type: ignore[arg-type]
        clock=FakeClock(),
        processor=SimpleSpanProcessor(InMemorySpanExporter()),
    )
    for _ in range(MAX_WAITING + 5):
        traces.attempted(a_transaction(), 1, "2xx", began=0, ended=1)
    assert traces.left_out == 5
    assert traces._looking is not None
    traces._looking.cancel()


def test_spans_have_ids_of_their_own_and_none_is_zero() -> None:
    ids = {span_of("x", part, number) for part in ("", "attempt", "queue") for number in range(50)}
    assert len(ids) == 150
    assert all(TRACEPARENT.fullmatch(f"00-{'1' * 32}-{one}-01".encode()) for one in ids)
