"""Changes into rows: applied only where nobody was faster, on whatever machine.

Changes to one key that came in one group and start where the one before ends become one change with all their
events; where one does not, it waits for the next round. After a lost answer the change is made again: had it
been made, it is refused now, and its last event is in the log as it was sent.
"""

from collections.abc import Callable, Sequence
from functools import reduce

import msgspec

from ...core.errors import MoveRefused, RestanteError, StoreUnavailable
from ..codes import STATUSES
from .database import Database
from .lane import Job
from .queries import FORGETTING, TELLING
from .rows import DELIVERY_WIDTH, EVENT_WIDTH, HEADERS_WIDTH, RESULT_WIDTH, STEP_WIDTH, Step, columns, joined
from .trouble import Lost


class Link(msgspec.Struct):
    """One change of one call."""

    step: Step
    job: Job
    place: int


Chain = list[Link]


class Changing:
    """`remember` is told of each change that was applied, after its commit."""

    def __init__(self, database: Database, remember: Callable[[Step], None]) -> None:
        self._database = database
        self._remember = remember
        self.commits = 0
        self.committed: Callable[[int], None] = lambda count: None

    async def run(self, jobs: list[Job]) -> None:
        """Each job's value becomes the list of what was applied."""
        links = []
        for job in jobs:
            job.value = [False] * len(job.what)
            links += [Link(step, job, place) for place, step in enumerate(job.what)]
        while links:
            chains, links = _chains(links)
            await self._write_all(chains)

    async def _write_all(self, chains: list[Chain]) -> None:
        """All in one commit; where that is refused, call by call, so that only the bad one fails."""
        try:
            await self._write(chains)
        except StoreUnavailable:
            raise
        except RestanteError as error:
            calls: dict[int, list[Chain]] = {}
            for chain in chains:
                calls.setdefault(id(chain[0].job), []).append(chain)
            if len(calls) == 1:
                for chain in chains:
                    for link in chain:
                        link.job.error = error
                return
            for call in calls.values():
                await self._write_all(call)

    async def _write(self, chains: list[Chain]) -> None:
        steps = [reduce(joined, [link.step for link in chain]) for chain in chains]
        told = await self._apply(steps)
        for chain, step in zip(chains, steps, strict=True):
            answer = told.get(step.key)
            if answer:
                for link in chain:
                    link.job.value[link.place] = True
                self._remember(step)
            elif len(chain) > 1:  # perhaps only the first of them was too late
                for link in chain:
                    await self._write([[link]])
            elif answer is False and len(chain[0].job.what) == 1:
                status = STATUSES[step.end[0]]
                chain[0].job.error = MoveRefused(status, "begin", "somebody else has claimed it meanwhile")

    async def _apply(self, steps: Sequence[Step]) -> dict[int, bool]:
        """By key: True where it was applied, False where it is somebody else's, nothing where it was late."""
        self.commits += 1
        self.committed(len(steps))
        keys = [step.key for step in steps]
        arguments = (
            *columns([step.row for step in steps], STEP_WIDTH),
            *columns([event for step in steps for event in step.events], EVENT_WIDTH),
            *columns([result for step in steps for result in step.results], RESULT_WIDTH),
        )
        told_of = [delivery for step in steps for delivery in step.deliveries]
        headers = [row for step in steps for row in step.headers]
        name = "apply_changes" + (FORGETTING if headers else TELLING if told_of else "")
        if told_of or headers:
            arguments = (*arguments, *columns(told_of, DELIVERY_WIDTH))
        if headers:
            arguments = (*arguments, *columns(headers, HEADERS_WIDTH))

        async def settle() -> dict[int, bool]:
            told = dict(await self._database.rows(name, *arguments, keys=keys))
            last = {step.key: step.events[-1] for step in steps if step.events and not told.get(step.key)}
            places = columns([event[:2] for event in last.values()], 2)
            rows = await self._database.rows("events_at", *places, keys=list(last), again=True)
            return told | {row[0]: True for row in rows if tuple(row) == last[row[0]]}

        try:
            return dict(await self._database.rows(name, *arguments, keys=keys))
        except Lost:
            return await self._database.find_out(settle)


def _chains(links: Sequence[Link]) -> tuple[list[Chain], list[Link]]:
    """What can go into one commit, by key, and what must wait for the next."""
    chains: dict[int, Chain] = {}
    full: set[int] = set()
    rest = []
    for link in links:
        key = link.step.key
        chain = chains.get(key)
        if chain is None:
            chains[key] = [link]
        elif key not in full and chain[-1].step.reached == link.step.start:
            chain.append(link)
        else:
            full.add(key)
            rest.append(link)
    return list(chains.values()), rest
