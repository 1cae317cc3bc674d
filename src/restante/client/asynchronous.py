"""`AsyncClient`: the conversation of flow.py over asyncio. It belongs to the loop that it is used in."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, Unpack

from .answer import Ask, More, Pause, Response, Step, Tell
from .caller import IDLE, PIECE, BaseHandle, Caller, why
from .errors import NotReached
from .flow import told
from .questions import Flow, T
from .submission import Given
from .wire import HUNG_UP, Bytes, Wire

AT_ONCE = 64
"""Transactions that are asked about at once by `as_ended`."""


class AsyncClient(Caller):
    """A server, as a caller sees it; `Client` for coroutines."""

    _idle: "deque[_Line]"
    _sleep: Callable[[float], Coroutine[Any, Any, None]] = staticmethod(asyncio.sleep)

    async def submit(self, method: str, path: str, **given: Unpack[Given]) -> "AsyncHandle":
        """As `Client.submit`."""
        id, answer = await self.run(self._submission(method, path, given))
        return AsyncHandle(self, id, accepted=answer)

    def handle(self, id: str) -> "AsyncHandle":
        """As `Client.handle`."""
        return AsyncHandle(self, self._id(id))

    async def as_ended(
        self, handles: Iterable["AsyncHandle"], *, timeout: float | None = None
    ) -> AsyncIterator["AsyncHandle"]:
        """As `Client.as_ended`."""
        until = self.until(timeout)
        waiting = deque(handles)
        hold = self._turn(len(waiting), AT_ONCE)
        asked: dict[asyncio.Task[bool], AsyncHandle] = {}
        try:
            while waiting or asked:
                while waiting and len(asked) < AT_ONCE:
                    one = waiting.popleft()
                    asked[asyncio.create_task(one._ended(min(self._now() + hold, until)))] = one
                ended, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    one = asked.pop(task)
                    if task.result():
                        yield one
                    elif self._now() >= until:
                        raise self._not_ended(len(waiting) + len(asked) + 1)
                    else:
                        waiting.append(one)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def close(self) -> None:
        """As `Client.close`."""
        while self._idle:
            self._idle.pop().close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # -- the driver

    async def run(self, flow: Flow[T]) -> T:
        """What the conversation returns."""
        async with aclosing(self.play(told(flow))) as values:
            value: T = await anext(values)
            return value

    async def play(self, flow: Flow[Any]) -> AsyncGenerator[Any]:
        """What the conversation tells, as it tells it."""
        line: _Line | None = None
        try:
            step: Step = next(flow)
            while True:
                try:
                    got: object = None
                    match step:
                        case Ask():
                            line = await self._line(line)
                            got = answer = await line.through(line.wire.ask(step), step.hold_seconds)
                            self._on_answer(answer)
                        case More():
                            assert line is not None
                            got = await line.through(line.wire.more(), 0)
                        case Pause():
                            await self._sleep(step.seconds)
                        case Tell():
                            yield step.value
                except NotReached as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(got)
        except StopIteration:
            return
        finally:
            flow.close()
            if line is not None:
                self._give_back(line)

    async def _line(self, last: "_Line | None") -> "_Line":
        if last is not None:
            self._give_back(last)
        while self._idle:
            line = self._idle.pop()
            if line.alive():
                return line
            line.close()
        try:
            async with asyncio.timeout(self._timeout):
                streams = await asyncio.open_connection(
                    self._address.host, self._address.port, ssl=self._tls, limit=PIECE
                )
        except OSError as error:
            raise NotReached(f"{self.url}: no answer: {why(error)}", sent=False) from None
        return _Line(streams, self._wire(), self._timeout)

    def _give_back(self, line: "_Line") -> None:
        if not line.wire.reusable() or len(self._idle) >= IDLE:
            line.close()
        else:
            self._idle.append(line)


class AsyncHandle(BaseHandle["AsyncClient"]):
    """One transaction; `Handle` for coroutines."""

    async def status(self) -> str:
        """As `Handle.status`."""
        return (await self._client.run(self._client.conversation.look(self.id))).status

    async def show(self) -> dict[str, Any]:
        """As `Handle.show`."""
        return await self._client.run(self._client.conversation.show(self.id))

    async def result(self, *, timeout: float | None = None) -> Response:
        """As `Handle.result`."""
        return await self._client.run(self._client.conversation.result(self.id, self._client.until(timeout)))

    def events(self, *, after: int = 0) -> AsyncIterator[dict[str, Any]]:
        """As `Handle.events`."""
        return self._client.play(self._client.conversation.events(self.id, after))

    async def cancel(self) -> None:
        """As `Handle.cancel`."""
        await self._client.run(self._client.conversation.cancel(self.id))

    async def _ended(self, until: float) -> bool:
        return await self._client.run(self._client.conversation.ended(self.id, until))


class _Line:
    """A connection, and what is known of the HTTP on it."""

    def __init__(
        self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], wire: Wire, timeout: float
    ) -> None:
        self.wire = wire
        self._reader, self._writer = streams
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()

    async def through(self, talk: Bytes[T], hold_seconds: float) -> T:
        """Sends and receives as `talk` wants it. Raises `NotReached`."""
        received: bytes | None = None
        try:
            while True:
                async with asyncio.timeout(self._timeout + hold_seconds):
                    received = await self._carry(talk.send(received))
        except StopIteration as end:
            value: T = end.value
            return value
        except OSError as error:
            raise self.wire.lost(why(error)) from None

    async def _carry(self, sending: bytes | None) -> bytes | None:
        if sending is None:
            return await self._reader.read(PIECE)
        self._writer.write(sending)
        try:
            await self._writer.drain()
        except HUNG_UP:
            self.wire.hung_up = True
        return None

    def alive(self) -> bool:
        """Whether it is this loop's, and not at its end."""
        here = self._loop is asyncio.get_running_loop()
        return here and not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        if not self._loop.is_closed():
            self._writer.close()
