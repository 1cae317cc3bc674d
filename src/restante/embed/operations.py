"""Operations: functions that are the work. An `Operations` is a small ASGI application with a route for each.

So it is an upstream as any other, and what is declared with a function is the configuration of its route and
of an upstream that it has for itself: names, units and defaults are those of the tables `[[routes]]` and
`[upstreams.NAME]`. What the function returns is the answer, 200 with JSON; what it raises is one, too
(`failures`). All that is promised of upstreams is promised of it: after a crash an operation whose method is
not idempotent, and that does not say `interrupted="retry"`, has failed with an unknown outcome.
"""

import asyncio
import inspect
import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

import msgspec

from ..config.routes import read_routes
from ..config.upstreams import NAME, read_upstreams
from ..core.errors import BadRequest, SettingError
from ..core.policy import Policy, Route, Upstream
from .arguments import Arguments
from .exchange import Receive, Scope, Send
from .failures import AGAIN, Failure, Misfit, TryAgain
from .form import declared, path_text, pattern_of
from .options import NOWHERE
from .replies import Reply, completed, failed, text
from .work import Work

OF_UPSTREAM = frozenset(
    {"concurrency", "concurrency_per_tenant", "max_queued", "max_stored", "rate", "retry", "timeout"}
)
"""Settings of an operation that are its upstream's; others are its route's."""

THREADS = 16
"""The `concurrency` of a plain function, unless it is given: each runs in a thread."""

WENT_WRONG = "The operation failed unexpectedly."
TAKEN = "The end will be reported"
DEFERRED = (b"restante-completion", b"deferred")

log = logging.getLogger("restante.embed")

F = TypeVar("F", bound=Callable[..., Any])


class Operation:
    """One of them. `pattern` matches its paths as they come."""

    def __init__(self, function: Callable[..., Any], *, path: str, route: Route, upstream: Upstream) -> None:
        self.function = function
        self.path = path
        self.pattern = pattern_of(path)
        self.arguments = Arguments(function, tuple(self.pattern.groupindex))
        self.upstream = upstream
        described = declared(function, path=path, arguments=self.arguments, route=route)
        self.route = msgspec.structs.replace(route, described=described)
        self._threads: ThreadPoolExecutor | None = None

    async def call(self, arguments: dict[str, Any]) -> Any:
        """A plain function in a thread, of which there are as many as may run at once. One that is given up
        goes on in its thread: `Work.cancelled` tells it."""
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**arguments)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.upstream.concurrency, f"restante-{self.upstream.name}")
        work = partial(copy_context().run, self.function, **arguments)
        value = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        return await value if inspect.isawaitable(value) else value  # of what only wraps a coroutine function


class Operations:
    """`@operations.post("/channel/v0/tickets", transactions="/seller/v0/transactions", timeout="2m")`.

    With `transactions`, the path where they are looked up, the plain path answers at once (dialect
    `transaction`); without it the operation is run in the background below `/async`, and straight otherwise.
    """

    def __init__(self) -> None:
        self._operations: dict[str, Operation] = {}

    @property
    def policy(self) -> Policy:
        """The routes and upstreams of all that are declared."""
        operations = self._operations.values()
        return Policy(
            upstreams={operation.upstream.name: operation.upstream for operation in operations},
            routes=tuple(operation.route for operation in operations),
        )

    def post(self, path: str, **settings: Any) -> Callable[[F], F]:
        return self.on("POST", path, **settings)

    def put(self, path: str, **settings: Any) -> Callable[[F], F]:
        return self.on("PUT", path, **settings)

    def patch(self, path: str, **settings: Any) -> Callable[[F], F]:
        return self.on("PATCH", path, **settings)

    def delete(self, path: str, **settings: Any) -> Callable[[F], F]:
        return self.on("DELETE", path, **settings)

    def get(self, path: str, **settings: Any) -> Callable[[F], F]:
        return self.on("GET", path, **settings)

    def on(self, method: str, path: str, *, name: str = "", **settings: Any) -> Callable[[F], F]:
        """Declares a function as the work of `method` on `path`, in which one part may be `{named}`.

        `name` is that of its upstream; without it the function's. Raises `SettingError`, which names the
        operation and the setting, and `TypeError`, which names the parameter.
        """

        def declare(function: F) -> F:
            own = name or getattr(function, "__name__", "")
            place = f"operations.{own}"
            if not NAME.fullmatch(own) or own in self._operations:
                what = "there is one of this name already" if own in self._operations else "is no name"
                raise SettingError(place, f"{what}; give another with name=")
            route, upstream = _read(place, own, method, path, settings, function)
            try:
                operation = Operation(function, path=path, route=route, upstream=upstream)
            except TypeError as error:
                raise TypeError(f"{place}: {error}") from None
            for other in self._operations.values():
                if (other.route.method, other.route.path) == (route.method, route.path):
                    raise SettingError(place, f"{method} {path} is that of {other.upstream.name} already")
            self._operations[own] = operation
            return function

        return declare

    def check(self, method: str, path: str, query: str, body: bytes) -> None:
        """Raises `BadRequest` where the operation on `path` would not take this. It looks again when it is
        run: it may be another version of it by then."""
        for operation, named in self._on(path):
            if operation.route.method == method:
                try:
                    operation.arguments.make(named, query, body)
                except Misfit as misfit:
                    raise BadRequest(misfit.message, field=misfit.errors[0]["field"]) from None

    def _on(self, path: str) -> Iterator[tuple[Operation, dict[str, str]]]:
        """The operations on a path, and what is named in it."""
        for operation in self._operations.values():
            match = operation.pattern.fullmatch(path)
            if match is not None:
                yield operation, match.groupdict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("operations are for HTTP requests only")
        reply = await self._answer(scope, receive)
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        path, method = path_text(scope), scope["method"]
        for operation, named in self._on(path):
            if operation.route.method == method:
                return await _run(operation, named, scope, await _body(receive))
        others = [operation.route.method for operation, _ in self._on(path)]
        if others:
            return text(
                405, "There is no such operation on this path.", (b"allow", ", ".join(others).encode())
            )
        return text(404, "There is no operation on this path.")


