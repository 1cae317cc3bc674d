"""How a process ends: whatever is ended has its time, and what is not over by then is told of and left.

Nothing that was accepted hangs on an orderly end: what is left as it stands is settled at the next start, as
after a kill. So a thing that hangs costs its time and a line in the log; the others are ended all the same,
and the process with them.
"""

import asyncio
import faulthandler
import logging
import os
import threading
import time
from collections.abc import Awaitable

log = logging.getLogger("restante")

STEP_SECONDS = 2.0
"""What is broken off, and what is closed, has so long to be over."""

TELLING_SECONDS = 5.0
"""At least so long webhooks of the last ends have, however little of `grace` is left; but no longer than
`grace`."""

LAST_SECONDS = 15.0
"""So long after `grace` the process is gone, whatever hangs. Who watches over it is told to wait as long."""

HALVES = 2
"""A process that stood still (it was stopped, or had no processor) finds all its times up at once. So none
is waited for in one piece: what has its own time within that, and is late as well, gets to its end."""

TICK_SECONDS = 0.1
STANDARD_ERROR = 2


async def ended(seconds: float, **things: Awaitable[object]) -> bool:
    """Waits until all of these, by name, are over; whether they were in time, and well."""
    tasks = {asyncio.ensure_future(thing): name for name, thing in things.items()}
    try:
        for _ in range(HALVES):
            await asyncio.wait(tasks, timeout=seconds / HALVES)
    finally:  # also where nobody waits for it any more
        late = [task for task in tasks if not task.done()]
        for task in late:
            task.cancel()
    for task in late:
        log.error("%s did not end within %g s, and is left as it stands", tasks[task], seconds)
    broken = [task for task in tasks if task not in late and task.exception() is not None]
    for task in broken:
        log.error("%s did not end well", tasks[task], exc_info=task.exception())
    return not late and not broken


def end_within(seconds: float) -> None:
    """By then the process is gone: if need be it says on standard error where it stood, and ends with 1. Told
    again, it is gone by whichever comes first. A thread of its own sees to it, whatever the loop is at."""
    threading.Thread(target=_end_after, args=(seconds,), name="restante-end", daemon=True).start()


def _end_after(seconds: float) -> None:
    """Counted is what this process was there for: one that was stopped has not hung."""
    for _ in range(max(int(seconds / TICK_SECONDS), 1)):
        time.sleep(TICK_SECONDS)
    os.write(STANDARD_ERROR, b"restante: it did not end within %g s, and stood here:\n" % seconds)
    faulthandler.dump_traceback(STANDARD_ERROR)
    os._exit(1)
