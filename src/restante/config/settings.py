"""All settings, and the one function that makes them of a mapping."""

from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from ..core.errors import SettingError
from ..core.policy import Limits, Policy
from .address import (
    ADDRESS,
    ADDRESS_OR_NONE,
    HOSTS,
    NETWORKS,
    ORIGIN,
    ORIGINS,
    SQLITE,
    STORE,
    Address,
    without_password,
)
from .connections import CONNECTIONS, read_connections
from .kinds import FLAG, RATE, SIZE, choice, code, span, spell_duration, whole
from .routes import MASK, read_routes
from .sealing import Sealing, read_sealing
from .table import Section, Setting, Table
from .telemetry import LOG_FORMAT, LOG_TRANSACTIONS, TRACES
from .upstreams import read_upstreams
from .webhooks import read_webhooks


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    GATEWAY = "gateway"
    RUNNER = "runner"
    WEBHOOKS = "webhooks"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is started with. Everything that decides about requests is in `policy`."""

    listen: Address
    admin_listen: Address | None = None  # where /-/ is, and only there; None: on `listen`
    store: str  # sqlite:///FILE or postgresql://…, which may hold a password
    auth_mode: str = "open"
    hosts: tuple[str, ...] = ()
    insecure: bool = False
    log_level: str = "info"
    log_format: str = "text"
    log_transactions: bool = False
    traces: str | None = None  # a collector's URL
    role: Role = Role.ALL
    workers: int = 1
    sealing: Sealing | None = None  # None: everything is kept in clear
    policy: Policy

    @property
    def store_path(self) -> str:
        """The file behind `store`; relative ones are meant from the working folder."""
        return self.store.removeprefix(SQLITE)

    @property
    def store_shown(self) -> str:
        """`store` without a password."""
        return without_password(self.store)


MAX_WORKERS = 64
"""Processes of one machine."""

LISTEN = Setting("listen", ADDRESS, "the address callers use; port 0 takes a free one", "127.0.0.1:8600")
PUBLIC_URL = Setting(
    "public_url",
    ORIGIN,
    "the origin in the URLs that callers are given; without it, the one each caller used",
)
EVENTS_URL = Setting(
    "events_url",
    ORIGIN,
    "the origin at which upstreams reach `/-/` to report. With it, every attempt carries "
    "`Restante-Events-Url` and `Restante-Events-Token`; needed for `deferred = true`",
)
STORE_URL = Setting(
    "store",
    STORE,
    "where transactions are kept: `sqlite:///FILE`, from the working folder, `sqlite:////FILE`, from the "
    "root, or `postgresql://USER@HOST/DATABASE`, which any number of servers share",
    "sqlite:///restante.db",
)
RETENTION = Setting(
    "retention", span(1, "longer than 0"), "how long results are kept, from when the task was created", "24h"
)
HISTORY = Setting(
    "history",
    span(1, "longer than 0"),
    "how long transactions and their events are kept; not shorter than `retention`",
    "30d",
)
ACCEPT_STATUS = Setting(
    "accept_status",
    code(200, 202),
    "the code of the answer to an accepted task: 202, or 200 for callers that expect what the original sends",
    202,
)
MAX_BODY = Setting("max_body", SIZE, "the largest request body; a larger one is refused with 413", "16MiB")
MAX_RESULT = Setting("max_result", SIZE, "the largest answer kept; a larger one ends as failed", "64MiB")
MAX_QUEUED = Setting(
    "max_queued", whole(1, 1_000_000_000), "how many transactions may be unfinished; then 503", 1_000_000
)
MAX_QUEUED_PER_TENANT = Setting(
    "max_queued_per_tenant",
    whole(1, 1_000_000_000),
    "how many transactions of one tenant may be unfinished; then 429. Without it, as many as `max_queued`",
)
MAX_STORED_PER_TENANT = Setting(
    "max_stored_per_tenant",
    SIZE,
    "how much may be kept of one tenant's requests and their answers; then 429 until some of it has expired",
)
RATE_PER_TENANT = Setting(
    "rate_per_tenant",
    RATE,
    "how many requests of one tenant are taken per second (`/s`), minute (`/m`) or hour (`/h`), in the "
    "background and, where it is known who asks, straight through; then 429. Each process counts for itself",
)
MAX_WAITING = Setting(
    "max_waiting",
    whole(1, 1_000_000),
    "how many writes may wait for the store's next commit; then 503",
    10_000,
)
MAX_EVENTS = Setting(
    "max_events",
    whole(10, 1_000_000),
    "how many events a transaction may have; an upstream that reports more progress gets 409, and only the "
    "end is taken from it",
    1000,
)
MAX_STREAMS = Setting(
    "max_streams", whole(0, 1_000_000), "how many live event streams may be open; then 503", 10_000
)
RESERVE = Setting(
    "reserve",
    SIZE,
    "room on the store's disk that is kept for ending and forgetting work; with less, new work gets 503",
    "64MiB",
)
STRICT = Setting("strict", FLAG, "whether what no route matches is refused with 404", False)
TRUSTED_PROXIES = Setting(
    "trusted_proxies", NETWORKS, "the networks whose `X-Forwarded-*` fields are believed", []
)
CORS_ORIGINS = Setting(
    "cors_origins",
    ORIGINS,
    "the origins of web pages that may read answers, such as `https://app.example`",
    [],
)
HOST_NAMES = Setting(
    "hosts",
    HOSTS,
    "with `auth.mode` open: the host names by which `/-/` may be called, beside addresses, `localhost`, and "
    "the hosts of `listen`, `admin_listen`, `public_url` and `events_url`",
    [],
)
ADMIN_LISTEN = Setting(
    "admin_listen", ADDRESS_OR_NONE, "an address of its own for `/-/`, which is then only there", ""
)
GRACE = Setting("grace", span(0, ""), "how long what runs may go on after SIGTERM", "30s")
INSECURE = Setting("insecure", FLAG, 'allows `mode = "open"` on addresses that others can reach', False)
LOG_LEVEL = Setting(
    "log_level", choice("debug", "info", "warning", "error"), "what is logged, on standard error", "info"
)

ROLE = Setting(
    "role",
    choice("all", "gateway", "runner", "webhooks"),
    "what this process does: `gateway` takes requests and answers, `runner` does the work, `webhooks` tells "
    "of it; roles apart need a PostgreSQL",
    "all",
)
WORKERS = Setting(
    "workers",
    whole(1, MAX_WORKERS),
    "how many processes serve the same addresses, each in its role; more than one needs a PostgreSQL",
    1,
)

AUTH_MODE = Setting(
    "mode",
    choice("open", "keys", "passthrough"),
    "who may ask: with `open` anybody who can reach the address, which must be this machine's own; with "
    "`keys` whoever has one; with `passthrough` whoever brings an `Authorization` for the upstream",
    "open",
)
AUTH = Section(
    "`[auth]`", "Who may submit and look (see [access](../operate/access.md)).", (AUTH_MODE, INSECURE)
)

TOP = Section(
    "At the top",
    "Each of these is also a flag of `restante serve` (`--max-body 1MiB`) and a variable of the environment "
    "(`RESTANTE_MAX_BODY=1MiB`). Flags win over the environment, the environment over the file.",
    (
        LISTEN,
        PUBLIC_URL,
        EVENTS_URL,
        STORE_URL,
        RETENTION,
        HISTORY,
        ACCEPT_STATUS,
        MAX_BODY,
        MAX_RESULT,
        MAX_QUEUED,
        MAX_QUEUED_PER_TENANT,
        MAX_STORED_PER_TENANT,
        RATE_PER_TENANT,
        MAX_WAITING,
        MAX_EVENTS,
        MAX_STREAMS,
        *CONNECTIONS,
        RESERVE,
        STRICT,
        TRUSTED_PROXIES,
        CORS_ORIGINS,
        HOST_NAMES,
        MASK,
        ADMIN_LISTEN,
        GRACE,
        INSECURE,
        LOG_LEVEL,
        LOG_FORMAT,
        LOG_TRANSACTIONS,
        TRACES,
        ROLE,
        WORKERS,
    ),
    tables=("upstream", "upstreams", "routes", "auth", "webhooks", "sealing"),
)


def settings(raw: Mapping[str, object]) -> Settings:
    """Settings of what a file, the environment and flags say together.

    Raises `SettingError` that names the first setting found wrong by its full place, such as
    `upstreams.bank.timeout` or `routes[2].match`, and says what would do.
    """
    table = Table(raw, "", TOP)
    auth = Table(table.raw.get("auth", {}), "auth", AUTH)
    read = Settings(
        listen=table.get(LISTEN),
        admin_listen=table.get(ADMIN_LISTEN),
        store=table.get(STORE_URL),
        auth_mode=auth.get(AUTH_MODE),
        hosts=table.get(HOST_NAMES),
        insecure=table.get(INSECURE) or auth.get(INSECURE),
        log_level=table.get(LOG_LEVEL),
        log_format=table.get(LOG_FORMAT),
        log_transactions=table.get(LOG_TRANSACTIONS),
        traces=table.find(TRACES),
        role=Role(table.get(ROLE)),
        workers=table.get(WORKERS),
        sealing=read_sealing(table.raw.get("sealing")),
        policy=_policy(table),
    )
    _check_reach(read)
    _check_several(read)
    return msgspec.structs.replace(read, policy=msgspec.structs.replace(read.policy, hosts=_hosts_of(read)))


def _hosts_of(read: Settings) -> frozenset[str] | None:
    """The names by which `/-/` may be called, where whoever calls needs no key."""
    if read.auth_mode != "open":
        return None
    addresses = [address.host for address in (read.listen, read.admin_listen) if address is not None]
    origins = [origin for origin in (read.policy.public_url, read.policy.events_url) if origin is not None]
    names = [urlsplit(origin).hostname or "" for origin in origins]
    return frozenset(name.lower() for name in (*read.hosts, *addresses, *names))


def _policy(table: Table) -> Policy:
    limits = _limits(table)
    top = Policy(
        upstreams={},
        limits=limits,
        connections=read_connections(table),
        webhooks=read_webhooks(table.raw.get("webhooks", {}), limits),
        strict=table.get(STRICT),
        accept_status=table.get(ACCEPT_STATUS),
        public_url=table.find(PUBLIC_URL),
        events_url=table.find(EVENTS_URL),
        trusted_proxies=table.get(TRUSTED_PROXIES),
        cors_origins=table.get(CORS_ORIGINS),
        mask=table.get(MASK),
        traced=table.find(TRACES) is not None,
    )
    upstreams = read_upstreams(table.raw.get("upstream"), table.raw.get("upstreams"))
    routes = read_routes(table.raw.get("routes", []), upstreams, strict=top.strict)
    for number, route in enumerate(routes):
        if route.deferred and top.events_url is None:
            raise SettingError(
                f"routes[{number}].deferred", "needs events_url, the origin at which upstreams report"
            )
    return msgspec.structs.replace(top, upstreams=upstreams, routes=routes)


def _limits(table: Table) -> Limits:
    retention, history = table.get(RETENTION), table.get(HISTORY)
    if history < retention:
        raise table.refuse(
            HISTORY,
            f"{spell_duration(history)} is shorter than retention; "
            f"set it to {spell_duration(retention)} at least",
        )
    return Limits(
        max_body=table.get(MAX_BODY),
        max_result=table.get(MAX_RESULT),
        max_queued=table.get(MAX_QUEUED),
        max_queued_per_tenant=table.find(MAX_QUEUED_PER_TENANT),
        max_stored_per_tenant=table.find(MAX_STORED_PER_TENANT),
        rate_per_tenant=table.find(RATE_PER_TENANT),
        max_waiting=table.get(MAX_WAITING),
        events=table.get(MAX_EVENTS),
        streams=table.get(MAX_STREAMS),
        reserve=table.get(RESERVE),
        retention=retention,
        history=history,
        grace=table.get(GRACE),
    )


def _check_reach(read: Settings) -> None:
    """Without authentication nobody but this machine may reach us, unless that is said in so many words."""
    exposed = read.auth_mode == "open" and not read.insecure
    for setting, address in ((LISTEN, read.listen), (ADMIN_LISTEN, read.admin_listen)):
        if exposed and address is not None and not address.is_loopback:
            raise SettingError(
                setting.name,
                f"{address} can be reached by others and auth.mode is open; "
                "use a loopback address such as 127.0.0.1, another auth.mode, or set insecure = true",
            )
    if read.admin_listen is not None and read.admin_listen == read.listen and read.listen.port:
        raise SettingError(ADMIN_LISTEN.name, "must not be the same address as listen")


def _check_several(read: Settings) -> None:
    """One SQLite file has one server."""
    if not read.store.startswith(SQLITE):
        return
    for setting, several in ((ROLE, read.role is not Role.ALL), (WORKERS, read.workers > 1)):
        if several:
            raise SettingError(
                setting.name,
                'several processes need store = "postgresql://…"; one SQLite file has one server',
            )
