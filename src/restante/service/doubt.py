"""What became of a write of which nobody knows (`WriteUnknown`): the store is asked until it can tell.

What is done must not be taken for refused: whoever waits for a transaction would not be told of it, webhooks
would not be rung for, and a caller would ask for the same once more. What is not done is done now, or said to
be refused. Nobody who waits for an answer is made to wait for longer than `LONGEST`; then he is told that
nobody knows, which is a 503 to ask again. The end of an attempt waits for as long as it takes.
"""

import logging
from collections.abc import Callable
from contextlib import suppress

import msgspec

from ..core.clock import SECOND
from ..core.errors import RestanteError, StoreUnavailable, WriteUnknown
from ..core.model import Accepted, Change, Submission, Transaction
from ..core.status import Phase
from ..ports import Bell, Store, Told
from .outage import Outage
from .persistence import until_written

log = logging.getLogger("restante.service")

LONGEST = 5 * SECOND
"""For how long it is tried to find out, where somebody waits for the answer."""


class Doubt:
    """Asks. `outage` is told of every refusal."""

    def __init__(self, *, store: Store, outage: Outage, bell: Bell) -> None:
        self._store = store
        self._bell = bell
        self._outage = outage

    async def applied(self, change: Change, *, patient: bool) -> bool:
        """Whether a change of which nobody knows is applied; it is, unless somebody was faster.

        Its last event tells: it stands in the log as it was sent. Raises `StoreUnavailable` after `LONGEST`,
        unless `patient`.
        """
        what = f"what became of a change to {change.before.id}"
        until = None if patient else self._outage.clock.now() + LONGEST
        return await until_written(self._outage, lambda: self._apply(change), what=what, until=until)

    async def resolved(self, change: Change, known: Callable[[bool | BaseException], None]) -> None:
        """The same for whoever does not wait in a task of its own."""
        try:
            answer: bool | BaseException = await self.applied(change, patient=True)
        except Exception as error:  # whatever it is, who waits for the answer must have it
            answer = error
        known(answer)

    async def _apply(self, change: Change) -> bool:
        last = change.events[-1]
        (log,) = await self._store.events([change.before.key], after=last.sequence - 1, limit=1)
        if log == [last]:
            return True
        (applied,) = await self._store.apply([change])
        return applied

    async def told(self, change: Change, tell: Callable[[Change], None]) -> None:
        """Tells how its transaction stands, once the writes that were begun before are done. Where that is
        not to be had within `LONGEST`, whoever waits looks for himself when his time is up."""
        until = self._outage.clock.now() + LONGEST
        id = change.before.id
        with suppress(RestanteError):
            with suppress(StoreUnavailable):  # it may take no new work
                await self._store.ping()
            (found,) = await until_written(
                self._outage, lambda: self._store.look([id]), what=f"how {id} stands", until=until
            )
            if found is not None:
                tell(msgspec.structs.replace(change, after=found))

    async def accepted(
        self, submissions: list[Submission], answers: list[Accepted | BaseException], known: Told
    ) -> None:
        """Tells `known` the answers, with what is in the store after all in place of the error.

        The store has given that back, so it is claimed as anything else, and in `submissions` no more; unless
        it has begun, which only its own attempt can go on with. What is not there is refused.
        """
        places = [place for place, answer in enumerate(answers) if isinstance(answer, WriteUnknown)]
        ids = [submissions[place].transaction.id for place in places]
        until = self._outage.clock.now() + LONGEST
        there: list[Transaction | None] = []
        try:
            there = await until_written(
                self._outage, lambda: self._store.look(ids), what="what became of submissions", until=until
            )
        except StoreUnavailable as error:
            log.debug("what became of submissions is not known: %s", error)
        except Exception:  # ours to mend; who waits is told that nobody knows
            log.exception("what became of submissions could not be found out")
        for place, transaction in zip(places, there, strict=bool(there)):
            if transaction is not None:
                begun = submissions[place].begun is not None and transaction.phase is Phase.SENDING
                answers[place] = Accepted(transaction, begun=begun)
                if submissions[place].claim and not begun:
                    submissions[place] = msgspec.structs.replace(submissions[place], claim=False)
                    self._bell.deliver(transaction, None)
        known(answers)
