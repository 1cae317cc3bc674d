"""What the configuration says, as values: upstreams, routes and limits.

These structs are the meeting point of three rooms: `config` makes them, `service` and `runner` act on
them, `gateway` reads its limits from them. They hold no behaviour but matching.
"""

import msgspec

from .clock import DAY, HOUR, MINUTE, SECOND
from .delivery import SCHEDULE
from .status import Dialect, Interrupted

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 §9.2.1
IDEMPOTENT_METHODS = SAFE_METHODS | {"PUT", "DELETE"}  # RFC 9110 §9.2.2

MiB = 1024 * 1024


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """When an attempt is followed by another. `attempts` counts all tries; spans in microseconds."""

    attempts: int = 3
    backoff: int = SECOND
    max_backoff: int = 5 * MINUTE
    on_connect: bool = True  # failed connects
    on_codes: frozenset[int] = frozenset()  # complete answers that mean "I did nothing"


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """One API that does the work. Spans in microseconds, `rate` in attempts per second."""

    name: str = "default"
    scheme: str = "http"
    host: str
    port: int
    base_path: str = ""  # without a trailing slash, put before every path
    authority: str  # what goes into Host
    concurrency: int = 64
    concurrency_per_tenant: int | None = None
    rate: float | None = None
    max_queued: int | None = None
    max_stored: int | None = None  # bytes
    through_concurrency: int | None = None
    through_rate: float | None = None  # calls per second
    timeout: int = 60 * SECOND
    connect_timeout: int = 10 * SECOND
    retry: Retry = Retry()
    preserve_host: bool = False
    set_headers: tuple[tuple[str, str], ...] = ()
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    operation: bool = False  # a function of this process, whose words are meant for the caller


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """How an upstream is asked what became of a request. Pointers are JSON pointers into its answer."""

    target: str  # path and query; `{tracking_id}` and `{id}` stand for the transaction's
    found: str  # what is there if the work was done
    answer: str = ""  # what becomes the result; "" is the whole document
    retry: bool = False  # what is not found is repeated; else it ends as failed


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests, and how they are treated. The first route that matches wins."""

    method: str = "*"
    path: str = "/*"  # a `*` matches the rest of the path, slashes included
    upstream: str = "default"
    dialect: Dialect = Dialect.TASK
    transactions: str | None = None  # dialect transaction: where they are looked up
    operation: str | None = None
    interrupted: Interrupted = Interrupted.FAIL
    priority: int = 0
    tracking_id: str | None = None  # a JSON pointer into the request body, or a header's name
    deferred: bool = False  # the upstream may answer "later" and report the end
    lookup: Lookup | None = None  # interrupted = "reconcile": how the upstream is asked
    data: tuple[tuple[str, str], ...] | None = None  # event data: name, JSON pointer into the answer
    callback: str | None = None  # a JSON pointer into the request body: the URL that is told of the end
    messages: tuple[tuple[str, str], ...] = ()  # by event: accepted, processing, delay, completed, failed, …
    mask: tuple[str, ...] = ()  # JSON pointers to what people are not shown, beside the policy's
    described: bytes = b""  # JSON for the API's description, where more is known of it than a route says

    def matches(self, method: str, path: str) -> bool:
        """Whether this route is for `method` on `path` (as it came, without the query)."""
        if self.method not in ("*", method):
            return False
        head, star, tail = self.path.partition("*")
        if not star:
            return path == head
        return path.startswith(head) and path.endswith(tail) and len(path) >= len(head) + len(tail)

    def message(self, name: str) -> str | None:
        """The route's own words for an event, if it has any."""
        for key, text in self.messages:
            if key == name:
                return text
        return None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Named bounds. Sizes in bytes, spans in microseconds; the defaults are the documented ones."""

    max_body: int = 16 * MiB
    max_result: int = 64 * MiB
    max_queued: int = 1_000_000
    max_queued_per_tenant: int | None = None
    max_stored_per_tenant: int | None = None  # bytes
    rate_per_tenant: float | None = None  # requests per second
    reserve: int = 64 * MiB  # room on the store's disk that is left for ending and forgetting work
    max_waiting: int = 10_000  # writes waiting for the store's next commit
    retention: int = 24 * HOUR
    history: int = 30 * DAY
    lease: int = 15 * SECOND
    grace: int = 30 * SECOND  # how long what runs may go on after SIGTERM
    inline_body: int = 64 * 1024  # larger bodies are on disk before they are referred to
    chunk: int = 128 * 1024  # the piece in which large bodies are stored and read
    event_data: int = 16 * 1024  # the largest JSON or error text kept with an event
    events: int = 1000  # of one transaction; with more, progress is not reported, only the end
    page: int = 100  # largest page of a list
    ready: int = 1000  # transactions per upstream held in memory ahead of their turn
    sweep: int = 100  # rows per sweeping commit
    streams: int = 10_000  # live event streams at once


class Connections(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection may cost, and how many there may be. Sizes in bytes, spans in microseconds."""

    most: int | None = None  # of one process; None: as many as the file handles allow
    head: int = 64 * 1024  # of a request; of whatever else is not body, in one piece
    target: int = 16 * 1024  # path and query
    head_timeout: int = 20 * SECOND  # in which a head must have come, from its first byte
    body_timeout: int = 30 * SECOND  # in each such span at least some of a body must come
    idle_timeout: int = 75 * SECOND  # how long a connection may ask nothing


