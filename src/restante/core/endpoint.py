"""Endpoints: where a tenant's webhooks go, which events they want, and what they are signed with.

An endpoint is a value; whoever changes it says from which version (`version`). Of the secrets the first
signs, the second signs as well until `retire_at`, so that a receiver has time to learn the new one. Where
there is room for one signature, it is the second's until then.

Every tenant has one endpoint without a URL of its own, `callbacks_id`: what single requests ask to be sent
(`Restante-Callback-Url`, a route's `callback`) goes through it, signed with the tenant's secret.
"""

from enum import StrEnum
from hashlib import blake2s

import msgspec

from .clock import DAY
from .errors import AddressRefused
from .machine import TERMINAL
from .status import Status
from .target import target_of

ROTATION = DAY
"""How long the secret before goes on signing beside the new one, unless somebody says otherwise."""

SECRET_BYTES = 32
"""Bytes of chance in a secret (Standard Webhooks: 24 to 64)."""

ID_BYTES = 10

LANES = 1 << 16
"""Lanes of one origin that is called back: two of its paths share one with a probability of 1 in LANES."""

MAX_ORIGIN = 300
"""Characters of an origin in a lane's name."""

ANY_STATUS = tuple(Status)
ENDS = tuple(status for status in Status if status in TERMINAL)


class Detail(StrEnum):
    """How much of a transaction a payload tells."""

    FULL = "full"
    THIN = "thin"  # whoever wants more asks for it: nothing but ids travels


class Signature(StrEnum):
    """How payloads are signed."""

    STANDARD = "standard"  # Standard Webhooks
    CONTENT = "content"  # the platform of seed 000: Content-Signature and the shop's credentials


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which events an endpoint wants: what fits all three. Empty ones fit anything."""

    status: tuple[Status, ...] = ENDS
    operation: tuple[str, ...] = ()
    trigger_endpoint: tuple[str, ...] = ()  # a `*` at the end matches the rest

    def fit(self, *, status: Status, operation: str, trigger_endpoint: str) -> bool:
        if status not in self.status or (self.operation and operation not in self.operation):
            return False
        return not self.trigger_endpoint or any(
            trigger_endpoint.startswith(wanted[:-1]) if wanted.endswith("*") else trigger_endpoint == wanted
            for wanted in self.trigger_endpoint
        )


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One receiver. Moments are microseconds since 1970, UTC."""

    id: str
    tenant: str
    url: str | None  # None: of each delivery its own
    created_at: int
    updated_at: int
    filters: Filters = Filters()
    payload: Detail = Detail.FULL
    signature: Signature = Signature.STANDARD
    secrets: tuple[str, ...]  # the newest first; two at most
    public_keys: tuple[str, ...] = ()  # signature content: what receivers are given of each of them
    retire_at: int | None = None  # when the second secret is over
    username: str | None = None  # signature content: the shop's credentials
    password: str | None = None
    active: bool = True
    reason: str | None = None  # why it is off, where nobody said so
    failing_since: int | None = None  # nothing has arrived since then
    version: int = 1

    def signing(self, now: int) -> tuple[str, ...]:
        """The secrets that sign at this moment."""
        if not self.is_rotating(now):
            return self.secrets[:1]
        return self.secrets if self.signature is Signature.STANDARD else self.secrets[1:]

    def is_rotating(self, now: int) -> bool:
        """Whether the second secret is good at this moment."""
        return self.retire_at is not None and now < self.retire_at

    @property
    def of_callbacks(self) -> bool:
        return self.url is None


def callbacks_id(tenant: str) -> str:
    """The id of the tenant's endpoint for single requests, the same for everybody who asks."""
    return "cb_" + blake2s(tenant.encode("utf-8", "surrogatepass"), digest_size=ID_BYTES).hexdigest()


def lane_of(endpoint: str, url: str | None) -> str:
    """What must not be made to wait for anything else: an endpoint, or one path among those called back.

    Paths of one origin share LANES lanes by their hashes, so that URLs that name an order each do not make
    as many; what is behind the `?` makes no difference.
    """
    if url is None:
        return endpoint
    path = url.partition("://")[2].partition("?")[0].partition("/")[2]
    number = int.from_bytes(blake2s(path.encode("utf-8", "surrogatepass"), digest_size=4).digest())
    return f"{endpoint} {origin_of(url)} {number % LANES}"


def site_of(lane: str) -> str:
    """What a lane shares its places with: its origin among those called back; an endpoint's, itself."""
    return " ".join(lane.split(" ", 2)[:2])


def endpoint_of(lane: str) -> str:
    return lane.partition(" ")[0]


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL; nothing that was secret in it."""
    try:
        target = target_of(url)
    except AddressRefused:
        return "invalid"
    return f"{target.scheme}://{target.authority}"[:MAX_ORIGIN]


def rotated(
    endpoint: Endpoint, secret: str, *, now: int, keep: int, public_key: str | None = None
) -> Endpoint:
    """It signs with `secret` from now on, and for `keep` with the one before too; `content`, with that alone.

    The one before is one that signs now, so that receivers have it. `public_key` is the secret's, where it
    has one.
    """
    before = endpoint.secrets.index(endpoint.signing(now)[0])
    kept = slice(before, before + 1 if keep else before)
    return msgspec.structs.replace(
        endpoint,
        secrets=(secret, *endpoint.secrets[kept]),
        public_keys=() if public_key is None else (public_key, *endpoint.public_keys[kept]),
        retire_at=now + keep if keep else None,
    )


def switched_off(endpoint: Endpoint, reason: str | None) -> Endpoint:
    """Nothing more is sent to it, and nothing more is written for it."""
    return msgspec.structs.replace(endpoint, active=False, reason=reason)


def switched_on(endpoint: Endpoint) -> Endpoint:
    """As if it had never failed."""
    return msgspec.structs.replace(endpoint, active=True, reason=None, failing_since=None)


def changed(endpoint: Endpoint, *, now: int) -> Endpoint:
    """The version that follows."""
    return msgspec.structs.replace(endpoint, version=endpoint.version + 1, updated_at=now)