async def _run(operation: Operation, named: dict[str, str], scope: Scope, body: bytes) -> Reply:
    """The answer. What it said while it ran is written before."""
    work = Work.of(scope)
    work.may_defer = operation.route.deferred
    try:
        reply = await _do(operation, work, named, scope["query_string"].decode("latin-1"), body)
        await work.written()
    except BaseException:
        work.over()
        raise
    if DEFERRED not in reply.headers:
        work.over()
    return reply


async def _do(operation: Operation, work: Work, path: dict[str, str], query: str, body: bytes) -> Reply:
    try:
        arguments = operation.arguments.make(path, query, body)
        if operation.arguments.work:
            arguments[operation.arguments.work] = work
        value = await operation.call(arguments)
        if work.deferred:
            return text(202, "The end will be reported.", DEFERRED)
        return completed(value)
    except Failure as error:
        return failed(error)
    except TryAgain as error:
        after = error.after_seconds
        return text(
            AGAIN, error.message, *([] if after is None else [(b"retry-after", b"%d" % max(after, 0))])
        )
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # sys.exit() too: it is the operation's end, not the server's
        log.error("operation %s (%s)", operation.upstream.name, work.id or "straight", exc_info=error)
        return text(500, WENT_WRONG)


async def _body(receive: Receive) -> bytes:
    """All of it; its size was limited when it was accepted."""
    pieces = []
    while (message := await receive())["type"] == "http.request":
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return b"".join(pieces)


def _read(
    place: str, name: str, method: str, path: str, settings: dict[str, Any], function: Callable[..., Any]
) -> tuple[Route, Upstream]:
    """The settings as those of a route and an upstream, by whom they are checked."""
    own = {key: value for key, value in settings.items() if key in OF_UPSTREAM}
    if not inspect.iscoroutinefunction(function):
        own.setdefault("concurrency", THREADS)
    if isinstance(own.get("retry", {}), dict):
        own["retry"] = {"on": ["connect", AGAIN], **own.get("retry", {})}
    route = {key: value for key, value in settings.items() if key not in OF_UPSTREAM}
    route.setdefault("dialect", "transaction" if "transactions" in route else "task")
    if isinstance(route.get("messages", {}), dict):
        route["messages"] = {"deferred": TAKEN, **route.get("messages", {})}
    if path.count("{") > 1:
        raise SettingError(place, f"{path}: one part of a path may be named")
    match = f"{method} {re.sub(r'{[^{}/]*}', '*', path)}"
    try:
        upstreams = read_upstreams(None, {name: {**own, "url": NOWHERE, "preserve_host": True}})
        (read,) = read_routes([{**route, "match": match, "upstream": name}], upstreams, strict=True)
    except SettingError as error:
        setting = error.setting.removeprefix(f"upstreams.{name}.").removeprefix("routes[0].")
        raise SettingError(f"{place}.{setting}", str(error).removeprefix(f"{error.setting}: ")) from None
    return read, msgspec.structs.replace(upstreams[name], operation=True)
