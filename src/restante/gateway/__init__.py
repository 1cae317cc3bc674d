"""The HTTP side: which room a request enters, and a short handler for each.

Read `app → rooms → submit → tasks → handover → transactions → native → proxy → problems`.
"""

from .app import Gateway
from .auth import OpenAuth
from .protocol import Protocol
from .server import Server, make_server

__all__ = ["Gateway", "OpenAuth", "Protocol", "Server", "make_server"]
