"""What comes while a group is being written is the next group; a second one beside it has to be worth it."""

import asyncio

from restante.stores.postgres.lane import WORTH, Job, Lane


class Slow:
    """Groups that take until they are let go, in the order in which they began."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gates: list[asyncio.Event] = []

    async def run(self, jobs: list[Job]) -> None:
        self.groups.append([job.what for job in jobs])
        self.gates.append(asyncio.Event())
        await self.gates[-1].wait()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def asking(lane: Lane, first: int, count: int) -> list[asyncio.Task[object]]:
    loop = asyncio.get_running_loop()
    return [loop.create_task(lane.do("x", number)) for number in range(first, first + count)]


async def test_what_comes_while_a_group_is_written_is_the_next_group() -> None:
    slow = Slow()
    lane = Lane(slow.run, max_waiting=1000, away=lambda: False)
    waiting = asking(lane, 0, 2)
    await settled()
    waiting += asking(lane, 2, 3 * WORTH)
    await settled()
    assert slow.groups == [[0, 1]]
    slow.gates[0].set()
    await settled()
    assert slow.groups == [[0, 1], list(range(2, 2 + 3 * WORTH))]
    slow.gates[1].set()
    await asyncio.gather(*waiting)


async def test_a_second_group_begins_when_as_much_waits_as_is_under_way() -> None:
    slow = Slow()
    lane = Lane(slow.run, max_waiting=1000, away=lambda: False, at_once=2)
    many = 2 * WORTH
    waiting = asking(lane, 0, many)
    await settled()
    waiting += asking(lane, many, many - 1)
    await settled()
    assert len(slow.groups) == 1
    waiting += asking(lane, 2 * many - 1, 1)
    await settled()
    assert [len(group) for group in slow.groups] == [many, many]
    waiting += asking(lane, 2 * many, 2 * many)
    await settled()
    assert len(slow.groups) == 2  # never a third
    slow.gates[1].set()
    await settled()
    assert [len(group) for group in slow.groups] == [many, many, 2 * many]
    for gate in slow.gates:
        gate.set()
    await asyncio.gather(*waiting)
    assert sorted(number for group in slow.groups for number in group) == list(range(4 * many))


async def test_few_wait_for_the_group_before_them_and_none_is_left() -> None:
    slow = Slow()
    lane = Lane(slow.run, max_waiting=1000, away=lambda: False, at_once=2)
    waiting = asking(lane, 0, 1)
    await settled()
    waiting += asking(lane, 1, WORTH - 1)
    await settled()
    assert slow.groups == [[0]]
    slow.gates[0].set()
    await settled()
    assert slow.groups[1:] == [list(range(1, WORTH))]
    slow.gates[1].set()
    await asyncio.gather(*waiting)


async def test_closing_waits_for_both() -> None:
    slow = Slow()
    lane = Lane(slow.run, max_waiting=1000, away=lambda: False, at_once=2)
    waiting = asking(lane, 0, WORTH)
    await settled()
    waiting += asking(lane, WORTH, WORTH)
    await settled()
    closing = asyncio.get_running_loop().create_task(lane.close())
    slow.gates[1].set()
    await settled()
    assert not closing.done()
    slow.gates[0].set()
    await closing
    await asyncio.gather(*waiting)
