"""What an operation may raise on purpose. Of whatever else it raises, nothing but that it did is told.

OperationError
├── Failure     it cannot be done: the end
│   └── Misfit      the request is not what the operation takes
└── TryAgain    nothing was done yet, and may be tried again
"""

from typing import Any

FAILED = 422
AGAIN = 503


class OperationError(Exception):
    """`message` is for the caller."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Failure(OperationError):
    """The work ends as failed. `data.error_message` of its last event is the message or, where there are
    `details`, these as JSON. `status` (400 to 599, and none of `retry.on`) is the code of the kept answer."""

    def __init__(self, message: str, *, details: Any = None, status: int = FAILED) -> None:
        super().__init__(message)
        if not 400 <= status <= 599:
            raise ValueError(f"a failure's status must be from 400 to 599, not {status}")
        self.details = details
        self.status = status


class Misfit(Failure):
    """`errors` are `field` and `message` of each thing that is wrong."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        message = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
        super().__init__(message, details={"message": message, "errors": errors})
        self.errors = errors


class TryAgain(OperationError):
    """Nothing was done, so that another attempt may be made: as often as the operation's `retry` says, and
    not before `after_seconds` have passed."""

    def __init__(self, message: str, *, after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds
