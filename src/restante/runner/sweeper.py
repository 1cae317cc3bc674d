"""Sweeping: deadlines that passed, results past their retention; history, deliveries, keys past theirs.

A deadline is noticed when it passes: after each round the store is asked for the next one, and every
accept tells its own, so that one timer stands at the earliest. What has ended waits for the next round:
what callers see never depends on it (the clock decides that at every look), it only gives space back.
"""

import asyncio
import logging

import msgspec

from ..core.clock import HOUR, MINUTE, SECOND
from ..core.errors import RestanteError, StoreUnavailable
from ..core.machine import TERMINAL
from ..core.model import Transaction
from ..core.retention import forgotten_at
from ..service import Service

log = logging.getLogger("restante.sweeper")

REST = 10 * SECOND
"""How long it sleeps at most. Deadlines accepted by another process on the same store, and what has
ended, wait no longer than this."""

MOST_IDLE = MINUTE
"""The same where nobody else is at work on the store, and nothing was found for a while: each deadline is
told here, and how long ended work is kept is not a matter of seconds."""

PAUSE = SECOND // 20
"""How long it sleeps at least after a round, so that deadlines that lie close are one commit."""

RESTS = 9, 4, 1
"""After a batch it rests for so many times as long as that took: on time or catching up, late and not
catching up, and still not. So it takes a tenth of the store's time, however much there is to do (a server
was down for a day), and more only where it would fall behind for good; half of it at most."""

MOST_REST = SECOND
"""But no longer, for a deadline may pass meanwhile."""

LATE, LATE_PART = HOUR, 10
"""It is late where something ought to have gone so long ago, or so large a part of `retention`; two rests of
its own are never late."""

CATCHING_UP = 4
"""It catches up where it is less late than before by one in so many of the seconds that have passed: then it
is on time again after so many times as long as it was late."""

LOOKS = 10 * SECOND
"""How long it looks whether it does."""

FULL = 50
"""Of webhooks and the feed nobody knows how late they are: they are after so many full batches on end."""

KEYS_EVERY = HOUR
"""How often it is looked for access keys that are of no use any more."""


class Sweeper:
    """`start` and `stop` it; `sweep` is one bounded batch."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._reminder = service.overdue
        self._task: asyncio.Task[None] | None = None
        self._again = False  # woken while it was at work
        self._keys_at = 0  # when keys are looked for next
        self._rests = 0  # after the last batch
        self._hurry = 0  # place in RESTS
        self._late: tuple[int, int] | None = None  # when it was looked how late it is, and how late it was
        self._full = 0  # batches of webhooks and the feed, on end
        self._rest = REST

    def start(self) -> None:
        self._reminder.wake = self._wake
        self._wake()

    async def stop(self) -> None:
        self._reminder.wake = None
        self._reminder.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def at_rest(self) -> bool:
        """Whether it waits for the clock."""
        return self._task is None

    async def sweep(self) -> int:
        """Ends what is overdue, gives back what is kept no longer; how many transactions it was about."""
        service = self._service
        now = service.clock.now()
        limits = service.policy.limits
        lapsed = await service.store.lapsed(now, limits.sweep)
        results: list[Transaction] = []
        forget: list[Transaction] = []
        overdue = [transaction for transaction in lapsed if transaction.status not in TERMINAL]
        behind = max((now - transaction.sweep_at for transaction in lapsed), default=0)
        hurry = self._hurried(now, behind)
        self._rests = 0 if overdue else RESTS[hurry]
        ended = await asyncio.gather(*map(service.expire, overdue))  # in one commit, as the store groups
        for transaction in [*ended, *lapsed]:
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

    def _hurried(self, now: int, behind: int) -> int:
        """The place in RESTS of a sweep that finds something which ought to have gone so long ago."""
        if behind < max(2 * REST, min(LATE, self._service.policy.limits.retention // LATE_PART)):
            self._hurry, self._late = 0, None
        elif self._late is None:
            self._late = now, behind
        elif (passed := now - self._late[0]) >= LOOKS:
            if behind > self._late[1] - passed // CATCHING_UP:
                self._hurry = min(self._hurry + 1, len(RESTS) - 1)
            self._late = now, behind
        return self._hurry

    async def sweep_outbox(self) -> int:
        """Gives back what is kept no longer of webhooks and the feed; how much that was."""
        service = self._service
        now = service.clock.now()
        limits = service.policy.limits
        return await service.store.sweep_outbox(
            deliveries=now - service.policy.webhooks.retention,
            feed=now - limits.history,
            limit=limits.sweep,
        )

    async def sweep_keys(self) -> None:
        """Forgets access keys that were revoked, or expired, before `history`."""
        service = self._service
        now = service.clock.now()
        limits = service.policy.limits
        if now < self._keys_at:
            return
        while await service.store.sweep_keys(now - limits.history, limits.sweep) >= limits.sweep:
            pass
        self._keys_at = now + KEYS_EVERY

    async def _sweep_some(self) -> int:
        """A batch of everything, so that nothing waits until another has caught up; how much the most was."""
        swept, told = await self.sweep(), await self.sweep_outbox()
        self._full = self._full + 1 if told >= self._service.policy.limits.sweep else 0
        self._rests = min(self._rests, RESTS[min(self._full // FULL, len(RESTS) - 1)])
        await self.sweep_keys()
        return max(swept, told)

    async def _pause(self, span: int) -> None:
        rested = asyncio.Event()
        clock = self._service.clock
        timer = clock.call_at(clock.now() + min(span, MOST_REST), rested.set)
        try:
            await rested.wait()
        finally:
            timer.cancel()

    def _wake(self) -> None:
        self._again = self._task is not None
        if not self._again:
            self._task = asyncio.get_running_loop().create_task(self._sweep_all())

    async def _sweep_all(self) -> None:
        """Rounds until nothing is left, one bounded batch per commit; then the timer is set again."""
        service = self._service
        rest = service.outage.rest
        try:
            began = service.clock.now()
            idle = True
            while some := await self._sweep_some():
                idle = False
                if some < service.policy.limits.sweep:
                    break
                took = service.clock.now() - began
                if self._rests and took > 0:
                    await self._pause(took * self._rests)
                began = service.clock.now()
            now = service.clock.now()
            self._rest = min(2 * self._rest, MOST_IDLE) if idle and not service.store.shared else REST
            due = await service.store.next_lapse(now + self._rest)
            rest = self._rest if due is None else max(due - now, PAUSE)
        except StoreUnavailable as error:
            service.outage.met(error, "sweeping")
        except RestanteError as error:
            log.warning("sweeping goes on later: %s", error)
        finally:
            self._task = None
            self._reminder.set(service.clock.now() + (PAUSE if self._again else rest))
