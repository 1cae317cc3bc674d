"""A store whose contents are sealed: before they are handed to the store inside, and opened when they come
back.

This is the only place where that is done, for every kind of store. What the store inside is given are values
like any others, so it needs to know nothing; what it searches by stays in clear. Without a master key there
is no such store, and nothing is added to anything.

A large body has a key of its own for its pieces, made with the first. It is kept with the header fields, in
the row that refers to the body, so that it is forgotten with them; until that row is written it is in memory
only.
"""

import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec

from ..core.delivery import Attempt, Progress
from ..core.endpoint import Endpoint
from ..core.errors import KeyReused, RestanteError, SettingError, StoreUnavailable, Unreadable
from ..core.masterkey import KEY_BYTES
from ..core.model import (
    Accepted,
    Change,
    Claim,
    Event,
    Ration,
    Request,
    Result,
    Submission,
)
from ..core.outbox import Errand
from ..ports import EVENTS, REQUEST_CHUNKS, Store, Told
from . import contents
from .contents import Find
from .endpoints import check_endpoint
from .envelope import NotSealedHere
from .masters import Masters
from .ring import Forgotten, Ring

log = logging.getLogger("restante.sealing")

BODIES = 10_000
"""Keys of large bodies that are in memory at once: of those being written, and of those being read. Of more,
the oldest are let go; who reads has it looked up again, who writes is refused."""

Opened = TypeVar("Opened")
Place = tuple[int, int]
"""Whose pieces: a row's key, and the attempt."""


