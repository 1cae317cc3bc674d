"""An upstream that answers at once, or never: `python bench/upstream.py PORT [--silent]`.

It does as little as a server can, so that what is measured is Restante and not this.
"""

import asyncio
import sys

import uvloop

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"answer":"ok"}'


class AtOnce(asyncio.Protocol):
    """Answers each request of a connection, one at a time; a request ends with its announced body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.held = b""

    def data_received(self, data: bytes) -> None:
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            head = self.held[:end].lower()
            place = head.find(b"\r\ncontent-length:")
            size = int(head[place + 17 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(self.held) < end + 4 + size:
                return
            self.held = self.held[end + 4 + size :]
            self.transport.write(ANSWER)


class Silent(asyncio.Protocol):
    """Takes everything and answers nothing."""


async def main(port: int, protocol: type[asyncio.Protocol]) -> None:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), Silent if "--silent" in sys.argv else AtOnce))
