"""`restante …` with a clock that is off by as many seconds as a file says:

    python -m restante.torture.clocked FILE serve --config …

One method is replaced, `SystemClock.now`; all else is the program as it is installed, which has no switch for
this. The file is read a few times a second, so that a clock jumps while its server is at work.
"""

import runpy
import sys
import time
from contextlib import suppress
from pathlib import Path

from ..core.clock import SECOND
from ..outbound import SystemClock

LOOK_SECONDS = 0.05

UNUSABLE = 2


class OffClock(SystemClock):
    """Off by as many seconds as `file` says; as it was where that cannot be read just then."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0
        self._looked = 0.0

    def now(self) -> int:
        if time.monotonic() > self._looked + LOOK_SECONDS:
            self._looked = time.monotonic()
            with suppress(OSError):
                self._offset = int(float(self._file.read_text()) * SECOND)
        return time.time_ns() // 1000 + self._offset


def main() -> None:
    name, *given = sys.argv
    if len(given) < 2:
        print("restante: clocked: a FILE and a command are needed: FILE serve …", file=sys.stderr)
        sys.exit(UNUSABLE)
    file, *words = given
    clock = OffClock(Path(file))
    SystemClock.now = lambda self: clock.now()  # type: ignore[method-assign]
    sys.argv = [name, *words]
    runpy.run_module("restante", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
