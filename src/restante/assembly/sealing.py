"""A store with its contents sealed, where the settings say so; refused where they do not and it is sealed.

The store has a mark that only the right folder can read. So a server with another folder, or with none, ends
with one line, and neither reads nor writes anything.
"""

import logging
from collections.abc import Callable

from ..config import Settings
from ..core.errors import SettingError
from ..outbound import SystemClock
from ..ports import Clock, Store
from ..sealing import KeyFolder, Mark, Masters, Ring, check_endpoint, seal_endpoints, sealed
from .beside import opened_beside

log = logging.getLogger("restante")

Told = Callable[[str, int, int], None]
"""What is being done, how far it is, and how far it goes."""


async def seal_store(store: Store, settings: Settings, clock: Clock) -> Store:
    """`store` itself, or what seals for it. Raises `SettingError`."""
    if settings.sealing is None:
        if store.sealing is not None:
            raise SettingError(
                "sealing", "what is in the store is sealed: sealing.keys and sealing.folder are needed"
            )
        return store
    for place in settings.sealing.shared:
        log.warning("others than its owner may read the master key in %s", place)
    masters = Masters(settings.sealing.masters)
    folder = KeyFolder(settings.sealing.folder, masters)
    mark = Mark(folder, clock.now)
    fresh = store.sealing is None
    if fresh:
        folder.prepare()
    folder.check()
    if fresh:
        await store.mark_sealing(mark.make())
    mark.check(store.sealing)
    for endpoint in await store.endpoints():
        check_endpoint(endpoint, masters)
    await seal_endpoints(store, masters, only_clear=True)
    await store.scrub()  # at each start: the one that sealed may have been killed before this
    ring = Ring(folder, clock.now, settings.policy.limits)
    ring.prepare(clock.now())
    return sealed(store, ring, masters)


async def rotate(settings: Settings, *, told: Told = lambda what, done, count: None) -> tuple[int, int]:
    """Brings under the first master key what is under another: data keys, and endpoints' secrets. How many
    of each.

    What is done is done for good, and what is not is under a key that is still listed; so it may be broken
    off anywhere and begun again. Servers that have both keys may be at work.
    """
    if settings.sealing is None:
        raise SettingError("sealing", "there are no keys: nothing is sealed")
    masters = Masters(settings.sealing.masters)
    folder = KeyFolder(settings.sealing.folder, masters)
    folder.check()
    async with opened_beside(settings.store, make=False) as store:
        if store.sealing is None:
            raise SettingError(
                "store", "nothing in it is sealed; a server does that when it starts with these keys"
            )
        Mark(folder, SystemClock().now).check(store.sealing)
        for endpoint in await store.endpoints():
            check_endpoint(endpoint, masters)
        keys = folder.renew(lambda done, count: told("data keys", done, count))
        endpoints = await seal_endpoints(
            store, masters, told=lambda done, count: told("endpoints", done, count)
        )
    return keys, endpoints
