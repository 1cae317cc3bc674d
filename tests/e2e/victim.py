"""Restante, killed by its own hand at a named step: `victim.py STEP CONFIG`.

The product has no hooks for this: the store and the sender it is given are wrapped here.
"""

import asyncio
import os
import signal
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from restante.assembly import start
from restante.assembly.store import open_store
from restante.config import settings
from restante.core.clock import SECOND
from restante.core.model import Change
from restante.core.status import Phase, Reading
from restante.outbound import HTTPSender

STEPS = (
    "before the accept commit",
    "after the accept commit",
    "before connecting",
    "with the connection in hand",
    "before the mark's commit",
    "after the mark's commit",
    "after the request was sent",
    "with the answer in hand",
    "after the end's commit",
    "before the deferral's commit",
    "after the deferral's commit",
    "before the question's commit",
    "after the question's commit",
    "before the progress's commit",
    "after the progress's commit",
    "with the reading reserved",
    "before the reading is confirmed",
)


LEASE = SECOND
"""Short, because look-ups wait for it to pass."""

WRITES = {
    Phase.WAITING: ("with the answer in hand", "after the end's commit"),
    Phase.SENDING: ("before the mark's commit", "after the mark's commit"),
    Phase.DEFERRED: ("before the deferral's commit", "after the deferral's commit"),
    Phase.LOOKING: ("before the question's commit", "after the question's commit"),
}
"""By the phase that a change leads to: the steps around its commit."""

PROGRESS = ("before the progress's commit", "after the progress's commit")
"""The same where nothing changes but the log."""


def around(change: Change) -> tuple[str, str]:
    """The steps around the commit of a change."""
    before, after = change.before, change.after
    if before.phase is not Phase.WAITING and (before.phase, before.attempt) == (after.phase, after.attempt):
        return PROGRESS
    return WRITES[after.phase]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Wrapped:
    """Everything of `inner`, but for the methods a subclass has."""

    def __init__(self, inner: Any, step: str) -> None:
        self.inner = inner
        self.step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def at(self, step: str) -> None:
        if self.step == step:
            die()


class Store(Wrapped):
    def offer(self, submissions: Any, told: Any) -> None:
        def done(answers: Any) -> None:
            self.at("after the accept commit")
            told(answers)

        self.at("before the accept commit")
        self.inner.offer(submissions, done)

    async def apply(self, changes: Any) -> Any:
        (change,) = changes
        before, after = around(change)
        self.at(before)
        applied = await self.inner.apply(changes)
        if all(applied):  # else somebody was faster, and it is decided again
            self.at(after)
        return applied

    async def reserve_reading(self, key: int) -> int | None:
        token = await self.inner.reserve_reading(key)
        self.at("with the reading reserved")
        return token

    async def settle_reading(self, key: int, token: int, after: Reading) -> bool:
        if after is Reading.READ:
            self.at("before the reading is confirmed")
        return await self.inner.settle_reading(key, token, after)


class Sender(Wrapped):
    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        self.at("before connecting")
        line = await self.inner.connect(*args, **kwargs)
        self.at("with the connection in hand")
        return Line(line, self.step)


class Line(Wrapped):
    async def send(self, *args: Any, **kwargs: Any) -> Any:
        answer = await self.inner.send(*args, **kwargs)
        self.at("after the request was sent")
        return answer


async def main(step: str, config: str) -> None:
    assert step in (*STEPS, "never")
    chosen = settings(tomllib.loads(Path(config).read_text()))
    limits = msgspec.structs.replace(chosen.policy.limits, lease=LEASE)
    chosen = msgspec.structs.replace(chosen, policy=msgspec.structs.replace(chosen.policy, limits=limits))

    async def opened(url: str, **more: Any) -> Any:
        return Store(await open_store(url, **more), step)

    await start(chosen, opened=opened, sender=Sender(HTTPSender(), step))
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2]))
