"""Which room a request enters (contract, *Which room*), in the contract's order.

Paths are matched as they came, never unquoted, never normalised: what the plain path would not reach,
no spelling of it behind `/async/` reaches.
"""

from collections.abc import Iterable
from enum import IntEnum, auto
from functools import lru_cache
from typing import NamedTuple

from ..core.errors import NoRoute
from ..core.policy import Policy, Route
from ..core.preferences import preferences
from ..core.status import Dialect

OURS = "/-/"
ASYNC = "/async/"
STATUS = "/async/status/"
RESULT = "/async/result/"

TASK_METHODS = frozenset({"GET", "HEAD", "DELETE"})
READS = frozenset({"GET", "HEAD"})


PLACES = 1024
"""Paths whose place is remembered: few are asked for again and again."""

MAX_REMEMBERED = 256
"""Characters of such a path."""


class Room(IntEnum):
    NATIVE = auto()  # /-/…; rest: what follows
    TASK_STATUS = auto()  # rest: the id
    TASK_RESULT = auto()  # rest: the id
    TASK = auto()  # /async/<path>; rest: the path without the section
    TRANSACTIONS = auto()  # a list; rest: its path
    TRANSACTION = auto()  # one; rest: the list's path, a slash, the id
    SUBMIT = auto()  # a route whose plain path is asynchronous
    PREFER = auto()  # any other path, with `Prefer: respond-async`
    THROUGH = auto()  # straight through to the upstream


class Place(NamedTuple):
    """Where a request goes. `route` is there in TASK, SUBMIT, PREFER and THROUGH."""

    room: Room
    rest: str
    route: Route | None = None
    transactions: str = ""  # the configured path, in TRANSACTIONS and TRANSACTION


class Rooms:
    """The plan for one address: with `/-/` or without, with everything else or without."""

    def __init__(self, policy: Policy, *, native: bool, public: bool) -> None:
        self._policy = policy
        self._native = native
        self._public = public
        paths = {route.transactions for route in policy.routes if route.transactions is not None}
        self._transactions = tuple(sorted(paths, key=len, reverse=True))
        self._remembered = lru_cache(PLACES)(self._place)
        self._submits = tuple(
            [ASYNC.encode()] if all(route.dialect is Dialect.TASK for route in policy.routes) else [b"/"]
        )

    def may_submit(self, target: bytes) -> bool:
        """Whether `find` may lead to TASK or SUBMIT: a look at the target alone."""
        return target.startswith(self._submits)

    def find(self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> Place:
        """Raises `NoRoute` where there is nothing."""
        if path.startswith(OURS):
            if not self._native:
                raise NoRoute("There is nothing at this path on this address.")
            return Place(Room.NATIVE, path[len(OURS) :])
        if not self._public:
            raise NoRoute("Only /-/ is served on this address.")
        if method in TASK_METHODS:
            if path.startswith(STATUS):
                return Place(Room.TASK_STATUS, path[len(STATUS) :])
            if path.startswith(RESULT):
                return Place(Room.TASK_RESULT, path[len(RESULT) :])
        transactions = self._audience(path) if method in READS and not path.startswith(ASYNC) else None
        if transactions is not None:
            room = Room.TRANSACTIONS if path == transactions else Room.TRANSACTION
            return Place(room, path, None, transactions)
        place = (self._remembered if len(path) <= MAX_REMEMBERED else self._place)(method, path)
        if place.room is Room.THROUGH and self._native and preferences(headers).respond_async:
            return Place(Room.PREFER, path, place.route)  # who gets a 202 is sent to `/-/`
        return place

    def _place(self, method: str, path: str) -> Place:
        """Of what is a route's: TASK, SUBMIT or THROUGH."""
        if path.startswith(ASYNC):
            plain = path[len(ASYNC) - 1 :]
            if plain.startswith((OURS, ASYNC)) or (method in READS and self._audience(plain) is not None):
                raise NoRoute("This path cannot be called through /async/.")
            return Place(Room.TASK, plain, self._route(method, plain))
        route = self._route(method, path)
        return Place(Room.SUBMIT if route.dialect is Dialect.TRANSACTION else Room.THROUGH, path, route)

    def _audience(self, path: str) -> str | None:
        """The configured transactions path that `path` reads from."""
        for transactions in self._transactions:
            if path.startswith(transactions) and path[len(transactions) :][:1] in ("", "/"):
                return transactions
        return None

    def _route(self, method: str, path: str) -> Route:
        route = self._policy.route(method, path)
        if route is None:
            raise NoRoute("No route matches this path.")
        return route
