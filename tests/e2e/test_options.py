"""Request options, from the caller's header to what becomes of it; the upstream never sees one."""

import asyncio
from pathlib import Path

import pytest

from .harness import RecordingUpstream, caller, serving, settled


async def test_request_options_are_acted_on_and_taken_out(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream, caller() as client:
        gateway = await serving(upstream.url, tmp_path).ready()

        async def submit(**options: str) -> str:
            headers = {"Restante-" + name.replace("_", "-"): value for name, value in options.items()}
            answer = await client.post(f"{gateway.url}/async/payments", content=b"{}", headers=headers)
            assert answer.status_code == 202
            id: str = answer.json()["request_id"]
            return id

        try:
            delayed = await submit(Delay="600ms", Priority="-7", Tracking_Id="order 7")
            at_once = await submit()
            await settled(client, gateway.url, at_once)
            assert len(upstream.calls) == 1
            shown = (await client.get(f"{gateway.url}/-/transactions/{delayed}")).json()
            assert (shown["status"], shown["priority"]) == ("pending", -7)
            found = await client.get(f"{gateway.url}/-/transactions", params={"tracking_id": "order 7"})
            assert [row["id"] for row in found.json()["transactions"]] == [delayed]
            done = await settled(client, gateway.url, delayed)
            assert (done["status"], len(upstream.calls)) == ("completed", 2)
            upstream.gate.clear()
            late = await submit(Deadline="200ms")
            async with asyncio.timeout(20):
                assert (await settled(client, gateway.url, late))["outcome"] == "expired"
            assert len(upstream.calls) in (2, 3)
            names = {name for call in upstream.calls for name, _ in call.headers}
            assert {name for name in names if name.startswith("restante-")} == {
                "restante-transaction",
                "restante-attempt",
            }
        finally:
            await gateway.kill()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Restante-Delay", "10"),
        ("Restante-Delay", "25h"),
        ("Restante-Deadline", "0s"),
        ("Restante-Deadline", "2 days"),
        ("Restante-Priority", "high"),
        ("Restante-Priority", "101"),
        ("Restante-Tracking-Id", "x" * 256),
    ],
)
async def test_a_bad_option_is_a_400_that_names_it_and_nothing_is_accepted(
    name: str, value: str, tmp_path: Path
) -> None:
    async with RecordingUpstream() as upstream, caller() as client:
        gateway = await serving(upstream.url, tmp_path).ready()
        try:
            answer = await client.post(f"{gateway.url}/async/payments", headers={name: value})
            assert (answer.status_code, answer.json()["field"]) == (400, name)
            assert name in answer.json()["message"]
            assert (await client.get(f"{gateway.url}/-/transactions")).json()["transactions"] == []
        finally:
            await gateway.kill()
