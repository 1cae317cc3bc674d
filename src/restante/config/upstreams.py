"""The tables `[upstream]` and `[upstreams.NAME]`: the APIs that do the work."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from ..core.errors import SettingError
from ..core.headers import HOP_BY_HOP
from ..core.policy import Retry, Upstream
from .kinds import FLAG, RATE, SIZE, TEXT, Kind, span, spell_duration, whole
from .table import Misplaced, Section, Setting, Table, mapping

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A field name or a method (RFC 9110 §5.6.2)."""

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
DEFAULT = "default"
"""The upstream of whatever names none."""


class Target(msgspec.Struct, frozen=True):
    """The parts of an upstream's URL."""

    scheme: str
    host: str
    port: int
    base_path: str
    authority: str


def _target(value: object) -> Target:
    expected = "expected a URL such as http://127.0.0.1:9000 or https://api.example/base"
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(expected)
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError(expected) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(expected)
    if "@" in parts.netloc:
        raise ValueError("expected a URL without user and password; credentials belong into set_headers")
    if "?" in value or "#" in value:
        raise ValueError("expected a URL without a query and a fragment")
    usual = 443 if parts.scheme == "https" else 80
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Target(
        scheme=parts.scheme,
        host=parts.hostname,
        port=usual if port is None else port,
        base_path=parts.path.rstrip("/"),
        authority=host if port in (None, usual) else f"{host}:{port}",
    )


