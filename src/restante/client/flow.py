"""The conversation with a server, as generators: they yield a step, are sent what came of it, and have never
heard of a socket or a thread. The two drivers (client.py, asynchronous.py) are loops around them.

After a submit all goes by the transaction's id, whatever its dialect, and below `/-/`: there a reading uses
nothing up, so an answer whose connection broke is read again. Where `/-/` is not served to this caller, the
same is asked of `/async/status/ID` and `/async/result/ID`, where an error is handed out once
(docs/why/0021-client.md).
"""

import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from ..core.machine import TERMINAL
from .answer import OUTCOME, OUTCOME_UNKNOWN, Ask, More, Pause, Response, Tell
from .errors import (
    WORK,
    AnswerLost,
    Cancelled,
    NotAccepted,
    NotReached,
    StillRunning,
    Unknown,
    WorkFailed,
)
from .events import STREAM, EventLines
from .questions import PASSING, PAUSES_SECONDS, Flow, Questions, T, nowhere, passing, pauses, problem_of
from .submission import Submission

HOLD_SECONDS = 20
"""How long a server holds an answer back for us; it would not do so any longer."""

POLL_SECONDS = 0.5
"""Between questions that were answered at once, though they were to be held."""

QUIET_SECONDS = 10.0
"""A stream that was good for so long was not lost for lack of a server."""

TOO_MANY_STREAMS = "too-many-streams"


class Look(msgspec.Struct, frozen=True):
    """What is known of a transaction. `code` is the upstream's, `document` what `/-/` says, `unknown` whether
    the work may have been done though it failed; None where that is not said, or in the document."""

    status: str
    outcome: str | None = None
    code: int | None = None
    document: dict[str, Any] | None = None
    unknown: bool | None = None


