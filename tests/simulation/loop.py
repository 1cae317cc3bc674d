"""An event loop on which time is virtual, and several processes take turns.

Each process has a queue of its own, which is kept in order, as every event loop does: code may rely on that.
Whose turn it is, is drawn from the seed after each step. A process can be stopped, so that its steps wait
while the time goes on, and killed at any step: then none of its steps is ever made again. A step takes a
moment; where nobody has one to make, it is at once the time at which the next timer goes off.

Which process a step belongs to is told by its context, so what is begun within a process, is its own.
"""

import asyncio
import contextvars
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from .trace import Trace

STEP_SECONDS = 20e-6
THREAD_SECONDS = (0.0, 0.02)
"""How long it takes until a thread has done something."""

EPOCH = 1_800_000_000.0
"""When it begins, in seconds since 1970."""

OWNER: contextvars.ContextVar["Process"] = contextvars.ContextVar("OWNER")


class Stuck(Exception):
    """Nobody has anything to do, now or later, and it is not over."""


class Process:
    """Steps in their order. `skew` is by how many seconds its clock is off."""

    def __init__(self, loop: "VirtualLoop", name: str) -> None:
        self.name = name
        self.alive = True
        self.stopped = False
        self.skew = 0.0
        self.steps_left: int | None = None  # until it is killed
        self.killed: Callable[[], None] = lambda: None
        self.ready: deque[asyncio.Handle] = deque()
        self.made: list[object] = []  # by threads of its own
        self._loop = loop
        self._tasks: set[Task] = set()  # kept, so that none of them is ended by being forgotten
        self._context = contextvars.copy_context()
        self._context.run(OWNER.set, self)

    def run(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Begins a task of this process."""
        return self._loop.create_task(work, context=self._context.copy())

    @property
    def context(self) -> contextvars.Context:
        return self._context.copy()

    def put(self, handle: asyncio.Handle) -> None:
        if self.alive:
            self.ready.append(handle)
            if len(self.ready) == 1 and not self.stopped:
                self._loop.runnable.append(self)

    def stop(self) -> None:
        """As SIGSTOP does."""
        self.stopped = True
        if self in self._loop.runnable:
            self._loop.runnable.remove(self)

    def go_on(self) -> None:
        """As SIGCONT does."""
        if self.stopped and self.alive:
            self.stopped = False
            if self.ready:
                self._loop.runnable.append(self)

    def end(self) -> None:
        """It makes no step any more."""
        self.stop()
        self.alive = False
        self._tasks = {
            task for task in asyncio.all_tasks(self._loop) if isinstance(task, Task) and task.owner is self
        }
        for task in self._tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._loop.graves.append((self, list(self.ready)))
        self.ready.clear()


class Task(asyncio.Task[Any]):
    """In sets it has the place that its number gives it, not its address."""

    def __init__(
        self,
        work: Any,
        *,
        loop: "VirtualLoop",
        context: contextvars.Context | None,
        owner: Process,
        number: int,
    ) -> None:
        self.owner, self.number = owner, number
        super().__init__(work, loop=loop, context=context)

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(asyncio.BaseEventLoop):
    """`network` makes its connections. What is raised where nobody catches it, is kept in `unheard`."""

    network: Any

    def __init__(self, seed: str, trace: Trace) -> None:
        super().__init__()
        self.chance = random.Random(f"{seed} loop")
        self.trace = trace
        self.steps = 0
        self.runnable: list[Process] = []
        self.unheard: list[str] = []
        self.graves: list[object] = []
        self.outside = Process(self, "outside")
        self._now = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle, Process]] = []
        self._numbers = itertools.count()
        self.set_exception_handler(self._note)

    # -- what an event loop is asked

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        context = contextvars.copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self, context)
        context.get(OWNER, self.outside).put(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        context = contextvars.copy_context() if context is None else context
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        owner = context.get(OWNER, self.outside)
        if owner.alive:
            heapq.heappush(self._timers, (when, next(self._numbers), handle, owner))
        return handle

    def create_task(self, coro: Any, *, name: object = None, context: Any = None) -> Any:
        owner = OWNER.get(self.outside) if context is None else context.get(OWNER, self.outside)
        task = Task(coro, loop=self, context=context, owner=owner, number=next(self._numbers))
        if not self.is_running():  # it is over, and somebody's last words are a task
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """The thread's work is one step, after a while."""
        future = self.create_future()
        owner = OWNER.get(self.outside)

        def work() -> None:
            try:
                value = func(*args)
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
                return
            owner.made.append(value)
            if not future.done():
                future.set_result(value)

        self.call_later(self.chance.uniform(*THREAD_SECONDS), work)
        return future

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:  # type: ignore[override]
        return await self.network.connect(factory, port)

    async def create_server(  # type: ignore[override]
        self, factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **_: Any
    ) -> Any:
        return self.network.listen(factory, sock.getsockname()[1] if sock is not None else port)

    # -- how it goes on

    def _run_once(self) -> None:
        """One step of one process."""
        timers, runnable = self._timers, self.runnable
        while timers and (timers[0][0] <= self._now or not runnable):
            when, _, timer, owner = heapq.heappop(timers)
            if not timer.cancelled() and owner.alive:
                self._now = max(self._now, when)
                owner.put(timer)
        if not runnable:
            raise Stuck
        place = int(self.chance.random() * len(runnable))
        owner = runnable[place]
        handle = owner.ready.popleft()
        if not owner.ready:
            runnable[place] = runnable[-1]
            runnable.pop()
        if handle.cancelled():
            return
        self.steps += 1
        self._now += STEP_SECONDS
        handle._run()
        if owner.steps_left is not None and owner.alive:
            owner.steps_left -= 1
            if owner.steps_left <= 0:
                owner.killed()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It stays where it is until it would go off."""

    def _process_events(self, event_list: list[Any]) -> None: ...

    def _write_to_self(self) -> None: ...

    def _note(self, loop: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
        error = what.get("exception")
        owner = OWNER.get(self.outside)
        if owner.alive:
            self.unheard.append(f"{owner.name}: {what.get('message')}: {error!r}")
            self.trace.tell(self._now, owner.name, "unheard", repr(error))
