"""Every reader of what others write, alone: it takes it, or refuses it with the error that it says it raises.

Of each a few good examples are known; what is tried is those, broken, and text that never was any good.
Counted is what was refused, or taken for nothing.
"""

import copy
import signal
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from jsonpointer import JsonPointerException

from restante.config import settings as read_settings
from restante.config.address import ADDRESS, NETWORKS, ORIGIN, ORIGINS, STORE
from restante.config.kinds import RATE, SIZE, span
from restante.config.routes import MASK
from restante.core.access import digest_of, read_wish
from restante.core.duration import parse_duration
from restante.core.envelope import open_envelope
from restante.core.errors import AnswerBroken, BadRequest, NoRoute, Refused, RestanteError, SettingError
from restante.core.idempotency import parse_key
from restante.core.identity import key_of
from restante.core.pointer import NOTHING, decode, pick, pick_raw
from restante.core.policy import Limits, Policy, Route, Upstream
from restante.core.preferences import NONE, parse_prefer
from restante.core.schedule import retry_after
from restante.core.status import Dialect
from restante.core.target import target_of
from restante.core.token import attempt_of
from restante.dialects import keys, moments, native, report, transaction, webhooks
from restante.gateway.auth import _key_in
from restante.gateway.form import origin_form
from restante.gateway.origin import origin
from restante.gateway.rooms import Rooms
from restante.outbound.reader import AnswerReader
from restante.stores.cursors import place_of, spell
from restante.webhooks import SignatureRefused, verify

from ..config.test_settings import FULL
from .conftest import BAD, SHARES

pytestmark = pytest.mark.fuzz

SECRET = bytes(16)
HERE = Upstream(host="h", port=1, authority="h")
TICKETS = Route(
    method="POST", path="/tickets/*", dialect=Dialect.TRANSACTION, transactions="/seller/v0/transactions"
)
ROOMS = Rooms(Policy(upstreams={"default": HERE}, routes=(TICKETS,), strict=True), native=True, public=True)
FILE = tomllib.loads(FULL)

ODD = (
    "", " ", "\t", "\0", "\x0b", "\x7f", "\x85", "\u00b2", "\u0663", "\u2028", "\ud800", "\U0001f4a3",
    "%00", "%", "..", "//", "\\", "'", '"', ",", ";", ":", "=", "-", "+", "0x", "1e9", "null", "true",
    "NaN", "[", "{", "]", "9" * 30, "-1", "a" * 300, "*", "?", "#", "@", "&", "\r\n", "~", "~2", "é",
    "\u212a",
)  # fmt: skip


class Reader(NamedTuple):
    """`read` is to raise nothing but `refuses`. It gives back `nothing` where it made nothing of it."""

    read: Callable[[Any], object]
    good: tuple[Any, ...]  # what it takes
    refuses: tuple[type[Exception], ...] = (BadRequest,)
    nothing: object = NOTHING


def header(value: str) -> bytes:
    """As it comes in a field."""
    return value.encode("latin-1", "replace")


