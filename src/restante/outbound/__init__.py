"""What goes out, and the world outside: the HTTP sender, the webhooks' courier, the real clock, real chance.

Read `sender → opening → head → connection → exchange → reader`, then `courier → guard → resolver`. Why the
sender is our own: docs/why/0001; what the guard keeps off: docs/why/0011.
"""

from .chance import SystemChance
from .clock import SystemClock
from .courier import HTTPCourier
from .sender import HTTPSender

__all__ = ["HTTPCourier", "HTTPSender", "SystemChance", "SystemClock"]
