"""What callers of a server import: submit, wait, collect (docs/client.md).

    from restante import Client

    handle = Client("http://127.0.0.1:8600").submit("POST", "/payments", json={"amount": 700})
    answer = handle.result(timeout=60)

No room of the server sees this one, and it sees none of them. asyncio comes with `AsyncClient` only.
"""

from typing import TYPE_CHECKING, Any

from .answer import Headers, Response
from .client import Client, Handle
from .errors import (
    AnswerLost,
    Busy,
    Cancelled,
    ClientError,
    Denied,
    Expired,
    Interrupted,
    KeyReused,
    NotAccepted,
    NotNow,
    NotReached,
    NotUnderstood,
    Refused,
    StillRunning,
    TimedOut,
    Unknown,
    Unreachable,
    WorkFailed,
)

if TYPE_CHECKING:
    from .asynchronous import AsyncClient, AsyncHandle

__all__ = [
    "AnswerLost",
    "AsyncClient",
    "AsyncHandle",
    "Busy",
    "Cancelled",
    "Client",
    "ClientError",
    "Denied",
    "Expired",
    "Handle",
    "Headers",
    "Interrupted",
    "KeyReused",
    "NotAccepted",
    "NotNow",
    "NotReached",
    "NotUnderstood",
    "Refused",
    "Response",
    "StillRunning",
    "TimedOut",
    "Unknown",
    "Unreachable",
    "WorkFailed",
]


def __getattr__(name: str) -> Any:
    match name:
        case "AsyncClient" | "AsyncHandle":
            from . import asynchronous

            return getattr(asynchronous, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
