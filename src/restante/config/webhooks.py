"""The table `[webhooks]`: where webhooks may go."""

import re

from ..core.policy import Webhooks
from .address import NETWORKS
from .kinds import TEXT, Kind
from .table import Misplaced, Section, Setting, Table

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

WEBHOOKS = Section(
    "`[webhooks]`",
    "Where webhooks may be sent (see [webhooks and the network](../operate/webhooks.md)).",
    (ALLOW, PORTS, CA_FILE),
)


def read_webhooks(raw: object) -> Webhooks:
    """Where webhooks may be sent; raises `SettingError`."""
    table = Table(raw, "webhooks", WEBHOOKS)
    return Webhooks(allow=table.get(ALLOW), ports=table.get(PORTS), ca_file=table.find(CA_FILE))


def describe_webhooks(webhooks: Webhooks) -> dict[str, object]:
    """The same in words again."""
    described: dict[str, object] = {"allow": list(webhooks.allow), "ports": spell_ports(webhooks.ports)}
    return described | ({"ca_file": webhooks.ca_file} if webhooks.ca_file else {})
