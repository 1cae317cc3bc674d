"""The writer in a process of its own (child.py): a second core, and an interpreter nobody else asks for.

A group goes over as one message, its answers come back as one, and both sides run at once: some groups are
sent ahead, so that the child need not wait for this process between two commits. What goes over
is rows already, so that spelling it is all it costs. The lock on the file goes along: it is free again
only when neither process is there any more.

The two live and die together. The child ends when this process does, once it has made the commit it is
at. Where the child ends first, nobody knows what it has written: this process ends too, as if
it had been killed, and what was accepted is found at the next start (contract, promise 1).
"""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from typing import cast

import msgspec

from ...core.errors import RestanteError, SettingError, StoreUnavailable
from .worker import Group

ENOUGH = 16
"""Jobs that are sent without waiting for more: this process goes on while the child writes them."""

AHEAD = 4
"""Groups that are sent before the first of them is answered. What the child finds when it has made a commit
goes into the next one."""

START_SECONDS = 30.0

log = logging.getLogger("restante.store")


class Opening(msgspec.Struct, array_like=True):
    """What the child is to write to. The lock's descriptor comes with it."""

    path: str
    reserve: int


class Failure(msgspec.Struct, array_like=True):
    """An error that is passed on. `refused`: new work is, for a reason that may pass."""

    refused: bool
    message: str
    retry_after_seconds: int | None


class Said(msgspec.Struct, array_like=True):
    """What the child would have written into the log."""

    level: int
    text: str


class Answers(msgspec.Struct, array_like=True):
    """Of a group, in its order."""

    values: list[object]
    failures: dict[int, Failure]  # by place
    said: list[Said]


LENGTH = 4
"""Bytes before each message that tell its length."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answers).decode


def framed(message: object) -> bytes:
    """As it goes over."""
    encoded = _encode(message)
    return len(encoded).to_bytes(LENGTH, "big") + encoded


class Inbox:
    """Makes messages of what comes over."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, data: bytes) -> list[bytes]:
        """The messages that are complete with these bytes."""
        received = self._bytes
        received += data
        messages = []
        begin = 0
        while len(received) >= begin + LENGTH:
            end = begin + LENGTH + int.from_bytes(received[begin : begin + LENGTH], "big")
            if len(received) < end:
                break
            messages.append(bytes(received[begin + LENGTH : end]))
            begin = end
        del received[:begin]
        return messages


class Child:
    """A process that was started, and does not know yet what for."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        paths = os.pathsep.join(path for path in sys.path if path)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "restante.stores.sqlite.child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": paths},
            )

    def drop(self) -> None:
        """It is not needed."""
        self.ours.close()
        self.process.wait()


def end_at_once() -> None:
    """As if it had been killed."""
    os.kill(os.getpid(), signal.SIGKILL)


def _not_started() -> SettingError:
    return SettingError("store", "the process that writes to the file could not be started")


class Apart(asyncio.Protocol):
    """Made by `start`. `broken` is called where the child has ended by itself."""

    enough: int | None = ENOUGH
    ahead: int = AHEAD

    def __init__(self, child: Child, broken: Callable[[], None]) -> None:
        self._child = child
        self._broken = broken
        self._inbox = Inbox()
        self._given: deque[tuple[Group, Callable[[Group], None]]] = deque()
        self._closing = False
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()

    @classmethod
    async def start(
        cls, child: Child, *, path: str, reserve: int, lock: int, broken: Callable[[], None] = end_at_once
    ) -> "Apart":
        """Lets the child open the file. Raises `SettingError` where it cannot."""
        opening = framed(Opening(path, reserve))
        try:
            socket.send_fds(child.ours, [opening], [lock])
        except OSError:
            child.drop()
            raise _not_started() from None
        loop = asyncio.get_running_loop()
        _, apart = await loop.connect_accepted_socket(lambda: cls(child, broken), child.ours)
        try:
            async with asyncio.timeout(START_SECONDS):
                await apart._ready
        except BaseException as error:
            child.process.kill()
            await apart.close()
            if isinstance(error, TimeoutError):
                raise _not_started() from None
            raise
        return apart

    def give(self, group: Group, done: Callable[[Group], None]) -> None:
        self._given.append((group, done))
        self._transport.write(framed([(job.kind, job.what) for job in group]))

    async def close(self) -> None:
        self._closing = True
        self._transport.close()
        await self._ended
        await asyncio.to_thread(self._child.process.wait)

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for message in self._inbox.add(data):
            answers = _decode(message)
            for said in answers.said:
                log.log(said.level, "%s", said.text)
            if self._ready.done():
                self._answered(answers)
            else:
                self._ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set_result(None)
        if self._closing:
            return
        if not self._ready.done():
            self._ready.set_exception(_not_started())
            return
        log.critical("the store's writing process has ended; this one ends too, and may be started again")
        self._broken()

    def _answered(self, answers: Answers) -> None:
        group, done = self._given.popleft()
        for job, value in zip(group, answers.values, strict=True):
            job.value = value
        for place, failure in answers.failures.items():
            if failure.refused:
                error: RestanteError = StoreUnavailable(
                    failure.message, retry_after_seconds=failure.retry_after_seconds
                )
            else:
                error = RestanteError(failure.message)
            group[place].error = error
        done(group)