class SealedStore:
    """Every method that takes or gives contents; `sealed` gives it the others."""

    def __init__(self, store: Store, ring: Ring, masters: Masters) -> None:
        self._store = store
        self._ring = ring
        self._masters = masters
        # Hashed under what the store has not: whoever has that alone cannot try any credentials.
        self.hashing = store.hashing.followed_by(ring.identity[0])
        # Asked for with every submission.
        self.key, self.secret, self.queued_of = store.key, store.secret, store.queued_of
        self._away = False  # the folder, when it was looked at last
        self._written: OrderedDict[Place, bytes] = OrderedDict()
        self._read: OrderedDict[Place, bytes] = OrderedDict()
        self._clear: set[int] = set()  # rows whose requests were kept in clear before, and stay so

    def __getattr__(self, name: str) -> Any:
        """Whatever is not here has nothing to do with contents (a test lists it)."""
        return getattr(self._store, name)

    # -- submissions and changes

    async def accept(self, submissions: Sequence[Submission]) -> list[Accepted | KeyReused]:
        answers = await self._store.accept([self._sealed(submission) for submission in submissions])
        for submission, answer in zip(submissions, answers, strict=True):
            self._settled(submission, answer)
        return answers

    def offer(self, submissions: Sequence[Submission], told: Told) -> None:
        kept: list[Submission] = []
        sealed: list[Submission] = []
        refused: list[tuple[int, RestanteError]] = []
        for place, submission in enumerate(submissions):
            try:
                sealed.append(self._sealed(submission))
                kept.append(submission)
            except RestanteError as error:
                refused.append((place, error))

        def done(answers: list[Accepted | BaseException]) -> None:
            for submission, answer in zip(kept, answers, strict=True):
                self._settled(submission, answer)
            for place, error in refused:
                answers.insert(place, error)
            told(answers)

        if sealed:
            self._store.offer(sealed, done)
        else:
            done([])

    async def apply(self, changes: Sequence[Change]) -> list[bool]:
        sealed = [self._sealed_change(change, await self._pieces_in(change)) for change in changes]
        applied = await self._store.apply(sealed)
        for change, done in zip(changes, applied, strict=True):
            self._applied(change, done)
        return applied

    def offer_change(self, change: Change, told: Callable[[bool | BaseException], None]) -> None:
        def done(answer: bool | BaseException) -> None:
            self._applied(change, answer is True)
            told(answer)

        assert change.request is None or change.request.body.inline is not None
        try:
            sealed = self._sealed_change(change, None)
        except RestanteError as error:
            told(error)
            return
        self._store.offer_change(sealed, done)

    def _applied(self, change: Change, done: bool) -> None:
        if done and change.result is not None:
            self._written.pop((change.before.key, change.result.attempt), None)

    def _sealed(self, submission: Submission) -> Submission:
        transaction, request = submission.transaction, submission.request
        key = transaction.key
        named = self._ring.for_results(transaction.expires_at)
        pieces = None if request.body.inline is not None else self._pieces_of((key, REQUEST_CHUNKS))
        event = submission.event
        if event.data:
            event = contents.seal_event(key, event, self._ring.for_history(transaction.created_at))
        begun = submission.begun
        return msgspec.structs.replace(
            submission,
            event=event,
            request=contents.seal_request(key, request, named, pieces),
            begun=None if begun is None else self._sealed_change(begun, None),
        )

    def _settled(self, submission: Submission, answer: Accepted | BaseException) -> None:
        if isinstance(answer, Accepted) and not answer.replayed:
            self._written.pop((submission.transaction.key, REQUEST_CHUNKS), None)

    async def _pieces_in(self, change: Change) -> bytes | None:
        """The key of the pieces of the request that is in it."""
        request = change.request
        if request is None or request.body.inline is not None or change.after.key in self._clear:
            return None
        return await self._known((change.after.key, REQUEST_CHUNKS))

    def _sealed_change(self, change: Change, request_pieces: bytes | None) -> Change:
        after = change.after
        key = after.key
        result, request = change.result, change.request
        if result is not None:
            pieces = None if result.body.inline is not None else self._pieces_of((key, result.attempt))
            result = contents.seal_result(key, result, self._ring.for_results(after.expires_at), pieces)
        if request is not None and key not in self._clear:
            named = self._ring.for_results(after.expires_at)
            request = contents.seal_request(key, request, named, request_pieces)
        events = change.events
        if any(event.data for event in events):
            named = self._ring.for_history(after.created_at)
            events = tuple(contents.seal_event(key, event, named) for event in events)
        return msgspec.structs.replace(change, events=events, result=result, request=request)

    # -- what is asked for

    async def claim(
        self, upstream: str, limit: int, now: int, *, ration: Ration | None = None, paused: bool = False
    ) -> list[Claim]:
        claims = await self._store.claim(upstream, limit, now, ration=ration, paused=paused)
        return [
            claim
            if claim.request is None
            else Claim(claim.transaction, self._request_or_none(claim.transaction.key, claim.request))
            for claim in claims
        ]

    async def requests(self, keys: Sequence[int]) -> list[Request | None]:
        found = await self._store.requests(keys)
        return [
            None if request is None else self._request(key, request)
            for key, request in zip(keys, found, strict=True)
        ]

    async def results(self, keys: Sequence[int]) -> list[Result | None]:
        found = await self._store.results(keys)
        return [
            None if result is None else self._result(key, result)
            for key, result in zip(keys, found, strict=True)
        ]

    async def events(self, keys: Sequence[int], *, after: int = 0, limit: int = EVENTS) -> list[list[Event]]:
        logs = await self._store.events(keys, after=after, limit=limit)
        return [[self._event(key, event) for event in one] for key, one in zip(keys, logs, strict=True)]

    async def take(self, wanted: Mapping[str, int], now: int, until: int) -> list[Errand]:
        return [self._errand(errand) for errand in await self._store.take(wanted, now, until)]

    async def settle(self, progress: Sequence[Progress]) -> list[bool]:
        return await self._store.settle([self._sealed_progress(one) for one in progress])

    async def attempts(self, numbers: Sequence[int]) -> list[list[Attempt]]:
        logs = await self._store.attempts(numbers)
        return [
            [self._attempt(number, one) for one in log] for number, log in zip(numbers, logs, strict=True)
        ]

    def _sealed_progress(self, progress: Progress) -> Progress:
        attempt, before = progress.attempt, progress.before
        if attempt is None or not attempt.answer:
            return progress
        sealed = contents.seal_attempt(before.number, attempt, self._ring.for_history(before.created_at))
        return msgspec.structs.replace(progress, attempt=sealed)

    def _attempt(self, delivery: int, attempt: Attempt) -> Attempt:
        opened = self._open(
            lambda find: contents.open_attempt(delivery, attempt, find),
            f"attempt {attempt.number} of delivery {delivery}",
        )
        return msgspec.structs.replace(attempt, answer=b"") if opened is None else opened

    def _request(self, key: int, request: Request) -> Request | None:
        def open(find: Find) -> Request:
            if not contents.is_head(request.headers):
                self._check_clear()
                self._clear.add(key)
                return request
            opened, pieces = contents.open_request(key, request, find)
            self._remember((key, REQUEST_CHUNKS), pieces)
            return opened

        return self._open(open, f"the request of row {key}")

    def _request_or_none(self, key: int, request: Request) -> Request | None:
        """None: whoever needs it asks for it, and is told why there is none."""
        try:
            return self._request(key, request)
        except (StoreUnavailable, Unreadable):
            return None

    def _result(self, key: int, result: Result) -> Result | None:
        def open(find: Find) -> Result:
            if not contents.is_head(result.headers):
                self._check_clear()
                return result
            opened, pieces = contents.open_result(key, result, find)
            self._remember((key, result.attempt), pieces)
            return opened

        return self._open(open, f"the result of row {key}")

    def _event(self, key: int, event: Event) -> Event:
        if not contents.is_sealed(event):
            return event
        opened = self._open(
            lambda find: contents.open_event(key, event, find), f"event {event.sequence} of row {key}"
        )
        return msgspec.structs.replace(event, data={}) if opened is None else opened

    def _errand(self, errand: Errand) -> Errand:
        event = errand.event
        if event is None or not contents.is_sealed(event):
            return errand
        try:
            event = self._event(errand.delivery.key, event)
        except Unreadable:  # it is given up, as if it had been removed
            event = None
        return msgspec.structs.replace(errand, event=event)

    def _check_clear(self) -> None:
        """What is in clear was there before; nobody puts it in the place of something later."""
        if self._ring.past_clear:
            raise NotSealedHere

    def _open(self, open: Callable[[Find], Opened], what: str) -> Opened | None:
        """None where it is forgotten. Raises `Unreadable` and `StoreUnavailable`."""
        try:
            return open(self._ring.find)
        except Forgotten:
            return None
        except NotSealedHere:
            log.error("%s was changed in the store: it cannot be opened", what)
            raise Unreadable("What is kept of this cannot be opened: it was changed in the store.") from None

    # -- large bodies

    async def write_chunk(self, key: int, attempt: int, position: int, data: bytes) -> None:
        place = (key, attempt)
        pieces = self._written.get(place)
        if pieces is None:
            pieces = self._written[place] = secrets.token_bytes(KEY_BYTES)
            if len(self._written) > BODIES:
                self._written.popitem(last=False)
        sealed = contents.seal_piece(key, attempt, position, data, pieces)
        await self._store.write_chunk(key, attempt, position, sealed)

    async def read_chunk(self, key: int, attempt: int, position: int) -> bytes | None:
        place = (key, attempt)
        found = await self._store.read_chunk(key, attempt, position)
        if found is None:
            return None
        pieces = self._written.get(place) or await self._known(place)
        if pieces is None:  # kept in clear
            return found
        return self._open(
            lambda find: contents.open_piece(key, attempt, position, found, pieces),
            f"piece {position} of a body of row {key}",
        )

    async def drop_chunks(self, key: int, attempt: int) -> None:
        self._written.pop((key, attempt), None)
        self._read.pop((key, attempt), None)
        await self._store.drop_chunks(key, attempt)

    def _pieces_of(self, place: Place) -> bytes:
        """The key of a body that was written here."""
        try:
            return self._written[place]
        except KeyError:
            raise RestanteError("the key of a large body is not in memory any more") from None

    async def _known(self, place: Place) -> bytes | None:
        """The key of a body that a row refers to; None where it is in clear, or there is none."""
        pieces = self._read.get(place)
        if pieces is None:
            key, attempt = place
            if attempt == REQUEST_CHUNKS:
                await self.requests([key])
            else:
                await self.results([key])
            pieces = self._read.get(place)
        return pieces

    def _remember(self, place: Place, pieces: bytes | None) -> None:
        if pieces is not None:
            self._read[place] = pieces
            self._read.move_to_end(place)
            if len(self._read) > BODIES:
                self._read.popitem(last=False)

    # -- endpoints

    async def endpoints(self) -> list[Endpoint]:
        return [self._endpoint(endpoint) for endpoint in await self._store.endpoints()]

    async def keep_endpoint(self, endpoint: Endpoint, *, most: int) -> bool:
        return await self._store.keep_endpoint(contents.seal_endpoint(endpoint, self._masters), most=most)

    def _endpoint(self, endpoint: Endpoint) -> Endpoint:
        try:
            return check_endpoint(endpoint, self._masters)
        except SettingError as error:
            log.error("%s", error)
            raise Unreadable(f"The secrets of endpoint {endpoint.id} cannot be opened.") from None

    # -- upkeep

    async def ping(self) -> None:
        await self._store.ping()
        self._ring.prepare(self._ring.now())

    async def tidy(self, now: int) -> None:
        """And makes the keys of what is to come, and destroys those of what is over."""
        await self._store.tidy(now)

        async def unfinished(moment: int) -> bool:
            return await self._store.next_lapse(moment) is not None

        try:
            self._ring.prepare(now)
            if await self._ring.clear(now, unfinished=unfinished, kept=self._store.keeps_from_before):
                self._read.clear()
            if self._ring.past_clear:
                self._clear.clear()
        except OSError as error:
            if not self._away:
                log.error("the folder of data keys cannot be used: %s", error.strerror)
            self._away = True
            raise StoreUnavailable("The folder of data keys cannot be read or written.") from error
        self._away = False


def sealed(store: Store, ring: Ring, masters: Masters) -> Store:
    """What goes into `store` is sealed from now on."""
    return cast(Store, SealedStore(store, ring, masters))
