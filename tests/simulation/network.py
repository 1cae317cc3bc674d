"""Connections in memory: bytes arrive after a drawn time, in pieces as drawn, in their order; a connection
can be refused, reset, or cut off with whoever had it.

What matters to who uses them is as with TCP: what was written may never arrive; a whole process may be
killed, and its peers see the end or a reset; who writes to where nobody reads any more is reset; who does
not read makes the other side wait; who is stopped is connected to, and does not answer.
"""

import asyncio
import errno
import os
import random
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from .loop import OWNER, Process, VirtualLoop

HOST = "127.0.0.1"
FIRST_PORT = 1024
NEAR_SECONDS = (0.0001, 0.002)
FAR_SECONDS = (0.01, 0.4)
FAR = 0.03
"""How often something is on its way for long."""

SPLIT = 0.1
KERNEL = 256 * 1024
"""Bytes on their way that a transport has no hand in any more."""

HIGH, LOW = 64 * 1024, 16 * 1024
PIECE = 64 * 1024

END = b""


class Socket:
    """What is asked of a transport's socket. Of its handle nothing is ever heard."""

    def __init__(self, number: int, own: int, peer: int) -> None:
        self._number, self._own, self._peer = number, own, peer

    def fileno(self) -> int:
        return self._number

    def getsockname(self) -> tuple[str, int]:
        return (HOST, self._own)

    def getpeername(self) -> tuple[str, int]:
        return (HOST, self._peer)

    def close(self) -> None: ...


class Server:
    """As `loop.create_server` gives one."""

    def __init__(self, network: "Network", factory: Callable[[], Any], port: int, owner: Process) -> None:
        self.factory, self.port, self.owner = factory, port, owner
        self._network = network

    @property
    def sockets(self) -> tuple[Socket, ...]:
        return (Socket(-1, self.port, 0),)

    def close(self) -> None:
        if self._network.servers.get(self.port) is self:
            del self._network.servers[self.port]

    async def wait_closed(self) -> None: ...


class Network:
    """`slow` multiplies how long things are on their way; nothing to or from a process arrives before the
    moment that it has in `held`."""

    def __init__(self, loop: VirtualLoop, seed: str) -> None:
        self.loop = loop
        self.chance = random.Random(f"{seed} network")
        self.servers: dict[int, Server] = {}
        self.open: dict[Transport, None] = {}
        self.slow = 1.0
        self.held: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self._ports = FIRST_PORT
        self._silent, self._other = os.pipe()

    def close(self) -> None:
        os.close(self._silent)
        os.close(self._other)

    def port(self) -> int:
        self._ports += 1
        return self._ports

    def seconds(self) -> float:
        """How long the next thing is on its way."""
        far = self.chance.random() < FAR
        return self.slow * self.chance.uniform(*(FAR_SECONDS if far else NEAR_SECONDS))

    def listen(self, factory: Callable[[], Any], port: int | None) -> Server:
        port = port or self.port()
        if port in self.servers:
            raise OSError(errno.EADDRINUSE, "the port is taken")
        self.servers[port] = server = Server(self, factory, port, OWNER.get())
        return server

    async def connect(self, factory: Callable[[], Any], port: int) -> tuple["Transport", Any]:
        protocol = factory()
        caller = OWNER.get()
        there = self.loop.create_future()
        when = max(self.loop.time() + self.seconds(), self.held.get(caller.name, 0.0))
        self.loop.call_at(when, lambda: there.done() or there.set_result(None))
        await there
        server = self.servers.get(port)
        if server is None:
            self.counts["connections refused"] += 1
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens")
        number = self.port()
        here = Transport(self, caller, Socket(self._silent, number, port), protocol)
        far = Transport(self, server.owner, Socket(self._silent, port, number), None)
        here.peer, far.peer = far, here
        self.counts["connections"] += 1
        here.send(lambda: far.begin(server))
        protocol.connection_made(here)
        return here, protocol

    def forget(self, process: Process) -> None:
        """It was killed: whoever it was connected to is told, in one way or the other."""
        for server in [one for one in self.servers.values() if one.owner is process]:
            server.close()
        for transport in [one for one in self.open if one.owner is process]:
            transport.vanish()


