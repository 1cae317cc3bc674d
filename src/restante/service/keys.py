"""Access keys as this process knows them.

Whoever was asked for with a key is known from then on without the store being asked: for a second, that is,
and then the store is asked again. So a key that was revoked, in this process or any other, is good for
nothing after a second at the latest; here, and wherever the store can tell (`Store.listen`), at once. While
the store cannot be asked, keys that were good just before go on being so for a while: what is accepted needs
the store anyhow, and what goes straight through is not to end with it. So that none of these was revoked
before, all of them are looked at whenever a revocation may have been told of.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

from ..core.access import KEY_BYTES, AccessKey, Scope, make_key
from ..core.clock import MINUTE, SECOND
from ..core.errors import StoreUnavailable
from ..ports import Chance, Clock
from ..ports.keyring import Keyring
from .again import Again
from .holding import Holding

KNOWN = 10_000
"""Keys that are known at once; of more, those that were asked with longest ago are looked up anew."""

FRESH = SECOND
"""How long a key is good without another look."""

AWAY = MINUTE
"""How long a key goes on being good while the store cannot be asked."""

LOOK = 500
"""Keys asked for together."""


class Known(msgspec.Struct):
    """A key that was good when the store told of it, at `seen_at`; the store was asked last at `asked_at`."""

    key: AccessKey
    seen_at: int
    asked_at: int


class Keys:
    """`heard` is for the store to call."""

    def __init__(self, *, store: Keyring, clock: Clock, chance: Chance) -> None:
        self._store = store
        self._clock = clock
        self._chance = chance
        self._known: OrderedDict[bytes, Known] = OrderedDict()
        self._news = 0  # how often something was revoked, or may have been
        self._again = Again(self._look, "access keys")
        self._holding = Holding(clock=clock, ask=self._again.heard, every=FRESH, longest=AWAY)

    @property
    def secret(self) -> bytes:
        return self._store.secret

    def at_hand(self, digest: bytes) -> AccessKey | None:
        """The good key with this hash, if that is known just now."""
        known = self._known.get(digest)
        if known is None:
            return None
        now = self._clock.now()
        return known.key if now - known.asked_at < FRESH and known.key.good(now) else None

    async def find(self, digest: bytes) -> AccessKey | None:
        """The good key with this hash. Raises `StoreUnavailable`."""
        at_hand = self.at_hand(digest)
        if at_hand is not None:
            return at_hand
        asked_at, news = self._clock.now(), self._news
        try:
            (key,) = await self._store.find_keys([digest])
        except StoreUnavailable:
            kept = self._kept(digest, asked_at)
            if kept is None:
                raise
            return kept
        if key is None or not key.good(self._clock.now()):
            self._known.pop(digest, None)
            return None
        if news == self._news:  # else it may have been revoked just after it was read
            self._known[digest] = Known(key, asked_at, asked_at)
            self._known.move_to_end(digest)
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)
        return key

    def _kept(self, digest: bytes, asked_at: int) -> AccessKey | None:
        """The key, while the store is away."""
        known, now = self._known.get(digest), self._clock.now()
        if known is None or now - known.seen_at >= AWAY or not known.key.good(now):
            return None
        known.asked_at = asked_at
        return known.key

    def heard(self) -> None:
        """Another process revoked a key, or may have: each is looked at before it is good again."""
        self._news += 1
        for known in self._known.values():
            known.asked_at = min(known.asked_at, self._clock.now() - FRESH)
        if self._known or self._holding.digests:
            self._again.heard()

    def hold(self, key: AccessKey, let_go: Callable[[], None]) -> Callable[[], None]:
        """`let_go` is called, once, as soon as `key` is good no longer. What is given back ends that."""
        return self._holding.hold(key, let_go)

    async def _look(self) -> None:
        """Forgets those that were revoked of all that are held, or would be good while the store is away."""
        since = self._clock.now() - AWAY
        remembered = {digest for digest, known in self._known.items() if known.seen_at > since}
        asked = list(remembered | self._holding.digests)
        for place in range(0, len(asked), LOOK):
            some = asked[place : place + LOOK]
            for digest, key in zip(some, await self._store.find_keys(some), strict=True):
                if key is None or not key.good(self._clock.now()):
                    self._known.pop(digest, None)
                self._holding.seen(digest, key)

    async def make(self, *, tenant: str, scopes: Iterable[Scope], span: int | None) -> tuple[AccessKey, str]:
        """A new key, good for `span`, and what its holder is given."""
        now = self._clock.now()
        key, text = make_key(
            self.secret,
            self._chance.bytes(KEY_BYTES),
            tenant=tenant,
            scopes=scopes,
            now=now,
            expires_at=None if span is None else now + span,
        )
        await self._store.add_keys([key])
        return key, text

    async def list(self, tenant: str, *, after: str | None, limit: int) -> list[AccessKey]:
        return await self._store.list_keys(tenant, after=after, limit=limit)

    async def revoke(self, tenant: str, id: str) -> AccessKey | None:
        """It is good for nothing from now on; None where the tenant has none with this id."""
        (key,) = await self._store.revoke_keys([id], tenant=tenant, now=self._clock.now())
        self._news += 1
        if key is not None:
            self._known.pop(key.digest, None)
            self._holding.end(key.digest)
        return key
