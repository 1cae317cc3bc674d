"""Everything that can be refused or go wrong, as one tree.

    RestanteError
    ├── MoveRefused          the state table has no such entry, or the attempt is not the current one
    ├── Refused              a request that cannot be accepted; says why and, where it helps, how long to wait
    │   ├── BadRequest           400  a header, option or parameter is wrong
    │   ├── AddressRefused       400  webhooks do not go to this URL
    │   ├── NoRoute              404  no such path on this side
    │   ├── UnknownUpstream      404  the configuration names no such upstream
    │   ├── BodyTooLarge         413
    │   ├── KeyReused            422  an idempotency key came with a different request
    │   ├── TooManyRequests      429  the tenant is over `rate_per_tenant`
    │   ├── TooManyQueued        429  the tenant is over `max_queued_per_tenant`
    │   ├── TooMuchStored        429  the tenant is over `max_stored_per_tenant`
    │   ├── QueueFull            503  over `max_queued`, everybody's or an upstream's
    │   ├── UpstreamBusy         503  over an upstream's `through_concurrency` or `through_rate`
    │   ├── StorageFull          503  over an upstream's `max_stored`
    │   ├── StoreUnavailable     503  disk full, too many waiting writes, shutting down
    │   │   └── WriteUnknown         503  and nobody knows whether it was written
    │   ├── TooLate              409  no longer to be cancelled
    │   ├── NotNow               409  not as things stand
    │   ├── TooMany              409  a bound on what a tenant may have
    │   ├── Gone                 410  what it needs is past its retention
    │   └── Unreadable           500  what is kept is not what was sealed
    ├── UpstreamError        an attempt without a complete answer; `sent` tells whether it may have gone out
    │   ├── Unreachable          no connection was made
    │   │   └── OutOfHandles         because this process may not open any more files
    │   ├── NoAnswerInTime       the upstream's timeout passed
    │   ├── AnswerBroken         hung up, truncated, not HTTP, wrong lengths
    │   └── AnswerTooLarge       over `max_result`
    └── SettingError         a configuration that cannot be used; names the setting

Their HTTP form is data, in the gateway. Messages are for people: what was wrong, which field, what to
do. None carries a secret, a body, or raw text from an upstream or a driver.
"""

from typing import ClassVar


class RestanteError(Exception):
    """Root of the tree."""


class MoveRefused(RestanteError):
    """A move that the state table, or the fence around an attempt, does not allow."""

    def __init__(self, status: object, move: object, why: str = "") -> None:
        super().__init__(f"a {status} transaction cannot {move}" + (f": {why}" if why else ""))
        self.status = status
        self.move = move


class Refused(RestanteError):
    """A request that was not accepted. `retry_after_seconds` is set where waiting helps."""

    status: ClassVar[int] = 400
    title: ClassVar[str] = "Bad request"

    def __init__(self, message: str, *, retry_after_seconds: int | None = None, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.field = field


class BadRequest(Refused):
    """A header, option or parameter is wrong; `field` names it."""


class AddressRefused(Refused):
    """Webhooks do not go to this URL: it cannot be used, or its address is not public and not allowed."""

    title = "Address refused"


class NoRoute(Refused):
    """There is nothing at this path."""

    status = 404
    title = "Not found"


class UnknownUpstream(Refused):
    """The configuration names no such upstream."""

    status = 404
    title = "Unknown upstream"


class TooLate(Refused):
    """The transaction can no longer be cancelled."""

    status = 409
    title = "Too late"


class NotNow(Refused):
    """Not as things stand: not finished yet, or finished already, or relied upon."""

    status = 409
    title = "Conflict"


class TooMany(Refused):
    """The tenant has as many of these as it may have."""

    status = 409
    title = "Too many"


class Gone(Refused):
    """What it needs was kept, and is past its retention."""

    status = 410
    title = "Gone"


class Unreadable(Refused):
    """What is kept was changed, or taken from elsewhere: it cannot be opened, and will not be by waiting."""

    status = 500
    title = "Unreadable"


class BodyTooLarge(Refused):
    """The request's body is over `max_body`."""

    status = 413
    title = "Body too large"


class KeyReused(Refused):
    """An idempotency key that belongs to another request (Idempotency-Key draft, section 2.7)."""

    status = 422
    title = "Idempotency key reused"


class TooManyRequests(Refused):
    """The tenant asks more often than `rate_per_tenant`."""

    status = 429
    title = "Too many requests"


class TooManyQueued(Refused):
    """More than `max_queued_per_tenant` transactions of one tenant are waiting."""

    status = 429
    title = "Too many queued"


class TooMuchStored(Refused):
    """More than `max_stored_per_tenant` bytes of one tenant are kept."""

    status = 429
    title = "Too much stored"


class QueueFull(Refused):
    """More than `max_queued` transactions are waiting, altogether or for the upstream."""

    status = 503
    title = "Queue full"


class UpstreamBusy(Refused):
    """More goes straight through to the upstream than `through_concurrency` or `through_rate`."""

    status = 503
    title = "Upstream busy"


class StorageFull(Refused):
    """More than the upstream's `max_stored` bytes are kept."""

    status = 503
    title = "Storage full"


class StoreUnavailable(Refused):
    """The store takes no writes at the moment."""

    status = 503
    title = "Store unavailable"


class WriteUnknown(StoreUnavailable):
    """The store went away in the middle of a write: it may be done, or not."""


class UpstreamError(RestanteError):
    """An attempt that ended without a complete answer.

    `sent` is False only where it is certain that not one byte of the request left.
    The message is a phrase for people: "the upstream closed the connection before answering".
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.message = message
        self.sent = sent


class Unreachable(UpstreamError):
    """No connection was made, so nothing was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class OutOfHandles(Unreachable):
    """No connection was made, and the upstream has no part in it."""


class NoAnswerInTime(UpstreamError):
    """The upstream's `timeout` passed first."""


class AnswerBroken(UpstreamError):
    """The connection was lost or what came was not an HTTP answer."""


class AnswerTooLarge(UpstreamError):
    """The answer is over `max_result`."""


class SettingError(RestanteError):
    """A setting that cannot be used; the text names it and says what would do."""

    def __init__(self, setting: str, message: str) -> None:
        super().__init__(f"{setting}: {message}" if setting else message)
        self.setting = setting
