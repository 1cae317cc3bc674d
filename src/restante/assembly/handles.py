"""File handles: as many as this process may have, and how many of them callers and what they ask for get.

Idle callers must not take the handles that attempts need: what was accepted could then not be sent. What
callers leave to their own calls on plain paths is said in gateway/crowd.py.
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


def for_callers(handles: int, upstreams: Iterable[Upstream], webhooks: int) -> int:
    """What attempts, webhooks and the process itself leave of `handles`; half of them in any case."""
    attempts = sum(upstream.concurrency for upstream in upstreams) + webhooks
    return max(handles - OWN - attempts, handles // 2)
