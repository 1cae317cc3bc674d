"""The limit beside which accepts are measured: the same server, the same answer, nothing stored.

`python bench/constant.py PORT`
"""

import sys

import uvloop

from restante.gateway.server import make_server

BODY = (
    b'{"status":"processing","request_id":"a2ac9f8e-1b22-486b-be46-528e48be6c76",'
    b'"status_url":"http://127.0.0.1:8600/async/status/a2ac9f8e-1b22-486b-be46-528e48be6c76",'
    b'"response_url":"http://127.0.0.1:8600/async/result/a2ac9f8e-1b22-486b-be46-528e48be6c76"}'
)
START = {
    "type": "http.response.start",
    "status": 202,
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(BODY)),
        (b"location", b"http://127.0.0.1:8600/async/status/a2ac9f8e-1b22-486b-be46-528e48be6c76"),
        (b"retry-after", b"1"),
        (b"restante-status", b"pending"),
        (b"date", b"Fri, 08 Nov 2024 11:49:35 GMT"),
    ],
}
END = {"type": "http.response.body", "body": BODY}


async def app(scope, receive, send):
    """Reads the request to its end and answers."""
    while (await receive()).get("more_body"):
        pass
    await send(START)
    await send(END)


if __name__ == "__main__":
    import socket

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    uvloop.run(make_server(app).serve(sockets=[listener]))
