"""What is asked and what is answered, whichever driver carries it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

Pairs = tuple[tuple[str, str], ...]

STATUS = "restante-status"
"""The field that Restante's own answers carry, and an upstream's never does."""

OUTCOME, OUTCOME_UNKNOWN = "restante-outcome", "restante-outcome-unknown"
"""What a 502 or 504 of Restante's own says of the work that broke."""

MAX_RETRY_AFTER = 3600.0


class Headers(Mapping[str, str]):
    """Header fields, by name in any case; the first of several, and `all` of them."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs: Pairs = tuple(pairs)
        self._first: dict[str, str] = {}
        for name, value in self.pairs:
            self._first.setdefault(name.lower(), value)

    def __getitem__(self, name: str) -> str:
        return self._first[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        return f"Headers({', '.join(self._first)})"

    def all(self, name: str) -> list[str]:
        """Every value of the field `name`, in order."""
        return [value for key, value in self.pairs if key.lower() == name.lower()]


class Response(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """An answer. The upstream's is as it was given, byte for byte; names of fields may be in another case."""

    status_code: int
    headers: Headers
    content: bytes = b""
    reason: str = ""

    def json(self) -> Any:
        """The content as JSON; raises `msgspec.DecodeError` where it is none."""
        return msgspec.json.decode(self.content)

    def __repr__(self) -> str:
        return f"<Response {self.status_code}, {len(self.content)} bytes>"

    # -- of Restante's own answers

    @property
    def word(self) -> str:
        """`Restante-Status`; "" where this is somebody else's answer."""
        return self.headers.get(STATUS, "")

    @property
    def retry_after_seconds(self) -> float | None:
        """`Retry-After` in seconds, which is how Restante says it."""
        text = self.headers.get("retry-after", "").strip()
        return min(float(text), MAX_RETRY_AFTER) if text.isascii() and text.isdigit() else None

    def document(self) -> dict[str, Any]:
        """The JSON object that it is; {} where it is none."""
        try:
            content = self.json()
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}
        return content if isinstance(content, dict) else {}


class Ask(msgspec.Struct, frozen=True):
    """A request. `target` stands behind the base of the client's URL.

    `hold_seconds` is how much longer than usual the answer may take. With `stream` the answer has no content
    yet; it comes by `More`.
    """

    method: str
    target: str
    headers: Pairs = ()
    content: bytes | None = None
    hold_seconds: float = 0.0
    stream: bool = False


class More(msgspec.Struct, frozen=True):
    """The next piece of the streamed answer; b"" at its end."""


class Pause(msgspec.Struct, frozen=True):
    """Nothing, for so long."""

    seconds: float


class Tell(msgspec.Struct, frozen=True):
    """A value for whoever called."""

    value: Any


Step = Ask | More | Pause | Tell
