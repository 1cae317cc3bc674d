"""Inside a Python application: `Restante` around any ASGI application, and operations that are functions.

Read `middleware → hosting → sender → exchange`, then `operations → arguments → work → reports`.
"""

from .failures import Failure, TryAgain
from .middleware import Restante
from .operations import Operations
from .work import Work

__all__ = ["Failure", "Operations", "Restante", "TryAgain", "Work"]
