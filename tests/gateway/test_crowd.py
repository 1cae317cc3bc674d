"""File handles that callers share with their calls on plain paths."""

from restante.assembly.handles import OWN, for_callers
from restante.core.policy import Upstream
from restante.gateway.crowd import KEPT_SHARE, Crowd

from ..world import eventually
from .house import House
from .test_limits import serving


def test_callers_are_let_in_until_few_handles_are_left() -> None:
    crowd = Crowd(80)
    assert [crowd.enter() for _ in range(71)] == [True] * 70 + [False]
    crowd.leave()
    crowd.leave()
    assert crowd.enter()


def test_what_callers_leave_is_for_calls_that_go_straight_through() -> None:
    crowd = Crowd(80)
    for _ in range(30):
        crowd.enter()
    crowd.passing = 49
    assert not crowd.full
    crowd.passing = 50
    assert crowd.full
    assert not crowd.enter()


def test_who_is_hosted_leaves_handles_to_the_host() -> None:
    crowd = Crowd()
    assert all(crowd.enter() for _ in range(1000))
    assert not crowd.full


def test_ten_thousand_callers_may_wait_where_twenty_thousand_handles_are_the_limit() -> None:
    upstream = Upstream(name="default", host="h", port=80, authority="h")
    left = for_callers(20_000, [upstream], 500)
    assert left == 20_000 - OWN - upstream.concurrency - 500
    assert left - left // KEPT_SHARE > 16_000


def test_attempts_that_need_more_than_there_is_leave_callers_half() -> None:
    upstream = Upstream(name="default", host="h", port=80, authority="h", concurrency=5000)
    assert for_callers(1024, [upstream], 500) == 512


async def test_a_caller_too_many_is_told_so_and_whoever_leaves_makes_room(house: House) -> None:
    crowd = Crowd(2)
    async with serving(house, crowd) as connect:
        held = [await connect() for _ in range(2)]
        for wire in held:
            assert (await wire.ask("GET", "/-/healthz")).code == 200
        assert (await (await connect()).answer()).code == 503
        await held.pop().close()
        await eventually(lambda: crowd.callers == 1)
        assert (await (await connect()).ask("GET", "/-/healthz")).code == 200


async def test_a_plain_path_is_refused_where_callers_have_all_handles(house: House) -> None:
    wire = await house.wire()
    house.crowd.most = 1
    seen = await wire.ask("GET", "/plain")
    assert (seen.code, seen.header("retry-after")) == (503, "1")
    house.crowd.most = 2
    assert (await wire.ask("GET", "/plain")).code == 200
    assert house.crowd.passing == 0
