"""Submit, look, read, cancel, settle: the one place where "decide, apply, and again" happens."""

from .bodies import Intake
from .draft import Draft
from .service import Service

__all__ = ["Draft", "Intake", "Service"]
