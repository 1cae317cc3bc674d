"""A visitor without a script: follows links, fills in forms, keeps cookies."""

import re
from html import unescape
from urllib.parse import urlencode

from restante.core.access import Scope

from ..gateway.house import House
from ..gateway.wire import Seen

_INPUT = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


class Visitor:
    def __init__(self, house: House) -> None:
        self.house = house
        self.cookie: str | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.house.port}"

    async def get(self, target: str, **headers: str) -> Seen:
        seen = await self.house.ask("GET", target, {**self._cookie(), **headers})
        return self._kept(seen)

    async def post(self, target: str, form: dict[str, str], **headers: str) -> Seen:
        fields = {
            "Origin": self.origin,
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
            **self._cookie(),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        given = {name: value for name, value in fields.items() if value}
        return self._kept(await self.house.ask("POST", target, given, urlencode(form).encode()))

    async def submit(self, target: str, page: str | None = None, **more: str) -> Seen:
        """Loads the page with a form and sends that to `target`."""
        seen = await self.get(page or target)
        assert seen.code == 200, seen
        return await self.post(target, {**hidden(seen), **more})

    async def log_in(self, tenant: str = "default", *scopes: Scope) -> "Visitor":
        key = (await self.house.key(tenant, *scopes))["Restante-Key"]
        seen = await self.submit("/-/login", key=key)
        assert seen.code == 303, seen
        return self

    def _cookie(self) -> dict[str, str]:
        return {"Cookie": f"other=1; {self.cookie}"} if self.cookie else {}

    def _kept(self, seen: Seen) -> Seen:
        for value in seen.all("set-cookie"):
            cookie = value.decode().partition(";")[0]
            self.cookie = cookie if cookie.partition("=")[2] else None
        return seen


def hidden(seen: Seen) -> dict[str, str]:
    """The last form's hidden fields."""
    form = seen.body.decode().rpartition("<form")[2]
    return {name: unescape(value) for name, value in _INPUT.findall(form)}


def text(seen: Seen) -> str:
    """What is read, in one line."""
    body = seen.body.decode().partition("<main")[2]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body)))