class Conversation(Questions):
    """All that is said to one server."""

    below = True
    """Whether `/-/` is served to us, as far as is known."""

    # -- submitting

    def submit(self, made: Submission) -> Flow[tuple[str, Response]]:
        """The id of what was accepted, and the answer."""
        ask = made.ask
        try:
            answer = yield from self._submit(made)
            if not answer.word and ask.target.startswith("/async/"):
                raise self.refusal(answer)
        except NotReached as error:
            error.idempotency_key = made.key
            raise
        if not answer.word:
            raise NotAccepted(
                f"{ask.method} {ask.target.partition('?')[0]} is not asynchronous there, and was answered "
                f"with {answer.status_code}: see `response`",
                answer,
            )
        self.good(answer)
        id = answer.headers.get("location", "").rpartition("/")[2]
        if not id:
            raise self.not_ours(answer)
        return id, answer

    def _submit(self, made: Submission) -> Flow[Response]:
        behind = made.ask.target.startswith("/async/")

        def again(answer: Response, lost: int) -> bool:
            # An answer without our word came from the upstream, on any path but this, or from a proxy on the
            # way here. A 502 may be either's: it is sent again where the caller's key or its method permits.
            either = made.harmless and answer.status_code in PASSING
            return passing(answer, lost) and (behind or bool(answer.word) or either)

        return (yield from self.ask(made.ask, again, repeat=made.repeat))

    # -- looking

    def look(self, id: str, *, hold: int = 0, until: float = math.inf) -> Flow[Look]:
        """How it stands. Held back for `hold` seconds, or until it has ended. Raises `Unknown`."""
        headers = (("Prefer", f"wait={hold}"),) if hold else ()
        if self.below:
            answer = yield from self.ask(
                Ask("GET", f"/-/{transaction(id)}", headers, hold_seconds=hold), until=until
            )
            if not nowhere(answer):
                said = self.good(answer, id).document()
                result = said.get("result") or {}
                if not isinstance(said.get("status"), str) or not isinstance(result, dict):
                    raise self.not_ours(answer)
                return Look(said["status"], said.get("outcome"), result.get("status"), said)
            self.below = False
        answer = yield from self.ask(
            Ask("GET", f"/async/status/{quote(id, safe='')}", headers, hold_seconds=hold), until=until
        )
        if answer.word == "failed" and answer.status_code in PASSING:
            how = answer.headers.get(OUTCOME)
            return Look(
                "failed", how, unknown=None if how is None else answer.headers.get(OUTCOME_UNKNOWN) == "true"
            )
        said = self.good(answer, id).document()
        return Look(answer.word, "answered" if said.get("status") == "completed" else None)

    def show(self, id: str) -> Flow[dict[str, Any]]:
        """What `/-/` says, with the events."""
        look = yield from self.look(id)
        if look.document is None:
            raise self.elsewhere(id)
        return look.document

    def ended(self, id: str, until: float) -> Flow[bool]:
        """Whether it ends until then. One that is not known (any more) has."""
        try:
            yield from self.wait(id, until)
        except StillRunning:
            return False
        except Unknown:
            pass
        return True

    def wait(self, id: str, until: float = math.inf) -> Flow[Look]:
        """The same once it has ended. Raises `StillRunning`."""
        polls = pauses()  # where nobody holds an answer back, we ask less and less often
        while True:
            begun = self._now()
            hold = int(max(min(until - begun, HOLD_SECONDS), 0))
            look = yield from self.look(id, hold=hold, until=until)
            if look.status in TERMINAL:
                return look
            now = self._now()
            if now >= until:
                raise StillRunning(f"transaction {id} is {look.status}: it has not ended in time", id=id)
            if now - begun < POLL_SECONDS:
                yield Pause(min(next(polls), until - now))

    def result(self, id: str, until: float = math.inf) -> Flow[Response]:
        """The upstream's answer, whatever its code; see errors.py for what there is instead of one."""
        look = yield from self.wait(id, until)
        if look.status == "cancelled":
            raise Cancelled(f"transaction {id} was cancelled", id=id)
        if look.outcome != "answered":
            raise _work_failed(look, id)
        if look.document is not None:
            return (yield from self._kept(id, look.code))
        return (yield from self._handed_out(id))

    def _kept(self, id: str, code: int | None) -> Flow[Response]:
        """Below `/-/`. Its code is known, so nobody in front of the server is taken for the upstream."""

        def again(answer: Response, lost: int) -> bool:
            return passing(answer, lost) and (bool(answer.word) or answer.status_code != code)

        answer = yield from self.ask(Ask("GET", f"/-/{transaction(id)}/result"), again)
        if answer.word:
            raise self.refusal(answer, id)
        if answer.status_code != code:
            raise self.not_ours(answer)
        return answer

    def stored(self, id: str) -> Flow[None]:
        """Tells the head of the answer that is kept below `/-/`, then its content in pieces, however long.
        Its code is known before, as in `_kept`."""
        look = yield from self.look(id)
        if look.document is None:
            raise self.elsewhere(id)
        answer = yield Ask("GET", f"/-/{transaction(id)}/result", stream=True)
        if answer.word:
            raise self.refusal((yield from _whole(answer)), id)
        if answer.status_code != look.code:
            raise self.refusal(answer, id)
        yield Tell(answer)
        while piece := (yield More()):
            yield Tell(piece)

    def _handed_out(self, id: str) -> Flow[Response]:
        """At response_url. The server notices that we did not get it, and then it is readable again."""
        breaks = 0

        def again(answer: Response, lost: int) -> bool:
            nonlocal breaks
            breaks = lost
            return bool(answer.word) and ((answer.status_code == 404 and lost > 0) or passing(answer, lost))

        answer = yield from self.ask(Ask("GET", f"/async/result/{quote(id, safe='')}"), again)
        if not answer.word:
            return answer
        error = self.refusal(answer, id)
        if breaks and isinstance(error, Unknown):
            message = (
                f"the answer of {id} was handed out once, and its connection broke; it is kept below /-/"
            )
            raise AnswerLost(message, status=404, id=id)
        raise error

    def cancel(self, id: str) -> Flow[None]:
        """Raises `TooLate`."""
        if self.below:
            answer = yield from self.ask(Ask("POST", f"/-/{transaction(id)}/cancel"))
            if not nowhere(answer):
                self.good(answer, id)
                return
            self.below = False
        answer = yield from self.ask(Ask("DELETE", f"/async/status/{quote(id, safe='')}"))
        self.good(answer, id)

    # -- events

    def events(self, id: str, after: int = 0) -> Flow[None]:
        """Tells each event once, in order, to the last one; where the connection breaks, it goes on there."""
        seen = _Seen(after)
        tries, good = 0, self._now()
        while not seen.ended:
            begun, before = self._now(), seen.last
            lost: NotReached | None = None
            try:
                yield from self._news(id, seen)
            except NotReached as error:
                lost = error
            now = self._now()
            if seen.last > before or now - begun > QUIET_SECONDS:
                tries, good = 0, now
            if lost is not None:
                pause = PAUSES_SECONDS[min(tries, len(PAUSES_SECONDS) - 1)]
                if now - good + pause > self.patience:
                    raise lost
                tries += 1
                yield Pause(pause)
            elif not seen.ended and now - begun < POLL_SECONDS and seen.last == before:
                yield Pause(POLL_SECONDS)

    def _news(self, id: str, seen: "_Seen") -> Flow[None]:
        """What one question brings: a stream to its end or, where too many are open, a list."""
        place = f"/-/{transaction(id)}/events"
        last = (("Accept", STREAM), ("Last-Event-ID", str(seen.last)))
        answer = yield Ask("GET", place, last, stream=True)
        if answer.status_code == 200 and answer.headers.get("content-type", "").startswith(STREAM):
            lines = EventLines()
            while piece := (yield More()):
                yield from seen.tell(lines.feed(piece))
            return
        if answer.status_code == 204:  # nothing will follow
            seen.ended = True
            return
        answer = yield from _whole(answer)
        if problem_of(answer) == TOO_MANY_STREAMS:
            hold = HOLD_SECONDS if seen.last else 0
            held = (("Prefer", f"wait={hold}"),)
            answer = yield Ask("GET", f"{place}?after={seen.last}", held, hold_seconds=hold)
        if passing(answer, 0):
            raise NotReached(f"{self.url}: {self.refusal(answer, id).message}")
        events = self.good(answer, id).document().get("events")
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise self.not_ours(answer)
        yield from seen.tell(events)


