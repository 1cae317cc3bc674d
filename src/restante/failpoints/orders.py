"""What is asked for: `mark.committed=kill`, several with commas between them.

NAME=ACTION      when it is reached for the first time
NAME=ACTION@N    for the Nth time, in each process
"""

import os
import signal
from difflib import get_close_matches
from enum import StrEnum

import msgspec

from ..core.clock import SECOND
from ..core.duration import FORM, parse_duration
from .places import Point
from .points import BY_NAME

PAUSE = "pause:"
STDERR = 2


class Action(StrEnum):
    KILL = "kill"  # as kill -9
    RAISE = "raise"  # `Struck` is raised there
    PAUSE = "pause"  # what stands there goes on after a while


class Struck(RuntimeError):
    """What `raise` raises: an error that nobody has thought of."""


class Unusable(ValueError):
    """Something else is asked for than there is."""


class Order(msgspec.Struct):
    """One point, what is done there, and how often it is still to be passed by before."""

    point: Point
    action: Action
    left: int
    seconds: float = 0.0

    def strikes(self) -> bool:
        """Whether it is this time."""
        self.left -= 1
        return self.left == 0

    def strike(self) -> float:
        """Says so and does it; for how many seconds to wait then."""
        os.write(STDERR, f"failpoint {self.point.name}: {self.action}\n".encode())
        match self.action:
            case Action.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Action.RAISE:
                raise Struck(self.point.name)
            case Action.PAUSE:
                pass
        return self.seconds


def read(text: str) -> list[Order]:
    """Raises `Unusable`."""
    return [_order(one.strip()) for one in text.split(",")]


def _order(text: str) -> Order:
    name, _, what = text.partition("=")
    what, _, times = what.partition("@")
    point = BY_NAME.get(name)
    if point is None:
        close = get_close_matches(name, BY_NAME, n=1)
        raise Unusable(f"there is no {name!r}" + (f"; did you mean {close[0]}?" if close else ""))
    if times and not (times.isascii() and times.isdigit() and int(times)):
        raise Unusable(f"{text}: behind @ stands which time, from 1")
    left = int(times or 1)
    if what.startswith(PAUSE):
        try:
            return Order(point, Action.PAUSE, left, parse_duration(what.removeprefix(PAUSE)) / SECOND)
        except ValueError:
            raise Unusable(f"{text}: behind {PAUSE} stands {FORM}") from None
    if what not in (Action.KILL, Action.RAISE):
        raise Unusable(f"{text}: an action is kill, raise or pause:DURATION")
    return Order(point, Action(what), left)
