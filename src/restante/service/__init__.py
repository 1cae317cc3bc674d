"""Submit, look, read, cancel, settle: the one place where "decide, apply, and again" happens."""

from .bodies import Intake
from .service import Draft, Service

__all__ = ["Draft", "Intake", "Service"]
