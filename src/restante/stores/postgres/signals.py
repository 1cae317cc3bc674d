"""What the processes on one database tell each other: that there is work, that transactions went on.

It is said after the commit, in a statement of its own, for everything that was committed within a few
milliseconds; a process that is alone says nothing. A signal that is lost costs time, not work: every few
seconds, and whenever the listening connection was opened anew, everybody is told to look for themselves.
"""

import asyncio
import logging
import random
from base64 import b85decode, b85encode
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from ...core.errors import RestanteError
from .database import Database
from .nodes import Nodes
from .pool import open_connection
from .url import Target

CHANNEL = "restante"
GATHER_SECONDS = 0.005
"""Signals that come within this time are one."""

POLL_SECONDS = 5.0
"""How often everybody looks for themselves; also how often the listening connection is tried."""

POOLED_POLL_SECONDS = 0.5
"""The same where a pooler stands between, and nothing can be listened for."""

IDS = 300
"""Ids in one signal, whose text must stay under 8,000 bytes."""

LANES = 15
"""Lanes in one signal; one may be 330 characters long."""

PAYLOADS = 10
"""Signals at once; where more would be needed, one that says "look at everything" is sent instead."""

log = logging.getLogger("restante.stores")


class Signal(msgspec.Struct, omit_defaults=True):
    """What travels, as JSON. `ids` are 16 bytes each, in base 85; None: any may have changed."""

    node: int
    work: dict[str, int] = {}  # upstream, earliest moment
    ids: str | None = ""
    pauses: bool = False  # an upstream was paused or resumed
    post: dict[str, int] | None = {}  # lane of deliveries, earliest moment; None: any
    endpoints: bool = False  # one was made, changed or removed
    keys: bool = False  # an access key was revoked


class Told(msgspec.Struct, frozen=True):
    """Whoever is told what other processes say (`Store.listen`)."""

    work: Callable[[str | None, int], None] = lambda upstream, moment: None
    changed: Callable[[str | None], None] = lambda id: None
    pauses: Callable[[], None] = lambda: None
    post: Callable[[str | None, int], None] = lambda lane, moment: None
    endpoints: Callable[[], None] = lambda: None
    keys: Callable[[], None] = lambda: None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Signal).decode


