"""The limits beside which Restante is measured: the same server and the same bytes, and nothing stored.

python bench/limits.py constant PORT         an application that reads the request and answers
python bench/limits.py direct PORT           the same answer by the way that accepts take: without a task
python bench/limits.py proxy PORT UPSTREAM   what came goes there, by the client that Restante uses
"""

import socket
import sys

import uvloop

from restante.core.policy import Upstream
from restante.gateway.cycle import DirectCycle
from restante.gateway.reply import Reply
from restante.gateway.server import make_server
from restante.outbound import HTTPSender

URL = b"http://127.0.0.1:8600/async/%b/a2ac9f8e-1b22-486b-be46-528e48be6c76"
BODY = (
    b'{"status":"processing","request_id":"a2ac9f8e-1b22-486b-be46-528e48be6c76",'
    b'"status_url":"%b","response_url":"%b"}' % (URL % b"status", URL % b"result")
)
HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", b"%d" % len(BODY)),
    (b"location", URL % b"status"),
    (b"retry-after", b"1"),
    (b"restante-status", b"pending"),
    (b"date", b"Fri, 08 Nov 2024 11:49:35 GMT"),
]
START = {"type": "http.response.start", "status": 202, "headers": HEADERS}
END = {"type": "http.response.body", "body": BODY}
REPLY = Reply(202, HEADERS, BODY)


class Constant:
    """Reads the request to its end and answers."""

    async def __call__(self, scope, receive, send):
        await whole(receive)
        await send(START)
        await send(END)


class Answered(DirectCycle):
    def start(self):
        self.answer(REPLY)


class Direct(Constant):
    """What has a body of a known size needs no task."""

    def direct(self, method, target, headers, ends):
        return Answered()


class Proxy:
    """Sends what came to the upstream, and what comes back to the caller."""

    def __init__(self, port: int) -> None:
        self.upstream = Upstream(host="127.0.0.1", port=port, authority=f"127.0.0.1:{port}")
        self.sender = HTTPSender()

    async def __call__(self, scope, receive, send):
        body = await whole(receive)
        line = await self.sender.connect(self.upstream, max_idle_seconds=2, timeout_seconds=10)
        headers = tuple(pair for pair in scope["headers"] if pair[0] != b"content-length")
        answer = await line.send(
            scope["method"], scope["path"], headers, body, size=len(body), timeout_seconds=60
        )
        came = b"".join([piece async for piece in answer.body()])
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(came))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": came})


async def whole(receive) -> bytes:
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


def main(name: str, port: str, *upstream: str) -> None:
    app = {"constant": Constant, "direct": Direct, "proxy": Proxy}[name](*map(int, upstream))
    with socket.create_server(("127.0.0.1", int(port)), backlog=2048) as listener:
        uvloop.run(make_server(app).serve(sockets=[listener]))


if __name__ == "__main__":
    main(*sys.argv[1:])
