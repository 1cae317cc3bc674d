"""The addresses on which a process is asked: opened before anything else may have them."""

import socket

from ..config import Address, Role, Settings
from ..core.errors import SettingError

BACKLOG = 2048
"""Connections that the kernel keeps waiting for us."""


def listen_on(settings: Settings) -> list[socket.socket]:
    """Opens the addresses that the settings' role has: callers' first, then that of `/-/` alone.

    Raises `SettingError` where one is taken.
    """
    addresses = [("listen", settings.listen)] if settings.role in (Role.ALL, Role.GATEWAY) else []
    if settings.admin_listen is not None:
        addresses.append(("admin_listen", settings.admin_listen))
    listeners: list[socket.socket] = []
    try:
        for setting, address in addresses:
            listeners.append(_bind(setting, address))
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _bind(setting: str, address: Address) -> socket.socket:
    host, port = address.host, address.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        why = error.strerror or "the address cannot be used"
        raise SettingError(setting, f"cannot listen on {host}:{port}: {why}") from None
    except OverflowError:
        listener.close()
        raise SettingError(setting, f"{port} is not a port") from None
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> str:
    """`host:port`, as bound."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
