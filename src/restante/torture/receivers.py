"""The receivers of webhooks: one site, a path for each; they fail, hang, go away for good, and note
of each webhook whether they may believe it."""

import asyncio
import random
from collections.abc import Mapping

import msgspec

from ..webhooks import SignatureRefused, verify
from .journal import Journal, Receipt
from .site import Asked, HungUp, Site, answer

FAILS = 0.1
HANGS = 0.03
GONE = 410


class Receivers:
    """Faults: while they are `failing` all of them answer 500, while they are `hanging` none answers. `calm`
    ones take everything at once. Of those that are to be `gone`, each answers 410 at some time."""

    def __init__(self, journal: Journal, *, chance: random.Random, timeout_seconds: float) -> None:
        self.site = Site(self._serve)
        self.calm = False
        self.failing = False
        self.hanging = False
        self.gone: set[str] = set()
        self.secrets: Mapping[str, str] = {}
        """Of the receivers that verify signatures."""
        self._journal = journal
        self._chance = chance
        self._timeout_seconds = timeout_seconds

    async def _serve(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        code = await self.take(asked)
        if code is None:
            raise HungUp
        writer.write(answer(code, b""))

    async def take(self, asked: Asked) -> int | None:
        """Notes a webhook; with which code it is answered, None: it is hung up on."""
        at = self._journal.now()
        receiver = asked.target.strip("/")
        document = msgspec.json.decode(asked.body)
        data = document["data"]
        code = await self._decide(receiver)
        self._journal.note(
            Receipt(
                at=at,
                until=self._journal.now(),
                receiver=receiver,
                id=asked.headers.get("webhook-id", ""),
                type=document["type"],
                transaction=data.get("id"),
                sequence=data.get("sequence"),
                previous=data.get("previous_sequence"),
                status=data.get("status"),
                refused=self._refused(receiver, asked),
                code=code,
            )
        )
        return code

    def _refused(self, receiver: str, asked: Asked) -> str | None:
        """What is wrong with its signature."""
        if receiver not in self.secrets:
            return None
        try:
            verify(asked.headers, asked.body, self.secrets[receiver], now=self._journal.now)
        except SignatureRefused as error:
            return str(error)
        return None

    async def _decide(self, receiver: str) -> int | None:
        if self.calm:
            return 204
        if self.failing:
            return 500
        if self.hanging:
            await asyncio.sleep(2 * self._timeout_seconds)
            return None
        if receiver in self.gone and self._chance.random() < FAILS:
            self.gone.discard(receiver)
            return GONE
        drawn = self._chance.random()
        if drawn < HANGS:
            await asyncio.sleep(2 * self._timeout_seconds)
            return None
        return 500 if drawn < HANGS + FAILS else 204
