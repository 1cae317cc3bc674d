"""Sweeping: deadlines that passed, results past their retention, history past its time.

What callers see never depends on it (the clock decides that at every look); it gives space back. One
bounded batch per commit, one after the other while there is something, then it sleeps.
"""

import asyncio
import logging

import msgspec

from ..core.clock import SECOND
from ..core.errors import RestanteError
from ..core.machine import TERMINAL
from ..core.model import Transaction
from ..core.retention import forgotten_at
from ..ports import Timer
from ..service import Service

log = logging.getLogger("restante.sweeper")

REST = 10 * SECOND
"""How long it sleeps when there was nothing left to sweep."""


class Sweeper:
    """`start` and `stop` it; `sweep` is one round."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def start(self) -> None:
        self._wake()

    async def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def sweep(self) -> int:
        """One bounded batch; how many transactions it was about."""
        service = self._service
        now = service.clock.now()
        limits = service.policy.limits
        lapsed = await service.store.lapsed(now, limits.sweep)
        results: list[Transaction] = []
        forget: list[Transaction] = []
        for transaction in lapsed:
            if transaction.status not in TERMINAL:
                transaction = await service.expire(transaction)
            if transaction.status not in TERMINAL or now < transaction.expires_at:
                continue
            forgotten = forgotten_at(transaction, limits)
            if now >= forgotten:
                forget.append(transaction)
            else:
                results.append(msgspec.structs.replace(transaction, sweep_at=forgotten))
        if results or forget:
            await service.store.purge(results, forget)
        return len(lapsed)

    def _wake(self) -> None:
        self._timer = None
        if not self._stopped:
            self._task = asyncio.get_running_loop().create_task(self._sweep_all())

    async def _sweep_all(self) -> None:
        try:
            while await self.sweep() >= self._service.policy.limits.sweep:
                pass
        except RestanteError as error:
            log.warning("sweeping goes on later: %s", error)
        finally:
            if not self._stopped:
                clock = self._service.clock
                self._timer = clock.call_at(clock.now() + REST, self._wake)
