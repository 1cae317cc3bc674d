"""Lifespans: ours is within the application's, whatever that makes of its own."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from restante import Restante

from .host import Host, store

COMPLETE = ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def served(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def raising(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError("only HTTP")
    await served(scope, receive, send)


async def returning(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await served(scope, receive, send)


async def breaking(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await served(scope, receive, send)
    else:
        await receive()
        raise ValueError("it broke")


async def leaving(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await served(scope, receive, send)
    else:
        await receive()
        await send({"type": "lifespan.startup.complete"})


@pytest.mark.parametrize("app", [raising, returning, breaking, leaving])
async def test_an_application_that_speaks_no_lifespan_is_served_all_the_same(
    app: Any, tmp_path: Path
) -> None:
    async with Host(Restante(app, store=store(tmp_path))) as host:
        assert (await host.result(await host.http.post("/async/x"))).text == "ok"
    assert [message["type"] for message in host.said] == COMPLETE


async def test_an_application_that_does_not_start_is_not_served(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async with Host(Restante(app, store=store(tmp_path))) as host:
        assert host.started == {"type": "lifespan.startup.failed", "message": "no database"}
    assert not (tmp_path / "restante.db").exists()


async def test_an_application_clears_up_where_we_cannot_start(tmp_path: Path) -> None:
    heard = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for answer in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            heard.append((await receive())["type"])
            await send({"type": answer})

    async with Host(Restante(app, store=f"sqlite:///{tmp_path}/none/restante.db")) as host:
        assert host.started["type"] == "lifespan.startup.failed"
        assert "store" in host.started["message"]
    assert heard == ["lifespan.startup", "lifespan.shutdown"]
    assert len(host.said) == 1


async def test_what_runs_at_the_end_is_finished_before_the_application_ends(tmp_path: Path) -> None:
    done = []
    running = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            running.set()
            for _ in range(1000):
                await asyncio.sleep(0)
            done.append("the work")
            await served(scope, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        done.append("the application")
        await send({"type": "lifespan.shutdown.complete"})

    async with Host(Restante(app, store=store(tmp_path))) as host:
        await host.http.post("/async/x")
        await running.wait()
    assert done == ["the work", "the application"]


async def test_it_can_be_started_again_on_another_loop(tmp_path: Path) -> None:
    app = Restante(raising, store=store(tmp_path))

    async def once() -> str:
        async with Host(app) as host:
            return (await host.result(await host.http.post("/async/x"))).text

    assert await asyncio.to_thread(lambda: [asyncio.run(once()), asyncio.run(once())]) == ["ok", "ok"]


async def test_a_store_that_cannot_be_used_is_one_line_and_tried_again_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = Restante(raising, store=f"sqlite:///{tmp_path}/none/restante.db")
    with caplog.at_level(logging.ERROR, logger="restante"):
        async with Host(app, lifespan=False) as host:
            for _ in range(3):
                refused = await host.http.post("/async/x")
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert [record.message.startswith("store: ") for record in caplog.records] == [True]


def test_requests_on_several_loops_are_told_why_they_are_refused(tmp_path: Path) -> None:
    app = Restante(raising, store=store(tmp_path))

    async def once(path: str) -> str:
        async with Host(app, lifespan=False) as host:
            return (await host.http.post(path)).text

    assert [asyncio.run(once("/x")), asyncio.run(once("/x"))] == ["ok", "ok"]
    assert "another event loop" in asyncio.run(once("/async/x"))


async def test_what_is_mounted_is_led_by_the_lifespan_around_it(tmp_path: Path) -> None:
    heard = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await served(scope, receive, send)
            return
        for answer in COMPLETE:
            heard.append((await receive())["type"])
            await send({"type": answer})

    api = Restante(app, store=store(tmp_path))

    @asynccontextmanager
    async def lifespan(outer: Starlette) -> AsyncIterator[None]:
        async with api.running():
            yield

    async with Host(Starlette(lifespan=lifespan, routes=[Mount("/api", api)])) as host:
        assert (tmp_path / "restante.db").exists()
        assert (await host.result(await host.http.post("/api/async/x"))).text == "ok"
    assert heard == ["lifespan.startup", "lifespan.shutdown"]


async def test_what_is_mounted_and_does_not_start_is_told_to_the_lifespan_around_it(tmp_path: Path) -> None:
    for app in (raising, leaving):
        with pytest.raises(RuntimeError, match="store"):
            async with Restante(app, store=f"sqlite:///{tmp_path}/none/restante.db").running():
                raise AssertionError("it was started")
    async with Restante(raising, store=store(tmp_path)).running():
        pass
