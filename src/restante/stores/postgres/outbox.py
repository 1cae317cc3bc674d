"""Endpoints, deliveries and the feed. Deliveries and entries of the feed are written by accepting.py and
changing.py, in the statements that write what they tell of.

What a lost answer leaves in doubt is looked up; of deliveries that were taken, nothing is: they are lent out,
and taken again when that ends.
"""

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from ...core.delivery import Attempt, Delivery, Progress, Sought
from ...core.endpoint import Endpoint
from ...core.errors import RestanteError
from .. import cursors
from ..codes import STATE, STATES
from ..lookups import Taken
from .database import Database
from .lane import Job
from .rows import (
    ATTEMPT_WIDTH,
    DELIVERY_WIDTH,
    PROGRESS_WIDTH,
    columns,
    progress_row,
    read_text,
    spelling,
    text,
)
from .trouble import Lost, unavailable, wrong

ADOPTED = 10_000
"""Entries of another server's feed that are put in front in one statement."""

_END = 1 << 62
_DELIVERY = re.compile(r"[0-9a-f]{32}")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Endpoint).decode


def endpoint_row(endpoint: Endpoint) -> tuple[str, str, int, bytes]:
    return endpoint.id, text(endpoint.tenant), endpoint.version, _encode(endpoint)


class Outbox:
    """What a store promises about webhooks (ports/outbox.py), but for the reading of what deliveries tell
    of."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._adding = asyncio.Lock()  # so that two of this process count after one another

    # -- endpoints

    async def endpoints(self) -> list[Endpoint]:
        return [_decode(row[0]) for row in await self._database.rows("endpoints", again=True)]

    async def keep_endpoint(self, endpoint: Endpoint, most: int) -> bool:
        row = endpoint_row(endpoint)

        async def write() -> bool:
            if endpoint.version == 1:
                return bool(await self._database.rows("insert_endpoint", *row, most))
            return bool(await self._database.rows("replace_endpoint", *row))

        async def settle() -> bool:
            there = await self._database.value("endpoint_content", endpoint.id, again=True)
            return there == row[-1] or await write()

        async with self._adding:
            try:
                return await write()
            except Lost:
                return await self._database.find_out(settle)

    async def drop_endpoint(self, endpoint: Endpoint) -> bool:
        async def settle() -> bool:
            await self._database.rows("delete_endpoint", endpoint.id, endpoint.version, again=True)
            return await self._database.value("endpoint_content", endpoint.id, again=True) is None

        try:
            return bool(await self._database.rows("delete_endpoint", endpoint.id, endpoint.version))
        except Lost:
            return await self._database.find_out(settle)

    # -- deliveries

    async def post(self, deliveries: Sequence[Delivery]) -> None:
        rows = columns([spelling.delivery(delivery) for delivery in deliveries], DELIVERY_WIDTH)
        await self._database.rows("post", *rows, again=True)

    async def take(self, wanted: Mapping[str, int], now: int, until: int) -> list[Taken]:
        lanes = [text(lane) for lane in wanted]
        try:
            rows = await self._database.rows("take_deliveries", lanes, list(wanted.values()), now, until)
        except Lost as error:
            raise unavailable(error) from None
        return [(spelling.read_delivery(row), row[17]) for row in rows]

    async def give_back(self, lanes: Collection[str], until: int, now: int) -> None:
        await self._database.rows(
            "give_back_deliveries", [text(lane) for lane in lanes], until, now, again=True
        )

    async def run(self, jobs: list[Job]) -> None:
        """Settles: each job's value becomes the list of what was applied. All are written together; where
        that is refused, call by call, so that only the bad one fails."""
        try:
            applied = await self._settle([one for job in jobs for one in job.what])
        except (RestanteError, Lost) as error:
            if len(jobs) == 1 or isinstance(error, Lost):
                for job in jobs:
                    job.error = wrong(error)
                return
            for job in jobs:
                await self.run([job])
            return
        for job in jobs:
            job.value = [applied.pop(0) for _ in job.what]

    async def _settle(self, progress: list[Progress]) -> list[bool]:
        """Of several about one delivery each sees what the one before has left."""
        applied = [False] * len(progress)
        left = list(range(len(progress)))
        while left:
            first: dict[int, int] = {}
            for place in left:
                first.setdefault(progress[place].before.number, place)
            done = await self._settle_each({number: progress[place] for number, place in first.items()})
            for number, place in first.items():
                applied[place] = number in done
            left = [place for place in left if place not in first.values()]
        return applied

    async def _settle_each(self, progress: dict[int, Progress]) -> set[int]:
        logged = [
            spelling.attempt(number, one.attempt)
            for number, one in progress.items()
            if one.attempt is not None
        ]
        arguments = (
            *columns([progress_row(one) for one in progress.values()], PROGRESS_WIDTH),
            *columns(logged, ATTEMPT_WIDTH),
        )

        async def write() -> set[int]:
            return {row[0] for row in await self._database.rows("settle_deliveries", *arguments)}

        async def settle() -> set[int]:
            done = await write()
            ids = [one.before.id for one in progress.values()]
            for row in await self._database.rows("look_deliveries", ids, again=True):
                found = spelling.read_delivery(row)
                if found == progress[found.number].after:
                    done.add(found.number)
            return done

        try:
            return await write()
        except Lost:
            return await self._database.find_out(settle)

    async def next_deliveries(self, lanes: Collection[str]) -> dict[str, int]:
        rows = await self._database.rows("lane_dues", [text(lane) for lane in lanes], again=True)
        return {read_text(lane): due_at for lane, due_at in rows}

    async def lanes(self, after: str, limit: int) -> dict[str, int]:
        rows = await self._database.rows("all_lane_dues", text(after), limit, again=True)
        return {read_text(lane): due_at for lane, due_at in rows}

    async def deliveries(self, sought: Sought) -> list[Delivery]:
        before = (_END, _END)
        if sought.after is not None:
            (last,) = await self.look_deliveries([sought.after])
            if last is None or last.endpoint != sought.endpoint:
                raise cursors.unknown()
            before = (last.created_at, last.number)
        states = STATES if sought.state is None else (sought.state,)
        rows = await self._database.rows(
            "delivery_page",
            sought.endpoint,
            [STATE[state] for state in states],
            0 if sought.created_from is None else sought.created_from,
            _END if sought.created_to is None else sought.created_to,
            *before,
            sought.limit,
            again=True,
        )
        return [spelling.read_delivery(row) for row in rows]

    async def look_deliveries(self, ids: Sequence[str]) -> list[Delivery | None]:
        asked = [id for id in ids if _DELIVERY.fullmatch(id)]
        rows = await self._database.rows("look_deliveries", asked, again=True) if asked else []
        found = {row[1]: spelling.read_delivery(row) for row in rows}
        return [found.get(id) for id in ids]

    async def attempts(self, numbers: Sequence[int]) -> list[list[Attempt]]:
        logs: dict[int, list[Attempt]] = {number: [] for number in numbers}
        for row in await self._database.rows("attempts", list(numbers), again=True):
            logs[row[0]].append(spelling.read_attempt(row))
        return [logs[number] for number in numbers]

    async def sweep(self, *, deliveries: int, feed: int, limit: int) -> int:
        swept: int = await self._database.value("sweep_deliveries", deliveries, limit, again=True)
        return swept + int(await self._database.value("sweep_feed", feed, limit, again=True))

    # -- the feed

    async def feed(self, tenant: str, place: cursors.Place, limit: int) -> list[Any]:
        """Entries behind this place, as the query gives them."""
        rows: list[Any] = await self._database.rows("feed", text(tenant), *place, limit, again=True)
        if not rows and place != cursors.BEGIN:
            end = await self._database.value("feed_end", again=True)
            if place[0] >= int(end):
                raise cursors.foreign()
        return rows

    async def adopt(self) -> None:
        """Entries that another server has numbered come first, as one: this one counts on from somewhere
        else."""
        last = await self._database.value("foreign_feed", again=True)
        while last is not None and await self._database.value("adopt_feed", last, ADOPTED, again=True):
            pass
