"""Settings from a mapping: what may be written, what it means, and a clear line for what is wrong.

Reads no file and no environment; `cli` gathers the mapping and this room makes `Settings` of it.
"""

from ..core.errors import SettingError
from .address import Address
from .settings import Role, Settings, settings

__all__ = ["Address", "Role", "SettingError", "Settings", "settings"]