class Webhooks(msgspec.Struct, frozen=True, kw_only=True):
    """Where webhooks may be sent, and how. Spans in microseconds."""

    allow: tuple[str, ...] = ()  # networks that are not public and may be sent to
    ports: tuple[tuple[int, int], ...] = ((80, 80), (443, 443), (1024, 65535))  # first and last of each range
    ca_file: str | None = None  # authorities that are trusted beside the system's
    timeout: int = 15 * SECOND  # of one attempt, from the look-up of the name to the answer's end
    schedule: tuple[int, ...] = SCHEDULE  # the wait before each try
    concurrency: int = 500  # attempts under way in one process
    lane: int = 8  # of these, to one endpoint, or to one path of those that are called back
    origin: int = 64  # of these, to one origin of those that are called back
    endpoints: int = 50  # of one tenant
    retention: int = 7 * DAY  # of deliveries, from when they were made; never longer than `history`
    give_up: int = 5 * DAY  # an endpoint at which nothing has arrived for so long is switched off

    @property
    def lease(self) -> int:
        """For how long an attempt is lent out: what is not settled by then is made again."""
        return 2 * self.timeout


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """All of it: routes in order, upstreams by name, limits."""

    upstreams: dict[str, Upstream]
    routes: tuple[Route, ...] = ()
    limits: Limits = Limits()
    connections: Connections = Connections()
    webhooks: Webhooks = Webhooks()
    strict: bool = False  # what no route matches is refused at accept
    accept_status: int = 202
    public_url: str | None = None  # the origin callers use, without a trailing slash; None: their Host
    events_url: str | None = None  # the origin upstreams report to, without a trailing slash
    hosts: frozenset[str] | None = None  # the names by which `/-/` may be called; None: by any
    here: bool = False  # lists, and `/-/`, are for callers on this machine only
    cors_origins: tuple[str, ...] = ()  # of pages that may read answers
    trusted_proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-* are believed
    mask: tuple[str, ...] = ()  # JSON pointers to what people are not shown, on every route
    traced: bool = False  # spans are told of

    def route(self, method: str, path: str) -> Route | None:
        """The first route that matches; outside `strict`, what none matches is a task route."""
        for route in self.routes:
            if route.matches(method, path):
                return route
        return None if self.strict else ANY_ROUTE

    def masks(self, method: str, path: str) -> tuple[str, ...]:
        """JSON pointers to what people are not shown of a transaction's documents; what the route picks from
        these goes by another name in its events, and is hidden there too."""
        route = self.route(method, path)
        pointers = self.mask + (route.mask if route is not None else ())
        if not pointers or route is None or not route.data:
            return pointers
        picked = [
            _picked(f"/{_escaped(name)}", source, one) for name, source in route.data for one in pointers
        ]
        return pointers + tuple(dict.fromkeys(one for one in picked if one is not None))


def _picked(name: str, source: str, hidden: str) -> str | None:
    """Where what `hidden` points to stands in what was picked from `source`, if it does."""
    if source == hidden or source.startswith(hidden + "/"):
        return name
    return name + hidden[len(source) :] if hidden.startswith(source + "/") else None


def _escaped(name: str) -> str:
    """A name as a part of a JSON pointer (RFC 6901 §3)."""
    return name.replace("~", "~0").replace("/", "~1")


ANY_ROUTE = Route()
