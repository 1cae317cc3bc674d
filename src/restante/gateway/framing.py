"""What a request's header fields say about what follows them."""

from ..core.envelope import Envelope
from ..core.headers import first
from .call import Call
from .problems import NotServed


def announced(call: Call, envelope: Envelope) -> int | None:
    """The body's size: None where it comes in chunks, 0 where there is none.

    Raises `NotServed` where something other than a body is to follow: a WebSocket, or a body in a
    transfer coding that would have to be undone. Other offers to upgrade are not taken up.
    """
    if envelope.length is not None:
        return envelope.length
    if call.method == "GET" and (first(call.headers, b"upgrade") or b"").lower() == b"websocket":
        raise NotServed("WebSockets are not served.")
    coding = first(call.headers, b"transfer-encoding")
    if coding is None:
        return 0
    if coding.strip().lower() != b"chunked":
        raise NotServed("Of the transfer codings, chunked alone is served.")
    return None
