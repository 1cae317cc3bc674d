"""A courier that says what a test wants it to say, and remembers what it was given."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from restante.core.clock import SECOND
from restante.core.errors import BadRequest
from restante.ports.courier import Carried, Parcel, Receipt
from restante.webhooks import SignatureRefused, verify

Answer = Callable[[Parcel], Receipt]


def answered(code: int = 200, **more: Any) -> Receipt:
    return Receipt(Carried.ANSWERED, f"answered {code}", code, **more)


TIMED_OUT = Receipt(Carried.TIMED_OUT, "no answer in time")


class ScriptedCourier:
    """Answers 200 unless `script` says something else for a URL; what is in `hanging` waits until it is told.

    URLs that begin with `refused` are refused.
    """

    refused = "http://10."

    def __init__(self) -> None:
        self.sent: list[Parcel] = []
        self.script: dict[str, Answer] = {}
        self.hanging: dict[str, asyncio.Event] = {}
        self.under_way: defaultdict[str, int] = defaultdict(int)
        self.most: defaultdict[str, int] = defaultdict(int)

    async def carry(self, parcel: Parcel, *, timeout_seconds: float) -> Receipt:
        self.sent.append(parcel)
        self.under_way[parcel.url] += 1
        self.most[parcel.url] = max(self.most[parcel.url], self.under_way[parcel.url])
        try:
            if parcel.url in self.hanging:
                await self.hanging[parcel.url].wait()
            await asyncio.sleep(0)
            return self.script.get(parcel.url, lambda _: answered())(parcel)
        finally:
            self.under_way[parcel.url] -= 1

    async def admit(self, url: str) -> None:
        if url.startswith(self.refused) or "://" not in url:
            raise BadRequest("This address is not public.")

    async def close(self) -> None: ...

    # -- what was sent

    def to(self, url: str) -> list[Parcel]:
        return [parcel for parcel in self.sent if parcel.url == url]


def payload(parcel: Parcel) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(parcel.body)
    return document


def header(parcel: Parcel, name: bytes) -> bytes:
    (value,) = [value for key, value in parcel.headers if key == name]
    return value


SECRET = "whsec_" + "b25l" * 11
OTHER_SECRET = "whsec_" + "dHdv" * 11


def is_signed(parcel: Parcel, secret: str, *, now: int) -> bool:
    """Whether a receiver that has `secret` takes it. `now` in microseconds."""
    try:
        verify(parcel.headers, parcel.body, secret, now=lambda: now / SECOND)
    except SignatureRefused:
        return False
    return True
