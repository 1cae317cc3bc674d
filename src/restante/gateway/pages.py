"""Web pages of other origins: which may read our answers (setting `cors_origins`), and what none may do.

A browser lets a page see an answer only where the answer names the page's origin (Fetch standard, *CORS
protocol*). That is said to configured origins alone, of every answer on this address, and for what is asked
for with a key: cookies are of no use here (`Access-Control-Allow-Credentials` is never sent). An answer of
the upstream's that speaks for itself is left alone. A simple form can be sent without having asked; so
whatever changes something below `/-/` is refused where a page of another origin sends it.

A page can also have the name of its own origin point to this machine, and is then of the same origin (DNS
rebinding). Where nobody is asked for a key (`Policy.hosts`), `/-/` is therefore served to those only who
called it by an address, as `localhost`, or by a name that is ours: no page can choose these. Where we did not
choose the address that is listened on (`Policy.here`), they must call from this machine, too; but for a
transaction whose id they have, as they have it from us.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from ..core.headers import first
from ..core.policy import SAFE_METHODS, Policy
from ..ports.auth import Fields
from .call import ALLOW_ORIGIN, Call
from .problems import ForeignHost, ForeignPage, NotHere
from .reply import NO_STORE, Reply, text
from .rooms import OURS

ORIGIN = b"origin"
ASKED_METHOD = b"access-control-request-method"
ASKED_FIELDS = b"access-control-request-headers"
VARY = (b"vary", b"Origin")

MAX_AGE = (b"access-control-max-age", b"600")
EXPOSED = (
    b"access-control-expose-headers",
    b"Location, Retry-After, Restante-Status, Restante-Outcome, Restante-Outcome-Unknown, "
    b"Idempotent-Replayed, Preference-Applied, WWW-Authenticate",
)

_TOKENS = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
MAX_ASKED = 4096


class Pages:
    """What is said to pages, on one address."""

    def __init__(self, policy: Policy) -> None:
        self._origins = frozenset(origin.encode("latin-1") for origin in policy.cors_origins)
        self._hosts = policy.hosts
        self._here = policy.here
        self._public = policy.public_url and policy.public_url.partition("://")[2].encode("latin-1")

    def concern(self, headers: Fields) -> bool:
        """Whether anything is to be said of these: a page asks, and some are configured."""
        return bool(self._origins) and any(name == ORIGIN for name, _ in headers)

    def check_host(self, call: Call) -> None:
        """Raises `ForeignHost` where a call that is not open to all came by a name that is not ours."""
        if self._hosts is not None:
            name = _name(first(call.headers, b"host") or b"")
            if name is not None and name not in self._hosts:
                raise ForeignHost("/-/ is not served under this host name; if it is yours, add it to hosts.")

    def check_place(self, call: Call) -> None:
        """Of a call that tells of what others do: raises `NotHere` where it came from elsewhere."""
        if self._here and not _is_here(call.scope.get("client")):
            raise NotHere(
                "This is for callers on this machine as long as nobody is asked for a key: see auth."
            )

    def meet(self, call: Call) -> Reply | None:
        """The answer to a preflight; else None, and the call knows what to say of its answer.

        Raises `ForeignPage`.
        """
        origin = first(call.headers, ORIGIN)
        if not self._origins and origin is None:
            return None
        if origin in self._origins:
            method = first(call.headers, ASKED_METHOD)
            if call.method == "OPTIONS" and method is not None:
                return _preflight(origin, method, first(call.headers, ASKED_FIELDS))
            call.shared = ((ALLOW_ORIGIN, origin), EXPOSED, VARY)
            return None
        if origin is not None and call.path.startswith(OURS) and call.method not in SAFE_METHODS:
            host = origin.partition(b"://")[2]
            if not host or host not in (first(call.headers, b"host"), self._public):
                raise ForeignPage("A page of another origin may not do this; see cors_origins.")
        if self._origins:
            call.shared = (VARY,)
        return None


def _preflight(origin: bytes, method: bytes, fields: bytes | None) -> Reply:
    """Any method and any fields may be tried: what is not served is refused when it comes."""
    headers = [
        (ALLOW_ORIGIN, origin),
        MAX_AGE,
        NO_STORE,
        text(b"vary", "Origin, Access-Control-Request-Headers"),
    ]
    if _TOKENS.fullmatch(method[:MAX_ASKED]):
        headers.append((b"access-control-allow-methods", method))
    if fields is not None and len(fields) <= MAX_ASKED and _TOKENS.fullmatch(fields):
        headers.append((b"access-control-allow-headers", fields))
    return Reply(204, headers, b"")


def _is_here(client: Sequence[Any] | None) -> bool:
    try:
        address = ip_address(client[0] if client else "")
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


@lru_cache(maxsize=1024)
def _name(host: bytes) -> str | None:
    """The name in the value of a Host field; None where it holds an address, is localhost or empty."""
    if host.startswith(b"["):
        return None
    name = host.partition(b":")[0].decode("latin-1").lower().removesuffix(".")
    try:
        ip_address(name)
    except ValueError:
        return None if name in ("", "localhost") else name
    return None
