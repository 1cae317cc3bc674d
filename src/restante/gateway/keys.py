"""Access keys below `/-/`: made, listed, revoked. The operator of one tenant has that tenant's only."""

from ..core.access import EVERYBODY
from ..dialects import keys as spelling
from .call import Call
from .desk import Desk
from .framing import small_body
from .problems import MissingScope, UnknownKey
from .reply import Reply, document, text

MAX_BODY = 16 * 1024


async def list_all(desk: Desk, call: Call, _: str) -> Reply:
    """One page, newest first. `next` is the cursor behind it, or null."""
    tenant = await desk.tenant(call)
    asked = spelling.listing(call.query, max_limit=desk.limits.page)
    if asked.tenant is not None and tenant == EVERYBODY:
        tenant = asked.tenant
    foreign = asked.tenant not in (None, tenant)
    found = [] if foreign else await desk.service.keys.list(tenant, after=asked.after, limit=asked.limit + 1)
    page = found[: asked.limit]
    return document(
        {
            "keys": [spelling.one(key, now=desk.clock.now()) for key in page],
            "next": page[-1].id if len(found) > len(page) else None,
        }
    )


async def create(desk: Desk, call: Call, _: str) -> Reply:
    """The key itself is shown here, this once."""
    tenant = await desk.tenant(call)
    wish = spelling.read_new(await small_body(call, MAX_BODY))
    if tenant not in (wish.tenant, EVERYBODY):
        raise MissingScope("This key makes keys of its own tenant only.")
    key, shown = await desk.service.keys.make(tenant=wish.tenant, scopes=wish.scopes, span=wish.span)
    place = text(b"location", f"/-/keys/{key.id}")
    return document({**spelling.one(key, now=key.created_at), "key": shown}, place, code=201)


async def revoke(desk: Desk, call: Call, id: str) -> Reply:
    """It is good for nothing from now on. Again is no error."""
    key = await desk.service.keys.revoke(await desk.tenant(call), id)
    if key is None:
        raise UnknownKey("There is no key with this id.")
    return document(spelling.one(key, now=desk.clock.now()))
