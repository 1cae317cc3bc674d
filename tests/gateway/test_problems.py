"""All routes × all failures: every error has the form of its path, and says nothing it should not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from restante.core import errors
from restante.core.errors import RestanteError
from restante.core.machine import Move
from restante.core.model import Accepted, Query, Transaction
from restante.core.policy import Policy, Route, Upstream
from restante.core.status import Dialect, Status
from restante.gateway import Desk, Gateway, OpenAuth
from restante.gateway.problems import UnknownTransaction, problem_of
from restante.service import Draft, Intake, Service

from ..couriers import ScriptedCourier
from ..fakes import FakeClock, SeededChance

SECRET = "secret-in-a-traceback"

FAILURES: dict[str, tuple[Exception, int]] = {
    "BadRequest": (errors.BadRequest("X must be y", field="X"), 400),
    "AddressRefused": (errors.AddressRefused("The address is not public."), 400),
    "NoRoute": (errors.NoRoute("No."), 404),
    "UnknownUpstream": (errors.UnknownUpstream("None."), 404),
    "TooLate": (errors.TooLate("It is too late."), 409),
    "NotNow": (errors.NotNow("It has ended."), 409),
    "TooMany": (errors.TooMany("There are 50 already."), 409),
    "Gone": (errors.Gone("Past its retention."), 410),
    "Unreadable": (errors.Unreadable("It was changed in the store."), 500),
    "BodyTooLarge": (errors.BodyTooLarge("Too large."), 413),
    "KeyReused": (errors.KeyReused("Reused."), 422),
    "WriteUnknown": (errors.WriteUnknown("It is not known yet.", retry_after_seconds=2), 503),
    "TooManyRequests": (errors.TooManyRequests("Too often.", retry_after_seconds=1), 429),
    "TooMuchStored": (errors.TooMuchStored("Too much.", retry_after_seconds=300), 429),
    "UpstreamBusy": (errors.UpstreamBusy("Busy.", retry_after_seconds=1), 503),
    "StorageFull": (errors.StorageFull("Full.", retry_after_seconds=300), 503),
    "TooManyQueued": (errors.TooManyQueued("Too many.", retry_after_seconds=30), 429),
    "QueueFull": (errors.QueueFull("Full.", retry_after_seconds=30), 503),
    "StoreUnavailable": (errors.StoreUnavailable("Away.", retry_after_seconds=5), 503),
    "MoveRefused": (errors.MoveRefused(Status.PENDING, Move.DELAY), 409),
    "Unreachable": (errors.Unreachable("no connection"), 502),
    "OutOfHandles": (errors.OutOfHandles("no more file handles"), 502),
    "NoAnswerInTime": (errors.NoAnswerInTime("no answer within 60 s", sent=True), 504),
    "AnswerBroken": (errors.AnswerBroken("broken", sent=True), 502),
    "AnswerTooLarge": (errors.AnswerTooLarge("too large", sent=True), 502),
    "RestanteError": (RestanteError(SECRET), 500),
    "SettingError": (errors.SettingError("x", SECRET), 500),
    "KeyError": (KeyError(SECRET), 500),
}

ROUTES = [
    ("POST", "/async/x"),
    ("GET", "/async/x"),
    ("GET", "/async/status/1"),
    ("GET", "/async/result/1"),
    ("DELETE", "/async/status/1"),
    ("POST", "/tickets"),
    ("GET", "/transactions"),
    ("GET", "/transactions/1"),
    ("GET", "/x"),
    ("POST", "/x"),
    ("GET", "/-/transactions"),
    ("GET", "/-/transactions/1"),
    ("GET", "/-/transactions/1/result"),
    ("GET", "/-/transactions/1/events"),
    ("POST", "/-/transactions/1/cancel"),
    ("POST", "/-/transactions/1/retry"),
    ("POST", "/-/transactions/1/resolve"),
    ("GET", "/-/readyz"),
]


class Failing(Service):
    """Whatever is asked, it goes wrong."""

    failure: Exception

    async def take_body(self, content: bytes, rest: Any) -> Intake:
        raise self.failure

    async def submit(self, draft: Draft) -> Accepted:
        raise self.failure

    async def look(self, tenant: str, id: str) -> Transaction | None:
        raise self.failure

    async def find(self, query: Query) -> list[Transaction]:
        raise self.failure

    async def cancel(self, tenant: str, id: str) -> Transaction | None:
        raise self.failure


class FailingStore:
    def __init__(self, failure: Exception) -> None:
        self.failure = failure
        self.queued = 0
        self.secret = bytes(16)

    def queued_of(self, tenant: str) -> int:
        return 0

    async def ping(self) -> None:
        raise self.failure


class FailingSender:
    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        raise self.failure


POLICY = Policy(
    upstreams={"default": Upstream(host="h", port=1, authority="h:1")},
    routes=(
        Route(path="/tickets", method="POST", dialect=Dialect.TRANSACTION, transactions="/transactions"),
    ),
)


def gateway(failure: Exception) -> Gateway:
    clock, chance = FakeClock(), SeededChance()
    store: Any = FailingStore(failure)
    sender: Any = FailingSender(failure)
    bell: Any = None
    service = Failing(
        store=store, policy=POLICY, clock=clock, chance=chance, bell=bell, courier=ScriptedCourier()
    )
    service.failure = failure
    return Gateway(
        Desk(service=service, policy=POLICY, auth=OpenAuth(), sender=sender, clock=clock, chance=chance)
    )


async def ask(app: Gateway, method: str, path: str) -> tuple[int, dict[bytes, bytes], bytes]:
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"h")],
        "scheme": "http",
        "client": ("127.0.0.1", 1),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def leaves(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for below in kind.__subclasses__():
        yield from leaves(below)


def test_a_code_that_the_client_has_an_error_for_means_nothing_else() -> None:
    """The client tells refusals by their codes: a 422 is a key that was used before, and no other."""
    assert [kind for kind in leaves(errors.Refused) if kind.status == 422] == [errors.KeyReused]


def test_every_kind_of_error_is_in_the_walk_or_is_the_gateways_own() -> None:
    known = {kind for kind in leaves(RestanteError) if kind.__module__ == "restante.core.errors"}
    assert {kind.__name__ for kind in known} - {"Refused", "UpstreamError"} <= set(FAILURES)


@pytest.mark.parametrize("name", FAILURES)
async def test_every_error_has_the_form_of_its_path(name: str) -> None:
    failure, code = FAILURES[name]
    for method, path in ROUTES:
        await check(failure, code, method, path)


async def check(failure: Exception, code: int, method: str, path: str) -> None:
    status, headers, body = await ask(gateway(failure), method, path)
    assert status == code
    assert headers[b"content-length"] == str(len(body)).encode()
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"restante-status"] in (b"unknown", b"failed")
    assert SECRET.encode() not in body
    content = json.loads(body)
    native = path.startswith("/-/")
    kind = b"application/problem+json" if native else b"application/json"
    assert headers[b"content-type"] == kind
    expected = ["type", "title", "status", "detail", "instance"] if native else ["message"]
    field = getattr(failure, "field", "")
    assert list(content) == expected + (["field"] if field else [])
    said = content["detail" if native else "message"]
    if code == 500 and not isinstance(failure, errors.Unreadable):
        assert said == "We're sorry, but something went wrong"
    elif code < 500:
        assert said == str(failure)[:1].upper() + str(failure)[1:]
    wait = getattr(failure, "retry_after_seconds", None)
    assert headers.get(b"retry-after") == (None if wait is None else str(wait).encode())


def test_the_type_of_a_problem_is_made_of_its_title() -> None:
    assert problem_of(UnknownTransaction("…")).type == "urn:restante:problem:unknown-transaction"
