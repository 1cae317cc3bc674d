"""One visit to a page: who asks, for whose things, and what the answer looks like."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ..core.access import EVERYBODY, Scope
from ..core.errors import BadRequest, Refused
from ..core.policy import Policy
from ..ports.auth import Caller
from ..ports.dashboard import Asked, Shown
from ..service import Service
from .session import form_token, token_fits
from .templates import STATIC_VERSION, render

MAX_PARAMETERS = 50
MAX_VALUE = 300

OPEN = b"open"
"""What forms are about where nobody is asked for a key."""

POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY.encode()),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""Fields of every page: it runs our script only, goes into no frame, and is kept nowhere."""


class Unknown(Refused):
    """There is no such thing, or it is somebody else's."""

    status = 404
    title = "Not found"


class NotAllowed(Refused):
    """It is known who asks, and they may not."""

    status = 403
    title = "Not allowed"


class Streams:
    """How many pages of this process are being told of news."""

    def __init__(self) -> None:
        self.open = 0


class Visit:
    """`subject` is what forms of this visitor are about; `caller` is None where nobody is known."""

    def __init__(
        self,
        *,
        asked: Asked,
        service: Service,
        policy: Policy,
        caller: Caller | None,
        subject: bytes,
        open: bool,
        streams: Streams,
    ) -> None:
        self.asked = asked
        self.service = service
        self.policy = policy
        self.store = service.store
        self.caller = caller
        self.open = open
        self.streams = streams
        self.now = service.clock.now()
        self._subject = subject
        self._query: Mapping[str, str] | None = None

    # -- what is asked

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters, each once; those without a value are left out. Raises `BadRequest`."""
        if self._query is None:
            self._query = fields(self.asked.query)
        return self._query

    @property
    def reaches_all(self) -> bool:
        """Whether the visitor reaches what all tenants have."""
        return self.caller is not None and self.caller.tenant == EVERYBODY

    @property
    def tenant(self) -> str:
        """Whose things are shown: the visitor's own, or those of the tenant that was named; EVERYBODY where
        none was."""
        assert self.caller is not None
        return self.query.get("tenant", EVERYBODY) if self.reaches_all else self.caller.tenant

    @property
    def own(self) -> str:
        """Of whom single things may be: a tenant, or EVERYBODY."""
        assert self.caller is not None
        return self.caller.tenant

    def may(self, scope: str) -> bool:
        return self.caller is not None and Scope(scope) in self.caller.scopes

    @property
    def sees_all(self) -> bool:
        """Whether what concerns every tenant is shown."""
        return self.caller is not None and self.caller.all

    def form(self) -> Mapping[str, str]:
        """What a form has sent, from a page of ours. Raises `NotAllowed`."""
        given = fields(self.asked.body.decode("latin-1"))
        if not token_fits(self.service.keys.secret, self._subject, self.now, given.get("token", "")):
            raise NotAllowed("This form is too old, or not ours. Load the page again and repeat it.")
        return given

    def forget_query(self) -> None:
        """Whatever was asked for is wrong; an error's page has nothing of it."""
        self._query = {}

    # -- what is answered

    def to(self, path: str, /, **query: object) -> str:
        """A link to one of our pages, for the same tenant."""
        if self.reaches_all and "tenant" not in query and "tenant" in self.query:
            query["tenant"] = self.query["tenant"]
        given = {name: str(value) for name, value in query.items() if value not in (None, "")}
        return f"/-/{path}" + (f"?{urlencode(given)}" if given else "")

    @property
    def token(self) -> str:
        return form_token(self.service.keys.secret, self._subject, self.now)

    def page(self, template: str, *, code: int = 200, **context: Any) -> Shown:
        html = render(template, visit=self, now=self.now, version=STATIC_VERSION, **context)
        return Shown(code, list(HEADERS), html.encode("utf-8", "replace"))

    def go(self, place: str, *more: tuple[bytes, bytes]) -> Shown:
        """Elsewhere, with a GET."""
        headers = [(b"location", place.encode("ascii")), (b"cache-control", b"no-store"), *more]
        return Shown(303, headers, b"")


def fields(text: str) -> Mapping[str, str]:
    """Names and values of a query or form; raises `BadRequest`."""
    try:
        pairs = parse_qsl(text, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise BadRequest(f"There are at most {MAX_PARAMETERS} parameters.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise BadRequest(f"{name[:MAX_VALUE]} is given twice", field=name[:MAX_VALUE])
        if len(value) > MAX_VALUE:
            raise BadRequest(f"{name[:MAX_VALUE]} is too long", field=name[:MAX_VALUE])
        found[name] = value.strip()
    return {name: value for name, value in found.items() if value}
