"""What is sealed of each value, and how it looks then: a value of the same kind, which any store can keep.

- a request's and a result's header fields: one field without a name, which no message can have. With them go
  the body's true size and, where it is in pieces, the key of these;
- a small body: in the place of the body; a piece of a large one: in the place of the piece;
- an event's data: one member of an object;
- what a receiver answered to a webhook: in its place;
- an endpoint's secrets: the first of them.

Whatever does not look like that was kept in clear, before there were keys, and is given as it is.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..core.delivery import Attempt
from ..core.endpoint import Endpoint
from ..core.model import Body, Event, Headers, Request, Result
from .envelope import NotSealedHere, name_of, seal, unseal
from .masters import STORE, Masters
from .ring import Named

NOTHING = b""
"""The name of the field that is none."""

MEMBER = "restante:sealed"
SECRET = "sealed:"

Find = Callable[[str], AESGCM]


class Head(msgspec.Struct, frozen=True, array_like=True):
    """What is in the place of header fields. `key` is that of the body's pieces."""

    headers: Headers
    size: int
    key: bytes | None


class Hidden(msgspec.Struct, frozen=True, array_like=True):
    """What an endpoint tells nobody."""

    secrets: tuple[str, ...]
    password: str | None


_pack = msgspec.msgpack.Encoder().encode
_unpack_head = msgspec.msgpack.Decoder(Head).decode
_unpack_hidden = msgspec.msgpack.Decoder(Hidden).decode
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def is_head(headers: Headers) -> bool:
    """Whether they are sealed."""
    return len(headers) == 1 and headers[0][0] == NOTHING


def seal_request(key: int, request: Request, named: Named, pieces: bytes | None) -> Request:
    headers, body = _seal(b"request %d" % key, request.headers, request.body, named, pieces)
    return Request(headers, body)


def open_request(key: int, request: Request, find: Find) -> tuple[Request, bytes | None]:
    """That of a sealed one, with the key of its pieces."""
    headers, body, pieces = _open(b"request %d" % key, request.headers, request.body, find)
    return Request(headers, body), pieces


def seal_result(key: int, result: Result, named: Named, pieces: bytes | None) -> Result:
    headers, body = _seal(_result(key, result), result.headers, result.body, named, pieces)
    return Result(result.status, headers, body, result.attempt)


def open_result(key: int, result: Result, find: Find) -> tuple[Result, bytes | None]:
    headers, body, pieces = _open(_result(key, result), result.headers, result.body, find)
    return Result(result.status, headers, body, result.attempt), pieces


def seal_event(key: int, event: Event, named: Named) -> Event:
    """What has no data, or none of its own, has nothing to hide."""
    if not event.data:
        return event
    sealed = seal(*named, _event(key, event), _encode(event.data))
    return msgspec.structs.replace(event, data={MEMBER: b64encode(sealed).decode()})


def is_sealed(event: Event) -> bool:
    return event.data is not None and event.data.keys() == {MEMBER}


def open_event(key: int, event: Event, find: Find) -> Event:
    """That of a sealed one."""
    assert event.data is not None
    content = unseal(_binary(event.data[MEMBER]), _event(key, event), find)
    return msgspec.structs.replace(event, data=_decode(content))


def seal_endpoint(endpoint: Endpoint, masters: Masters) -> Endpoint:
    content = _pack(Hidden(endpoint.secrets, endpoint.password))
    sealed = masters.seal(STORE, _endpoint(endpoint), content)
    return msgspec.structs.replace(endpoint, secrets=(SECRET + b64encode(sealed).decode(),), password=None)


def is_current(endpoint: Endpoint, masters: Masters) -> bool:
    """Whether its secrets are under the first master key."""
    sealed = _secrets(endpoint)
    return sealed is not None and masters.current(sealed)


def is_clear(endpoint: Endpoint) -> bool:
    return _secrets(endpoint) is None


def _secrets(endpoint: Endpoint) -> bytes | None:
    """None: they are in clear."""
    first = endpoint.secrets[0] if endpoint.secrets else ""
    return _binary(first.removeprefix(SECRET)) if first.startswith(SECRET) else None


def open_endpoint(endpoint: Endpoint, masters: Masters) -> Endpoint:
    sealed = _secrets(endpoint)
    if sealed is None:
        return endpoint
    hidden = _unpack_hidden(masters.unseal(STORE, _endpoint(endpoint), sealed))
    return msgspec.structs.replace(endpoint, secrets=hidden.secrets, password=hidden.password)


def seal_attempt(delivery: int, attempt: Attempt, named: Named) -> Attempt:
    """What a receiver answered may be what it was told."""
    answer = seal(*named, _attempt(delivery, attempt), attempt.answer)
    return msgspec.structs.replace(attempt, answer=answer)


def open_attempt(delivery: int, attempt: Attempt, find: Find) -> Attempt:
    try:
        name_of(attempt.answer)
    except NotSealedHere:  # kept in clear
        return attempt
    answer = unseal(attempt.answer, _attempt(delivery, attempt), find)
    return msgspec.structs.replace(attempt, answer=answer)


def seal_piece(key: int, attempt: int, position: int, data: bytes, pieces: bytes) -> bytes:
    return seal("", AESGCM(pieces), _piece(key, attempt, position), data)


def open_piece(key: int, attempt: int, position: int, data: bytes, pieces: bytes) -> bytes:
    return unseal(data, _piece(key, attempt, position), lambda name: AESGCM(pieces))


def _seal(
    place: bytes, headers: Headers, body: Body, named: Named, pieces: bytes | None
) -> tuple[Headers, Body]:
    head = seal(*named, place, _pack(Head(headers, body.size, pieces)))
    inline = body.inline
    if inline:
        inline = seal(*named, place + b" body", inline)
    return ((NOTHING, head),), Body(body.size, inline)


def _open(place: bytes, headers: Headers, body: Body, find: Find) -> tuple[Headers, Body, bytes | None]:
    head = _unpack_head(unseal(headers[0][1], place, find))
    inline = body.inline
    if inline is not None:
        if inline:
            inline = unseal(inline, place + b" body", find)
        if len(inline) != head.size:
            raise NotSealedHere
    elif head.key is None:
        raise NotSealedHere
    return head.headers, Body(head.size, inline), head.key


def _binary(text: object) -> bytes:
    try:
        return b64decode(text if isinstance(text, str) else "", validate=True)
    except ValueError:
        raise NotSealedHere from None


def _result(key: int, result: Result) -> bytes:
    return b"result %d %d %d" % (key, result.attempt, result.status)


def _event(key: int, event: Event) -> bytes:
    return b"event %d %d" % (key, event.sequence)


def _attempt(delivery: int, attempt: Attempt) -> bytes:
    return b"attempt %d %d" % (delivery, attempt.number)


def _endpoint(endpoint: Endpoint) -> bytes:
    where = f"endpoint {endpoint.id} {endpoint.tenant} {endpoint.url or ''}"
    return where.encode("utf-8", "surrogatepass")


def _piece(key: int, attempt: int, position: int) -> bytes:
    return b"piece %d %d %d" % (key, attempt, position)
