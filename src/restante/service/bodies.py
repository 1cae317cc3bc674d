"""Bodies on their way in and out of the store.

A small body stays in memory and is written with the row that refers to it. A large one is written in
pieces as it comes, each piece in a commit of its own, so that it never lives in memory whole and never
holds up anybody else's commit; the row that refers to it is written after the last piece.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from hashlib import sha256

import msgspec

from ..core.errors import RestanteError, StoreUnavailable
from ..core.model import Body
from ..core.policy import Limits
from ..ports import REQUEST_CHUNKS, Store
from .doubt import LONGEST
from .outage import Outage
from .persistence import until_written


class Intake(msgspec.Struct, frozen=True):
    """A request's body as it was taken in. `key` is the row it is kept under."""

    key: int
    body: Body
    streamed: bytes | None = None  # SHA-256 of a body that went by in pieces

    @classmethod
    def small(cls, key: int, content: bytes) -> "Intake":
        """That of a body that is in memory already."""
        return cls(key, Body(len(content), content))

    @property
    def digest(self) -> bytes:
        """SHA-256 of the body; made only where somebody asks, which is seldom."""
        return self.streamed or sha256(self.body.inline or b"").digest()


async def keep_body(
    pieces: AsyncIterator[bytes],
    *,
    write: Callable[[int, bytes], Awaitable[None]],
    drop: Callable[[], None],
    limits: Limits,
    maximum: int,
    too_large: Callable[[], RestanteError],
    digest: Callable[[bytes], None] = lambda piece: None,
) -> Body:
    """Reads `pieces` to the end and keeps them; raises `too_large()` as soon as they exceed `maximum`.

    A large body is handed to `write(position, data)` in pieces of `limits.chunk`. Whatever goes wrong,
    `drop` has them dropped, so that none are left behind.
    """
    held = bytearray()
    size = position = 0
    threshold = limits.inline_body
    try:
        async for piece in pieces:
            size += len(piece)
            if size > maximum:
                raise too_large()
            digest(piece)
            held += piece
            if len(held) <= threshold:
                continue
            threshold = limits.chunk
            while len(held) >= limits.chunk:
                await write(position, bytes(held[: limits.chunk]))
                position += 1
                del held[: limits.chunk]
        if size <= limits.inline_body:
            return Body(size, bytes(held))
        if held:
            await write(position, bytes(held))
    except BaseException:
        if size > limits.inline_body:
            drop()
        raise
    return Body(size, None)


async def read_body(store: Store, outage: Outage, key: int, attempt: int, body: Body) -> AsyncIterator[bytes]:
    """The pieces of a kept body, in order. Each is asked for until the store has it, for `LONGEST`: whoever
    is being sent it could only be told by breaking off."""
    if body.inline is not None:
        if body.inline:
            yield body.inline
        return
    position, left = 0, body.size
    while left:
        read, until = partial(store.read_chunk, key, attempt, position), outage.clock.now() + LONGEST
        piece = await until_written(outage, read, what="a kept body", until=until)
        if piece is None:
            raise StoreUnavailable("a part of a stored body is missing")
        left -= len(piece)
        position += 1
        yield piece


async def drop_body(store: Store, outage: Outage, key: int, attempt: int) -> None:
    """Removes the pieces of a body; those that are left after `LONGEST` go when the store is next opened."""
    drop, until = partial(store.drop_chunks, key, attempt), outage.clock.now() + LONGEST
    with suppress(StoreUnavailable):
        await until_written(outage, drop, what="the removal of a body", until=until)


async def take_request(
    store: Store,
    key: int,
    pieces: AsyncIterator[bytes],
    *,
    limits: Limits,
    too_large: Callable[[], RestanteError],
    drop: Callable[[], None],
) -> Intake:
    """A request's body from its pieces."""
    digest = sha256()
    body = await keep_body(
        pieces,
        write=lambda position, data: store.write_chunk(key, REQUEST_CHUNKS, position, data),
        drop=drop,
        limits=limits,
        maximum=limits.max_body,
        too_large=too_large,
        digest=digest.update,
    )
    return Intake(key, body, digest.digest())


async def chained(content: bytes, rest: AsyncIterator[bytes] | None) -> AsyncIterator[bytes]:
    """`content`, then the rest, if there is any."""
    if content:
        yield content
    if rest is not None:
        async for piece in rest:
            yield piece
