"""What work in this process says of itself: what upstreams elsewhere send to `Restante-Events-Url`.

The token of the attempt is asked for here as there, and the same calls of the service write what is said.
"""

from ..core.errors import NotNow
from ..core.machine import TERMINAL
from ..core.model import Transaction
from ..core.policy import Limits
from ..core.report import Report
from ..ports import Clock
from ..service import Service, reporting
from ..service.doubt import LONGEST
from ..service.persistence import until_written
from ..service.waiting import Watch

EXTENSION = "restante.reports"
"""ASGI extension of our requests: the `Reports` of the process."""


class Reports:
    """One per process."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def clock(self) -> Clock:
        return self._service.clock

    @property
    def limits(self) -> Limits:
        return self._service.policy.limits

    @property
    def ended(self) -> bool:
        """Whether the process drains, so that nothing is waited for any more."""
        return self._service.waiting.ended

    async def report(self, id: str, token: str, said: Report) -> None:
        """Writes it as soon as the store can. Raises `NotNow` where it says something of what is over, or too
        much, and `StoreUnavailable` where that goes on refusing for `LONGEST`."""
        service = self._service

        async def write() -> None:
            found = await reporting.identify(service, id, token)
            if found is None:
                raise NotNow("There is no transaction with this id and token.")
            await reporting.report(service, *found, said)

        until = service.clock.now() + LONGEST
        await until_written(service.outage, write, what=f"what {id} says", until=until)

    async def is_current(self, id: str, token: str) -> bool:
        """Whether anybody still waits for the end of this attempt."""
        found = await reporting.identify(self._service, id, token)
        return found is not None and _is_current(*found)

    def watch(self, id: str) -> Watch:
        """See `service.waiting`."""
        return self._service.waiting.watch(id)


def _is_current(transaction: Transaction, attempt: int) -> bool:
    return transaction.status not in TERMINAL and transaction.attempt == attempt
