"""Restante: poste restante for HTTP APIs.

What callers and apps import is brought in when it is asked for: a command or a server has no use for it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import AsyncClient, Client

__all__ = ["AsyncClient", "Client", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    match name:
        case "AsyncClient" | "Client":
            from . import client

            return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
