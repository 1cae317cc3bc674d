"""Who is logged in, and what a form must bring: both told by the store's own secret, and kept nowhere.

A session is a cookie that names the hash of an access key and when the session ends, signed. Whoever has the
store's secret opens it: every node, before and after a restart. It is as good as its key: at each page the
key is looked for, and one that was revoked, or has expired, ends all its sessions. A form brings a token made
of the session and the day, which no other page can read.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

import msgspec

from ..core.clock import DAY, HOUR
from ..ports.dashboard import Fields

COOKIE = b"restante-session"
LIFE = 12 * HOUR
"""How long a session lasts at most."""

LONGEST = 200
"""Characters of what may be a session."""

_DIGEST = 32
_MOMENT = 8
_LENGTH = _DIGEST + _MOMENT


class Session(msgspec.Struct, frozen=True):
    """`digest` is the key's; the session is over at `expires_at`."""

    digest: bytes
    expires_at: int

    @property
    def name(self) -> bytes:
        return self.digest + self.expires_at.to_bytes(_MOMENT, "big")


def seal(secret: bytes, session: Session) -> str:
    """What the cookie holds."""
    return urlsafe_b64encode(session.name + _signature(secret, session.name)).decode()


def open_session(secret: bytes, text: bytes, now: int) -> Session | None:
    """None: it is none of this store's, or over."""
    if len(text) > LONGEST:
        return None
    try:
        raw = urlsafe_b64decode(text)
    except ValueError:
        return None
    name, signature = raw[:_LENGTH], raw[_LENGTH:]
    if len(name) != _LENGTH or not hmac.compare_digest(signature, _signature(secret, name)):
        return None
    session = Session(name[:_DIGEST], int.from_bytes(name[_DIGEST:], "big"))
    return session if now < session.expires_at else None


def form_token(secret: bytes, subject: bytes, now: int) -> str:
    """What a form of this session (or, without one, of this kind) brings today."""
    return _token(secret, subject, now // DAY)


def token_fits(secret: bytes, subject: bytes, now: int, given: str) -> bool:
    """Whether it is today's or yesterday's."""
    days = (now // DAY, now // DAY - 1)
    return any(hmac.compare_digest(given.encode(), _token(secret, subject, day).encode()) for day in days)


def cookie(headers: Fields, name: bytes) -> bytes | None:
    """The value of a cookie, where it came once."""
    found = [
        part.partition(b"=")[2].strip()
        for key, value in headers
        if key == b"cookie"
        for part in value.split(b";")
        if part.partition(b"=")[0].strip() == name
    ]
    return found[0] if len(found) == 1 else None


def set_cookie(value: str, *, seconds: int, secure: bool) -> tuple[bytes, bytes]:
    """Not for scripts, not for other sites, and of `/-/` only."""
    text = f"{COOKIE.decode()}={value}; Path=/-/; Max-Age={seconds}; HttpOnly; SameSite=Strict"
    return b"set-cookie", (text + "; Secure" if secure else text).encode()


def _signature(secret: bytes, name: bytes) -> bytes:
    return hmac.digest(secret, b"restante session " + name, sha256)


def _token(secret: bytes, subject: bytes, day: int) -> str:
    return hmac.digest(secret, b"restante form %d " % day + subject, sha256).hex()
