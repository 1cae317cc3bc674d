"""How long, how much, how fast: what follows from the minutes that are asked for, and the servers' settings.

Results expire while it runs, and the shortest lease is 15 s, so these numbers are small; everything else the
servers have is what they have by themselves.
"""

from pathlib import Path

import msgspec

from .reporting import DEADLINE_SECONDS
from .upstream import BUSY

LEASE_SECONDS = 15.0
"""The servers' own; a server that does not move for longer is taken for dead by the others."""

MASTER = "master"
"""The file with the master key."""

ATTEMPTS = 5
LONGEST_BACKOFF_SECONDS = 2.0
RETRY = f'attempts = {ATTEMPTS}, backoff = "200ms", max_backoff = "{LONGEST_BACKOFF_SECONDS:g}s"'

WITH_GATEWAY = ("all", "gateway")
TENANTS = ("acme", "borg", "crux")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Spans in seconds. `lease` is what the servers have; a program of one's own may have less."""

    seconds: float  # of faults; what follows until everything has ended comes on top
    seed: int
    nodes: int = 1
    roles: tuple[str, ...] = ()  # of the servers, those with a gateway first; without any, each has all
    rate: float = 25.0  # operations per second
    at_once: int = 300  # operations under way
    retention: float = 45.0
    history: float = 30 * 24 * 3600.0
    lease: float = LEASE_SECONDS
    timeout: float = 3.0  # the upstream's
    latency: tuple[float, float] = (0.0, 0.15)  # how long each of its answers takes, unless it is slow
    only: tuple[str, ...] = ()  # of all kinds of faults these, if any are named
    sealed: bool = False
    webhook_timeout: float = 2.0
    poll: tuple[float, float] = (0.1, 1.0)  # between two looks of a client
    look: float = 0.3  # and of whoever waits for the end,
    look_most: float = 0.3  # who looks less and less often
    webhook_wait: float = 0.0  # longest of the schedule, where that is long
    pause: tuple[float, float] = (1.0, 4.0)  # between two faults of a sort
    oversleep: float = 4.0  # by how much who is stopped beyond the lease sleeps longer
    least: int = 100  # operations that must have been accepted for this to mean anything

    @property
    def gateways(self) -> int:
        """How many servers let callers in: the first ones."""
        return sum(role in WITH_GATEWAY for role in self.roles) if self.roles else self.nodes

    @property
    def frozen(self) -> float:
        """How long a server is stopped that is to be taken for dead."""
        return self.lease + self.oversleep

    @property
    def patience(self) -> float:
        """How long the end may take to come about, after the last fault."""
        return self.retention + self.webhook_wait + self.lease + DEADLINE_SECONDS + 60.0


def settings_of(plan: Plan, *, store: str, upstream: str, events: str, folder: Path) -> str:
    """The servers' configuration. `events` is the origin at which upstreams report; in `folder` is the master
    key, and a place for others, where it is sealed."""
    return f"""\
store = "{store}"
events_url = "{events}"
retention = "{plan.retention:g}s"
history = "{plan.history:.0f}s"
reserve = "4MiB"
grace = "5s"
log_level = "warning"

[auth]
mode = "keys"

[upstream]
url = "{upstream}"
timeout = "{plan.timeout * 1000:.0f}ms"
connect_timeout = "1s"
retry = {{ {RETRY}, on = ["connect", {BUSY}] }}

[[routes]]
match = "POST /once/*"

[[routes]]
match = "POST /again/*"
interrupted = "retry"

[[routes]]
match = "POST /asked/*"
interrupted = "reconcile"
tracking_id = "X-Order"
lookup = "GET /ledger/{{tracking_id}}"
found = "/entries/0/op"
answer = "/entries/0"

[[routes]]
match = "POST /tickets/*"
dialect = "transaction"
transactions = "/records"
operation = "create"

[[routes]]
match = "POST /later/*"
deferred = true

[webhooks]
allow = ["127.0.0.0/8"]
timeout = "{plan.webhook_timeout * 1000:.0f}ms"
schedule = ["0s", "1s", "2s", "3s", "5s", "8s"]
""" + (
        f"""
[sealing]
keys = ["file:{folder}/{MASTER}"]
folder = "{folder}/keys"
"""
        if plan.sealed
        else ""
    )
