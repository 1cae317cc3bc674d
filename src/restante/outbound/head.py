"""The bytes of a request's head.

Header fields go out as they are, in order. What would make one request into two, or contradict the
framing added here, is refused: those are mistakes of the caller of this room, so a plain `ValueError`.
"""

from ..core.model import Headers

TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # RFC 9110 §5.6.2
NAMES = TOKEN + b"\n"

LENGTH_EXPECTED = frozenset({"POST", "PUT", "PATCH"})  # RFC 9110 §8.6: a length even where there is no body


def framing(method: str, size: int | None) -> bytes:
    """The field that tells where the body ends; none where there is no body and none is expected."""
    if size is None:
        return b"Transfer-Encoding: chunked\r\n"
    if size or method in LENGTH_EXPECTED:
        return b"Content-Length: %d\r\n" % size
    return b""


def request_head(method: str, target: str, headers: Headers, size: int | None) -> bytes:
    """Request line, `headers`, framing and the empty line.

    `method` and `target` are text whose characters are the bytes on the wire (latin-1).
    """
    verb, path = method.encode("latin-1"), target.encode("latin-1")
    if not verb or verb.translate(None, TOKEN):
        raise ValueError("a method must be a token")
    if not path or b" " in path or b"\t" in path:
        raise ValueError("a request target must not be empty nor hold white space")
    if size is not None and size < 0:
        raise ValueError("a size must not be negative")
    names = b"\n%b\n" % b"\n".join([name for name, _ in headers]).lower()
    if names.translate(None, NAMES) or (headers and b"\n\n" in names):
        raise ValueError("a header's name must be a token")
    if b"\ncontent-length\n" in names or b"\ntransfer-encoding\n" in names:
        raise ValueError("framing is added here and must not be among the headers")
    fields = b"\r\n".join([b"%b %b HTTP/1.1" % (verb, path), *map(b": ".join, headers), b""])
    frame = framing(method, size)
    head = b"%b%b\r\n" % (fields, frame)
    # One line end per line, and it is ours: so there is none within a name, a value or the target.
    lines = len(headers) + (3 if frame else 2)
    if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
        raise ValueError("a request's head must not hold a line end or a NUL")
    return head
