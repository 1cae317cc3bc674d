"""What both clients are, whatever carries their bytes: where the server is, and how patient they are."""

import os
import random
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .address import address, id_of
from .answer import Response
from .errors import StillRunning
from .flow import HOLD_SECONDS, Conversation
from .questions import Flow
from .submission import Dialect, Given, known, submission
from .wire import Wire

if TYPE_CHECKING:
    from ssl import SSLContext

TIMEOUT_SECONDS = 60.0
"""To connect, and for each read; for how long an answer is to be held back is added."""

PATIENCE_SECONDS = 60.0
"""For how long what may pass is tried again."""

MAX_CONTENT = 64 * 1024 * 1024
"""Bytes of an answer: a server's own `max_result`, unless that was raised."""

IDLE = 10
"""Connections that are kept for the next request."""

PIECE = 64 * 1024


def new_key() -> str:
    """An idempotency key that nobody has."""
    return os.urandom(16).hex()


class Caller:
    """`url` is the server's, `key` an access key where one is needed.

    `patience` is how many seconds what may pass is tried again (0: never), `timeout` how many any one read
    may take, `max_content` how many bytes an answer may have, `dialect` that of a submit which says none.
    `tls` is for https with authorities or certificates of your own. `on_answer` is told of each answer, of a
    stream's without its content. What goes wrong is told in errors.py; a URL that is none is a `ValueError`.
    """

    _sleep: Callable[[float], Any]

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        patience: float = PATIENCE_SECONDS,
        timeout: float = TIMEOUT_SECONDS,
        max_content: int = MAX_CONTENT,
        dialect: Dialect = "task",
        tls: "SSLContext | None" = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Any] | None = None,
        chance: Callable[[], float] = random.random,
        on_answer: Callable[[Response], None] = lambda answer: None,
        new_key: Callable[[], str] = new_key,
    ) -> None:
        if key is not None and not (key.isascii() and key.isprintable() and key.strip()):
            raise ValueError("this is no access key")
        self._address = address(url)
        self._key = None if key is None else key.strip()
        self._timeout = timeout
        self._max_content = max_content
        self._dialect = known(dialect)
        self._now = now
        self._on_answer = on_answer
        self._new_key = new_key
        self._idle: deque[Any] = deque()
        if sleep is not None:
            self._sleep = sleep
        if self._address.secure and tls is None:
            import ssl  # which takes longer to import than all the rest

            tls = ssl.create_default_context()
        self._tls = tls if self._address.secure else None
        self.conversation = Conversation(self._address.url, patience=patience, now=now, chance=chance)

    @property
    def url(self) -> str:
        return self._address.url

    def until(self, timeout: float | None) -> float:
        """The moment, by this client's clock, at which so many seconds have passed."""
        return float("inf") if timeout is None else self._now() + timeout

    def _submission(self, method: str, path: str, given: Given) -> Flow[tuple[str, Response]]:
        made = submission(method, path, given, default=self._dialect, new_key=self._new_key)
        return self.conversation.submit(made)

    def _wire(self) -> Wire:
        return Wire(self._address, self._key, self._max_content)

    def _id(self, text: str) -> str:
        return id_of(text, self._address)

    def _turn(self, count: int, at_once: int) -> float:
        """For how long each of `count` is asked about, where only so many are at once."""
        return max(1.0, min(HOLD_SECONDS, HOLD_SECONDS * at_once / max(count, 1)))

    def _not_ended(self, count: int) -> StillRunning:
        return StillRunning(f"{count} have not ended in time")


C = TypeVar("C", bound=Caller)


class BaseHandle(Generic[C]):
    """One transaction. `id` is all that it needs."""

    def __init__(self, client: C, id: str, *, accepted: Response | None = None) -> None:
        self.id = id
        self.accepted = accepted
        """What the submit was answered; None where this was made from an id."""
        self._client = client

    @property
    def replayed(self) -> bool:
        """Whether an earlier submit with the same key began it."""
        return self.accepted is not None and "idempotent-replayed" in self.accepted.headers

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


def why(error: OSError) -> str:
    """The reason, without anybody's raw text."""
    if isinstance(error, TimeoutError):
        return "it takes too long"
    if hasattr(error, "verify_code"):  # an ssl.SSLCertVerificationError
        return "its certificate is not trusted"
    return error.strerror or "an error of the operating system"
