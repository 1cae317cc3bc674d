"""Endpoints below `/-/`: where the caller's webhooks go. A secret is shown once, when it is made.

`callbacks` in place of an id is the caller's endpoint for single requests (`Restante-Callback-Url`); it is
made when it is first asked for, its secret can be asked for again, and it cannot be removed.
"""

import msgspec

from ..core import endpoint as core
from ..core.access import EVERYBODY
from ..core.endpoint import Detail, Endpoint, Filters, Signature, callbacks_id
from ..core.errors import BadRequest, NotNow
from ..dialects import webhooks as spelling
from ..dialects.parameters import Parameters
from ..service import deliveries as calls
from ..service.callbacks import check_url
from .call import Call
from .desk import Desk
from .framing import small_body
from .problems import UnknownEndpoint
from .reply import NO_STORE, Reply, document, text

CALLBACKS = "callbacks"
MAX_BODY = 64 * 1024
NAMES = ("tenant",)


async def list_all(desk: Desk, call: Call, _: str) -> Reply:
    """All of the caller's, the oldest first; there are never many."""
    whose = Parameters(call.query, NAMES).whose(await desk.tenant(call))
    now = desk.clock.now()
    found = () if whose is None else desk.service.endpoints.of(whose)
    return document({"endpoints": [spelling.endpoint(one, now=now) for one in found]})


async def create(desk: Desk, call: Call, _: str) -> Reply:
    tenant = await desk.tenant(call)
    wish = spelling.read_new(await small_body(call, MAX_BODY))
    desk.service.quotas.spend(tenant)
    assert wish.url is not None
    await check_url(desk.service, wish.url, field="url")
    endpoints, now = desk.service.endpoints, desk.clock.now()
    signature = wish.signature or Signature.STANDARD
    secret, shown = await endpoints.new_secret(signature)
    made = await endpoints.add(
        Endpoint(
            id=endpoints.new_id(),
            tenant=tenant,
            url=wish.url,
            created_at=now,
            updated_at=now,
            filters=wish.filters or Filters(),
            payload=wish.payload or Detail.FULL,
            signature=signature,
            secrets=(secret,),
            public_keys=(shown,) if signature is Signature.CONTENT else (),
            username=wish.username,
            password=wish.password,
        )
    )
    place = text(b"location", f"/-/endpoints/{made.id}")
    return document(spelling.with_secret(made, shown, now=now), place, code=201)


async def show(desk: Desk, call: Call, id: str) -> Reply:
    return document(spelling.endpoint(await owned(desk, call, id), now=desk.clock.now()))


async def change(desk: Desk, call: Call, id: str) -> Reply:
    known = await owned(desk, call, id)
    wish = spelling.read_change(await small_body(call, MAX_BODY))
    if known.of_callbacks and (wish.url is not None or wish.filters is not None):
        field = "url" if wish.url is not None else "filters"
        raise BadRequest("Single requests say themselves where they are told, and of what.", field=field)
    if wish.url is not None:
        await check_url(desk.service, wish.url, field="url")

    def decide(current: Endpoint) -> Endpoint:
        if wish.active is not None and wish.active != current.active:
            current = core.switched_on(current) if wish.active else core.switched_off(current, None)
        return msgspec.structs.replace(
            current,
            url=wish.url or current.url,
            filters=wish.filters or current.filters,
            payload=wish.payload or current.payload,
        )

    after = _there(await desk.service.endpoints.change(known.id, decide))
    return document(spelling.endpoint(after, now=desk.clock.now()))


async def remove(desk: Desk, call: Call, id: str) -> Reply:
    """What waits for it is not sent any more. That of callbacks stays: what was accepted relies on it."""
    known = await owned(desk, call, id)
    if known.of_callbacks:
        raise NotNow("The endpoint of callbacks cannot be removed; switch it off, or rotate its secret.")
    await desk.service.endpoints.remove(known)
    return Reply(204, [NO_STORE], b"")


async def rotate(desk: Desk, call: Call, id: str) -> Reply:
    """A new secret, shown once. The one before signs too, for a day or as long as `keep` says; where there is
    room for one signature, the new one signs after that."""
    known = await owned(desk, call, id)
    keep = spelling.read_rotation(await small_body(call, MAX_BODY))
    desk.service.quotas.spend(known.tenant)
    secret, shown = await desk.service.endpoints.new_secret(known.signature)
    now = desk.clock.now()
    public_key = shown if known.signature is Signature.CONTENT else None
    after = await desk.service.endpoints.change(
        known.id, lambda one: core.rotated(one, secret, now=now, keep=keep, public_key=public_key)
    )
    return document(spelling.with_secret(_there(after), shown, now=now))


async def secret(desk: Desk, call: Call, id: str) -> Reply:
    """The secret that callbacks are signed with. Others are shown once only."""
    known = await owned(desk, call, id)
    if not known.of_callbacks:
        raise UnknownEndpoint("A secret is shown once, when it is made; rotate it for a new one.")
    return document({"id": known.id, "secret": known.secrets[0]})


async def test(desk: Desk, call: Call, id: str) -> Reply:
    """Something is sent there now, whatever its filters say."""
    known = await owned(desk, call, id)
    spelling.read_nothing(await small_body(call, MAX_BODY), call.query)
    if known.of_callbacks:
        raise BadRequest("Callbacks have no address of their own that could be tested.", field="id")
    made = await calls.test(desk.service, known)
    place = text(b"location", f"/-/deliveries/{made.id}")
    return document(spelling.delivery(made), place, code=202)


async def owned(desk: Desk, call: Call, id: str) -> Endpoint:
    """The caller's endpoint; raises `UnknownEndpoint`."""
    tenant = await desk.tenant(call)
    endpoints = desk.service.endpoints
    if id != CALLBACKS:
        return _there(endpoints.owned(tenant, id))
    if tenant != EVERYBODY:
        return await endpoints.callbacks(tenant)
    whose = Parameters(call.query, NAMES).whose(tenant) or ""
    return _there(endpoints.one(callbacks_id(whose)))  # to look at it does not make one


def _there(found: Endpoint | None) -> Endpoint:
    if found is None:
        raise UnknownEndpoint("There is no endpoint with this id.")
    return found
