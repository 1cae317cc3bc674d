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


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, but for `hours`. `faults` are the kinds that this seed has, by weight."""

    seed: str
    hours: float
    plan: Plan
    burst: int  # operations that begin together, at most
    within: float
    rest: float  # between two bursts, on the average
    between: float  # the same of faults
    faults: dict[str, float]


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
        hours=(long if nodes == 1 else long / SEVERAL) if hours is None else hours,
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
        rest=chance.choice((60.0, 300.0, 900.0)),
        between=chance.choice((5.0, 60.0, 300.0)),
        faults={kind: chance.uniform(0.2, 1.0) for kind in kinds},
    )


def settings_for(course: Course, *, upstream: str, events: int) -> Settings:
    """Of the server, as of torture's; upstreams report to the port `events`. Webhooks go on for as long as
    there is time for."""
    raw: Mapping[str, object] = tomllib.loads(
        settings_of(
            course.plan,
            store="sqlite:////simulated.db",
            upstream=upstream,
            events=f"http://127.0.0.1:{events}",
            folder=Path(),
        )
    )
    if course.plan.retention >= HOUR:
        webhooks = {**raw["webhooks"], "schedule": ["0s", "5s", "1m", "5m", "30m"]}  # type: ignore[dict-item]
        raw = {**raw, "webhooks": webhooks}
    return settings(raw)
