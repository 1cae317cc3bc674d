"""One endpoint's lane, or that of one origin among those that are called back: what is under way there, what
may be begun, and when there is more to do."""

from ..core.endpoint import endpoint_of
from .breaker import Breaker


class Lane:
    """`due_at` is when something is due as far as is known; None: nothing is."""

    __slots__ = ("breaker", "due_at", "endpoint", "name", "running")

    def __init__(self, name: str) -> None:
        self.name = name
        self.endpoint = endpoint_of(name)
        self.breaker = Breaker()
        self.due_at: int | None = None
        self.running = 0

    def ring(self, moment: int) -> None:
        """Something is due at that moment."""
        if self.due_at is None or moment < self.due_at:
            self.due_at = moment

    def room(self, most: int) -> int:
        """How many more may be begun."""
        return max(self.breaker.slots(most) - self.running, 0)

    @property
    def begins_at(self) -> int | None:
        """From when on something is to be begun."""
        return None if self.due_at is None else max(self.due_at, self.breaker.begins_at)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to remember of it."""
        return self.due_at is None and not self.running
