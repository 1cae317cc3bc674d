"""A key that is revoked by a command is heard of by all servers, before the store can go away."""

import asyncio

from restante.core.access import EVERYBODY, Scope
from restante.service.keys import Keys

from ...fakes import FakeClock, SeededChance
from ..samples import NOW
from .conftest import Opener
from .test_several import Heard


async def test_a_server_hears_of_a_key_that_a_command_revoked(opening: Opener) -> None:
    command, other = await opening(), await opening()
    heard = Heard(other)
    await heard.until("keys")  # it listens
    heard.told.clear()
    command._nodes.others = 0  # a command has not looked for servers
    await command.revoke_keys(["none"], tenant=EVERYBODY, now=NOW)
    await heard.until("keys")


async def test_a_key_that_a_command_revoked_is_forgotten_before_the_store_can_go_away(
    opening: Opener,
) -> None:
    command, other = await opening(), await opening()
    clock = FakeClock(NOW)  # at which nothing is asked again by itself
    keys = Keys(store=other, clock=clock, chance=SeededChance())
    heard = Heard(other, keys=keys.heard)
    await heard.until(None)  # it listens
    made = [(await keys.make(tenant="one", scopes=[Scope.READ], span=None))[0] for _ in range(2)]
    for key in made:
        assert await keys.find(key.digest) == key
    command._nodes.others = 0
    await command.revoke_keys([made[0].id], tenant=EVERYBODY, now=NOW)
    async with asyncio.timeout(3):
        while made[0].digest in keys._known:
            await asyncio.sleep(0.005)
    assert made[1].digest in keys._known
