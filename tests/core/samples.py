"""Transactions, routes and upstreams for the core's tests."""

from typing import Any

import msgspec

from restante.core.clock import DAY, SECOND
from restante.core.model import Body, Headers, Result, Transaction
from restante.core.policy import Retry, Route, Upstream

NOW = 1_700_000_000 * SECOND
SECRET = bytes(range(16))


def a_transaction(*, at: int = NOW, **fields: Any) -> Transaction:
    """A fresh one, accepted then, kept for a day."""
    base = Transaction(
        key=1,
        id="2d97892b-50f2-8e0e-8967-3d962c29ade9",
        tenant="default",
        created_at=at,
        updated_at=at,
        method="POST",
        path="/transactions/payments",
        operation="create",
        upstream="default",
        due_at=at,
        deadline=at + DAY,
        expires_at=at + DAY,
        sweep_at=at + DAY,
    )
    return msgspec.structs.replace(base, **fields)


def a_result(status: int = 200, body: bytes = b"{}", headers: Headers = ()) -> Result:
    return Result(status, headers, Body(len(body), body), 1)


def an_upstream(**retry: Any) -> Upstream:
    return Upstream(host="127.0.0.1", port=9000, authority="127.0.0.1:9000", retry=Retry(**retry))


ROUTE = Route()
