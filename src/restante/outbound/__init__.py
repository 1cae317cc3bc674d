"""What goes out, and the world outside: the HTTP sender, the real clock, real chance.

Read `sender → head → connection → exchange → reader`. Why the sender is our own: docs/why/0001.
"""

from .chance import SystemChance
from .clock import SystemClock
from .sender import HTTPSender

__all__ = ["HTTPSender", "SystemChance", "SystemClock"]
