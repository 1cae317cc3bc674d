"""Restante: poste restante for HTTP APIs.

What callers and apps import is brought in when it is asked for: a command or a server has no use for it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import AsyncClient, Client
    from .embed import Failure, Operations, Restante, TryAgain, Work

__all__ = ["AsyncClient", "Client", "Failure", "Operations", "Restante", "TryAgain", "Work", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    match name:
        case "AsyncClient" | "Client":
            from . import client

            return getattr(client, name)
        case "Failure" | "Operations" | "Restante" | "TryAgain" | "Work":
            from . import embed

            return getattr(embed, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
