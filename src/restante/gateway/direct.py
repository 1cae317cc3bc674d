"""Accepts without a task: from the last byte of a small request to the store, from its commit to the answer.

A task for each request, its event, its future and the way back through them cost as much as everything
else that an accept does. A request whose head says that it is small and whose caller is known at once needs
none of it (docs/why/0007-direct.md). Whatever is out of the ordinary, and everything that is to be refused
for its head, takes the way of all other requests, which is where it is said what is wrong with it.
"""

import asyncio
from collections.abc import Callable

import msgspec

from ..core.access import Scope as AccessScope
from ..core.envelope import Envelope, open_envelope
from ..core.errors import Refused
from ..core.model import Accepted
from ..core.policy import ANY_ROUTE
from ..core.status import Dialect
from ..service import Draft, Intake
from .call import Scope
from .desk import Desk
from .failing import failure
from .problems import log
from .reply import Reply
from .rooms import TASK_METHODS, Place, Room, Rooms
from .submit import task_reply, transaction_reply

MAX_DIRECT = 64 * 1024
"""The largest body of such a request; the server reads no further ahead than this."""

MAX_TOGETHER = 64
"""Requests that are stored by one call."""

Answer = Callable[[Reply], None]


def prepare(together: "Together", rooms: Rooms, method: str, target: bytes, scope: Scope) -> "Direct | None":
    """What to do with the body of the request with this head; None: it is none for here."""
    desk = together.desk
    if method in TASK_METHODS or not rooms.may_submit(target) or b"#" in target or not target.isascii():
        return None
    path, _, query = target.decode("ascii").partition("?")
    if desk.pages.concern(scope["headers"]):
        return None
    admitted = desk.auth.recognise(scope["headers"])
    if admitted is None or AccessScope.SUBMIT not in admitted.caller.scopes:
        return None
    headers = admitted.headers
    try:
        place = rooms.find(method, path, headers)
        if place.room is not Room.TASK and place.room is not Room.SUBMIT:
            return None
        envelope = open_envelope(headers)
        if envelope.callback is not None or (place.route or ANY_ROUTE).callback is not None:
            return None  # its address is looked up first
        origin = desk.origins.of(scope, envelope.host)
    except Refused:
        return None
    size = envelope.length
    if size is None or size > min(desk.limits.inline_body, desk.limits.max_body, MAX_DIRECT):
        return None
    key = desk.service.key_at_hand()
    if key is None:
        return None
    return Direct(together, place, envelope, method, query, origin, admitted.caller.tenant, key)


class Direct(msgspec.Struct, frozen=True):
    """A request that only lacks its body."""

    together: "Together"
    place: Place
    envelope: Envelope
    method: str
    query: str
    origin: str
    tenant: str
    key: int

    def start(self, body: bytes, answer: Answer) -> None:
        """Stores it; `answer` is called with the reply when it is on disk, or soon where it is refused."""
        self.together.add(self, body, answer)

    def draft(self, body: bytes) -> Draft:
        place = self.place
        return Draft(
            tenant=self.tenant,
            method=self.method,
            path=place.rest,
            query=self.query,
            envelope=self.envelope,
            route=place.route or ANY_ROUTE,
            dialect=Dialect.TASK if place.room is Room.TASK else Dialect.TRANSACTION,
            intake=Intake.small(self.key, body),
        )

    def reply(self, accepted: Accepted | BaseException) -> Reply:
        desk = self.together.desk
        if isinstance(accepted, BaseException):
            reply = failure(accepted, path=self.place.rest)
        elif self.place.room is Room.TASK:
            reply = task_reply(desk, accepted, self.origin, self.method)
        else:
            reply = transaction_reply(self.place, accepted, self.method)
        reply.headers.append(desk.date())
        return reply


class Together:
    """Requests whose last byte came in the same round of the loop go to the store by one call."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._waiting: list[tuple[Direct, bytes, Answer]] = []  # one for each connection, at most

    def add(self, direct: Direct, body: bytes, answer: Answer) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._start)
        self._waiting.append((direct, body, answer))

    def _start(self) -> None:
        waiting, self._waiting = self._waiting, []
        for first in range(0, len(waiting), MAX_TOGETHER):
            self._store(waiting[first : first + MAX_TOGETHER])

    def _store(self, some: list[tuple[Direct, bytes, Answer]]) -> None:
        def told(outcomes: list[Accepted | BaseException]) -> None:
            for (direct, _, answer), outcome in zip(some, outcomes, strict=True):
                try:
                    answer(direct.reply(outcome))
                except Exception as error:  # the others must not suffer for it
                    log.error("an accept could not be answered", exc_info=error)

        self.desk.service.start([direct.draft(body) for direct, body, _ in some], told)
