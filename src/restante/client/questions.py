"""One question to a server, until there is an answer; and what an answer that is an error says.

What may pass (nobody answers, 429, 502, 503, 504) is asked again for `patience` seconds, at the moment that
`Retry-After` says or after a growing pause. That does no harm: a submit carries a key, a reading uses nothing
up, and a second cancel is answered like the first.
"""

import math
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

import msgspec

from .answer import Ask, Pairs, Pause, Response, Step
from .errors import REFUSALS, NotReached, NotUnderstood, Refused

PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Between tries; the last one again and again."""

PASSING = frozenset({502, 503, 504})
NOWHERE = frozenset({"not-found", "foreign-host"})
TYPE = "urn:restante:problem:"

T = TypeVar("T")
Flow = Generator[Step, Any, T]
Again = Callable[[Response, int], bool]


def passing(answer: Response, _: int) -> bool:
    """Whether it is likely to be another one soon."""
    return answer.status_code == 429 or (answer.status_code in PASSING and answer.word != "failed")


class Questions:
    """To one server. `now` is a clock in seconds, `chance` a number from 0 to 1."""

    def __init__(
        self, url: str, *, patience: float, now: Callable[[], float], chance: Callable[[], float]
    ) -> None:
        self.url = url
        self.patience = patience
        self._now = now
        self._chance = chance

    def ask(
        self, ask: Ask, again: Again = passing, *, until: float = math.inf, repeat: bool = True
    ) -> Flow[Response]:
        """The answer, asked for again while `again` says so and, with `repeat`, where it was lost.

        Raises `NotReached`.
        """
        end = min(self._now() + self.patience, until)
        lost = 0
        for pause in pauses():
            answer: Response | None = None
            trouble: NotReached | None = None
            try:
                answer = yield ask
            except NotReached as error:
                if error.sent and not repeat:
                    raise
                trouble = error
                lost += error.sent
            if answer is not None and not again(answer, lost):
                return answer
            seconds = max(pause * (0.5 + self._chance() / 2), (answer and answer.retry_after_seconds) or 0.0)
            if self._now() + seconds > end:
                if answer is None:
                    assert trouble is not None
                    raise trouble
                return answer
            yield Pause(seconds)
        raise AssertionError("pauses have no end")

    def call(self, method: str, target: str, headers: Pairs = (), body: object = None) -> Flow[Response]:
        """One call below `/-/`; what is not 2xx is raised."""
        content = None if body is None else msgspec.json.encode(body)
        kind = () if content is None else (("Content-Type", "application/json"),)
        answer = yield from self.ask(Ask(method, "/-/" + target, (*headers, *kind), content))
        if answer.word and problem_of(answer) == "not-found":
            raise self.elsewhere()
        if not 200 <= answer.status_code < 300:
            raise self.refusal(answer)
        return answer

    def good(self, answer: Response, id: str = "") -> Response:
        """The answer about a transaction, if it is ours and no error."""
        if not answer.word or not 200 <= answer.status_code < 300:
            raise self.refusal(answer, id)
        return answer

    def refusal(self, answer: Response, id: str = "") -> Refused | NotReached | NotUnderstood:
        """What an answer that is an error says."""
        if not answer.word:
            if answer.status_code in PASSING:
                return NotReached(f"{self.url} answered {answer.status_code}: {answer.reason}".rstrip(": "))
            return self.not_ours(answer)
        said = answer.document()
        kind = REFUSALS.get(answer.status_code, Refused)
        if said.get("status") == "unknown":
            text = f"there is no transaction {id}, or its answer is not kept any more"
        else:
            text = str(said.get("detail") or said.get("message") or answer.reason).rstrip(".")
        return kind(
            text,
            status=answer.status_code,
            problem=problem_of(answer),
            field=str(said.get("field") or ""),
            retry_after_seconds=answer.retry_after_seconds,
            id=id,
        )

    def elsewhere(self, id: str = "") -> Refused:
        """What is said where `/-/` is not served to us."""
        return Refused(
            f"/-/ is not served at {self.url}; it may be at another address (admin_listen): ask that one",
            status=404,
            problem="not-found",
            id=id,
        )

    def not_ours(self, answer: Response) -> NotUnderstood:
        return NotUnderstood(f"{self.url} answered {answer.status_code}; is it a Restante server?")


def nowhere(answer: Response) -> bool:
    """Whether `/-/` is not served to us: by the server, or by somebody in front of it."""
    if not answer.word:
        return answer.status_code not in PASSING
    return answer.status_code in (404, 421) and problem_of(answer) in NOWHERE


def pauses() -> Iterator[float]:
    yield from PAUSES_SECONDS
    while True:
        yield PAUSES_SECONDS[-1]


def problem_of(answer: Response) -> str:
    return str(answer.document().get("type") or "").removeprefix(TYPE)
