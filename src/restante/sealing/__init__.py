"""Secrets at rest: a store whose contents are sealed under keys that are not in it
(docs/why/0017-sealing.md)."""

from .endpoints import check_endpoint, seal_endpoints
from .folder import KeyFolder
from .mark import Mark
from .masters import Masters
from .ring import Ring
from .store import sealed

__all__ = ["KeyFolder", "Mark", "Masters", "Ring", "check_endpoint", "seal_endpoints", "sealed"]
