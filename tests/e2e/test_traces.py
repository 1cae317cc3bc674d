"""A collector is sent a life as one trace, by a server that was killed in between and started anew."""

import gzip
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from .harness import OK, Call, RecordingUpstream, caller, serving, settled

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def spans(calls: list[Call]) -> dict[str, tuple[str, str]]:
    """By name: trace and parent, in hex digits."""
    found = {}
    for call in calls:
        plain = gzip.decompress(call.body) if call.header("content-encoding") == "gzip" else call.body
        for resource in ExportTraceServiceRequest.FromString(plain).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    found[span.name] = (span.trace_id.hex(), span.parent_span_id.hex())
    return found


async def test_a_life_over_a_kill_is_one_trace_at_the_collector(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, RecordingUpstream() as collector, caller() as client:
        flags = ("--traces", f"{collector.url}/v1/traces")
        first = await serving(upstream.url, tmp_path, *flags).ready()
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "Restante-Delay": "1500ms"}
        accepted = await client.put(f"{first.url}/async/pay", headers=headers, content=b"{}")
        id = accepted.json()["request_id"]
        await first.kill()
        second = await serving(upstream.url, tmp_path, *flags).ready()
        assert (await settled(client, second.url, id))["status"] == "completed"
        assert await second.terminate() == 0
        seen = spans(collector.calls)
        assert seen["PUT /*"] == (TRACE, PARENT)
        assert {seen[name][0] for name in ("queue", "attempt 1")} == {TRACE}
        assert upstream.calls[0].header("traceparent").split("-")[1] == TRACE
        assert b'"status"' not in b"".join(call.body for call in collector.calls)


async def test_a_collector_that_is_away_stops_nothing(tmp_path: Path) -> None:
    async with RecordingUpstream(lambda call: OK) as upstream, caller() as client:
        server = await serving(
            upstream.url, tmp_path, "--traces", "http://127.0.0.1:9/v1/traces", "--grace", "1s"
        ).ready()
        accepted = await client.post(f"{server.url}/async/pay", content=b"{}")
        assert (await settled(client, server.url, accepted.json()["request_id"]))["status"] == "completed"
        assert await server.terminate() == 0
