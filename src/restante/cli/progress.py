"""How far something has come: a bar on a terminal, and nothing anywhere else."""

import sys
from math import isfinite
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeGuard

from .printing import Document, console, say

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID

SHOWN_PER_SECOND = 5


class Bar:
    """The bar is there once it was moved, and gone at the end. What is said meanwhile stands above it."""

    def __init__(self, *, err: bool = True) -> None:
        self._stream = sys.stderr if err else sys.stdout
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def move(self, done: float, total: float, text: str = "") -> None:
        if not self._stream.isatty():
            return
        if self._progress is None:
            # Only here: it takes longer to import than all the rest of most commands.
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
                TimeRemainingColumn(compact=True),
                console=console(self._stream),
                refresh_per_second=SHOWN_PER_SECOND,
                transient=True,
            )
            self._task = self._progress.add_task(text, total=total)
            self._progress.start()
        assert self._task is not None
        self._progress.update(self._task, completed=done, total=total, description=text)

    def say(self, what: "RenderableType") -> None:
        if self._progress is None:
            say(what)
        else:
            self._progress.console.print(what, soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()


def progress_of(event: Document) -> tuple[float, float] | None:
    """How much is done of how much, where an event's data says it: `{"done", "total"}`, or `{"percent"}`."""
    data = event.get("data") or {}
    done, total = (data.get("done"), data.get("total")) if "total" in data else (data.get("percent"), 100)
    if not (_is_number(done) and _is_number(total) and total > 0):
        return None
    return min(max(done, 0), total), total


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