def body(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def fields(value: str) -> list[tuple[bytes, bytes]]:
    """Lines as a parser gives them."""
    pairs = [line.partition(":") for line in value.split("\n")]
    return [(header(name).lower(), header(content)) for name, _, content in pairs]


def answer(value: str) -> object:
    reader = AnswerReader(to_head=False)
    reader.feed(header(value))
    return reader.status or NOTHING


def webhook(value: str) -> object:
    id, _, rest = value.partition("|")
    timestamp, _, signature = rest.partition("|")
    sent = {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    return verify(sent, b"{}", "whsec_" + "A" * 43 + "=")


URL = "https://shop.example:8443/a/b?c=d"
UUID = "821c80ba-91cf-8c80-baa7-f41310fbadc1"
MOMENTS = ("2024-11-08", "2024-11-08T11:49:35.938Z", "2024-11-08T11:49:35+02:00")
QUERY = "status=completed&operation=create&limit=5&after=" + UUID
ENDPOINT = (
    '{"url":"https://a.example/","filters":{"status":["failed"],"operation":["create"]},"payload":"thin"}'
)
REPORT = '{"status":"failed","message":"m","data":{},"result":{"status":500,"headers":{"a":"b"},"body":{}}}'
KEY = '{"tenant":"acme","scopes":["read"],"expires":"90d"}'
HEAD = 'host:h\ncontent-length:5\nidempotency-key:"a"\nrestante-delay:5s\nrestante-priority:-7\nconnection:x'
ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\n{}"
CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"

READERS: dict[str, Reader] = {
    # settings, one by one
    "duration": Reader(parse_duration, ("500ms", "3s", "30d"), (ValueError,)),
    "span": Reader(span(1, "longer than 0").read, ("500ms", "3s"), (ValueError,)),
    "size": Reader(SIZE.read, ("64KiB", "1GiB", "5"), (ValueError,)),
    "rate": Reader(RATE.read, ("100/s", "0.5/m"), (ValueError,)),
    "address": Reader(ADDRESS.read, ("127.0.0.1:80", "[::1]:8600"), (ValueError,)),
    "origin setting": Reader(ORIGIN.read, ("https://a.example", "http://[::1]:8"), (ValueError,)),
    "origins": Reader(
        lambda text: ORIGINS.read(text.split(",")), ("https://a.example,http://b:1",), (ValueError,)
    ),
    "networks": Reader(lambda text: NETWORKS.read(text.split(",")), ("10.0.0.0/8,::1",), (ValueError,)),
    "store": Reader(STORE.read, ("sqlite:///a.db", "postgresql://u:p@h:5/d?sslmode=require"), (ValueError,)),
    "mask": Reader(lambda text: MASK.kind.read(text.split(",")), ("/a/b~1c,/d/0",), (ValueError,)),
    # header fields
    "prefer": Reader(
        lambda text: parse_prefer([header(text)]), ("respond-async, wait=10", 'a="b" ;  c = "d"'), (), NONE
    ),
    "idempotency key": Reader(
        lambda text: parse_key(header(text), "Idempotency-Key"), ('"a\\"b"', "order-7")
    ),
    "header block": Reader(lambda text: open_envelope(fields(text)), (HEAD,)),
    "host": Reader(lambda text: origin("http", header(text)), ("a.example:80", "[::1]")),
    "authorization": Reader(lambda text: _key_in(header(text)), ("Bearer rst_x", "Basic cnN0X3g6"), (), b""),
    "presented key": Reader(lambda text: digest_of(SECRET, header(text)) and NOTHING, ("rst_x",), ()),
    "events token": Reader(lambda text: attempt_of(text, SECRET, UUID), ("1.abc",), (), None),
    "retry-after": Reader(
        lambda text: retry_after(header(text), 0), ("5", "Fri, 08 Nov 2024 11:49:35 GMT"), (), None
    ),
    # the first line
    "target": Reader(
        lambda text: origin_form(header(text), "1.1", [(b"host", b"h")]), ("/a?b=c", "http://h/a")
    ),
    "room": Reader(
        lambda text: ROOMS.find("POST", text), ("/tickets/1", "/async/tickets/2", "/-/x"), (NoRoute,)
    ),
    # what is in URLs
    "id": Reader(lambda text: key_of(text, SECRET), (UUID,), (), None),
    "feed cursor": Reader(lambda text: place_of(SECRET, "a", text), (spell(SECRET, "a", (7, 5)),)),
    "moment": Reader(moments.parse, MOMENTS, (ValueError,)),
    "native list": Reader(lambda text: native.listing(text, tenant="a", max_limit=100), (QUERY,)),
    "transactions list": Reader(
        lambda text: transaction.listing(text, tenant="a", max_limit=100),
        ("created_at_gte=2024-11-08&_limit=5&_offset=10&_sort=created_at:asc",),
    ),
    "deliveries list": Reader(
        lambda text: webhooks.listing(text, endpoint="e", max_limit=100), ("state=dead&limit=5",)
    ),
    "keys list": Reader(lambda text: keys.listing(text, max_limit=100), ("tenant=a&limit=5",)),
    # bodies
    "JSON": Reader(lambda text: decode(body(text)), ('{"a":[1,2.5,"x",null]}',), ()),
    "pointer": Reader(
        lambda text: pick({"a": [{"b": 1}], "": 2}, "/" + text), ("a/0/b", "a", ""), (JsonPointerException,)
    ),
    "raw pointer": Reader(lambda text: pick_raw(body(text), "/a/0"), ('{"a":[{"b":1}]}',), (), None),
    "new endpoint": Reader(lambda text: webhooks.read_new(body(text)), (ENDPOINT,)),
    "changed endpoint": Reader(lambda text: webhooks.read_change(body(text)), ('{"active":true}',)),
    "rotation": Reader(lambda text: webhooks.read_rotation(body(text)), ('{"keep":"3d"}',)),
    "replay": Reader(lambda text: webhooks.read_replay(body(text), "e"), ('{"state":"dead"}',)),
    "new key": Reader(lambda text: keys.read_new(body(text)), (KEY,)),
    "key's wish": Reader(lambda text: read_wish(text, text, text), ("acme",)),
    "report": Reader(lambda text: report.read_report(body(text), Limits()), (REPORT,)),
    "resolution": Reader(
        lambda text: report.read_resolution(body(text), tenant="a"), ('{"status":"failed","reason":"r"}',)
    ),
    # what others are, and say
    "callback URL": Reader(target_of, (URL, "http://[::1]:80/"), (Refused,)),
    "upstream's answer": Reader(answer, (ANSWER, CHUNKED), (AnswerBroken,)),
    "webhook": Reader(webhook, ("id|1700000000|v1,abc", "id|1|v1a,x v1,y"), (SignatureRefused,)),
}


def broken(good: tuple[str, ...]) -> st.SearchStrategy[str]:
    """One of the good ones with something odd put in, something left out, or something twice; or any text."""

    def build(parts: tuple[str, float, int, str, bool]) -> str:
        text, where, cut, odd, twice = parts
        place = int(where * len(text))
        return text[:place] + odd + (text if twice else text[place + cut :])

    odd = st.sampled_from(ODD) | st.text(max_size=3)
    pieces = st.tuples(st.sampled_from(good), st.floats(0, 1), st.integers(0, 6), odd, st.booleans())
    return st.one_of(pieces.map(build), pieces.map(build), st.text(max_size=60))


LONG = 3000
"""Characters of what is repeated."""

PIECE = 4
"""Characters of a piece that is repeated, at most."""

PATIENCE_SECONDS = 5


@contextmanager
def in_time(what: object) -> Iterator[None]:
    """Fails where it takes longer, in the processor's time."""

    def late(number: int, frame: object) -> None:
        raise AssertionError(f"no end to {what!r}")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def fuzzed(count: int) -> settings:
    return settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


def try_all(reader: Reader, given_: st.SearchStrategy[Any], count: int) -> int:
    """How many of about so many were refused."""
    refused = 0

    @seed(6)
    @fuzzed(count)
    @given(given_)
    def one(value: Any) -> None:
        nonlocal refused
        try:
            found = reader.read(value)
        except reader.refuses as error:
            assert not isinstance(error, RestanteError) or len(str(error)) < 2000
            refused += 1
        else:
            refused += found is reader.nothing or found == reader.nothing

    one()
    return refused


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_it_or_says_what_is_wrong(
    name: str, inputs: int, record_property: Callable[[str, object], None]
) -> None:
    reader = READERS[name]
    for good in reader.good:
        if name not in NEVER_GOOD:
            assert reader.read(good) is not reader.nothing
    count = max(int((inputs * SHARES["parsers"] - DRAWN_OUT) / len(READERS) * 1.25), 20)
    refused = try_all(reader, broken(reader.good), count)
    assert refused > count / 20, "what is tried is good"
    record_property(BAD, refused)


def drawn_out(text: str) -> Iterator[str]:
    """Each little piece of it over and over, and then something that does not fit."""
    for place in range(len(text)):
        for length in range(1, PIECE + 1):
            piece = text[place : place + length]
            yield text[:place] + piece * (LONG // len(piece)) + "["


@pytest.mark.parametrize("name", READERS)
def test_nothing_takes_for_ever_for_being_drawn_out(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    reader = READERS[name]
    refused = 0
    for good in reader.good:
        for text in drawn_out(good[:MOST_OF_A_GOOD_ONE]):
            with in_time(text[:200]):
                try:
                    refused += reader.read(text) is reader.nothing
                except reader.refuses:
                    refused += 1
    record_property(BAD, refused)


MOST_OF_A_GOOD_ONE = 40

DRAWN_OUT = 3000
"""So many of the bad ones, at least, are drawn out."""

NEVER_GOOD = {"presented key", "events token", "webhook", "key's wish"}
"""For want of the secret, or of a list."""

JUNK = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(ODD) | st.just([]) | st.just({})
)


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """Settings with one to three values of another kind, names of another spelling, or things left out."""
    raw = copy.deepcopy(FILE)
    for _ in range(draw(st.integers(1, 3))):
        place: Any = raw
        while True:
            names = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not names:
                break
            name = draw(st.sampled_from(names))
            if isinstance(place[name], dict | list) and place[name] and draw(st.booleans()):
                place = place[name]
                continue
            match draw(st.integers(0, 3)):
                case 0 if isinstance(place, dict):
                    place[draw(st.text(max_size=5))] = place.pop(name)
                case 1 if isinstance(place, dict):
                    del place[name]
                case 2 if isinstance(place[name], str):
                    place[name] = draw(broken((place[name],)))
                case _:
                    place[name] = draw(JUNK)
            break
    return raw


def test_settings_are_understood_or_the_one_that_is_wrong_is_named(
    inputs: int, record_property: Callable[[str, object], None]
) -> None:
    reader = Reader(lambda raw: read_settings(raw), (), (SettingError,))
    count = int(inputs * SHARES["parsers"] / 30)
    refused = try_all(reader, files(), count)
    assert refused > count / 3
    record_property(BAD, refused)
