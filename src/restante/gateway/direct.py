"""Accepts without a task: from the last byte of a small request to the store, from its commit to the answer.

A task for each request, its event, its future and the way back through them cost as much as everything
else that an accept does. A request whose head says that it is small and whose caller is known at once needs
none of it (docs/why/0007-direct.md). Whatever is out of the ordinary, and everything that is to be refused
for its head, takes the way of all other requests, which is where it is said what is wrong with it.
"""

import asyncio
from functools import lru_cache

from ..core.access import Scope as AccessScope
from ..core.envelope import Envelope, open_envelope
from ..core.errors import Refused
from ..core.model import Accepted
from ..core.policy import ANY_ROUTE
from ..core.status import Dialect
from ..service import Draft, Intake
from .call import Ends, Fields
from .cycle import DirectCycle
from .desk import Desk
from .failing import failure
from .problems import log, reason_of
from .reply import Reply
from .rooms import MAX_REMEMBERED, PLACES, TASK_METHODS, Place, Room, Rooms
from .submit import task_reply, transaction_reply

MAX_DIRECT = 64 * 1024
"""The largest body of such a request; the server reads no further ahead than this."""

MAX_TOGETHER = 64
"""Requests that are stored by one call."""


class Direct(DirectCycle):
    """Such a request."""

    __slots__ = ("envelope", "key", "method", "origin", "place", "query", "tenant", "together")

    def __init__(
        self,
        together: "Together",
        *,
        place: Place,
        envelope: Envelope,
        method: str,
        query: str,
        origin: str,
        tenant: str,
        key: int,
    ) -> None:
        super().__init__()
        self.together = together
        self.place = place
        self.envelope = envelope
        self.method = method
        self.query = query
        self.origin = origin
        self.tenant = tenant
        self.key = key

    def start(self) -> None:
        self.together.add(self)

    def draft(self) -> Draft:
        """What is to be stored."""
        place = self.place
        return Draft(
            tenant=self.tenant,
            method=self.method,
            path=place.rest,
            query=self.query,
            envelope=self.envelope,
            route=place.route or ANY_ROUTE,
            dialect=Dialect.TASK if place.room is Room.TASK else Dialect.TRANSACTION,
            intake=Intake.small(self.key, bytes(self.body)),
        )

    def reply(self, accepted: Accepted | BaseException, desk: Desk) -> Reply:
        """What is to be said of it, but the date."""
        if isinstance(accepted, BaseException):
            desk.service.telemetry.refused(reason_of(accepted))
            return failure(accepted, path=self.place.rest)
        if self.place.room is Room.TASK:
            return task_reply(desk, self.place, accepted, self.origin, self.method)
        return transaction_reply(desk, self.place, accepted, self.method)


class Together:
    """One for each gateway. Requests whose last byte came in the same round of the loop go to the store by
    one call."""

    def __init__(self, desk: Desk, rooms: Rooms) -> None:
        self._desk = desk
        self._rooms = rooms
        self._remembered = lru_cache(PLACES)(self._aim)
        self._most = min(desk.limits.inline_body, desk.limits.max_body, MAX_DIRECT)
        self._waiting: list[Direct] = []  # one for each connection, at most

    def prepare(self, method: str, target: bytes, headers: Fields, ends: Ends) -> Direct | None:
        """The request with this head, which only lacks its body; None: it is none for here."""
        aim = (self._remembered if len(target) <= MAX_REMEMBERED else self._aim)(method, target)
        desk = self._desk
        if aim is None or desk.pages.concern(headers):
            return None
        admitted = desk.auth.recognise(headers)
        if admitted is None or AccessScope.SUBMIT not in admitted.caller.scopes:
            return None
        place, query = aim
        try:
            envelope = open_envelope(admitted.headers)
            if envelope.callback is not None:  # its address is looked up first
                return None
            origin = desk.origins.of(ends, headers, envelope.host)
        except Refused:
            return None
        size = envelope.length
        if size is None or size > self._most:
            return None
        key = desk.service.key_at_hand()
        if key is None:
            return None
        return Direct(
            self,
            place=place,
            envelope=envelope,
            method=method,
            query=query,
            origin=origin,
            tenant=admitted.caller.tenant,
            key=key,
        )

    def _aim(self, method: str, target: bytes) -> tuple[Place, str] | None:
        """Where a request goes that is to be stored, and its query."""
        if method in TASK_METHODS or not self._rooms.may_submit(target):
            return None
        if b"#" in target or not target.isascii():
            return None
        path, _, query = target.decode("ascii").partition("?")
        try:
            place = self._rooms.find(method, path)
        except Refused:
            return None
        if place.room is not Room.TASK and place.room is not Room.SUBMIT:
            return None
        return None if (place.route or ANY_ROUTE).callback is not None else (place, query)

    def add(self, direct: Direct) -> None:
        """Its body is there."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._start)
        self._waiting.append(direct)

    def _start(self) -> None:
        waiting, self._waiting = self._waiting, []
        for first in range(0, len(waiting), MAX_TOGETHER):
            self._store(waiting[first : first + MAX_TOGETHER])

    def _store(self, some: list[Direct]) -> None:
        def told(outcomes: list[Accepted | BaseException]) -> None:
            desk = self._desk
            date = desk.date()
            for direct, outcome in zip(some, outcomes, strict=True):
                try:
                    reply = direct.reply(outcome, desk)
                    reply.headers.append(date)
                    direct.answer(reply)
                except Exception as error:  # the others must not suffer for it
                    log.error("an accept could not be answered", exc_info=error)

        self._desk.service.start([direct.draft() for direct in some], told)