class Transport(asyncio.Transport):
    """One end. `peer` is the other."""

    peer: "Transport"

    def __init__(self, network: Network, owner: Process, socket: Socket, protocol: Any) -> None:
        super().__init__({"socket": socket})
        self.owner = owner
        self._network = network
        self._loop = network.loop
        self._protocol = protocol
        self._context = owner.context
        self._last = 0.0  # when what was sent last arrives
        self._under_way = 0  # bytes that the peer's protocol does not have yet
        self._unread: deque[bytes] = deque()
        self._reading = True
        self._closing = self._ended = self._over = False
        self._held_back = False
        network.open[self] = None

    # -- for the network

    def send(self, what: Callable[[], object]) -> None:
        """Has something happen at the other end, after all that was sent before."""
        network = self._network
        held = max(network.held.get(self.owner.name, 0.0), network.held.get(self.peer.owner.name, 0.0))
        self._last = max(self._last, self._loop.time() + network.seconds(), held)
        self._loop.call_at(self._last, what, context=self.peer._context)

    def begin(self, server: Server) -> None:
        """It is let in, unless there is nobody any more."""
        if self._network.servers.get(server.port) is not server:
            self._over = True
            self._network.open.pop(self, None)
            self.send(self.peer.reset)
            return
        self._protocol = server.factory()
        self._protocol.connection_made(self)

    def arrive(self, piece: bytes) -> None:
        if self._over:
            if piece != END:
                self.send(self.peer.reset)
        else:
            self._unread.append(piece)
            self._read()

    def reset(self) -> None:
        if not self._over:
            self._network.counts["connections reset"] += 1
            self._unread.clear()
            self._lose(ConnectionResetError(errno.ECONNRESET, "the other side has reset it"))

    def vanish(self) -> None:
        self._over = self._closing = True
        self._network.open.pop(self, None)
        lost = self._network.chance.random() < 0.5
        self.send(self.peer.reset if lost else lambda: self.peer.arrive(END))

    def _read(self) -> None:
        while self._unread and self._reading and not self._closing:
            piece = self._unread.popleft()
            if piece == END:
                if not self._protocol.eof_received():
                    self.close()
            else:
                self._network.loop.trace.tell(self._loop.time(), self.owner.name, "reads", repr(piece[:60]))
                self.peer._taken(len(piece))
                self._protocol.data_received(piece)

    def _taken(self, size: int) -> None:
        self._under_way -= size
        if self._held_back and self._under_way - KERNEL <= LOW:
            self._held_back = False
            if not self._over:
                self._loop.call_soon(self._protocol.resume_writing, context=self._context)

    def _lose(self, error: Exception | None) -> None:
        """The protocol is told in a step of its own."""
        if not self._over:
            self._over = self._closing = True
            self._network.open.pop(self, None)
            self._loop.call_soon(self._protocol.connection_lost, error, context=self._context)

    # -- for the protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or self._ended or not data:
            return
        data = bytes(data)
        self._under_way += len(data)
        chance = self._network.chance
        while data:
            size = min(len(data), PIECE)
            if chance.random() < SPLIT:
                size = chance.randint(1, size)
            piece, data = data[:size], data[size:]
            self.send(lambda piece=piece: self.peer.arrive(piece))  # type: ignore[misc]
        if not self._held_back and self._under_way - KERNEL > HIGH:
            self._held_back = True
            self._protocol.pause_writing()

    def writelines(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._ended and not self._closing:
            self._ended = True
            self.send(lambda: self.peer.arrive(END))

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if self._unread:  # the kernel says so where something was not read
                self.send(self.peer.reset)
            elif not self._ended:
                self.send(lambda: self.peer.arrive(END))
            self._over = False
            self._lose(None)

    def abort(self) -> None:
        if not self._over:
            self._closing = True
            lost = self._network.chance.random() < 0.5
            self.send(self.peer.reset if lost else lambda: self.peer.arrive(END))
            self._lose(None)

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            if self._unread:
                self._loop.call_soon(self._read, context=self._context)

    def is_reading(self) -> bool:
        return self._reading

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def get_write_buffer_size(self) -> int:
        return max(0, self._under_way - KERNEL)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
