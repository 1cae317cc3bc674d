"""Where rows lie: the partitions, their names and the keys in them."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from ...core.clock import HOUR, SECOND
from .keys import DAY_HOURS, hour_of, keys_of

HOURS = {
    "requests": 1,
    "results": 1,
    "chunks": 1,
    "events": DAY_HOURS,
    "endings": DAY_HOURS,
    "transactions": DAY_HOURS,
}
"""How many hours are in a partition of each table."""

_NAME = re.compile(r"(\w+)_(\d{8})(\d{2})?")


class Partition(msgspec.Struct, frozen=True, order=True):
    """Of `table`, from `hour` (since 1970) on."""

    hour: int
    table: str

    @classmethod
    def of(cls, table: str, hour: int) -> "Partition":
        """The one that this hour is in."""
        return cls(hour // HOURS[table] * HOURS[table], table)

    @classmethod
    def named(cls, name: str) -> "Partition | None":
        found = _NAME.fullmatch(name)
        if found is None or found[1] not in HOURS or (found[3] is None) != (HOURS[found[1]] == DAY_HOURS):
            return None
        try:
            begin = datetime.strptime(f"{found[2]}{found[3] or '00'}+0000", "%Y%m%d%H%z")
        except ValueError:
            return None
        return cls(int(begin.timestamp()) * SECOND // HOUR, found[1])

    @property
    def name(self) -> str:
        begin = datetime.fromtimestamp(self.hour * HOUR // SECOND, UTC)
        return f"{self.table}_{begin:{'%Y%m%d%H' if HOURS[self.table] == 1 else '%Y%m%d'}}"

    @property
    def keys(self) -> tuple[int, int]:
        """The first and the last."""
        return keys_of(self.hour, HOURS[self.table])

    @property
    def ends_at(self) -> int:
        return (self.hour + HOURS[self.table]) * HOUR


def place(table: str, keys: Sequence[int]) -> str:
    """The partition that all these keys are in; if they are in several, the table."""
    hours = {hour_of(key) for key in (min(keys), max(keys))} if keys else set()
    names = {f"{table}_plain" if hour is None else Partition.of(table, hour).name for hour in hours}
    return names.pop() if len(names) == 1 else table
