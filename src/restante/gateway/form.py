"""The form of a request: what two readers of the same bytes might take for different requests is refused.

The parser (llhttp) has judged the bytes by now: line ends, lengths, chunks. Here is judged what it takes and
another server might understand otherwise, or send elsewhere (RFC 9112 §3.2, §6.1). Such a request is answered
with 400, and its connection is closed.
"""

import re
from collections.abc import Sequence

from ..core.errors import BadRequest
from .origin import origin

VERSIONS = frozenset({"1.0", "1.1"})

_ABSOLUTE = re.compile(rb"https?://([^/?#@\\]+)([/?].*)?", re.IGNORECASE)


def origin_form(target: bytes, version: str, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The target as path and query. Names of `headers` are in lower case. Raises `BadRequest`.

    A whole URL is taken for its path where its host is the one in `Host`, so that there is one host to go by.
    """
    if version not in VERSIONS:
        raise BadRequest("The versions of HTTP that are served here are 1.1 and 1.0.")
    hosts = []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding" and version == "1.0":
            raise BadRequest("HTTP/1.0 has no transfer codings.", field="Transfer-Encoding")
    if len(hosts) > 1:
        raise BadRequest("Host must be given once", field="Host")
    if hosts or version == "1.1":
        origin("http", hosts[0] if hosts else b"")
    if b"#" in target:
        raise BadRequest("The target must not have a fragment: it is the client's own.")
    if target.startswith(b"/"):
        return target
    whole = _ABSOLUTE.fullmatch(target)
    if whole is None or not hosts or whole[1].lower() != hosts[0].lower():
        raise BadRequest("The target must be a path, or a URL on the host that Host names.")
    rest: bytes = whole[2] or b""
    return rest if rest.startswith(b"/") else b"/" + rest
