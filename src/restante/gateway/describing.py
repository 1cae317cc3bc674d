"""The API described: `/-/openapi.json` for programs, `/-/docs` for people."""

from .call import Call
from .desk import Desk
from .manual import STYLE
from .reply import JSON, Reply, length, page


async def openapi(desk: Desk, call: Call, _: str) -> Reply:
    """OpenAPI 3.1."""
    body = desk.manual.spelled()
    return Reply(200, [JSON, length(body), (b"cache-control", b"no-cache")], body)


async def docs(desk: Desk, call: Call, _: str) -> Reply:
    """The same as a page."""
    return page(desk.manual.shown(), style=STYLE)
