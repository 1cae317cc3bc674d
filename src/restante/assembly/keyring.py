"""Access keys in a store, for the command line: whether or not servers are at work on it.

Whoever can open the store may make keys: that is how the first one comes about. Servers notice by themselves
(service/keys.py): a new key is good at once, and one that was revoked is good nowhere any more when `revoke`
returns.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from ..core.access import EVERYBODY, read_wish
from ..core.clock import SECOND
from ..core.errors import BadRequest, SettingError
from ..dialects import keys as spelling
from ..outbound import SystemChance, SystemClock
from ..service.keys import FRESH, Keys
from .beside import opened_beside

PAGE = 100

Document = dict[str, Any]


def create(url: str, *, tenant: str, scopes: list[str], expires: str | None) -> Document:
    """A new key, as the native API answers. Raises `SettingError` naming what is wrong."""
    try:
        wish = read_wish(tenant, scopes, expires)
    except BadRequest as error:
        raise SettingError(error.field, error.message.removeprefix(f"{error.field} ")) from None

    async def work() -> Document:
        async with opened_beside(url, make=True) as store:
            keys = Keys(store=store, clock=SystemClock(), chance=SystemChance())
            key, shown = await keys.make(tenant=wish.tenant, scopes=wish.scopes, span=wish.span)
        return {**spelling.one(key, now=key.created_at), "key": shown}

    return asyncio.run(work())


def pages(url: str, *, tenant: str | None) -> Iterator[list[Document]]:
    """All of a tenant's, or of all, newest first."""

    async def work(after: str | None) -> list[Document]:
        async with opened_beside(url, make=True) as store:
            found = await store.list_keys(tenant or EVERYBODY, after=after, limit=PAGE)
        return [spelling.one(key, now=SystemClock().now()) for key in found]

    after = None
    while page := asyncio.run(work(after)):
        yield page
        if len(page) < PAGE:
            return
        after = page[-1]["id"]


def revoke(url: str, id: str) -> Document | None:
    """The key, which is good nowhere any more; None where there is none with this id."""

    async def work() -> Document | None:
        now = SystemClock().now()
        async with opened_beside(url, make=True) as store:
            (key,) = await store.revoke_keys([id], tenant=EVERYBODY, now=now)
            if key is None:
                return None
            await asyncio.sleep(FRESH / SECOND)  # until every server has to look at it again
        return spelling.one(key, now=now)

    return asyncio.run(work())
