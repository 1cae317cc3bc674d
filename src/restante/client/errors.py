"""Everything that can go wrong for a caller, as one tree.

    ClientError
    ├── NotReached       nobody answered, or not to the end, for as long as the client is patient
    ├── Refused          the server said no: `status`, `problem`, `field`, `retry_after_seconds`
    │   ├── Denied           401, 403  no access key, a wrong one, or one without the scope
    │   ├── Unknown          404  nothing of this caller's has the id, or its answer is no longer kept
    │   │   └── AnswerLost       an error that is handed out once was, and broke off on its way here
    │   ├── NotNow           409  not as things stand: of `cancel`, it is too late
    │   ├── KeyReused        422  the idempotency key belongs to another request
    │   └── Busy             429, 503  and still so when the client's patience was over
    ├── NotAccepted      the path is not asynchronous: `response` is the upstream's answer
    ├── NotUnderstood    what answered is no Restante server, or the answer is over `max_content`
    ├── StillRunning     `timeout` has passed; nothing was changed by that, and it can be asked for again
    ├── Cancelled        there is no answer, because the transaction was cancelled
    └── WorkFailed       there is no answer, because the work itself broke; `outcome`, `outcome_unknown` and
    │                    `message` say how
        ├── Unreachable      no connection was made: it was surely not done
        ├── TimedOut         the upstream took too long: it may have been done
        ├── Interrupted      sent, and no complete answer: it may have been done
        └── Expired          the deadline passed first

An upstream's own 4xx or 5xx is an answer, not an error: see `status_code`. Messages carry no header, no body
and no key.
"""

from typing import TYPE_CHECKING

from ..core.errors import RestanteError

if TYPE_CHECKING:
    from .answer import Response


class ClientError(RestanteError):
    """Root of the tree. `id` names the transaction it is about, where there is one."""

    def __init__(self, message: str, *, id: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.id = id


class NotReached(ClientError):
    """Nobody answered, or not to the end. It may pass.

    `sent` is False only where no connection was made. From `submit` it has the key of the request: again with
    `idempotency_key=error.idempotency_key` is safe, and gives the handle where it was accepted after all.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent
        self.idempotency_key: str | None = None


class Refused(ClientError):
    """The server's no. `problem` is the last part of a problem's `type`, `field` what is to blame."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        problem: str = "",
        field: str = "",
        retry_after_seconds: float | None = None,
        id: str = "",
    ) -> None:
        super().__init__(message, id=id)
        self.status = status
        self.problem = problem
        self.field = field
        self.retry_after_seconds = retry_after_seconds


class Denied(Refused):
    """Who is asking is not known, or may not."""


class Unknown(Refused):
    """Nothing of this caller's has the id, or its answer is no longer kept."""


class AnswerLost(Unknown):
    """It was handed out once, and did not arrive. Below `/-/` it is still to be read."""


class NotNow(Refused):
    """Not as things stand; of `cancel`: it is too late."""


class KeyReused(Refused):
    """The idempotency key came with another request before."""


class Busy(Refused):
    """Over a limit, or taking nothing at the moment; see `retry_after_seconds`."""


class NotAccepted(ClientError):
    """The request went straight through: `response` is the upstream's answer to it."""

    def __init__(self, message: str, response: "Response") -> None:
        super().__init__(message)
        self.response = response


class NotUnderstood(ClientError):
    """Not the answer of a Restante server of this version, or too large a one."""


class StillRunning(ClientError, TimeoutError):
    """Not ended within `timeout`."""


class Cancelled(ClientError):
    """The transaction was cancelled."""


class WorkFailed(ClientError):
    """No answer of the upstream's. `outcome_unknown`: True where it may have been done all the same, False
    where it surely was not; None, as `outcome`, where the server does not say.
    """

    outcome: str | None = None

    def __init__(self, message: str, *, id: str = "", outcome_unknown: bool | None = None) -> None:
        super().__init__(message, id=id)
        self.outcome_unknown = outcome_unknown


class Unreachable(WorkFailed):
    """No connection to the upstream was made."""

    outcome = "unreachable"


class TimedOut(WorkFailed):
    """The upstream's `timeout` passed."""

    outcome = "timed_out"


class Interrupted(WorkFailed):
    """It may have been done: look before it is tried again."""

    outcome = "interrupted"


class Expired(WorkFailed):
    """Not done by its deadline."""

    outcome = "expired"


WORK: dict[str | None, type[WorkFailed]] = {
    kind.outcome: kind for kind in (WorkFailed, Unreachable, TimedOut, Interrupted, Expired)
}
"""By the transaction's outcome."""

REFUSALS: dict[int, type[Refused]] = {
    401: Denied,
    403: Denied,
    404: Unknown,
    409: NotNow,
    422: KeyReused,
    429: Busy,
    503: Busy,
}
"""By the answer's code; others are `Refused`."""
