"""The `Prefer` field (RFC 7240): what a caller would like, and which of it is ours to grant.

A preference never makes a request fail: unknown ones and malformed ones count as not given, the first of
several with one name counts (RFC 7240 §2). What is not ours is left as it came, for the upstream.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

MAX_WAIT_SECONDS = 20
"""The longest that an answer is held: existing clients give up after 25 s."""

RESPOND_ASYNC = "respond-async"
WAIT = "wait"

# Possessive throughout: what was read once is read in no second way. Else semicolons and spaces, each of them
# the end of one part or the beginning of the next, would be tried in all the ways that there are.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_WHITE = r"[ \t]*+"
_VALUE = rf"{_WHITE}={_WHITE}(?:{_TOKEN}|{_QUOTED})?+"
_PREFERENCE = re.compile(
    rf"({_TOKEN})(?:{_WHITE}={_WHITE}({_TOKEN}|{_QUOTED})?+)?+(?:{_WHITE};{_WHITE}(?:{_TOKEN}(?:{_VALUE})?+)?+)*+"
)
_MEMBER = re.compile(rf'(?:{_QUOTED}|[^",])*+')
_ESCAPED = re.compile(r"\\(.)")
_SECONDS = re.compile(r"[0-9]+")


class Preferences(msgspec.Struct, frozen=True):
    """`wait_seconds` is what will be granted: at most MAX_WAIT_SECONDS; None: no wait was asked for."""

    respond_async: bool = False
    wait_seconds: int | None = None
    others: bytes = b""  # the members that are not ours, as one field


NONE = Preferences()


def preferences(headers: Iterable[tuple[bytes, bytes]]) -> Preferences:
    """What the header fields (names in lower case) prefer."""
    fields = [value for name, value in headers if name == b"prefer"]
    return parse_prefer(fields) if fields else NONE


def parse_prefer(fields: Iterable[bytes]) -> Preferences:
    """The same, from the values of the `Prefer` fields in order."""
    respond_async = False
    wait: int | None = None
    others = []
    for field in fields:
        for member in _members(field.decode("latin-1")):
            match = _PREFERENCE.fullmatch(member)
            if match is None:
                continue
            name, value = match[1].lower(), _plain(match[2] or "")
            if name == RESPOND_ASYNC and not value:
                respond_async = True
            elif name == WAIT:
                if wait is None and _SECONDS.fullmatch(value):
                    wait = min(int(value[-18:]), MAX_WAIT_SECONDS) if len(value) < 19 else MAX_WAIT_SECONDS
            else:
                others.append(member)
    return Preferences(respond_async, wait, ", ".join(others).encode("latin-1"))


def _members(text: str) -> Iterator[str]:
    """Between the commas that are not quoted; what follows a quote that never ends is left out."""
    position = 0
    while position <= len(text):
        match = _MEMBER.match(text, position)
        end = match.end() if match else len(text)
        if end < len(text) and text[end] == '"':
            return
        if member := text[position:end].strip(" \t"):
            yield member
        position = end + 1


def _plain(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
