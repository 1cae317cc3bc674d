"""The receivers of webhooks: one site, a path for each; they fail, hang, and go away for good."""

import asyncio
import random

import msgspec

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
        self._journal = journal
        self._chance = chance
        self._timeout_seconds = timeout_seconds

    async def _serve(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
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
                code=code,
            )
        )
        if code is None:
            raise HungUp
        writer.write(answer(code, b""))

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
