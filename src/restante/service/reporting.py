"""Reports of upstreams, and resolutions by hand: who may speak, and the write loop around what is said."""

from ..core.errors import NotNow
from ..core.model import Change, Transaction
from ..core.policy import ANY_ROUTE, Route
from ..core.report import Report, Resolution, reported, resolved
from ..core.token import attempt_of
from .service import Service


async def identify(service: Service, id: str, token: str) -> tuple[Transaction, int] | None:
    """The transaction and the attempt that `token` speaks for. None: wrong token and unknown id alike."""
    attempt = attempt_of(token, service.store.secret, id)
    (transaction,) = await service.store.look([id])
    return (transaction, attempt) if transaction is not None and attempt is not None else None


async def report(service: Service, transaction: Transaction, attempt: int, said: Report) -> Transaction:
    """Writes what the upstream says; raises `NotNow`."""
    route = _route(service, transaction)

    def decide(current: Transaction) -> Change:
        now = service.clock.now()
        return reported(current, said, attempt=attempt, route=route, limits=service.policy.limits, now=now)

    return await service.change(transaction, decide)


async def resolve(service: Service, transaction: Transaction, said: Resolution) -> Transaction:
    """Settles an unknown outcome by hand; raises `NotNow` where there is none (any more)."""
    route = _route(service, transaction)
    (log,) = await service.events([transaction])
    if any("resolved" in (event.data or {}) and "by" in (event.data or {}) for event in log):
        raise NotNow("The outcome has been resolved already.")

    def decide(current: Transaction) -> Change:
        if current.sequence != transaction.sequence:
            raise NotNow("Something happened to the transaction meanwhile; look at it again.")
        now = service.clock.now()
        return resolved(current, said, route=route, limits=service.policy.limits, now=now)

    return await service.change(transaction, decide)


def _route(service: Service, transaction: Transaction) -> Route:
    return service.policy.route(transaction.method, transaction.path) or ANY_ROUTE
