"""`Restante` around applications of several frameworks: they have what a gateway in front of them gives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware

from restante import Restante

from .frameworks import EVENTS, django_app, fastapi, starlette
from .host import Host, store


def added(framework: Callable[[], Starlette]) -> Callable[..., Any]:
    """As it is done with `add_middleware`."""

    def make(**options: Any) -> Any:
        app = framework()
        app.add_middleware(Restante, **options)
        return app

    return make


def around(framework: Callable[[], Any]) -> Callable[..., Any]:
    return lambda **options: Restante(framework(), **options)


EVERY = pytest.mark.parametrize(
    "make",
    [
        pytest.param(around(fastapi), id="around fastapi"),
        pytest.param(added(fastapi), id="added to fastapi"),
        pytest.param(around(starlette), id="around starlette"),
        pytest.param(added(starlette), id="added to starlette"),
        pytest.param(around(django_app), id="around django"),
    ],
)


@EVERY
async def test_a_path_behind_async_is_accepted_run_and_answered(make: Any, tmp_path: Path) -> None:
    async with Host(make(store=store(tmp_path))) as host:
        accepted = await host.http.post("/async/echo?a=%2F", content="hello")
        id = accepted.json()["request_id"]
        assert accepted.json()["response_url"] == f"http://localhost/async/result/{id}"
        result = await host.result(accepted)
        assert result.status_code == 200
        assert result.headers["x-from"] == "the application"
        seen = result.json()
        assert (seen["body"], seen["query"], seen["transaction"]) == ("hello", "a=%2F", id)
        assert seen["url"] == "http://localhost/echo"
        assert seen.get("pool", "open") == "open", "it has the state that its lifespan gave it"


@EVERY
@pytest.mark.parametrize("lifespan", [True, False])
async def test_any_other_path_goes_straight_to_the_application(
    make: Any, lifespan: bool, tmp_path: Path
) -> None:
    async with Host(make(store=store(tmp_path)), lifespan=lifespan) as host:
        straight = await host.http.post("/echo", content="hello")
        assert straight.json()["body"] == "hello"
        assert straight.json()["transaction"] is None
        assert (await host.http.get("/none")).status_code == 404


@EVERY
async def test_without_a_lifespan_it_starts_with_the_first_request(make: Any, tmp_path: Path) -> None:
    async with Host(make(store=store(tmp_path)), lifespan=False) as host:
        result = await host.result(await host.http.post("/async/echo", content="hello"))
        assert result.json()["body"] == "hello"


@EVERY
async def test_an_error_of_the_application_is_an_answer_and_is_read_once(make: Any, tmp_path: Path) -> None:
    async with Host(make(store=store(tmp_path))) as host:
        accepted = await host.http.get("/async/broken")
        result = await host.result(accepted)
        assert result.status_code == 500
        assert "secret" not in result.text
        assert (await host.http.get(accepted.json()["response_url"])).status_code == 404
        ended = await host.ended(accepted.json()["request_id"])
        assert (ended["status"], ended["outcome"]) == ("failed", "answered")


@EVERY
async def test_what_takes_too_long_is_given_up(make: Any, tmp_path: Path) -> None:
    del EVENTS[:]
    async with Host(make(store=store(tmp_path), upstream={"timeout": "200ms"})) as host:
        accepted = await host.http.post("/async/slow")
        ended = await host.ended(accepted.json()["request_id"])
        assert (ended["status"], ended["outcome"]) == ("failed", "timed_out")
        assert (await host.result(accepted)).status_code == 504
    assert [event for event in EVENTS if event in ("begun", "given up")] == ["begun", "given up"]


@EVERY
async def test_prefer_respond_async_works_on_any_path(make: Any, tmp_path: Path) -> None:
    async with Host(make(store=store(tmp_path))) as host:
        accepted = await host.http.post("/echo", content="x", headers={"Prefer": "respond-async"})
        assert accepted.status_code == 202
        ended = await host.ended(accepted.headers["location"].rsplit("/", 1)[1])
        assert ended["status"] == "completed"


@EVERY
async def test_a_route_gives_a_plain_path_the_transaction_dialect(make: Any, tmp_path: Path) -> None:
    route = {"match": "POST /echo", "dialect": "transaction", "transactions": "/v0/transactions"}
    async with Host(make(store=store(tmp_path), routes=[route])) as host:
        accepted = await host.http.post("/echo", content="x")
        assert accepted.status_code == 202
        id = accepted.json()["transaction_id"]
        await host.ended(id)
        seen = (await host.http.get(f"/v0/transactions/{id}")).json()
        assert seen["status"] == "completed"
        assert seen["events"][-1]["data"]["body"] == "x"
        assert (await host.http.get("/v0/transactions")).json()["results"][0]["id"] == id


async def test_the_applications_lifespan_is_around_ours(tmp_path: Path) -> None:
    del EVENTS[:]
    async with Host(Restante(starlette(), store=store(tmp_path))) as host:
        assert EVENTS == ["started"]
        assert (await host.http.get("/-/readyz")).json() == {"status": "ok"}
    assert EVENTS == ["started", "ended"]
    assert [message["type"] for message in host.said] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_what_was_accepted_before_the_end_is_run_at_the_next_start(tmp_path: Path) -> None:
    app = Restante(fastapi(), store=store(tmp_path))
    async with Host(app) as host:
        delayed = {"Restante-Delay": "200ms"}
        accepted = await host.http.post("/async/echo", content="later", headers=delayed)
    async with Host(app) as host:
        assert (await host.result(accepted)).json()["body"] == "later"


async def test_a_large_body_and_a_large_answer_go_through(tmp_path: Path) -> None:
    body = "x" * 3_000_000
    async with Host(Restante(fastapi(), store=store(tmp_path))) as host:
        result = await host.result(await host.http.post("/async/echo", content=body))
        assert result.json()["body"] == body


async def test_limits_of_the_settings_hold(tmp_path: Path) -> None:
    async with Host(Restante(fastapi(), store=store(tmp_path), max_body="1KiB", max_result="100B")) as host:
        assert (await host.http.post("/async/echo", content="x" * 1025)).status_code == 413
        accepted = await host.http.post("/async/echo", content="x")
        assert (await host.ended(accepted.json()["request_id"]))["outcome"] == "interrupted"


async def test_what_is_stored_can_be_sealed(tmp_path: Path) -> None:
    (tmp_path / "master").write_text("a1" * 32)
    sealing = {"keys": [f"file:{tmp_path}/master"], "folder": str(tmp_path / "keys")}
    async with Host(Restante(fastapi(), store=store(tmp_path), sealing=sealing)) as host:
        result = await host.result(await host.http.post("/async/echo", content="a long secret"))
        assert result.json()["body"] == "a long secret"
    kept = [file.read_bytes() for file in tmp_path.glob("restante.db*")]
    assert kept
    assert not any(b"a long secret" in content for content in kept)


async def test_one_file_has_one_application(tmp_path: Path) -> None:
    async with Host(Restante(fastapi(), store=store(tmp_path))):
        async with Host(Restante(fastapi(), store=store(tmp_path))) as second:
            assert second.started["type"] == "lifespan.startup.failed"
            assert second.started["message"].startswith("Restante: store: ")
        async with Host(Restante(fastapi(), store=store(tmp_path)), lifespan=False) as third:
            refused = await third.http.post("/async/echo")
            assert refused.status_code == 503
            assert "store" in refused.json()["message"]
            assert (await third.http.post("/echo")).status_code == 200


async def test_lists_are_for_this_machine_until_somebody_is_asked_for_a_key(tmp_path: Path) -> None:
    route = {"match": "POST /echo", "dialect": "transaction", "transactions": "/v0/transactions"}
    options = {"store": store(tmp_path), "routes": [route]}
    async with Host(Restante(fastapi(), **options), client="203.0.113.5") as host:
        accepted = await host.http.post("/async/echo")
        assert (await host.result(accepted)).status_code == 200
        assert (await host.http.get("/-/transactions")).status_code == 403
        assert (await host.http.get("/-/store")).status_code == 403
        assert (await host.http.get("/v0/transactions")).status_code == 403
        assert (await host.http.get("/-/healthz")).status_code == 200
        assert (await host.http.get(f"/-/transactions/{accepted.json()['request_id']}")).status_code == 200
    async with Host(Restante(fastapi(), **options, insecure=True), client="203.0.113.5") as host:
        assert (await host.http.get("/-/transactions")).status_code == 200


async def test_with_keys_who_has_none_is_refused_and_plain_paths_are_the_applications(
    tmp_path: Path,
) -> None:
    async with Host(Restante(fastapi(), store=store(tmp_path), auth={"mode": "keys"})) as host:
        assert (await host.http.post("/async/echo")).status_code == 401
        assert (await host.http.get("/-/transactions")).status_code == 401
        assert (await host.http.post("/echo")).status_code == 200


async def test_middleware_within_sees_what_is_run(tmp_path: Path) -> None:
    async def tell(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["X-Within"] = "yes"
        return response

    app = fastapi()
    app.add_middleware(BaseHTTPMiddleware, dispatch=tell)
    async with Host(Restante(app, store=store(tmp_path))) as host:
        result = await host.result(await host.http.post("/async/echo"))
        assert result.headers["x-within"] == "yes"


async def test_urls_begin_with_the_path_at_which_it_is_mounted(tmp_path: Path) -> None:
    outer = Starlette()
    outer.mount("/api", Restante(django_app(), store=store(tmp_path)))
    async with Host(outer) as host:
        accepted = await host.http.post("/api/async/echo", content="x")
        assert accepted.json()["response_url"].startswith("http://localhost/api/async/result/")
        assert (await host.result(accepted)).json()["body"] == "x"
        assert (await host.http.post("/api/echo", content="y")).json()["body"] == "y"


async def test_other_kinds_of_connections_are_the_applications(tmp_path: Path) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await Restante(app, store=store(tmp_path))({"type": "websocket", "path": "/async/x"}, None, None)  # type: ignore[arg-type]
    assert seen == ["websocket"]


async def test_an_upstream_with_a_url_is_spoken_to_over_the_network(tmp_path: Path) -> None:
    app = Restante(
        fastapi(),
        store=store(tmp_path),
        upstreams={"bank": {"url": "http://127.0.0.1:1", "retry": {"attempts": 1}}},
        routes=[{"match": "* /bank/*", "upstream": "bank"}, {"match": "* /*", "upstream": "default"}],
    )
    async with Host(app) as host:
        assert (await host.http.get("/bank/x")).status_code == 502
        accepted = await host.http.post("/async/bank/x")
        assert (await host.ended(accepted.json()["request_id"]))["outcome"] == "unreachable"
        assert (await host.result(await host.http.post("/async/echo"))).status_code == 200


async def test_a_server_that_tells_no_raw_path_will_do(tmp_path: Path) -> None:
    app = Restante(fastapi(), store=store(tmp_path))

    async def without(scope: Any, receive: Any, send: Any) -> None:
        scope.pop("raw_path", None)
        await app(scope, receive, send)

    async with Host(without) as host:
        accepted: httpx.Response = await host.http.post("/async/echo", content="x")
        assert (await host.result(accepted)).json()["body"] == "x"
