"""A caller that sees every byte: raw requests on a socket, answers read by hand."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..faults import in_trial, on_trial


@dataclass
class Seen:
    """One answer. Names of header fields in lower case, in order."""

    code: int
    headers: list[tuple[str, bytes]]
    body: bytes
    complete: bool = True
    raw_body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        values = [value.decode("latin-1") for key, value in self.headers if key == name]
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None

    def all(self, name: str) -> list[bytes]:
        return [value for key, value in self.headers if key == name]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def pairs(self) -> list[tuple[str, Any]]:
        pairs: list[tuple[str, Any]] = json.loads(self.body, object_pairs_hook=list)
        return pairs


class Wire:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str) -> None:
        self.reader = reader
        self.writer = writer
        self.authority = authority
        self._sent: bytearray | None = bytearray()  # the request that is not answered yet; None: several

    @classmethod
    async def to(cls, port: int) -> "Wire":
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
        return cls(reader, writer, f"127.0.0.1:{port}")

    @property
    def here(self) -> tuple[str, int]:
        """This end's address."""
        address: tuple[str, int] = self.writer.get_extra_info("sockname")
        return address

    def write(self, data: bytes) -> None:
        if self._sent is not None:
            self._sent += data
        self.writer.write(data)

    def request(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> None:
        """Writes a request; Host and Content-Length are added unless given (as "" to leave them out)."""
        fields = {"Host": self.authority, **(headers or {})}
        if body is not None and "Transfer-Encoding" not in fields:
            fields.setdefault("Content-Length", str(len(body)))
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items() if value != ""]
        if self._sent:
            self._sent = None
        self.write("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))

    async def ask(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Seen:
        self.request(method, target, headers, body)
        return await self.answer(method)

    async def answer(self, method: str = "GET") -> Seen:
        """The next one. Where a store on trial is why the only request was refused, it is asked again, as a
        client does on a 503 (tests/faults.py)."""
        while True:
            seen = await self._answer(method)
            if seen.code < 200:
                return seen
            sent, self._sent = self._sent, bytearray()
            if not sent or not in_trial(seen.code):
                return seen
            asked = sent.split(b" ", 1)[0].strip().decode("latin-1")
            if method == "HEAD" != asked:  # only its head was to be read
                seen.body = await self.reader.readexactly(int(seen.header("content-length") or 0))
            if not on_trial(seen.code, seen.body, asked):
                return seen
            if seen.header("connection") == "close":
                self.leave()
                host, _, port = self.authority.rpartition(":")
                self.reader, self.writer = await asyncio.open_connection(host, int(port), limit=2**26)
            self.write(bytes(sent))

    async def _answer(self, method: str) -> Seen:
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head[:-4].split(b"\r\n")
        code = int(lines[0].split(b" ")[1])
        headers = []
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers.append((name.decode().lower(), value.strip()))
        seen = Seen(code, headers, b"")
        if method == "HEAD" or code in (204, 304) or 100 <= code < 200:
            return seen
        length = seen.header("content-length")
        try:
            if length is not None:
                seen.body = await self.reader.readexactly(int(length))
            elif seen.header("transfer-encoding") == "chunked":
                seen.body = await self._chunks()
            else:
                seen.body = await self.reader.read()
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            seen.complete = False
            seen.body = getattr(error, "partial", b"")
        return seen

    async def _chunks(self) -> bytes:
        pieces = []
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            piece = await self.reader.readexactly(size + 2)
            if not size:
                return b"".join(pieces)
            pieces.append(piece[:-2])

    async def closed(self) -> bool:
        """Whether the gateway closes now, with nothing more to say."""
        try:
            async with asyncio.timeout(5):
                return await self.reader.read() == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def leave(self) -> None:
        """Goes away rudely: whatever was not read is lost."""
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()
