"""The URLs that a request asks to be told at: in its header, and where its route says in the body."""

from ..core.envelope import Envelope
from ..core.errors import BadRequest, Refused
from ..core.pointer import NOTHING, decode, pick
from ..core.policy import Route
from ..core.target import MAX_URL
from ..ports import REQUEST_CHUNKS
from .bodies import Intake, read_body
from .service import Service

HEADER = "Restante-Callback-Url"

MAX_DOCUMENT = 1024 * 1024
"""Bodies over this are not searched: then only the header can name a URL."""


async def callbacks_of(
    service: Service, tenant: str, *, envelope: Envelope, route: Route, intake: Intake
) -> tuple[str, ...]:
    """Where the end of what is to be accepted is told: the header's URL, and the body's if it is another.

    Raises `BadRequest` naming the header or the pointer, where webhooks cannot be sent there.
    """
    found: dict[str, str] = {}
    if envelope.callback is not None:
        found[envelope.callback] = HEADER
    if route.callback is not None:
        url = await _in_body(service, route.callback, intake)
        if url is not None:
            found.setdefault(url, route.callback)
    for url, field in found.items():
        await check_url(service, url, field=field)
    if found:
        await service.endpoints.callbacks(tenant)
    return tuple(found)


async def check_url(service: Service, url: str, *, field: str) -> None:
    """Raises `BadRequest` naming the field, where webhooks cannot be sent to this URL."""
    if not url or len(url) > MAX_URL or not url.isprintable():
        raise BadRequest(f"{field} must be a URL of at most {MAX_URL} characters", field=field)
    try:
        await service.courier.admit(url)
    except Refused as error:
        raise BadRequest(f"{field}: {error.message}", field=field) from None


async def _in_body(service: Service, pointer: str, intake: Intake) -> str | None:
    """A body that is no JSON, or has nothing there, asks for nothing. Raises `BadRequest`."""
    body = intake.body
    content = body.inline
    if content is None and body.size <= MAX_DOCUMENT:
        pieces = read_body(service.store, service.outage, intake.key, REQUEST_CHUNKS, body)
        content = b"".join([piece async for piece in pieces])
    document = decode(content or b"")
    value = pick(document, pointer) if document is not NOTHING else NOTHING
    if value is NOTHING or value is None:
        return None
    if not isinstance(value, str):
        raise BadRequest(f"{pointer} must be a URL", field=pointer)
    return value
