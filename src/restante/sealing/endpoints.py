"""Endpoints' secrets: opened with whichever master key is listed, brought under the first one."""

from collections.abc import Callable

import msgspec

from ..core.endpoint import Endpoint
from ..core.errors import SettingError
from ..ports.sealing import Resealing
from . import contents
from .envelope import NotSealedHere
from .masters import Masters, UnknownMaster

MAX_ROUNDS = 5
"""How often endpoints are looked at again that others have changed meanwhile."""


def check_endpoint(endpoint: Endpoint, masters: Masters) -> Endpoint:
    """The endpoint with its secrets in clear. Raises `SettingError`."""
    try:
        return contents.open_endpoint(endpoint, masters)
    except UnknownMaster as error:
        raise SettingError(
            "sealing.keys", f"endpoint {endpoint.id} is under the master key {error.id}, which is not listed"
        ) from None
    except NotSealedHere:
        raise SettingError(
            "store", f"endpoint {endpoint.id} was changed: its secrets cannot be opened"
        ) from None


async def seal_endpoints(
    store: Resealing,
    masters: Masters,
    *,
    only_clear: bool = False,
    told: Callable[[int, int], None] = lambda done, count: None,
) -> int:
    """Seals what is in clear and, unless only that is meant, what is under another master key than the first;
    how many these were.

    Where somebody changes one meanwhile, it is looked at again: he may have another first key.
    """
    renewed = 0
    for _ in range(MAX_ROUNDS):
        found = await store.endpoints()
        if only_clear:
            old = [one for one in found if contents.is_clear(one)]
        else:
            old = [one for one in found if not contents.is_current(one, masters)]
        if not old:
            break
        for done, endpoint in enumerate(old, start=1):
            clear = check_endpoint(endpoint, masters)
            after = msgspec.structs.replace(clear, version=endpoint.version + 1)
            renewed += await store.keep_endpoint(contents.seal_endpoint(after, masters), most=0)
            told(done, len(old))
    else:
        raise SettingError(
            "sealing.keys", "a server goes on sealing under another key: start all with the new one first"
        )
    return renewed