def transaction(id: str) -> str:
    """Its path behind `/-/`."""
    return f"transactions/{quote(id, safe='')}"


class _Seen:
    """How far a caller has been told."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.ended = False

    def tell(self, events: list[dict[str, Any]]) -> Iterator[Tell]:
        """Those that are new. What has no number is no event."""
        for event in events:
            number = event.get("sequence")
            if isinstance(number, int) and number > self.last:
                self.last = number
                self.ended = self.ended or event.get("status") in TERMINAL
                yield Tell(event)


def _whole(head: Response) -> Flow[Response]:
    """A streamed answer of Restante's own, which is never long."""
    content = bytearray()
    while piece := (yield More()):
        content += piece
    return Response(head.status_code, head.headers, bytes(content), head.reason)


def told(flow: Flow[T]) -> Flow[None]:
    """A flow that tells what the other one returns."""
    yield Tell((yield from flow))


def _work_failed(look: Look, id: str) -> WorkFailed:
    events: list[dict[str, Any]] = list((look.document or {}).get("events") or ())
    message = next(reversed([str(event.get("message") or "") for event in events]), "")
    said = f": {message}" if message else ""
    outcome = f" ({look.outcome})" if look.outcome else ""
    doubt = look.unknown
    if look.document is not None:
        doubt = any((event.get("data") or {}).get("outcome_unknown") is True for event in events)
    kind = WORK.get(look.outcome, WorkFailed)
    return kind(f"the work of {id} failed{outcome}{said}", id=id, outcome_unknown=doubt)
