"""The HTTP side: which room a request enters, and a short handler for each.

Read `app → rooms → submit → tasks → handover → transactions → native → proxy → problems`.
"""

from .app import Gateway
from .auth import KeyAuth, OpenAuth, PassthroughAuth
from .desk import Desk
from .protocol import Protocol
from .server import Server, make_server

__all__ = ["Desk", "Gateway", "KeyAuth", "OpenAuth", "PassthroughAuth", "Protocol", "Server", "make_server"]
