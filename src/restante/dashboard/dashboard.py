"""Which page is where, who may see it, and how errors look. A table of paths, a short handler each."""

from collections.abc import Awaitable, Callable

from ..core.access import Scope
from ..core.errors import Refused
from ..core.headers import first
from ..core.policy import Policy
from ..ports.auth import Caller
from ..ports.dashboard import Asked, Shown
from ..service import Service
from ..service.figures import Figures
from . import actions, contents, deliveries, live, login, overview, transaction, transactions
from .session import COOKIE, cookie, open_session
from .templates import STATIC, STATIC_VERSION
from .visit import OPEN, NotAllowed, Streams, Unknown, Visit

Handler = Callable[[Visit, str], Awaitable[Shown]]
Table = dict[tuple[str, ...], dict[str, tuple[Handler, frozenset[Scope]]]]

LOOK = frozenset({Scope.READ, Scope.OPERATE})
CONTENT = frozenset({Scope.READ})
OPERATE = frozenset({Scope.OPERATE})

TABLE: Table = {
    (): {"GET": (overview.show, LOOK)},
    ("live",): {"GET": (live.overview, LOOK)},
    ("transactions",): {"GET": (transactions.show, LOOK)},
    ("transactions", "{id}"): {"GET": (transaction.show, LOOK)},
    ("transactions", "{id}", "live"): {"GET": (live.transaction, LOOK)},
    ("transactions", "{id}", "request"): {"GET": (contents.request, CONTENT)},
    ("transactions", "{id}", "result"): {"GET": (contents.result, CONTENT)},
    ("transactions", "{id}", "cancel"): {
        "GET": (actions.ask_cancel, OPERATE),
        "POST": (actions.cancel, OPERATE),
    },
    ("transactions", "{id}", "retry"): {
        "GET": (actions.ask_retry, OPERATE),
        "POST": (actions.retry, OPERATE),
    },
    ("endpoints",): {"GET": (deliveries.endpoints, LOOK)},
    ("endpoints", "{id}"): {"GET": (deliveries.endpoint, LOOK)},
    ("endpoints", "{id}", "replay"): {
        "GET": (actions.ask_replay_all, OPERATE),
        "POST": (actions.replay_all, OPERATE),
    },
    ("dead",): {"GET": (deliveries.dead, LOOK)},
    ("deliveries", "{id}"): {"GET": (deliveries.delivery, LOOK)},
    ("deliveries", "{id}", "replay"): {
        "GET": (actions.ask_replay, OPERATE),
        "POST": (actions.replay, OPERATE),
    },
    ("upstreams", "{id}", "pause"): {"GET": (actions.ask_pause, OPERATE), "POST": (actions.pause, OPERATE)},
    ("upstreams", "{id}", "resume"): {
        "GET": (actions.ask_resume, OPERATE),
        "POST": (actions.resume, OPERATE),
    },
}
"""Path behind `/-/ui/` (the first one's: `/-/`), method, handler, and the scopes of which one is needed."""

PAGES = "ui/"
FILES = "static/"
LOGIN, LOGOUT = "login", "logout"


class Dashboard:
    """`open`: nobody is asked for a key, and everybody is the one tenant. From `start` to `stop` it sees to
    it that what it plots is counted."""

    def __init__(self, *, service: Service, policy: Policy, open: bool) -> None:
        self._service = service
        self._policy = policy
        self._open = open
        self._streams = Streams()
        history = policy.limits.history
        self._figures = Figures(store=service.store, clock=service.clock, history=history, feed=service.feed)

    def start(self) -> None:
        self._figures.start()

    async def stop(self) -> None:
        await self._figures.stop()

    def serves(self, path: str) -> bool:
        return path in ("", LOGIN, LOGOUT) or path.startswith((PAGES, FILES))

    async def show(self, asked: Asked) -> Shown:
        """The page, or what is wrong as one."""
        if asked.path.startswith(FILES):
            return _file(asked)
        visit = Visit(
            asked=asked,
            service=self._service,
            policy=self._policy,
            caller=Caller("default", all=True) if self._open else None,
            subject=OPEN,
            open=self._open,
            streams=self._streams,
        )
        try:
            if asked.method != "GET":
                check_origin(asked)
            if asked.path == LOGIN:
                return await login.log_in(visit)
            if not self._open:
                visit = await self._known(asked) or visit
            if asked.path == LOGOUT:
                return login.log_out(visit)
            return await _page(visit)
        except Refused as error:
            return wrong(visit, error)

    async def _known(self, asked: Asked) -> Visit | None:
        """The visit of somebody who is logged in with a key that is good now."""
        service = self._service
        sealed = cookie(asked.headers, COOKIE)
        session = open_session(service.keys.secret, sealed or b"", service.clock.now())
        key = await service.keys.find(session.digest) if session is not None else None
        if session is None or key is None or not key.scopes & LOOK:
            return None
        caller = Caller(key.tenant, key.scopes, login.concerns_all(key))
        return Visit(
            asked=asked,
            service=service,
            policy=self._policy,
            caller=caller,
            subject=session.name,
            open=False,
            streams=self._streams,
        )


async def _page(visit: Visit) -> Shown:
    asked = visit.asked
    segments = tuple(asked.path.removeprefix(PAGES).split("/")) if asked.path else ()
    methods = next((methods for pattern, methods in TABLE.items() if _fits(pattern, segments)), None)
    if methods is None:
        raise Unknown("There is no page here.")
    if visit.caller is None:
        if asked.method != "GET":
            raise NotAllowed("You are logged out. Log in, and repeat it.")
        return login.first(visit)
    if asked.method not in methods:
        raise Unknown("This page takes nothing of that kind.")
    handler, scopes = methods[asked.method]
    if not scopes & visit.caller.scopes:
        raise NotAllowed(
            f"The key that you are logged in with has not the scope {' or '.join(sorted(scopes))}."
        )
    return await handler(visit, "".join(segments[1:2]))


def _fits(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    return len(pattern) == len(segments) and all(
        expected in ("{id}", segment) for expected, segment in zip(pattern, segments, strict=True)
    )


def check_origin(asked: Asked) -> None:
    """What changes something comes from a page of ours; raises `NotAllowed`. Browsers say where it comes
    from, and no page can make them say otherwise."""
    site, origin = first(asked.headers, b"sec-fetch-site"), first(asked.headers, b"origin") or b""
    ours = (first(asked.headers, b"host"), asked.origin.partition("://")[2].encode("latin-1"))
    if site not in (None, b"same-origin") or origin.partition(b"://")[2] not in ours:
        raise NotAllowed("This must come from a page of this server.")


def wrong(visit: Visit, error: Refused) -> Shown:
    """An error as a page."""
    visit.forget_query()
    shown = visit.page("error.html", code=error.status, title=error.title, message=error.message)
    if error.retry_after_seconds is not None:
        shown.headers.append((b"retry-after", b"%d" % error.retry_after_seconds))
    return shown


def _file(asked: Asked) -> Shown:
    """What pages load. Its name in them changes with its content."""
    kind, content = STATIC.get(asked.path.removeprefix(FILES), (b"text/plain", b""))
    headers = [(b"content-type", kind), (b"x-content-type-options", b"nosniff")]
    if not content or asked.method != "GET":
        return Shown(404, [*headers, (b"cache-control", b"no-store")], b"")
    current = asked.query == f"v={STATIC_VERSION}"
    fresh = b"public, max-age=31536000, immutable" if current else b"no-cache"
    return Shown(200, [*headers, (b"cache-control", fresh)], content)
