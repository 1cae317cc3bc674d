"""One receiver's lane: an endpoint, or one path among those that are called back."""

from .breaker import Breaker


class Lane:
    """`due_at` is when something is due there as far as is known; None: nothing is."""

    __slots__ = ("breaker", "due_at", "name", "noted", "repeating", "running", "trying")

    def __init__(self, name: str) -> None:
        self.name = name
        self.breaker = Breaker()
        self.due_at: int | None = None
        self.noted: set[int] = set()  # the moments at which its site looks at it
        self.running = 0
        self.trying = self.repeating = False  # what runs is a trial; and not the first
