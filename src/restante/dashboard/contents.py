"""Requests and results as people see them: masked, folded, and never run.

What is text is shown, with card numbers and configured fields masked. What is not, and text that is too long
to be shown whole, is offered as a file: it is never rendered on this origin, and it is the only thing that is
given as it came. Where fields are configured to be masked, long JSON is not: nobody could tell them.
"""

from codecs import getincrementaldecoder
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, Literal

import msgspec

from ..core.errors import Gone
from ..core.headers import CREDENTIALS, first
from ..core.masking import HIDDEN, MAX_SHOWN, masked, masked_text
from ..core.model import Body, Headers, Request, Result, Transaction
from ..core.retention import expired
from ..ports.dashboard import Shown
from .visit import Unknown, Visit

MAX_NODES = 2_000
"""Values of a JSON document that are folded; a larger one is shown as text."""

HIDDEN_FIELDS = CREDENTIALS | {b"set-cookie", b"proxy-authorization", b"restante-key", b"x-api-key"}
"""Header fields whose values nobody is shown."""

Form = Literal["empty", "json", "text", "binary"]

TEXTS = (
    "text/",
    "application/json",
    "application/xml",
    "application/x-www-form-urlencoded",
    "application/javascript",
)


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A body and its header fields. `document` is there for JSON, `text` for JSON and text."""

    name: str
    form: Form
    kind: str
    size: int
    fields: list[tuple[str, str]]
    document: Any = None
    text: str = ""
    cut: bool = False  # only the beginning is shown
    changed: bool = False  # something is masked
    file: bool = False  # it is offered as one
    latin: bool = False  # it is no UTF-8, and read as Latin-1


async def of_request(visit: Visit, transaction: Transaction) -> Content | None:
    request = await _request(visit, transaction)
    if request is None:
        return None
    pieces = visit.service.read_request(transaction, request)
    return await _content(visit, transaction, "request", request.headers, request.body, pieces)


async def of_result(visit: Visit, transaction: Transaction) -> Content | None:
    result = await visit.service.result(transaction)
    if result is None:
        return None
    pieces = visit.service.read_result(transaction, result)
    return await _content(visit, transaction, "result", result.headers, result.body, pieces)


async def request(visit: Visit, id: str) -> Shown:
    """The body of a request as a file, where it is no text or a long one."""
    transaction = await look(visit, id)
    kept = await _request(visit, transaction)
    if kept is None:
        raise Gone("The request is past its retention.")
    return await _file(visit, transaction, kept, visit.service.read_request(transaction, kept), "request")


async def result(visit: Visit, id: str) -> Shown:
    """The body of a result as a file, where it is no text or a long one."""
    transaction = await look(visit, id)
    kept = await visit.service.result(transaction)
    if kept is None:
        raise Gone("There is no result, or it is past its retention.")
    return await _file(visit, transaction, kept, visit.service.read_result(transaction, kept), "result")


async def look(visit: Visit, id: str) -> Transaction:
    """The visitor's transaction; raises `Unknown`."""
    transaction = await visit.service.look(visit.own, id)
    if transaction is None:
        raise Unknown("There is no transaction with this id.")
    return transaction


async def _request(visit: Visit, transaction: Transaction) -> Request | None:
    if expired(transaction, visit.now):
        return None
    (kept,) = await visit.store.requests([transaction.key])
    return kept


async def _file(
    visit: Visit, transaction: Transaction, kept: Request | Result, pieces: AsyncIterator[bytes], name: str
) -> Shown:
    beginning, pieces = await _beginning(pieces)
    form = form_of(_kind(kept.headers), beginning)
    pointers = visit.policy.masks(transaction.method, transaction.path)
    if form != "binary" and not _offered(kept.body.size, beginning, pointers):
        raise Unknown("This is shown on the transaction's page, masked; it is no file.")
    ending = "bin" if form == "binary" else "txt"
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"content-disposition", f'attachment; filename="{transaction.code}-{name}.{ending}"'.encode()),
        (b"content-length", b"%d" % kept.body.size),
        (b"content-security-policy", b"sandbox; default-src 'none'"),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    return Shown(200, headers, _joined(beginning, pieces))


