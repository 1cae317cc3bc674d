"""Weaknesses that the laws must catch: what each takes away, and by which law it is to be found.

They replace methods and statements of the product, for as long as the block lasts.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import msgspec

from restante.core import change as changes
from restante.core.status import Reading
from restante.runner.attempt import Attempts
from restante.service.endpoints import Endpoints
from restante.service.service import Service
from restante.stores.sqlite import queries
from restante.stores.sqlite.store import SQLiteStore
from restante.webhooks import carrying, signatures

from .plan import Course, Stretch, course_of
from .run import UNHEARD

HOURS = 0.25


def no_fence(stack: ExitStack) -> None:
    """A worker settles what it likes, whichever attempt it made. (That a row moves on from one state only is
    no weakness to find: the numbers of events would still be each given once.)"""
    stack.enter_context(patch.object(changes, "_fence", lambda *_: None))


def no_mark(stack: ExitStack) -> None:
    """A request goes out without waiting for its mark to be on disk."""
    stack.enter_context(patch.object(Attempts, "needs_no_mark", lambda self, transaction: True))


def lost_confirmations(stack: ExitStack) -> None:
    """That an error was read is not kept: it may be read again."""
    settle = SQLiteStore.settle_reading

    async def forgetful(self: SQLiteStore, key: int, token: int, after: Reading) -> bool:
        return await settle(self, key, token, Reading.UNREAD)

    stack.enter_context(patch.object(SQLiteStore, "settle_reading", forgetful))


def outbox_apart(stack: ExitStack) -> None:
    """Deliveries are written in a commit of their own, after the one with their events."""
    whole, told = Service.apply, Endpoints.with_deliveries

    async def apply(self: Service, change: Any, **how: Any) -> bool:
        applied = await whole(self, change, **how)
        deliveries = told(self.endpoints, change).deliveries
        if applied and deliveries:
            await self.store.post(deliveries)
            self.endpoints.ring_for(deliveries)
        return applied

    stack.enter_context(patch.object(Endpoints, "with_deliveries", lambda self, change: change))
    stack.enter_context(patch.object(Service, "apply", apply))


def no_version(stack: ExitStack) -> None:
    """A change is written whatever the row has become since it was decided. That an event's number is given
    once stands in front of that: the second of two is an error instead of a race that is lost, and so what is
    found is that something broke."""
    check = " AND transactions.sequence = c.column2 AND transactions.attempt = c.column3"
    for name in ("apply_changes", "apply_changes_and_sweeps"):
        texts = queries._REPEATED[name]
        assert all(check in text for text in texts)
        without = tuple(text.replace(check, "") for text in texts)
        stack.enter_context(patch.dict(queries._REPEATED, {name: without}))


def signed_otherwise(stack: ExitStack) -> None:
    """Webhooks are signed over what they do not say."""

    def sign_nothing(*how: Any, **what: Any) -> Any:
        return signatures.sign(*how, **{**what, "body": b""})

    stack.enter_context(patch.object(carrying, "sign", sign_nothing))


class Weakness(msgspec.Struct, frozen=True):
    """`course` gives a seed's course, in which it would show; `laws` are those that may find it, in one of
    the first `seeds`; UNHEARD is what somebody raised whom nobody expected to."""

    take: Callable[[ExitStack], None]
    laws: frozenset[str]
    course: Callable[[int], Course]
    seeds: int = 20


def busy(nodes: int, *only: str) -> Callable[[int], Course]:
    """Courses that are busy, and with an upstream that takes its time."""

    def course(seed: int) -> Course:
        drawn = course_of(seed, nodes=nodes, only=only)
        plan = msgspec.structs.replace(drawn.plan, latency=(2.0, 9.0), timeout=10.0)
        stretch = Stretch(hours=HOURS, rest=60.0, between=5.0)
        return msgspec.structs.replace(drawn, plan=plan, stretches=(stretch,), burst=10, within=1.0)

    return course


WEAK = {
    "fence": Weakness(no_fence, frozenset({"I2", "I9"}), busy(2, "stopped beyond the lease")),
    "mark": Weakness(no_mark, frozenset({"I3"}), busy(1, "killed before a commit", "disk is slow")),
    "confirmation": Weakness(lost_confirmations, frozenset({"I5"}), busy(1, "kill -9")),
    "outbox": Weakness(
        outbox_apart, frozenset({"I8"}), busy(1, "killed before a commit", "killed after a commit")
    ),
    "version": Weakness(no_version, frozenset({UNHEARD}), busy(2, "stopped beyond the lease")),
    "signature": Weakness(signed_otherwise, frozenset({"I8"}), busy(1, "kill -9")),
}


@contextmanager
def weakened(name: str) -> Iterator[None]:
    with ExitStack() as stack:
        WEAK[name].take(stack)
        yield
