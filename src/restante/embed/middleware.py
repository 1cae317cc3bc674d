"""`Restante(app, …)`: an ASGI application that has what a gateway in front of it would have, and no hop.

The application is the upstream: what is stored is run by calling it (`sender`). A look at a request's head
decides, by the gateway's own plan (`gateway.rooms`), whether it is ours; whatever is not goes to the
application as it came.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from ..core.errors import NoRoute
from ..core.policy import ANY_ROUTE
from ..gateway.call import CLOSE
from ..gateway.failing import failure
from ..gateway.rooms import ASYNC, OURS, Place, Room, Rooms
from .exchange import App, Message, Receive, Scope, Send
from .form import path_text
from .hosting import Hosting
from .lifespan import led
from .operations import Operations
from .options import read_options, with_operations
from .work import Work

EMBEDDED = frozenset({b"date"})
"""Fields that the host server writes."""


class Restante:
    """An ASGI application around `app`: FastAPI, Starlette, Litestar, Django, Quart or any other.

    `store` and whatever else `restante.toml` may say, where it is not the host server's business, are
    options (`retention="1h"`), or in `config`, a mapping of the file's form. `operations` are served beside
    the application. Raises `SettingError`.
    """

    def __init__(
        self,
        app: App,
        *,
        operations: Operations | None = None,
        config: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if operations is None and isinstance(app, Operations):
            operations = app
        settings, own = read_options(config, options)
        apps: dict[str, App] = dict.fromkeys(own, app)
        if operations is not None:
            policy = with_operations(settings.policy, operations.policy)
            settings = msgspec.structs.replace(settings, policy=policy)
            apps |= dict.fromkeys(operations.policy.upstreams, operations)
        self._app = app
        self._apps = apps
        self._rooms = Rooms(settings.policy, native=True, public=True)
        self._hosting = Hosting(settings, apps, check=operations.check if operations is not None else None)

    def work(self, id: str, token: str) -> Work:
        """The work of a transaction that was deferred, to go on with or to end it, by the `id` and `token`
        that it had then. Raises `RuntimeError` where nothing is started."""
        number = token.partition(".")[0]
        return Work(id, int(number) if number.isdecimal() else 1, token, self._hosting.reports)

    def running(self) -> AbstractAsyncContextManager[None]:
        """The lifespan, application's and ours, where no server leads it: `async with` it in that of the
        application in which this one is mounted. Raises `RuntimeError` where it does not start."""
        return led(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._hosting.live(self._app, scope, receive, send)
            return
        if kind != "http":
            await self._app(scope, receive, send)
            return
        self._hosting.begin(scope)
        path = path_text(scope)
        place = self._find(scope, path)
        app = self._app if place is None else self._straight(place)
        if app is not None:
            await app(scope, receive, send)
        else:
            await self._answer({**scope, "raw_path": path.encode("latin-1")}, receive, send)

    def _find(self, scope: Scope, path: str) -> Place | None:
        """The room; None: it is the application's."""
        try:
            return self._rooms.find(scope["method"], path, scope["headers"])
        except NoRoute:  # ours to say, where the path is ours
            return Place(Room.TASK, path) if path.startswith((OURS, ASYNC)) else None

    def _straight(self, place: Place) -> App | None:
        """The application that answers it without us."""
        if place.room is not Room.THROUGH:
            return None
        return self._apps.get((place.route or ANY_ROUTE).upstream)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            gateway = await self._hosting.gateway()
        except Exception as error:
            reply = failure(error, path=scope["raw_path"].decode("latin-1"))
            await send({"type": "http.response.start", "status": reply.code, "headers": reply.headers})
            await send({"type": "http.response.body", "body": reply.body})
            return
        hosted = _Hosted(scope, receive, send)
        await gateway(scope, hosted.receive, hosted.send)


class _Hosted:
    """A request as our own server would have it, and its answer without what the host says itself."""

    __slots__ = ("_drop_close", "_receive", "_send")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._drop_close = scope.get("http_version", "1.1") not in ("1.0", "1.1")  # not a field of HTTP/2

    async def receive(self) -> Message:
        """A message that says something: of a request without a body, that this is all."""
        while True:
            message = await self._receive()
            if message["type"] != "http.request" or message.get("body") or not message.get("more_body"):
                return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [pair for pair in message["headers"] if pair[0] not in EMBEDDED]
            if self._drop_close:
                headers = [pair for pair in headers if pair != CLOSE]
            message = {**message, "headers": headers}
        await self._send(message)