class Signals:
    """`start` it with those who want to know; `stop` it."""

    def __init__(self, database: Database, target: Target, nodes: Nodes) -> None:
        self._database = database
        self._target = target
        self._nodes = nodes
        self._work: dict[str, int] = {}
        self._ids: set[str] = set()
        self._pauses = False
        self._sending: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._post: dict[str, int] = {}
        self._endpoints = False
        self._keys = False
        self._told = Told()

    def start(self, told: Told) -> None:
        """From now on they are told what other processes say."""
        self._told = told
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks.append(loop.create_task(self._poll()))
            if not self._target.pooled:
                self._tasks.append(loop.create_task(self._listen()))

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._sending] if self._sending else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # -- telling

    @property
    def _heeded(self) -> bool:
        """Whether anybody listens."""
        return self._nodes.others > 0 and not self._target.pooled

    def work(self, upstream: str, moment: int) -> None:
        """Something of `upstream` that nobody holds is due at that moment."""
        if self._heeded:
            self._work[upstream] = min(moment, self._work.get(upstream, moment))
            self._gather()

    def changed(self, id: str) -> None:
        """A transaction went on."""
        if self._heeded:
            self._ids.add(id)
            self._gather()

    def pauses(self) -> None:
        """An upstream was paused or resumed."""
        if self._heeded:
            self._pauses = True
            self._gather()

    def post(self, lane: str, moment: int) -> None:
        """A delivery in this lane is due at that moment."""
        if self._heeded:
            self._post[lane] = min(moment, self._post.get(lane, moment))
            self._gather()

    def endpoints(self) -> None:
        """One was made, changed or removed."""
        if self._heeded:
            self._endpoints = True
            self._gather()

    def keys(self) -> None:
        """An access key was revoked. Said by commands too, which do not know who listens."""
        self._keys = True
        self._gather()

    def _gather(self) -> None:
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        try:
            while self._work or self._ids or self._pauses or self._post or self._endpoints or self._keys:
                await asyncio.sleep(GATHER_SECONDS)
                payloads = self._payloads()
                await self._database.rows("notify", payloads, again=True)
        except RestanteError as error:
            log.debug("signals were not sent: %r", error)
        finally:
            self._sending = None

    def _payloads(self) -> list[str]:
        work, ids = self._work, list(self._ids)
        self._work, self._ids = {}, set()
        node = self._nodes.node
        signals = []
        if len(ids) > IDS * PAYLOADS:
            signals.append(Signal(node, ids=None))
            ids = []
        for place in range(0, len(ids), IDS):
            raw = b"".join(UUID(id).bytes for id in ids[place : place + IDS])
            signals.append(Signal(node, {}, b85encode(raw).decode()))
        signals += [Signal(node, {upstream: moment}) for upstream, moment in work.items()]
        post, self._post = list(self._post.items()), {}
        if len(post) > LANES * PAYLOADS:
            signals.append(Signal(node, post=None))
            post = []
        for place in range(0, len(post), LANES):
            signals.append(Signal(node, post=dict(post[place : place + LANES])))
        if self._pauses or self._endpoints or self._keys:
            signals.append(Signal(node, pauses=self._pauses, endpoints=self._endpoints, keys=self._keys))
            self._pauses = self._endpoints = self._keys = False
        return [_encode(signal).decode() for signal in signals]

    # -- being told

    async def _poll(self) -> None:
        """Everybody looks for themselves, now and then."""
        seconds = POOLED_POLL_SECONDS if self._target.pooled else POLL_SECONDS
        while True:
            await asyncio.sleep(seconds * random.uniform(0.75, 1.25))
            self._look()

    def _look(self) -> None:
        self._told.work(None, 0)
        self._told.changed(None)
        self._told.pauses()
        self._told.post(None, 0)
        self._told.endpoints()
        self._told.keys()

    async def _listen(self) -> None:
        pause = 0.1
        while True:
            try:
                connection = await open_connection(self._target)
            except Exception as error:
                log.debug("nothing can be listened for: %r", error)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, POLL_SECONDS)
                continue
            pause = 0.1
            try:
                gone = asyncio.Event()
                connection.add_termination_listener(lambda _, gone=gone: gone.set())
                await connection.add_listener(CHANNEL, self._heard)
                await self._greet()
                self._look()  # what was said meanwhile, nobody heard
                while not await _happens(gone, POLL_SECONDS):
                    await connection.fetchval("SELECT 1")
            except Exception as error:
                log.debug("the listening connection is gone: %r", error)
            finally:
                connection.terminate()

    async def _greet(self) -> None:
        """So that the others know at once that somebody listens."""
        await self._database.rows("notify", [_encode(Signal(self._nodes.node)).decode()], again=True)

    def _heard(self, connection: Any, process: int, channel: str, payload: str) -> None:
        try:
            signal = _decode(payload)
        except msgspec.MsgspecError:
            log.debug("a signal of somebody else's: %r", payload)
            return
        if signal.node == self._nodes.node:
            return
        self._nodes.others = self._nodes.others or 1
        for upstream, moment in signal.work.items():
            self._told.work(upstream, moment)
        if signal.pauses:
            self._told.pauses()
        if signal.endpoints:
            self._told.endpoints()
        if signal.keys:
            self._told.keys()
        if signal.post is None:
            self._told.post(None, 0)
        else:
            for lane, moment in signal.post.items():
                self._told.post(lane, moment)
        if signal.ids is None:
            self._told.changed(None)
            return
        raw = b85decode(signal.ids)
        for place in range(0, len(raw), 16):
            self._told.changed(str(UUID(bytes=raw[place : place + 16])))


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether it does within that time."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