def _set_headers(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        raise ValueError('expected a table of header fields, such as { Authorization = "Bearer …" }')
    for name, content in value.items():
        lower = str(name).lower()
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            raise Misplaced(f".{name!r}", "is not the name of a header field")
        if lower == "host":
            raise Misplaced(f".{name}", "is made from url; preserve_host = true keeps the caller's")
        if lower.encode() in HOP_BY_HOP or lower == "content-length" or lower.startswith("restante-"):
            raise Misplaced(f".{name}", "is made by Restante itself and cannot be set")
        if not isinstance(content, str) or not _FIELD_VALUE.fullmatch(content):
            raise Misplaced(f".{name}", "expected text that may stand in a header field")
    if len({name.lower() for name in value}) < len(value):
        raise ValueError("the same header field is named twice")
    return tuple(value.items())


_FIELD_VALUE = re.compile(r"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")


def _retry_on(value: object) -> tuple[bool, frozenset[int]]:
    expected = 'expected a list of "connect" and answer codes, such as ["connect", 502, 503]'
    if not isinstance(value, list | tuple):
        raise ValueError(expected)
    for place, item in enumerate(value):
        is_code = isinstance(item, int) and not isinstance(item, bool)
        if is_code and not 300 <= item <= 599:
            raise Misplaced(f"[{place}]", "expected a code from 300 to 599; 2xx means that the work was done")
        if not is_code and item != "connect":
            raise Misplaced(f"[{place}]", expected)
    return "connect" in value, frozenset(item for item in value if isinstance(item, int))


URL = Setting(
    "url", Kind("URL", _target), "where the API is: scheme, host, port, and a base path if it has one"
)
CONCURRENCY = Setting(
    "concurrency", whole(1, 10_000), "how many attempts may run at once, over all servers", 64
)
CONCURRENCY_PER_TENANT = Setting(
    "concurrency_per_tenant",
    whole(1, 10_000),
    "how many of these may be one tenant's; without it, all of them",
)
RATE_LIMIT = Setting(
    "rate",
    RATE,
    "how many attempts may begin per second (`/s`), minute (`/m`) or hour (`/h`), over all servers",
)
MAX_QUEUED = Setting(
    "max_queued",
    whole(1, 1_000_000_000),
    "how many transactions for it may be unfinished; then 503. Without it, as many as there may be at all",
)
MAX_STORED = Setting(
    "max_stored",
    SIZE,
    "how much may be kept of requests for it and their answers; then 503 until some of it has expired",
)
THROUGH_CONCURRENCY = Setting(
    "through_concurrency",
    whole(1, 1_000_000),
    "how many calls may go straight through to it at once; then 503. Each process counts for itself",
)
THROUGH_RATE = Setting(
    "through_rate",
    RATE,
    "how many calls may go straight through to it per second (`/s`), minute (`/m`) or hour (`/h`), and a "
    "second's worth at one moment; then 503. Each process counts for itself",
)
TIMEOUT = Setting(
    "timeout",
    span(1, "longer than 0"),
    "how long an attempt may take, from the first byte sent to the last received",
    "60s",
)
CONNECT_TIMEOUT = Setting(
    "connect_timeout", span(1, "longer than 0"), "how long making a connection may take", "10s"
)
RETRY_TABLE = Setting(
    "retry",
    Kind("table", lambda value: value),
    "when another attempt is made: the settings of the next section",
)
PRESERVE_HOST = Setting(
    "preserve_host", FLAG, "whether the upstream sees the caller's `Host` and not its own", False
)
SET_HEADERS = Setting(
    "set_headers",
    Kind("table of text", _set_headers),
    "header fields that replace the caller's, for credentials of the gateway's own",
)
CA_FILE = Setting("ca_file", TEXT, "a PEM file of the authorities that are trusted instead of the system's")
CLIENT_CERT = Setting("client_cert", TEXT, "a PEM file with the certificate to show")
CLIENT_KEY = Setting("client_key", TEXT, "a PEM file with its key, if that is not in `client_cert`")

UPSTREAM = Section(
    "`[upstream]` or `[upstreams.NAME]`",
    "One API that does the work. With a single one write `[upstream]`; several have names, and a route says "
    "which is meant. What no route sends elsewhere goes to the one called `default`, or to the only one.",
    (
        URL,
        CONCURRENCY,
        CONCURRENCY_PER_TENANT,
        RATE_LIMIT,
        MAX_QUEUED,
        MAX_STORED,
        THROUGH_CONCURRENCY,
        THROUGH_RATE,
        TIMEOUT,
        CONNECT_TIMEOUT,
        RETRY_TABLE,
        PRESERVE_HOST,
        SET_HEADERS,
        CA_FILE,
        CLIENT_CERT,
        CLIENT_KEY,
    ),
)

ATTEMPTS = Setting("attempts", whole(1, 1000), "how many tries there are in total", 3)
BACKOFF = Setting(
    "backoff", span(0, ""), "the wait after the first try; it doubles with every further one", "1s"
)
MAX_BACKOFF = Setting("max_backoff", span(0, ""), "the longest wait", "5m")
ON = Setting(
    "on",
    Kind("list", _retry_on),
    "what is tried again: `connect` (no connection was made), and answer codes by which this upstream says "
    "that it did nothing",
    ["connect"],
)

RETRY = Section(
    "`retry` of an upstream",
    'An inline table: `retry = { attempts = 3, backoff = "1s", on = ["connect", 503] }`.',
    (ATTEMPTS, BACKOFF, MAX_BACKOFF, ON),
)


def read_upstreams(single: object, several: object) -> dict[str, Upstream]:
    """All upstreams by name; `single` and `several` are the two tables, None where not given."""
    if single is not None and several is not None:
        raise SettingError("upstreams", "give either [upstream] or [upstreams.NAME], not both")
    if single is not None:
        return {DEFAULT: _upstream(DEFAULT, single, "upstream")}
    named = {} if several is None else mapping(several, "upstreams")
    if not named:
        raise SettingError(
            "upstream", "missing: say which API does the work, with --upstream URL or [upstream] url = …"
        )
    for name in named:
        if not NAME.fullmatch(name):
            raise SettingError(
                "upstreams", "expected names of letters, digits, - and _, at most 64 characters"
            )
    return {name: _upstream(name, raw, f"upstreams.{name}") for name, raw in named.items()}


def _upstream(name: str, raw: object, place: str) -> Upstream:
    if isinstance(raw, str):
        raise SettingError(place, f'expected a table; write [{place}] and below it url = "…"')
    table = Table(raw, place, UPSTREAM)
    target = table.get(URL)
    upstream = Upstream(
        name=name,
        scheme=target.scheme,
        host=target.host,
        port=target.port,
        base_path=target.base_path,
        authority=target.authority,
        concurrency=table.get(CONCURRENCY),
        concurrency_per_tenant=table.find(CONCURRENCY_PER_TENANT),
        rate=table.find(RATE_LIMIT),
        max_queued=table.find(MAX_QUEUED),
        max_stored=table.find(MAX_STORED),
        through_concurrency=table.find(THROUGH_CONCURRENCY),
        through_rate=table.find(THROUGH_RATE),
        timeout=table.get(TIMEOUT),
        connect_timeout=table.get(CONNECT_TIMEOUT),
        retry=_retry(table.raw.get(RETRY_TABLE.name, {}), table.at(RETRY_TABLE.name)),
        preserve_host=table.get(PRESERVE_HOST),
        set_headers=table.find(SET_HEADERS) or (),
        ca_file=table.find(CA_FILE),
        client_cert=table.find(CLIENT_CERT),
        client_key=table.find(CLIENT_KEY),
    )
    for setting in (CA_FILE, CLIENT_CERT, CLIENT_KEY):
        if table.has(setting) and target.scheme != "https":
            raise table.refuse(setting, "goes with an https:// url only")
    if upstream.client_key and not upstream.client_cert:
        raise table.refuse(CLIENT_KEY, "goes with client_cert, which is missing")
    return upstream


def _retry(raw: object, place: str) -> Retry:
    table = Table(raw, place, RETRY)
    on_connect, on_codes = table.get(ON)
    backoff, max_backoff = table.get(BACKOFF), table.get(MAX_BACKOFF)
    if max_backoff < backoff:
        raise table.refuse(MAX_BACKOFF, f"must not be shorter than backoff ({spell_duration(backoff)})")
    return Retry(
        attempts=table.get(ATTEMPTS),
        backoff=backoff,
        max_backoff=max_backoff,
        on_connect=on_connect,
        on_codes=on_codes,
    )
