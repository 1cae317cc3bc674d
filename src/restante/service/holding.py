"""Answers that go on for a while, and the keys they were asked for with.

Such an answer ends as soon as its key is good no longer: at the moment at which that expires, and when the
store says that it was revoked. While anybody holds one the store is asked about all of these together, once
in a second and whenever another process tells of a revocation. Where it cannot be asked they go on for as
long as a known key is good.
"""

from collections.abc import Callable

import msgspec

from ..core.access import AccessKey
from ..ports import Clock
from .reminder import Reminder

LetGo = Callable[[], None]


class Held(msgspec.Struct):
    """A key that was good when the store told of it, at `seen_at`, and who is to be told when it is not."""

    key: AccessKey
    seen_at: int
    holders: list[LetGo]


class Holding:
    """`ask` has the store asked about what is held. All spans in microseconds."""

    def __init__(self, *, clock: Clock, ask: Callable[[], None], every: int, longest: int) -> None:
        self._clock = clock
        self._ask = ask
        self._every = every
        self._longest = longest
        self._held: dict[bytes, Held] = {}
        self._reminder = Reminder(clock, self._look)

    @property
    def digests(self) -> set[bytes]:
        return set(self._held)

    def hold(self, key: AccessKey, let_go: LetGo) -> LetGo:
        """`let_go` is called, once, when `key` is good no longer. What is given back ends that."""
        now = self._clock.now()
        held = self._held.setdefault(key.digest, Held(key, now, []))
        held.holders.append(let_go)
        self._remind(now)

        def leave() -> None:
            if let_go in held.holders:
                held.holders.remove(let_go)
            if not held.holders and self._held.get(key.digest) is held:
                del self._held[key.digest]
            if not self._held:
                self._reminder.clear()

        return leave

    def seen(self, digest: bytes, key: AccessKey | None) -> None:
        """This is what the store says just now."""
        held = self._held.get(digest)
        if held is not None:
            now = self._clock.now()
            if key is None or not key.good(now):
                self.end(digest)
            else:
                held.key, held.seen_at = key, now

    def end(self, digest: bytes) -> None:
        """The key with this hash is good for nothing any more."""
        held = self._held.pop(digest, None)
        if held is not None:
            holders, held.holders = held.holders, []
            for let_go in holders:
                let_go()

    def _look(self) -> None:
        now = self._clock.now()
        for digest, held in list(self._held.items()):
            if not held.key.good(now) or now - held.seen_at >= self._longest:
                self.end(digest)
        if self._held:
            self._remind(now)
            self._ask()

    def _remind(self, now: int) -> None:
        expiries = [held.key.expires_at for held in self._held.values() if held.key.expires_at is not None]
        self._reminder.set(min([now + self._every, *expiries]))
