"""Logging in with an access key, and out again."""

import re
from urllib.parse import quote

from ..core.access import EVERYBODY, LONGEST, PREFIX, AccessKey, Scope, digest_of
from ..core.clock import SECOND
from ..core.headers import first as field
from ..ports.dashboard import Shown
from .session import LIFE, Session, seal, set_cookie
from .visit import Visit

USELESS = "This key is not known, or good no longer."
LACKING = "This key has neither the scope read nor operate: there is nothing it could see."


LONGEST_PLACE = 250
_OURS = re.compile(r"(?:ui/|\?)[A-Za-z0-9/?=&%:+*._~-]*")


def first(visit: Visit) -> Shown:
    """To the login, and then back. Who comes by a link elsewhere has left the cookie behind (SameSite), and
    comes once more from here before that."""
    asked = visit.asked
    place = asked.path + (f"?{asked.query}" if asked.query else "")
    if field(asked.headers, b"sec-fetch-site") in (b"cross-site", b"same-site"):
        return visit.page("again.html", place=_safe(place))
    told = f"?next={quote(place, safe='')}" if 0 < len(place) <= LONGEST_PLACE else ""
    return visit.go(f"/-/login{told}")


async def log_in(visit: Visit) -> Shown:
    """The form; or a session for the key that was put into it."""
    if visit.open:
        return visit.go("/-/")
    place = visit.query.get("next", "")
    if visit.asked.method != "POST":
        return visit.page("login.html", place=place, wrong=None)
    given = visit.form()
    place = given.get("next", "")
    presented = given.get("key", "").encode("utf-8", "surrogatepass")
    service = visit.service
    key = None
    if presented.startswith(PREFIX.encode()) and len(presented) <= LONGEST:
        key = await service.keys.find(digest_of(service.keys.secret, presented))
    if key is None or not key.scopes & {Scope.READ, Scope.OPERATE}:
        return visit.page("login.html", code=403, place=place, wrong=LACKING if key else USELESS)
    expires_at = visit.now + LIFE if key.expires_at is None else min(visit.now + LIFE, key.expires_at)
    value = seal(service.keys.secret, Session(key.digest, expires_at))
    seconds = (expires_at - visit.now) // SECOND
    return visit.go(_safe(place), set_cookie(value, seconds=seconds, secure=_secure(visit)))


def log_out(visit: Visit) -> Shown:
    """The browser forgets the session."""
    if visit.asked.method != "POST" or visit.open:
        return visit.go("/-/")
    if visit.caller is not None:
        visit.form()
    return visit.go("/-/login", set_cookie("", seconds=0, secure=_secure(visit)))


def concerns_all(key: AccessKey) -> bool:
    return key.tenant == EVERYBODY and Scope.OPERATE in key.scopes


def _secure(visit: Visit) -> bool:
    return visit.asked.origin.startswith("https://")


def _safe(place: str) -> str:
    """A page of ours, whatever was asked for."""
    return f"/-/{place}" if _OURS.fullmatch(place) and ".." not in place else "/-/"
