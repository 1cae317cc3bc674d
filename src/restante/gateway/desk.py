"""What the handlers share: the service, and what else was given to the gateway."""

import asyncio
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import Any

from ..core.clock import SECOND
from ..core.policy import Limits, Policy
from ..ports import Chance, Clock, Sender
from ..ports.auth import Auth
from ..ports.dashboard import Dashboard
from ..ports.telemetry import Exposition
from ..service import Service
from .call import Call
from .crowd import Crowd
from .manual import Manual
from .origin import Origins
from .pages import Pages
from .passing import Passing

Check = Callable[[str, str, str, bytes], None]
"""Looks at the method, path, query and body of what is to be stored; raises `Refused`."""


class Desk:
    """One for all addresses. `check` is asked before anything is stored whose body is in memory."""

    def __init__(
        self,
        *,
        service: Service,
        policy: Policy,
        auth: Auth,
        sender: Sender,
        clock: Clock,
        chance: Chance,
        exposition: Exposition | None = None,
        dashboard: Dashboard | None = None,
        check: Check | None = None,
        crowd: Crowd | None = None,
    ) -> None:
        self.service = service
        self.policy = policy
        self.limits: Limits = policy.limits
        self.auth = auth
        self.sender = sender
        self.clock = clock
        self.chance = chance
        self.exposition = exposition
        self.dashboard = dashboard
        self.check = check
        self.origins = Origins(policy)
        self.pages = Pages(policy)
        self.manual = Manual(policy)
        crowd = crowd or Crowd()
        self.passing = {
            upstream.name: Passing(upstream, clock, crowd) for upstream in policy.upstreams.values()
        }
        self.streams = 0  # live event streams that are open
        self._second = -1
        self._date = (b"date", b"")
        self._closing: set[asyncio.Task[None]] = set()

    def origin(self, call: Call) -> str:
        """The origin that the caller used; raises `BadRequest`."""
        for name, value in call.headers:
            if name == b"host":
                return self.origins.below(call.scope, call.headers, value)
        return self.origins.below(call.scope, call.headers, b"")

    async def tenant(self, call: Call) -> str:
        """Whose things the caller may see and change (access.py has let them in)."""
        assert call.caller is not None
        return call.caller.tenant

    def date(self) -> tuple[bytes, bytes]:
        """The Date field (RFC 9110 §6.6.1), made once a second."""
        second = self.clock.now() // SECOND
        if second != self._second:
            self._second = second
            self._date = (b"date", formatdate(second, usegmt=True).encode())
        return self._date

    async def see_through(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` to its end even if the request it belongs to is cancelled meanwhile."""
        task = asyncio.create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        await asyncio.shield(task)
