"""The little of HTTP that both demo APIs need: a route table, JSON answers, a server to run them alone."""

import argparse
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import uvicorn

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One call. Header names are in lower case; `params` are the named parts of the path."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    origin: str
    params: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """Ends a handler early with the answer it carries."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


Handler = Callable[[Request], Awaitable[Answer]]


def answer_json(status: int, document: Any, *headers: tuple[str, str]) -> Answer:
    return Answer(status, msgspec.json.encode(document), headers=headers)


def read_json(body: bytes) -> Any:
    """The document in `body`; ValueError where it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("The body is not valid JSON") from error


def compile_path(pattern: str) -> re.Pattern[str]:
    """`/a/{name}` matches one segment, `/a/{name*}` the rest of the path."""
    parts = re.split(r"\{(\w+\*?)\}", pattern)
    for place in range(1, len(parts), 2):
        name = parts[place].rstrip("*")
        parts[place] = f"(?P<{name}>.+)" if parts[place].endswith("*") else f"(?P<{name}>[^/]+)"
    parts[::2] = map(re.escape, parts[::2])
    return re.compile("".join(parts))


class Site:
    """An ASGI app made of routes; what none of them matches is a 404 or a 405 in JSON."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []

    def route(self, method: str, pattern: str, handler: Handler) -> None:
        self._routes.append((method, compile_path(pattern), handler))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await _reply(send, await self._answer(scope, receive))
            case "lifespan":
                await _live(receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        try:
            request = await _read(scope, receive)
            handler, params = self._find(request)
            return await handler(replace(request, params=params))
        except Refused as refused:
            return refused.answer

    def _find(self, request: Request) -> tuple[Handler, dict[str, str]]:
        method = "GET" if request.method == "HEAD" else request.method
        allowed = []
        for route_method, pattern, handler in self._routes:
            found = pattern.fullmatch(request.path)
            if found and route_method == method:
                return handler, found.groupdict()
            if found:
                allowed.append(route_method)
        if allowed:
            headers = ("Allow", ", ".join(sorted(set(allowed))))
            raise Refused(answer_json(405, {"message": "Method is not allowed"}, headers))
        raise Refused(answer_json(404, {"message": "Not found"}))


async def _read(scope: Scope, receive: Receive) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(answer_json(400, {"message": "Request body is incomplete"}))
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            raise Refused(answer_json(413, {"message": "Request body is too large"}))
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
        headers=headers,
        body=body,
        origin=f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}",
    )


async def _reply(send: Send, answer: Answer) -> None:
    headers = (("content-type", answer.content_type), ("content-length", str(len(answer.body))))
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in (*headers, *answer.headers)]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    await send({"type": "http.response.body", "body": answer.body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def arguments(description: str, *, listen: str, delay: float) -> argparse.ArgumentParser:
    """The options both demo APIs have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--listen", default=listen, metavar="HOST:PORT", help="default: %(default)s")
    parser.add_argument(
        "--delay", type=float, default=delay, metavar="SECONDS", help="artificial delay; default: %(default)s"
    )
    return parser


def serve(app: App, listen: str) -> None:
    """Runs `app` until it is stopped."""
    host, _, port = listen.rpartition(":")
    if not port.isdecimal():
        raise SystemExit(f"--listen: {listen!r} is not HOST:PORT")
    print(f"http://{listen}", flush=True)
    uvicorn.run(app, host=host.strip("[]") or "127.0.0.1", port=int(port), log_level="warning")
