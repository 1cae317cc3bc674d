"""File handles: as many as this process may have, and how many of them callers get.

Idle callers must not take the handles that attempts need: what was accepted could then not be sent.
"""

import resource
from collections.abc import Iterable

from ..core.policy import Upstream

OWN = 128
"""For the store, the listeners, the log and what else a process has."""

MOST = 1 << 20
"""More than that is not asked for, whatever the system would give."""


def raise_limit() -> int:
    """Raises the soft limit to the hard one; the number of handles there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return MOST if soft == resource.RLIM_INFINITY else soft


def max_connections(handles: int, upstreams: Iterable[Upstream], webhooks: int) -> int:
    """How many callers may be connected: what attempts, webhooks and the process itself leave of `handles`.

    Each caller may be on a plain path, and so need a connection to an upstream as well.
    """
    attempts = sum(upstream.concurrency for upstream in upstreams) + webhooks
    return max((handles - OWN - attempts) // 2, handles // 4)
