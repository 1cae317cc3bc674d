"""The command `restante`, killed at failpoints, with what a test needs and the product has not: short
leases, and a clock that is ahead.

    victim.py HOURS POINTS serve …        no points: ''
"""

import runpy
import sys

import msgspec

from restante.cli.sources import Sources
from restante.config import Settings
from restante.core.clock import HOUR, SECOND
from restante.core.policy import Webhooks
from restante.failpoints.__main__ import main
from restante.outbound import SystemClock

LEASE = SECOND
"""Look-ups wait for it to pass, and what was not settled of webhooks."""


def shorten_the_leases() -> None:
    whole = Sources.read

    def read(self: Sources) -> Settings:
        given = whole(self)
        limits = msgspec.structs.replace(given.policy.limits, lease=LEASE)
        return msgspec.structs.replace(given, policy=msgspec.structs.replace(given.policy, limits=limits))

    Sources.read = read
    Webhooks.lease = LEASE


def put_the_clock_ahead(hours: int) -> None:
    right = SystemClock.now
    SystemClock.now = lambda self: right(self) + hours * HOUR


if __name__ == "__main__":
    hours, *words = sys.argv[1:]
    shorten_the_leases()
    put_the_clock_ahead(int(hours))
    if words[0]:
        sys.argv[1:] = words
        main()
    else:
        sys.argv[1:] = words[1:]
        runpy.run_module("restante", run_name="__main__")
