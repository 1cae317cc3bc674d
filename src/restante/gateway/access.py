"""Who may call what: every call that is ours, and the scopes of which it needs one (docs/operate/access.md).

What is not in the table is nobody's. A call that needs no scope is open to all; what it asks for instead, if
anything, its handler says. All the others are about what the caller's tenant has, and nothing else.
"""

from collections.abc import Iterable

import msgspec

from ..core.access import Scope
from .call import Call
from .desk import Desk
from .problems import MissingScope
from .rooms import Room


class Need(msgspec.Struct, frozen=True):
    """One of `scopes`; none: it is open. `all`: it concerns every tenant, and is for whoever reaches all."""

    scopes: frozenset[Scope] = frozenset()
    all: bool = False


OPEN = Need()
SUBMIT = Need(frozenset({Scope.SUBMIT}))
READ = Need(frozenset({Scope.READ}))
OPERATE = Need(frozenset({Scope.OPERATE}))
CHANGE = Need(SUBMIT.scopes | OPERATE.scopes)  # by its owner, or by an operator
INSTALLATION = Need(OPERATE.scopes, all=True)

NATIVE: dict[str, Need] = {
    "GET /-/transactions": READ,
    "GET /-/transactions/{id}": READ,
    "GET /-/transactions/{id}/result": READ,
    "GET /-/transactions/{id}/events": READ,
    "POST /-/transactions/{id}/events": OPEN,  # the attempt's own token is asked for
    "POST /-/transactions/{id}/cancel": CHANGE,
    "POST /-/transactions/{id}/retry": CHANGE,
    "POST /-/transactions/{id}/resolve": CHANGE,
    "GET /-/events": READ,
    "GET /-/endpoints": READ,
    "POST /-/endpoints": SUBMIT,
    "GET /-/endpoints/{id}": READ,
    "PATCH /-/endpoints/{id}": SUBMIT,
    "DELETE /-/endpoints/{id}": SUBMIT,
    "POST /-/endpoints/{id}/rotate": SUBMIT,
    "GET /-/endpoints/{id}/secret": SUBMIT,
    "POST /-/endpoints/{id}/test": SUBMIT,
    "GET /-/endpoints/{id}/deliveries": READ,
    "POST /-/endpoints/{id}/replay": CHANGE,
    "GET /-/deliveries/{id}": READ,
    "POST /-/deliveries/{id}/replay": CHANGE,
    "GET /-/keys": OPERATE,
    "POST /-/keys": OPERATE,
    "POST /-/keys/{id}/revoke": OPERATE,
    "GET /-/upstreams": INSTALLATION,
    "POST /-/upstreams/{id}/pause": INSTALLATION,
    "POST /-/upstreams/{id}/resume": INSTALLATION,
    "GET /-/store": INSTALLATION,
    "GET /-/metrics": INSTALLATION,
    "GET /-/healthz": OPEN,
    "GET /-/readyz": OPEN,
    "GET /-/openapi.json": OPEN,
    "GET /-/docs": OPEN,
}
"""Below `/-/`, by method and path. HEAD is as GET."""

ROOMS: dict[Room, dict[str, Need]] = {
    Room.TASK_STATUS: {"GET": READ, "DELETE": SUBMIT},
    Room.TASK_RESULT: {"GET": READ},
    Room.TRANSACTIONS: {"GET": READ},
    Room.TRANSACTION: {"GET": READ},
    Room.TASK: {"*": SUBMIT},
    Room.SUBMIT: {"*": SUBMIT},
    Room.PREFER: {"*": SUBMIT},
    Room.THROUGH: {"*": SUBMIT},
}
"""Everywhere else, by method; `*` is any other. What is not a call of the room's is refused by it."""


def need_below(pattern: Iterable[str], method: str) -> Need:
    """What a call below `/-/` needs; its segments as the table of handlers has them."""
    return NATIVE[f"{method} /-/{'/'.join(pattern)}"]


def need_in(room: Room, method: str) -> Need:
    """What a call anywhere else needs."""
    needs = ROOMS[room]
    return needs.get("GET" if method == "HEAD" else method) or needs.get("*") or READ


async def admit(desk: Desk, call: Call, need: Need) -> None:
    """Lets the caller in; what was meant for us of the header fields goes no further.

    Raises `Unauthenticated`, `MissingScope`.
    """
    if not need.scopes:
        return
    admitted = await desk.auth.identify(call.headers)
    call.caller, call.headers = admitted.caller, admitted.headers
    if not need.scopes & admitted.caller.scopes:
        raise MissingScope(f"This key has not the scope {' or '.join(sorted(need.scopes))}.")
    if need.all and not admitted.caller.all:
        raise MissingScope("This concerns every tenant, and needs a key of the tenant *.")
