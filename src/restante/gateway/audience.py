"""Which transactions a transactions path lists, where several audiences each have one of their own.

A transaction belongs to the path of the route that matches it, as the configuration stands now: so a
changed path needs no change to what is stored. With one path in the configuration, every transaction of
the dialect is meant and the store pages. With several, the store is asked for each of the audience's
route paths (or their literal beginnings), what another route catches is dropped, and the rows are merged.
"""

import msgspec

from ..core.model import Query, Transaction
from ..core.policy import Policy
from ..core.status import Dialect

BATCH = 500
MAX_LOOKED_AT = 20_000
"""Rows of one source that a list looks at, at most."""


def belongs(policy: Policy, transaction: Transaction, transactions: str) -> bool:
    """Whether `transactions` is where this one is looked up."""
    if transaction.dialect is not Dialect.TRANSACTION:
        return False
    route = policy.route(transaction.method, transaction.path)
    return route is not None and route.transactions == transactions


def sources(policy: Policy, query: Query, transactions: str) -> list[Query]:
    """The queries whose rows hold all of the audience's, each row in one of them only."""
    asynchronous = [route for route in policy.routes if route.dialect is Dialect.TRANSACTION]
    if all(route.transactions == transactions for route in asynchronous):
        return [query]
    patterns = {route.path for route in asynchronous if route.transactions == transactions}
    prefixes = {pattern.partition("*")[0] for pattern in patterns if "*" in pattern}
    widest = {text for text in prefixes if not any(text != o and text.startswith(o) for o in prefixes)}
    exact = {text for text in patterns if "*" not in text and not text.startswith(tuple(widest))}
    return [
        *(msgspec.structs.replace(query, path=text) for text in sorted(exact)),
        *(msgspec.structs.replace(query, path_prefix=text) for text in sorted(widest)),
    ]
