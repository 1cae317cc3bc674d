"""What one seed is: how long, how fast, how often what breaks. All of it is drawn, so that seeds differ in
more than their order of events: some are calm and long, others break all the time."""

import random
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from restante.config import Settings, settings
from restante.torture.plan import Plan, settings_of

HOUR = 3600.0
DAY = 24 * HOUR

RETENTION_HOURS = 24.0
"""The servers' own."""

LONGEST_WAIT_HOURS = 24.0 * 1.2
"""The longest of their schedule of webhooks, and by what it may be longer."""

SEVERAL = 4.0
"""Servers that look for themselves all the time take that much more of ours."""

FAULTS = (
    "kill -9",
    "killed before a commit",
    "killed after a commit",
    "killed at a step",
    "stopped",
    "stopped beyond the lease",
    "restarted",
    "clock jumps",
    "disk fails",
    "disk is slow",
    "network is slow",
    "network is cut",
    "upstream away",
    "upstream hangs",
    "receivers fail",
)


LONG = (
    "kill -9",
    "killed before a commit",
    "killed after a commit",
    "stopped",
    "restarted",
    "clock jumps",
    "disk fails",
    "disk is slow",
    "upstream away",
    "upstream hangs",
    "receivers fail",
)
"""Kinds of faults that may go on for hours. A connection that is cut for hours would be none any more."""


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Some `hours` of a course. Seconds between two bursts of operations (None: there are none), and two
    faults, on the average; `long`: these go on for minutes and hours. `read`: at its end, when all has ended,
    all is read."""

    hours: float
    rest: float | None
    between: float
    long: bool = False
    read: bool = False


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. `faults` are the kinds that this seed has, by weight."""

    seed: str
    plan: Plan
    stretches: tuple[Stretch, ...]
    burst: int  # operations that begin together, at most
    within: float
    faults: dict[str, float]

    @property
    def hours(self) -> float:
        """Without what it takes until all has ended."""
        return sum(stretch.hours for stretch in self.stretches)


def course_of(
    seed: int | str, *, hours: float | None = None, nodes: int | None = None, only: tuple[str, ...] = ()
) -> Course:
    """The course of a seed. What is named here is so; with `only`, there are no other kinds of faults."""
    chance = random.Random(f"{seed} course")
    retention = chance.choice((120.0, 600.0, 2 * HOUR, 6 * HOUR))
    timeout = chance.choice((3.0, 10.0, 30.0))
    kinds = only or tuple(chance.sample(FAULTS, chance.randint(3, len(FAULTS))))
    long = chance.choice((2.0, 6.0, 12.0, 24.0))
    several = chance.choice((1, 1, 2, 3))
    nodes = several if nodes is None else nodes
    return Course(
        seed=str(seed),
        stretches=(
            Stretch(
                hours=(long if nodes == 1 else long / SEVERAL) if hours is None else hours,
                rest=chance.choice((60.0, 300.0, 900.0)),
                between=chance.choice((5.0, 60.0, 300.0)),
            ),
        ),
        plan=Plan(
            seconds=HOUR,
            nodes=nodes,
            seed=chance.randrange(1 << 32),
            retention=retention,
            timeout=timeout,
            latency=(0.0, chance.choice((0.15, 2.0))),
            webhook_timeout=5.0,
            poll=(0.3, chance.choice((2.0, 20.0))),
            look=30.0,
        ),
        burst=chance.choice((1, 4, 10)),
        within=chance.choice((0.05, 1.0, 20.0)),
        faults={kind: chance.uniform(0.2, 1.0) for kind in kinds},
    )


def month_of(seed: int | str) -> Course:
    """The course of a seed with spans as servers have them by themselves: a result is kept for a day,
    webhooks are tried for three, and a transaction is known for thirty. Busy hours, days between them with
    little to do and faults that last, and at last a month in which all that is known is forgotten."""
    course = course_of(seed, nodes=1)
    chance = random.Random(f"{seed} month")
    busy = course.stretches[0]
    stretches: list[Stretch] = []
    for _ in range(chance.randint(2, 3)):
        stretches.append(msgspec.structs.replace(busy, hours=chance.uniform(0.1, 0.4)))
        stretches.append(
            Stretch(
                hours=chance.uniform(8.0, 30.0),
                rest=chance.choice((2 * HOUR, 6 * HOUR)),
                between=chance.choice((1 * HOUR, 4 * HOUR)),
                long=True,
            )
        )
    stretches[-1] = msgspec.structs.replace(stretches[-1], read=True)
    plan = msgspec.structs.replace(
        course.plan,
        retention=RETENTION_HOURS * HOUR,
        look_most=HOUR / 4,
        webhook_wait=LONGEST_WAIT_HOURS * HOUR,
    )
    last = Stretch(hours=plan.history / HOUR, rest=None, between=chance.choice((8, 24)) * HOUR, long=True)
    faults = course.faults | {kind: chance.uniform(0.2, 1.0) for kind in LONG if chance.random() < 0.5}
    faults.setdefault(LONG[0], 1.0)
    return msgspec.structs.replace(course, plan=plan, stretches=(*stretches, last), faults=faults)


def settings_for(course: Course, *, upstream: str, events: int) -> Settings:
    """Of the server, as of torture's; `events` is the port to which the upstream reports. Webhooks go on for
    as long as there is time for."""
    raw: Mapping[str, object] = tomllib.loads(
        settings_of(
            course.plan,
            store="sqlite:////simulated.db",
            upstream=upstream,
            events=f"http://127.0.0.1:{events}",
            folder=Path(),
        )
    )
    if course.plan.retention >= DAY:
        webhooks = {name: value for name, value in raw["webhooks"].items() if name != "schedule"}  # type: ignore[attr-defined]
        raw = {**raw, "webhooks": webhooks}
    elif course.plan.retention >= HOUR:
        webhooks = {**raw["webhooks"], "schedule": ["0s", "5s", "1m", "5m", "30m"]}  # type: ignore[dict-item]
        raw = {**raw, "webhooks": webhooks}
    return settings(raw)
