"""The work behind one attempt, as the function that does it sees it: what it may say, and whether to go on.

What is said is written by the calls that serve upstreams elsewhere (`reports`), one thing after the other,
beside the work: to say something never waits for the store. It is written before the end is. Of progress
only the newest counts: what comes within PROGRESS of the last that was told waits, and gives way to more.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from ..core.clock import HOUR, SECOND
from ..core.errors import NotNow, RestanteError
from ..core.headers import first
from ..core.policy import Limits
from ..core.report import JSON, Report, Told
from ..core.status import Status
from .exchange import Scope
from .reports import EXTENSION, Reports

PROGRESS = SECOND
"""Between two events of progress, in microseconds; the first and the last (done = total) are always told."""

LONGEST = 1000
"""Characters of a message."""

log = logging.getLogger("restante.embed")


class Work:
    """`id` is the transaction's (and the key to use where something else must not be done twice), `attempt`
    the number of this try, `token` what proves the right to report on it. May be used from any thread.
    """

    def __init__(self, id: str, attempt: int, token: str, reports: Reports | None) -> None:
        self.id = id
        self.attempt = attempt
        self.token = token
        self.deferred = False
        self.may_defer = True
        self._reports = reports
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._unwritten: deque[Report] = deque()
        self._progress: Report | None = None  # that waits
        self._progress_at = 0
        self._writing: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._over = False
        self._left_out = False  # and told in the log

    @classmethod
    def of(cls, scope: Scope) -> "Work":
        """The work behind an ASGI request, in any application inside `Restante`. Of a request that came
        straight to it there is none to keep events: its `id` is empty, and what it says goes nowhere."""
        headers = scope["headers"]

        def text(name: bytes) -> str:
            return (first(headers, name) or b"").decode("latin-1")

        reports = (scope.get("extensions") or {}).get(EXTENSION)
        if reports is None:
            return cls("", 1, "", None)
        number = text(b"restante-attempt")
        return cls(
            text(b"restante-transaction"),
            int(number) if number.isdigit() else 1,
            text(b"restante-events-token"),
            reports,
        )

    # -- while it goes on

    def info(self, message: str, **data: Any) -> None:
        """An event `info` in the log; `data` goes with it, as JSON. Raises `ValueError` where the message is
        empty or over LONGEST, or the data over `event_data`; `TypeError` where either is of no such type."""
        report = self._report(message, data)
        self._here(lambda: self._say(report))

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """The same about how far it is: `data` is `done` and, with a total, `total` and `percent`."""
        for name, value in (("done", done), ("total", total)):
            if not isinstance(value, int | float) and (name, value) != ("total", None):
                raise TypeError(f"{name} is a number, not {type(value).__name__}")
        data: dict[str, Any] = {"done": done}
        words = f"{done:g} done"
        if total:
            data |= {"total": total, "percent": round(100 * done / total)}
            words = f"{done:g} of {total:g}"
        report = self._report(message or words, data)
        self._here(lambda: self._say_progress(report, last=done == total))

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the end any more: cancelled (where it is deferred), past its deadline or
        timeout, given to another attempt, or broken off. Looked at now and then, it is the sign to stop."""
        if not self._over and self._watching is None:
            self._here(self._watch)
        return self._over

    # -- the end of what was deferred

    def defer(self) -> "Work":
        """What the function returns is not the end then: `complete` or `fail` will be, whenever that is, and
        in whichever process (`Restante.work`). For operations declared with `deferred=True`."""
        if not self.may_defer:
            raise RuntimeError("only operations that are declared with deferred=True can defer their end")
        self.deferred = True
        return self

    async def complete(self, data: Any = None) -> None:
        """The end of deferred work: `data` as if it was returned. Raises `NotNow` where it is over."""
        body = b"" if data is None else encode(data)
        await self._end(Report(status=Status.COMPLETED, result=Told(200 if body else 204, JSON, body)))

    async def fail(self, message: str) -> None:
        """The other end. Raises `NotNow` where it is over."""
        told = Told(500, JSON, msgspec.json.encode({"message": message}))
        data = {"error_message": message}
        await self._end(Report(status=Status.FAILED, message=message, data=data, result=told))

    async def _end(self, report: Report) -> None:
        if self._reports is None:
            raise NotNow("This request has no transaction.")
        await self.written()
        await self._reports.report(self.id, self.token, report)

    # -- within, on the event loop

    def over(self) -> None:
        """Nobody waits for it any more."""
        self._over = True
        if self._watching is not None:
            self._watching.cancel()

    async def written(self) -> None:
        """Until everything that was said is written."""
        if self._progress is not None:
            self._say(self._progress)
            self._progress = None
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def _report(self, message: str, data: dict[str, Any]) -> Report:
        most = Limits().event_data if self._reports is None else self._reports.limits.event_data
        if not isinstance(message, str):
            raise TypeError(f"a message is text, not {type(message).__name__}")
        if not message.strip() or len(message) > LONGEST:
            raise ValueError(f"a message is text of 1 to {LONGEST} characters")
        if len(encode(data)) > most:
            raise ValueError(f"the data of an event is at most {most} bytes as JSON")
        return Report(message=message, data=msgspec.to_builtins(data, enc_hook=_plain))

    def _here(self, act: Callable[[], None]) -> None:
        if threading.get_ident() == self._thread:
            act()
        elif not self._over:  # else the loop itself may be gone
            self._loop.call_soon_threadsafe(act)

    def _say_progress(self, report: Report, *, last: bool) -> None:
        if self._reports is None:
            return
        now = self._reports.clock.now()
        if last or not self._progress_at or now - self._progress_at >= PROGRESS:
            self._progress_at, self._progress = now, None
            self._say(report)
        else:
            self._progress = report

    def _say(self, report: Report) -> None:
        if self._reports is None or self._over:
            return
        if len(self._unwritten) >= self._reports.limits.events:  # more would not be taken in any case
            if not self._left_out:
                log.warning("%s says more than can be written: something was left out", self.id)
            self._left_out = True
            return
        self._unwritten.append(report)
        if self._writing is None:
            self._writing = self._loop.create_task(self._write(self._reports))

    async def _write(self, reports: Reports) -> None:
        """All of it, in order. What the store does not take in time is lost: the work is not to suffer for
        it."""
        while self._unwritten:
            try:
                await reports.report(self.id, self.token, self._unwritten.popleft())
            except NotNow as error:  # it is over, or has said as much as it may
                self._unwritten.clear()
                log.info("%s: %s", self.id, error.message)
                await self._look_once(reports)
            except RestanteError as error:
                log.warning("what %s says could not be written: %s", self.id, error)
            except Exception:  # ours to mend
                log.exception("what %s says could not be written", self.id)
        self._writing = None

    async def _look_once(self, reports: Reports) -> None:
        try:
            if not await reports.is_current(self.id, self.token):
                self.over()
        except RestanteError as error:
            log.info("nobody knows whether %s is still waited for: %s", self.id, error)

    def _watch(self) -> None:
        if self._reports is not None and self._watching is None and not self._over:
            self._watching = self._loop.create_task(self._look(self._reports))

    async def _look(self, reports: Reports) -> None:
        """Until it is over, or the process ends. A look at the start, and one with each thing that happens to
        the transaction."""
        try:
            with reports.watch(self.id) as watch:
                while await reports.is_current(self.id, self.token):
                    after = 0 if watch.known is None else watch.known.sequence
                    await watch.until(reports.clock.now() + HOUR, after=after)
                    if reports.ended:
                        return
            self._over = True
        except RestanteError as error:
            log.info("nobody knows whether %s is still waited for: %s", self.id, error)
            self._watching = None


def encode(value: Any) -> bytes:
    """What is returned, as JSON."""
    dump = getattr(value, "model_dump_json", None)
    if dump is not None:
        return str(dump()).encode()
    return msgspec.json.encode(value, enc_hook=_plain)


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return dump(mode="json")