async def _content(
    visit: Visit,
    transaction: Transaction,
    name: str,
    headers: Headers,
    body: Body,
    pieces: AsyncIterator[bytes],
) -> Content:
    beginning, _ = await _beginning(pieces)
    kind = _kind(headers)
    form = form_of(kind, beginning) if body.size else "empty"
    content = Content(name=name, form=form, kind=kind or "no type", size=body.size, fields=_fields(headers))
    if form in ("empty", "binary"):
        return msgspec.structs.replace(content, file=form == "binary")
    cut = body.size > MAX_SHOWN
    pointers = visit.policy.masks(transaction.method, transaction.path)
    content = msgspec.structs.replace(content, file=_offered(body.size, beginning, pointers))
    return _shown(content, beginning[:MAX_SHOWN], pointers, cut=cut)


def _shown(content: Content, body: bytes, pointers: Sequence[str], *, cut: bool) -> Content:
    if not cut:
        try:
            document = msgspec.json.decode(body)
            hidden = masked(document, pointers)
            text = msgspec.json.format(msgspec.json.encode(hidden)).decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            return msgspec.structs.replace(
                content,
                form="json" if _nodes(hidden) <= MAX_NODES and isinstance(hidden, dict | list) else "text",
                document=hidden,
                text=text,
                changed=hidden != document,
            )
    elif _hides(body, pointers):
        return msgspec.structs.replace(content, form="text", text=HIDDEN, cut=True, changed=True)
    try:
        text = getincrementaldecoder("utf-8")().decode(body, final=not cut)
        latin = False
    except UnicodeDecodeError:
        text, latin = body.decode("latin-1"), True
    shown = masked_text(text)
    return msgspec.structs.replace(
        content, form="text", text=shown, cut=cut, changed=shown != text, latin=latin
    )


def _hides(beginning: bytes, pointers: Sequence[str]) -> bool:
    """Whether something may be in a long text that the pointers point to; that cannot be told."""
    return bool(pointers) and beginning.lstrip()[:1] in (b"{", b"[")


def _offered(size: int, beginning: bytes, pointers: Sequence[str]) -> bool:
    """Whether a text is a file as well."""
    return size > MAX_SHOWN and not _hides(beginning, pointers)


def form_of(kind: str, beginning: bytes) -> Form:
    """What a body is, by its type and its beginning."""
    if b"\0" in beginning:
        return "binary"
    try:
        getincrementaldecoder("utf-8")().decode(beginning)  # it may end in the middle of a character
    except UnicodeDecodeError:
        return "text" if kind.startswith("text/") else "binary"
    textual = kind.startswith(TEXTS) or kind.endswith(("+json", "+xml")) or not kind
    return "text" if textual or beginning.isascii() else "binary"


def _kind(headers: Headers) -> str:
    value = first(headers, b"content-type") or b""
    return value.decode("latin-1").partition(";")[0].strip().lower()


def _fields(headers: Headers) -> list[tuple[str, str]]:
    return [
        (
            name.decode("latin-1"),
            HIDDEN if name.lower() in HIDDEN_FIELDS else masked_text(value.decode("latin-1")),
        )
        for name, value in headers
    ]


def _nodes(document: Any) -> int:
    """How many values there are; beyond MAX_NODES it is not counted on."""
    count, left = 0, [document]
    while left and count <= MAX_NODES:
        value = left.pop()
        count += 1
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
    return count


async def _beginning(pieces: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """Enough to show, and what is behind it."""
    found = b""
    async for piece in pieces:
        found += piece
        if len(found) > MAX_SHOWN:
            break
    return found, pieces


async def _joined(beginning: bytes, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield beginning
    async for piece in pieces:
        yield piece
