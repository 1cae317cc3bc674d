"""`Client`: the conversation of flow.py over blocking sockets. One may be used by many threads."""

import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, Self, Unpack

from .answer import Ask, More, Pause, Response, Step, Tell
from .caller import IDLE, PIECE, BaseHandle, Caller, why
from .errors import NotReached
from .flow import told
from .questions import Flow, T
from .submission import Given
from .wire import HUNG_UP, Bytes, Wire

AT_ONCE = 16
"""Transactions that are asked about at once by `as_ended`, each in a thread."""


class Client(Caller):
    """A server, as a caller sees it."""

    _idle: "deque[_Line]"
    _sleep: Callable[[float], None] = staticmethod(time.sleep)

    def submit(self, method: str, path: str, **given: Unpack[Given]) -> "Handle":
        """Has the request stored and run in the background.

        It has an idempotency key of its own unless one is given, so that it is accepted once however often it
        had to be sent. With `dialect` "transaction" or "prefer" it goes to the plain path, not below /async.
        """
        id, answer = self.run(self._submission(method, path, given))
        return Handle(self, id, accepted=answer)

    def handle(self, id: str) -> "Handle":
        """The handle of what was submitted before, here or elsewhere: by its id, or any URL that names it."""
        return Handle(self, self._id(id))

    def as_ended(self, handles: Iterable["Handle"], *, timeout: float | None = None) -> Iterator["Handle"]:
        """The handles in the order in which they end. Raises `StillRunning` when `timeout` has passed."""
        until = self.until(timeout)
        left = list(handles)
        hold = self._turn(len(left), AT_ONCE)
        waiting: SimpleQueue[Handle | None] = SimpleQueue()
        asked: SimpleQueue[tuple[Handle, bool | BaseException]] = SimpleQueue()

        def ask() -> None:
            while (one := waiting.get()) is not None:
                try:
                    asked.put((one, one._ended(min(self._now() + hold, until))))
                except BaseException as error:  # is raised where the handles are waited for
                    asked.put((one, error))

        for one in left:
            waiting.put(one)
        # Nobody waits for these at the end of the program, if they are left in the middle of a question.
        threads = [Thread(target=ask, daemon=True) for _ in range(min(len(left), AT_ONCE))]
        for thread in threads:
            thread.start()
        try:
            for count in range(len(left), 0, -1):
                yield self._next(waiting, asked, until, count)
        finally:
            with suppress(Empty):
                while True:
                    waiting.get_nowait()
            for _ in threads:
                waiting.put(None)

    def _next(
        self,
        waiting: "SimpleQueue[Handle | None]",
        asked: "SimpleQueue[tuple[Handle, bool | BaseException]]",
        until: float,
        count: int,
    ) -> "Handle":
        """The next that has ended; the others wait for their turn again."""
        while True:
            one, ended = asked.get()
            if isinstance(ended, BaseException):
                raise ended
            if ended:
                return one
            if self._now() >= until:
                raise self._not_ended(count)
            waiting.put(one)

    def close(self) -> None:
        """Closes the connections that are idle. The client can be used again."""
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the driver

    def run(self, flow: Flow[T]) -> T:
        """What the conversation returns."""
        with closing(self.play(told(flow))) as values:
            value: T = next(values)
            return value

    def play(self, flow: Flow[Any]) -> Generator[Any]:
        """What the conversation tells, as it tells it."""
        line: _Line | None = None
        try:
            step: Step = next(flow)
            while True:
                try:
                    got: object = None
                    match step:
                        case Ask():
                            line = self._line(line)
                            got = answer = line.through(line.wire.ask(step), step.hold_seconds)
                            self._on_answer(answer)
                        case More():
                            assert line is not None
                            got = line.through(line.wire.more(), 0)
                        case Pause():
                            self._sleep(step.seconds)
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

    def _line(self, last: "_Line | None") -> "_Line":
        """A connection that is ready for a request: the one before, an idle one, or a new one."""
        if last is not None:
            self._give_back(last)
        while self._idle:
            with suppress(IndexError):  # another thread was faster
                line = self._idle.pop()
                if line.alive():
                    return line
                line.close()
        return _Line(self._connect(), self._wire(), self._timeout)

    def _connect(self) -> socket.socket:
        try:
            plain = socket.create_connection((self._address.host, self._address.port), self._timeout)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                return plain
            return self._tls.wrap_socket(plain, server_hostname=self._address.host)
        except OSError as error:
            raise NotReached(f"{self.url}: no answer: {why(error)}", sent=False) from None

    def _give_back(self, line: "_Line") -> None:
        if not line.wire.reusable() or len(self._idle) >= IDLE:
            line.close()
        else:
            self._idle.append(line)


class Handle(BaseHandle["Client"]):
    """One transaction. `client.handle(id)` makes it again, in any process."""

    def status(self) -> str:
        """pending, processing, completed, failed or cancelled. Raises `Unknown`."""
        return self._client.run(self._client.conversation.look(self.id)).status

    def show(self) -> dict[str, Any]:
        """All that is known, with the events. Raises `Refused` where /-/ is not served."""
        return self._client.run(self._client.conversation.show(self.id))

    def result(self, *, timeout: float | None = None) -> Response:
        """The upstream's answer, whatever its code, once there is one; waits for `timeout` seconds at most.

        Raises `StillRunning`, `Cancelled`, `WorkFailed`, `Unknown`. It may be read again and again.
        """
        return self._client.run(self._client.conversation.result(self.id, self._client.until(timeout)))

    def events(self, *, after: int = 0) -> Iterator[dict[str, Any]]:
        """Its events behind number `after`, those there are and those to come, until the last one."""
        return self._client.play(self._client.conversation.events(self.id, after))

    def cancel(self) -> None:
        """Cancels it, or raises `NotNow` where it is too late. Again is no error."""
        self._client.run(self._client.conversation.cancel(self.id))

    def _ended(self, until: float) -> bool:
        return self._client.run(self._client.conversation.ended(self.id, until))


class _Line:
    """A connection, and what is known of the HTTP on it."""

    def __init__(self, channel: socket.socket, wire: Wire, timeout: float) -> None:
        self.wire = wire
        self._socket = channel
        self._timeout = timeout
        self._process = os.getpid()

    def through(self, talk: Bytes[T], hold_seconds: float) -> T:
        """Sends and receives as `talk` wants it. Raises `NotReached`."""
        self._socket.settimeout(self._timeout + hold_seconds)
        received: bytes | None = None
        try:
            while True:
                received = self._carry(talk.send(received))
        except StopIteration as end:
            value: T = end.value
            return value
        except OSError as error:
            raise self.wire.lost(why(error)) from None

    def _carry(self, sending: bytes | None) -> bytes | None:
        if sending is None:
            return self._socket.recv(PIECE)
        try:
            self._socket.sendall(sending)
        except HUNG_UP:
            self.wire.hung_up = True
        return None

    def alive(self) -> bool:
        """Whether it is this process's, and nothing came that nobody asked for: its end, for one."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return self._process == os.getpid() and not poll.poll(0)

    def close(self) -> None:
        self._socket.close()
