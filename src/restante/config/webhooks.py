"""The table `[webhooks]`: where webhooks may go, when they are tried, and how many at once."""

import re

from ..core.clock import SECOND
from ..core.duration import FORM, parse_duration
from ..core.policy import Limits, Webhooks
from .address import NETWORKS
from .kinds import TEXT, Kind, span, spell_duration, whole
from .table import Misplaced, Section, Setting, Table

MAX_TRIES = 50
DEFAULT = Webhooks()


def _schedule(value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_TRIES:
        raise ValueError(f'expected a list of 1 to {MAX_TRIES} durations, such as ["0s", "5s", "5m"]')
    spans = []
    for place, text in enumerate(value):
        try:
            spans.append(parse_duration(text if isinstance(text, str) else ""))
        except ValueError:
            raise Misplaced(f"[{place}]", f"expected {FORM}, in quotes") from None
    return tuple(spans)


MAX_RANGES = 100
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


def _ports(value: object) -> tuple[tuple[int, int], ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_RANGES:
        raise ValueError(f'expected a list of 1 to {MAX_RANGES} ports and ranges, such as [443, "8000-8999"]')
    ranges = []
    for place, one in enumerate(value):
        match = _RANGE.fullmatch(str(one)) if not isinstance(one, bool) else None
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= 65535:
            raise Misplaced(f"[{place}]", 'expected a port such as 443 or a range such as "8000-8999"')
        ranges.append((first, last))
    return tuple(ranges)


def spell_ports(ranges: tuple[tuple[int, int], ...]) -> list[object]:
    """As they would be written in a file."""
    return [first if first == last else f"{first}-{last}" for first, last in ranges]


ALLOW = Setting(
    "allow",
    NETWORKS,
    "networks that are not public and may be sent to all the same, such as `127.0.0.0/8`",
    [],
)
PORTS = Setting(
    "ports",
    Kind("list of ports and ranges", _ports),
    "the ports that may be sent to, of any address. Those below 1024, but for the two of HTTP, are other "
    "protocols' own",
    spell_ports(Webhooks().ports),
)
CA_FILE = Setting(
    "ca_file",
    TEXT,
    "a PEM file of authorities that receivers' certificates may be signed by, beside those the system trusts",
)
TIMEOUT = Setting(
    "timeout",
    span(SECOND, "of 1s at least"),
    "how long one attempt may take, from the look-up of the name to the answer's end",
    "15s",
)
SCHEDULE = Setting(
    "schedule",
    Kind("list of durations", _schedule),
    "how long to wait before each try; after the last one a delivery is dead. Each wait is longer by up to "
    "a fifth, by chance",
    [spell_duration(one) if one else "0s" for one in DEFAULT.schedule],
)
CONCURRENCY = Setting(
    "concurrency", whole(1, 10_000), "how many attempts one process makes at a time", DEFAULT.concurrency
)
LANE = Setting(
    "endpoint_concurrency",
    whole(1, 1000),
    "how many of these go to one endpoint, or to one path of those that single requests name",
    DEFAULT.lane,
)
ORIGIN = Setting(
    "origin_concurrency",
    whole(1, 10_000),
    "how many of these go to one origin of those that single requests name, over all its paths; half of them "
    "at most to paths that are new, or of which the last attempt did not succeed",
    DEFAULT.origin,
)
MAX_ENDPOINTS = Setting(
    "max_endpoints", whole(1, 10_000), "how many endpoints a tenant may have; then 409", DEFAULT.endpoints
)
RETENTION = Setting(
    "retention",
    span(1, "longer than 0"),
    "how long deliveries and their attempts are kept, from when they were made; not shorter than the whole "
    "schedule, and never longer than `history`",
    "7d",
)
GIVE_UP = Setting(
    "give_up",
    span(1, "longer than 0"),
    "an endpoint at which nothing has arrived for so long is switched off",
    "5d",
)

WEBHOOKS = Section(
    "`[webhooks]`",
    "Who may be told of events, and how (see [webhooks](../webhooks.md), and "
    "[their network](../operate/webhooks.md)).",
    (ALLOW, PORTS, CA_FILE, TIMEOUT, SCHEDULE, CONCURRENCY, LANE, ORIGIN, MAX_ENDPOINTS, RETENTION, GIVE_UP),
)


def read_webhooks(raw: object, limits: Limits) -> Webhooks:
    """How webhooks are sent; raises `SettingError`."""
    table = Table(raw, "webhooks", WEBHOOKS)
    schedule, retention = table.get(SCHEDULE), table.get(RETENTION)
    longest = sum(schedule) + sum(schedule) // 5
    if retention < longest:
        raise table.refuse(
            RETENTION,
            f"{spell_duration(retention)} is shorter than the whole schedule may last "
            f"({spell_duration(longest)}); deliveries would be gone before they are given up",
        )
    return Webhooks(
        allow=table.get(ALLOW),
        ports=table.get(PORTS),
        ca_file=table.find(CA_FILE),
        timeout=table.get(TIMEOUT),
        schedule=schedule,
        concurrency=table.get(CONCURRENCY),
        lane=table.get(LANE),
        origin=table.get(ORIGIN),
        endpoints=table.get(MAX_ENDPOINTS),
        retention=min(retention, limits.history),
        give_up=table.get(GIVE_UP),
    )


def describe_webhooks(webhooks: Webhooks) -> dict[str, object]:
    """The same in words again."""
    described: dict[str, object] = {
        "allow": list(webhooks.allow),
        "ports": spell_ports(webhooks.ports),
        "timeout": spell_duration(webhooks.timeout),
        "schedule": [spell_duration(one) if one else "0s" for one in webhooks.schedule],
        "concurrency": webhooks.concurrency,
        "endpoint_concurrency": webhooks.lane,
        "origin_concurrency": webhooks.origin,
        "max_endpoints": webhooks.endpoints,
        "retention": spell_duration(webhooks.retention),
        "give_up": spell_duration(webhooks.give_up),
    }
    return described | ({"ca_file": webhooks.ca_file} if webhooks.ca_file else {})
