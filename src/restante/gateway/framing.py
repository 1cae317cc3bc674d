"""What a request's header fields say about what follows them, and small bodies of ours."""

from ..core.envelope import Envelope, open_envelope
from ..core.errors import BodyTooLarge
from ..core.headers import first
from .call import Call
from .problems import NotServed


def announced(call: Call, envelope: Envelope) -> int | None:
    """The body's size: None where it comes in chunks, 0 where there is none.

    Raises `NotServed` where something other than a body is to follow: a WebSocket, or a body in a
    transfer coding that would have to be undone. Other offers to upgrade are not taken up.
    """
    if call.method == "GET" and (first(call.headers, b"upgrade") or b"").lower() == b"websocket":
        raise NotServed("WebSockets are not served.")
    if envelope.length is not None:
        return envelope.length
    coding = first(call.headers, b"transfer-encoding")
    if coding is None:
        return 0
    if coding.strip().lower() != b"chunked":
        raise NotServed("Of the transfer codings, chunked alone is served.")
    return None


async def small_body(call: Call, most: int) -> bytes:
    """All of a body that is for us; raises `BodyTooLarge`."""
    size = announced(call, open_envelope(call.headers))
    content = b""
    if size is None or size <= most:
        async for piece in call.pieces():
            content += piece
            if len(content) > most:
                break
        else:
            return content
    raise BodyTooLarge(f"The body is over the limit of {most} bytes.")
