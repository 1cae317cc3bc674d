"""File handles that callers have, together with their calls that go straight through: one each.

Who waits takes one and may stay for long; a call on a plain path takes a second one. So callers are let in
until few are left, and those few are kept for plain paths, which also get what callers do not use.
"""

KEPT_SHARE = 8
"""One in so many is kept for calls that go straight through."""


class Crowd:
    """All of a process. `most` handles: None where somebody else looks after them."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.callers = 0
        self.passing = 0

    def enter(self) -> bool:
        """One more caller is connected; False: it is one too many, and still is to `leave`."""
        self.callers += 1
        most = self.most
        return most is None or (
            self.callers <= most - most // KEPT_SHARE and self.callers + self.passing <= most
        )

    def leave(self) -> None:
        self.callers -= 1

    @property
    def full(self) -> bool:
        """No handle is left for a call that goes straight through."""
        return self.most is not None and self.callers + self.passing >= self.most
