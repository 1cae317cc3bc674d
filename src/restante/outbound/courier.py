"""Carries webhooks: one POST to an address that was judged a moment before, and what was said to it.

The name is looked up anew for each attempt; judged are its addresses, and one of just these is connected to,
while TLS and Host go by the name. No proxy of the environment is asked, nothing is followed, repeated or
kept. Whatever the other side does ends in a `Receipt`, within the time given.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from contextlib import aclosing, suppress

from ..core.addresses import IPAddress
from ..core.errors import AddressRefused, NoAnswerInTime, Unreachable, UpstreamError
from ..core.model import Headers
from ..core.policy import Webhooks
from ..core.target import Target
from ..ports.courier import Carried, Parcel, Receipt
from .connection import Connection
from .exchange import Exchange
from .guard import Guard
from .opening import open_connection
from .pool import Pool
from .resolver import Resolve, SystemResolver
from .sender import HTTPLine
from .tls import public_context
from .trouble import UNRESOLVED

KEPT = 1024
"""Bytes of an answer's body that are given back."""

MAX_READ = 64 * 1024
"""Bytes of an answer's body that are read at all; then the connection is closed, and the answer counts."""

MAX_TRIED = 4
"""Addresses of one name that are tried in one attempt, of both families in turn. Each but the last has an
even share of the time that is left."""

ADMIT_SECONDS = 5.0
"""For the look-up in `admit`; a name that takes longer is admitted, and judged again when it is sent to."""

MAX_RETRY_AFTER = 100
"""Bytes of a Retry-After that are given back: more than a date has, and of a number its beginning will do."""

LOOKING_UP = "the name was not resolved"
CONNECTING = "no connection"
WAITING = "no answer"
READING = "the answer was not complete"


class HTTPCourier:
    """A `Courier`. `resolve` gives a name's addresses; without it the operating system does."""

    def __init__(self, settings: Webhooks, *, resolve: Resolve | None = None) -> None:
        self._guard = Guard(allow=settings.allow, ports=settings.ports, resolve=resolve or SystemResolver())
        self._ca_file = settings.ca_file
        self._pool = Pool(idle_seconds=0.0, idle_count=0, now=time.monotonic)

    async def carry(self, parcel: Parcel, *, timeout_seconds: float) -> Receipt:
        """One attempt; see the port. Raises `ValueError` only for headers that cannot be written."""
        attempt = _Attempt(self._guard, self._pool, self._ca_file, timeout_seconds)
        try:
            async with asyncio.timeout(timeout_seconds):
                await attempt.make(parcel)
            return attempt.receipt(Carried.ANSWERED)
        except TimeoutError:
            return attempt.receipt(Carried.TIMED_OUT, f"{attempt.missing} within {timeout_seconds:g} s")
        except AddressRefused as error:
            return attempt.receipt(Carried.REFUSED, error.message)
        except UpstreamError as error:
            return attempt.receipt(_carried(error), error.message.replace("the upstream", "the receiver"))

    async def admit(self, url: str) -> None:
        """Raises `AddressRefused`; see the port."""
        target = self._guard.target(url)
        with suppress(OSError):  # unknown, or too slow (TimeoutError)
            async with asyncio.timeout(ADMIT_SECONDS):
                await self._guard.addresses(target)

    async def close(self) -> None:
        """Ends what is under way."""
        await self._pool.close()


class _Attempt:
    """One attempt as it goes; `missing` is what has not come yet, `answer` is there once its head is."""

    def __init__(self, guard: Guard, pool: Pool, ca_file: str | None, timeout_seconds: float) -> None:
        self.missing = LOOKING_UP
        self.answer: Exchange | None = None
        self._kept = b""
        self._guard = guard
        self._pool = pool
        self._ca_file = ca_file
        self._timeout_seconds = timeout_seconds
        self._until = asyncio.get_running_loop().time() + timeout_seconds

    def receipt(self, carried: Carried, why: str = "") -> Receipt:
        """What came of it. Who has sent a code has answered: it is the code that says whether the webhook was
        taken, also where the rest of the answer never came."""
        if self.answer is None:
            return Receipt(carried, why)
        return Receipt(
            Carried.ANSWERED,
            f"answered {self.answer.status}" + (f", but {why}" if why else ""),
            code=self.answer.status,
            retry_after=_retry_after(self.answer.headers),
            answer=self._kept,
        )

    async def make(self, parcel: Parcel) -> None:
        target = self._guard.target(parcel.url)
        try:
            addresses = await self._guard.addresses(target)
        except OSError as error:
            raise Unreachable(UNRESOLVED) from error
        self.missing = CONNECTING
        connection = await self._connect(target, addresses)
        self.missing = WAITING
        self.answer = await HTTPLine(connection).send(
            "POST",
            target.path,
            _headers(target, parcel.headers),
            parcel.body,
            size=len(parcel.body),
            timeout_seconds=self._timeout_seconds,
        )
        self.missing = READING
        await self._read(self.answer)

    async def _read(self, answer: Exchange) -> None:
        """The first KiB of the body, which is read to its end, or up to a bound."""
        size = 0
        async with aclosing(answer.body()) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                self._kept += piece[: KEPT - len(self._kept)]
                size += len(piece)
                if size > MAX_READ:
                    break

    async def _connect(self, target: Target, addresses: Sequence[IPAddress]) -> Connection:
        tried = _in_turn(addresses)
        for left in range(len(tried), 1, -1):
            share = (self._until - asyncio.get_running_loop().time()) / left
            with suppress(Unreachable):
                return await self._open(target, tried[-left], share)
        return await self._open(target, tried[-1], None)

    async def _open(self, target: Target, address: IPAddress, timeout_seconds: float | None) -> Connection:
        try:
            context = public_context(self._ca_file) if target.scheme == "https" else None
        except OSError as error:
            raise Unreachable("the file of [webhooks] ca_file could not be used") from error
        return await open_connection(
            self._pool,
            (target.scheme, str(address), target.port, self._ca_file, None, None),
            str(address),
            target.port,
            context=context,
            server_name=target.host,
            timeout_seconds=timeout_seconds,
        )


def _in_turn(addresses: Sequence[IPAddress]) -> list[IPAddress]:
    """The first few, of each family in turn, so that one without a route does not use up all tries."""
    kind = type(addresses[0])
    first = [one for one in addresses if isinstance(one, kind)]
    second = [one for one in addresses if not isinstance(one, kind)]
    pairs = itertools.zip_longest(first, second)
    return [one for pair in pairs for one in pair if one is not None][:MAX_TRIED]


def _headers(target: Target, headers: Headers) -> Headers:
    return ((b"Host", target.authority.encode("ascii")), *headers, (b"Connection", b"close"))


def _retry_after(headers: Headers) -> bytes | None:
    for name, value in headers:
        if name.lower() == b"retry-after":
            return value[:MAX_RETRY_AFTER]
    return None


def _carried(error: UpstreamError) -> Carried:
    match error:
        case Unreachable():
            return Carried.UNREACHABLE
        case NoAnswerInTime():
            return Carried.TIMED_OUT
    return Carried.BROKEN
