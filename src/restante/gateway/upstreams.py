"""Upstreams below `/-/`: what each has to do, and whether it is paused. They are everybody's, no tenant's."""

from typing import Any
from urllib.parse import unquote

from ..core.errors import UnknownUpstream
from ..core.model import Load
from .call import Call
from .desk import Desk
from .reply import Reply, document


async def list_all(desk: Desk, call: Call, _: str) -> Reply:
    """All of the configuration, with what they have to do, over all processes."""
    await desk.tenant(call)
    return document({"upstreams": await _all(desk)})


async def pause(desk: Desk, call: Call, name: str) -> Reply:
    """Nothing more is begun there; everything goes on being accepted."""
    name = await _known(desk, call, name)
    await desk.service.pauses.pause(name)
    return await _shown(desk, name)


async def resume(desk: Desk, call: Call, name: str) -> Reply:
    name = await _known(desk, call, name)
    await desk.service.pauses.resume(name)
    return await _shown(desk, name)


async def _known(desk: Desk, call: Call, segment: str) -> str:
    """The name that a path's segment spells; raises `UnknownUpstream`."""
    await desk.tenant(call)
    name = unquote(segment)
    if name not in desk.policy.upstreams:
        raise UnknownUpstream("There is no upstream with this name.")
    return name


async def _shown(desk: Desk, name: str) -> Reply:
    (one,) = [one for one in await _all(desk) if one["name"] == name]
    return document(one)


async def _all(desk: Desk) -> list[dict[str, Any]]:
    loads = await desk.service.store.loads()
    paused = await desk.service.store.paused()
    found = []
    for name, upstream in desk.policy.upstreams.items():
        load = loads.get(name, Load())
        found.append(
            {
                "name": name,
                "url": None
                if upstream.operation
                else f"{upstream.scheme}://{upstream.authority}{upstream.base_path}",
                "running": load.running,
                "queued": load.queued,
                "paused": name in paused,
            }
        )
    return found
