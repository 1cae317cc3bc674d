"""An upstream that does as little as a server can, so that what is measured is Restante and not this.

    python bench/upstream.py PORT             answers at once
    python bench/upstream.py PORT --silent    takes everything and answers nothing
    python bench/upstream.py PORT --echo      answers with what it was sent, however large

`GET /-count` tells how many requests it has answered. All else counts: it can be a receiver of webhooks too.
"""

import asyncio
import sys

import uvloop

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
ANSWER = HEAD % 15 + b'{"answer":"ok"}'
COUNT = b"GET /-count "


class AtOnce(asyncio.Protocol):
    """Answers each request of a connection, one at a time; a request ends with its announced body."""

    answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.held = bytearray()

    def data_received(self, data: bytes) -> None:
        held = self.held
        held += data
        while (end := held.find(b"\r\n\r\n")) >= 0:
            head = bytes(held[:end]).lower()
            place = head.find(b"\r\ncontent-length:")
            size = int(head[place + 17 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(held) < end + 4 + size:
                return
            self.answer(held, end + 4, size)
            del held[: end + 4 + size]

    def answer(self, held: bytearray, begin: int, size: int) -> None:
        if held.startswith(COUNT):
            text = b"%d" % AtOnce.answered
            self.transport.write(HEAD % len(text) + text)
        else:
            AtOnce.answered += 1
            self.reply(held, begin, size)

    def reply(self, held: bytearray, begin: int, size: int) -> None:
        self.transport.write(ANSWER)


class Echo(AtOnce):
    def reply(self, held: bytearray, begin: int, size: int) -> None:
        self.transport.write(HEAD % size + held[begin : begin + size])


class Silent(AtOnce):
    """But to who asks how many it has answered."""

    def reply(self, held: bytearray, begin: int, size: int) -> None: ...


PROTOCOLS = {"--silent": Silent, "--echo": Echo}


async def main(port: int, protocol: type[asyncio.Protocol]) -> None:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), PROTOCOLS[sys.argv[2]] if len(sys.argv) > 2 else AtOnce))
