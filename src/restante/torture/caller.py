"""How clients ask: one request to one server, and the whole of its answer, or the word that there is none."""

import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol

import msgspec

from ..core.errors import UpstreamError
from ..core.policy import Upstream
from ..outbound import HTTPSender
from .journal import Fields, said

CONNECT_SECONDS = 2.0
TIMEOUT_SECONDS = 6.0
"""Longer than a server that is well holds back an answer here."""

SHUN_SECONDS = 3.0
"""So long after a call to which no answer came others are asked rather, as a balancer does."""

BALANCED = 0.9
"""How often that is looked at; else any server is asked."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is None where no whole answer came, or, where a part is of use too, no head. Header names are in
    lower case."""

    at: float
    until: float
    node: int
    code: int | None = None
    headers: dict[str, str] = {}
    fields: Fields = ()
    body: bytes = b""

    @property
    def word(self) -> str | None:
        return self.headers.get("restante-status")

    def document(self) -> Any:
        """The body's JSON, {} where it is none."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return {}


class Addressed(Protocol):
    """A server on a port of this machine."""

    port: int


class Caller:
    """Asks `servers`, with the key of a tenant. One that has just not answered is left out where there are
    others, most of the time. `now` is the journals' clock."""

    def __init__(
        self,
        servers: Sequence[Addressed],
        *,
        sender: HTTPSender | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.keys: dict[str, str] = {}
        self._servers = servers
        self._sender = sender or HTTPSender()
        self._now = now
        self._silent = [0.0] * len(servers)  # when each was last asked and did not answer

    def choose(self, chance: Random) -> int:
        """The number of a server to ask."""
        moment = self._now() - SHUN_SECONDS
        answering = [node for node, silent in enumerate(self._silent) if silent < moment]
        everybody = range(len(self._silent))
        return chance.choice(answering if answering and chance.random() < BALANCED else everybody)

    async def ask(
        self,
        node: int,
        tenant: str,
        method: str,
        path: str,
        *headers: tuple[str, str],
        body: bytes = b"",
        leaving: bool = False,
        partly: bool = False,
    ) -> Answer:
        """`leaving`: the connection is closed as soon as the answer has begun. `partly`: what came of its
        body before it broke off, or the time was up, is of use."""
        server = Upstream(
            host="127.0.0.1",
            port=self._servers[node].port,
            authority=f"127.0.0.1:{self._servers[node].port}",
        )
        sent = [("Host", server.authority), ("Restante-Key", self.keys[tenant]), *headers]
        at = self._now()
        try:
            line = await self._sender.connect(server, max_idle_seconds=None, timeout_seconds=CONNECT_SECONDS)
            exchange = await line.send(
                method,
                path,
                tuple((name.encode(), text.encode()) for name, text in sent),
                body,
                size=len(body),
                timeout_seconds=TIMEOUT_SECONDS,
            )
            if leaving:
                exchange.close()
                return Answer(at=at, until=self._now(), node=node)
        except UpstreamError:
            self._silent[node] = self._now()
            return Answer(at=at, until=self._now(), node=node)
        content = bytearray()
        try:
            async for piece in exchange.body():
                content += piece
        except UpstreamError:
            if not partly:
                return Answer(at=at, until=self._now(), node=node)
        return Answer(
            at=at,
            until=self._now(),
            node=node,
            code=exchange.status,
            headers={name.decode().lower(): text.decode("latin-1") for name, text in exchange.headers},
            fields=said(exchange.headers),
            body=bytes(content),
        )

    async def close(self) -> None:
        await self._sender.close()
