"""How the event loop lets a thread through that cannot get hold of the interpreter.

A busy loop lets the interpreter's lock go thousands of times a second, each time for a microsecond or so.
A thread that waits for it is woken each time and comes too late each time; and since it was woken, it never
sits out the five milliseconds after which the lock would be handed over to it. Measured: a commit
that takes 0.3 ms took a second. So, while a thread has work, the loop looks every millisecond whether it got
anywhere, and if not waits for it: at least for a moment, and, if it only needs the interpreter, until it has
done its part. On an idle loop, or a thread that gets on, this costs nothing but the look.
"""

import asyncio
import threading

TICK_SECONDS = 0.001
MOMENT_SECONDS = 0.0001
"""Long enough for a thread on another core to wake up and take the lock."""

PATIENCE_SECONDS = 0.005


class Open:
    """For a process that has an interpreter of its own: there is nothing to wait for."""

    def begin(self) -> None: ...

    def leave(self) -> None: ...


OPEN = Open()


class Turnstile:
    """One thread's. The loop calls `watch` when it hands over work, the thread reports each step."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watching = False
        self._steps = self._seen = 0
        self._asleep = True
        self._away = True
        self._through = threading.Lock()  # free: the thread needs the interpreter no more
        self._through.acquire()

    # -- on the thread

    def begin(self) -> None:
        """There is work, and the interpreter is needed for it."""
        self._steps += 1
        self._asleep = self._away = False

    def leave(self) -> None:
        """What comes now needs no interpreter: the disk is waited for."""
        self._steps += 1
        self._away = True
        self._open()

    def sleep(self) -> None:
        """There is nothing to do."""
        self._asleep = self._away = True
        self._open()

    def _open(self) -> None:
        if self._through.locked():
            self._through.release()

    # -- on the loop

    def watch(self) -> None:
        """Work was handed over to a thread that was asleep."""
        self._asleep = False
        if not self._watching:
            self._watching = True
            self._away = False
            self._loop.call_later(TICK_SECONDS, self._look)

    def _look(self) -> None:
        if self._asleep:
            self._watching = False
            return
        if self._steps == self._seen:
            self._let_through()
        self._seen = self._steps
        self._loop.call_later(TICK_SECONDS, self._look)

    def _let_through(self) -> None:
        self._through.acquire(blocking=False)  # an earlier step's, perhaps
        if not self._through.acquire(timeout=MOMENT_SECONDS) and not self._away:
            self._through.acquire(timeout=PATIENCE_SECONDS)
