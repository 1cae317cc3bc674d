"""What a caller's connection may cost: settings at the top of the file."""

from ..core.policy import Connections
from .kinds import SIZE, span, spell_size, whole
from .table import Setting, Table

LEAST_HEAD = 4096
"""Bytes; no client's heads fit into less."""

MAX_CONNECTIONS = Setting(
    "max_connections",
    whole(1, 1_000_000),
    "how many callers may be connected to a process; then 503. Without it, and at most, as many as file "
    "handles allow that attempts, webhooks and the process itself leave, an eighth for plain paths",
)
MAX_HEAD = Setting(
    "max_head",
    SIZE,
    f"the largest head of a request, from {spell_size(LEAST_HEAD)}; then 431. So much may also be trailers, "
    "chunk extensions and whatever else is not body, in one piece",
    "64KiB",
)
MAX_TARGET = Setting(
    "max_target", SIZE, "the longest path and query, not longer than `max_head`; then 414", "16KiB"
)
HEAD_TIMEOUT = Setting(
    "head_timeout",
    span(1, "longer than 0"),
    "in which a head must come, from its first byte; then 408",
    "20s",
)
BODY_TIMEOUT = Setting(
    "body_timeout",
    span(1, "longer than 0"),
    "in each such span 4 KiB of a body must come while it is waited for; then 408",
    "30s",
)
IDLE_TIMEOUT = Setting(
    "idle_timeout",
    span(1, "longer than 0"),
    "how long a connection may ask nothing; then it is closed",
    "75s",
)

CONNECTIONS = (MAX_CONNECTIONS, MAX_HEAD, MAX_TARGET, HEAD_TIMEOUT, BODY_TIMEOUT, IDLE_TIMEOUT)


def read_connections(table: Table) -> Connections:
    """Raises `SettingError`."""
    head, target = table.get(MAX_HEAD), table.get(MAX_TARGET)
    if head < LEAST_HEAD:
        raise table.refuse(MAX_HEAD, f"expected {spell_size(LEAST_HEAD)} at least")
    if target > head:
        raise table.refuse(MAX_TARGET, f"must not be longer than max_head ({spell_size(head)})")
    return Connections(
        most=table.find(MAX_CONNECTIONS),
        head=head,
        target=target,
        head_timeout=table.get(HEAD_TIMEOUT),
        body_timeout=table.get(BODY_TIMEOUT),
        idle_timeout=table.get(IDLE_TIMEOUT),
    )
