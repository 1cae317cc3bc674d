"""What runs beside the application, from its start to its end: gateway, runner and webhooks on one store.

With a lifespan (ASGI) all of it is started when the application has been, because what is taken up again
calls it, and ended before it is. Under a server that has none it is started with the first request, and
nothing ends it: what was accepted is on disk, and is taken up at the next start.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextvars import Context

from ..assembly import Running, start
from ..config import Settings
from ..core.clock import SECOND
from ..core.errors import RestanteError, SettingError, StoreUnavailable
from ..gateway import Gateway
from ..gateway.desk import Check
from ..outbound import HTTPSender
from .exchange import App, Receive, Scope, Send
from .lifespan import OWN, Life
from .reports import EXTENSION, Reports
from .sender import AppSender

PAUSE_SECONDS = 5
"""After a start that failed, before another is tried."""

OTHER_LOOP = (
    "Restante was started on another event loop than this request's. In a test, let the application's "
    "lifespan begin: with TestClient(app) as client: …"
)

log = logging.getLogger("restante.embed")


class Hosting:
    """One per application. `apps` are applications by the name of their upstream; `check` may refuse what is
    to be stored."""

    def __init__(self, settings: Settings, apps: Mapping[str, App], *, check: Check | None) -> None:
        self._settings = settings
        self._check = check
        self._apps = apps
        self._carried: dict[str, object] = {}  # given to the application by whatever is around us
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting: asyncio.Task[Running] | None = None
        self._failed_at = 0.0
        self._stopped = False

    async def gateway(self) -> Gateway:
        """Started, where it is not. Raises `StoreUnavailable` where it cannot be, now."""
        try:
            return (await self._started()).gateway
        except SettingError as error:  # told in the log when it happened
            raise StoreUnavailable(
                f"The store cannot be used: see the log ({error.setting}).",
                retry_after_seconds=PAUSE_SECONDS,
            ) from None

    @property
    def reports(self) -> Reports:
        """Raises `RuntimeError` where it is not started."""
        starting = self._starting
        if starting is None or not starting.done() or _failed(starting):
            raise RuntimeError("Restante is not started")
        return Reports(starting.result().service)

    def begin(self, scope: Scope) -> None:
        """Starts it with a request, whether or not that needs it; `scope` is the request's."""
        starting = self._starting
        if starting is not None and self._failed_at and self._may_try_again(starting):
            self._start()
        elif starting is None and not self._stopped:
            self._carried = {name: scope[name] for name in scope.keys() & {"app"}}
            self._start()

    async def stop(self) -> None:
        """Nothing new is accepted; what runs has the grace time."""
        starting, self._starting, self._stopped = self._starting, None, True
        if starting is None:
            return
        await asyncio.wait([starting])
        if not _failed(starting):
            await starting.result().stop()

    async def live(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's lifespan, and ours within it."""
        self._starting, self._stopped = None, False
        self._carried = {name: scope[name] for name in scope.keys() - OWN}
        await Life(receive, send, start=self._start_now, stop=self.stop).lead(app, scope)

    async def _start_now(self) -> str:
        """What went wrong, or nothing."""
        try:
            await self._started()
        except RestanteError as error:
            return str(error)
        except Exception:  # it is in the log
            return "it could not be started; see the log"
        return ""

    async def _started(self) -> Running:
        if self._stopped:
            raise StoreUnavailable("The gateway is shutting down.", retry_after_seconds=5)
        starting = self._starting
        if starting is not None and self._loop is not asyncio.get_running_loop():
            log.error("%s", OTHER_LOOP)
            raise StoreUnavailable(OTHER_LOOP)
        if starting is None or self._may_try_again(starting):
            starting = self._start()
        return await asyncio.shield(starting)

    def _may_try_again(self, starting: asyncio.Task[Running]) -> bool:
        return _failed(starting) and time.monotonic() - self._failed_at >= PAUSE_SECONDS

    def _start(self) -> asyncio.Task[Running]:
        """In a context of its own: whoever asks first has nothing to do with what comes after."""
        self._loop = asyncio.get_running_loop()
        self._starting = self._loop.create_task(self._open(), context=Context())
        self._starting.add_done_callback(self._tell)
        return self._starting

    async def _open(self) -> Running:
        grace_seconds = self._settings.policy.limits.grace / SECOND
        sender = AppSender(self._apps, beside=HTTPSender(), grace_seconds=grace_seconds)
        sender.carried = self._carried
        running = await start(self._settings, sender=sender, hosted=True, check=self._check)
        sender.extensions[EXTENSION] = Reports(
            running.service
        )  # nothing has run yet: nobody has waited since
        return running

    def _tell(self, starting: asyncio.Task[Running]) -> None:
        if starting.cancelled() or (error := starting.exception()) is None:
            self._failed_at = 0.0
            return
        self._failed_at = time.monotonic()
        if isinstance(error, SettingError):
            log.error("%s", error)
        else:
            log.error("Restante could not be started", exc_info=error)


def _failed(starting: asyncio.Task[Running]) -> bool:
    return starting.done() and (starting.cancelled() or starting.exception() is not None)
