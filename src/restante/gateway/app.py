"""The gateway as an ASGI application: finds the room, lets its handler answer, turns errors into answers."""

import asyncio
from collections.abc import Awaitable, Callable

from ..core.errors import StoreUnavailable
from .access import ROOMS, admit, need_in
from .call import BrokenOff, Call, ClientGone, Receive, Scope, Send
from .desk import Desk
from .direct import Together
from .failing import failure
from .native import native
from .prefer import submit_prefer
from .problems import NotServed, log, reason_of
from .proxy import through
from .reply import Reply
from .rooms import Place, Room, Rooms
from .submit import submit_task, submit_transaction
from .tasks import task_result, task_status
from .transactions import list_transactions, one_transaction

Handler = Callable[[Desk, Call, Place], Awaitable[Reply | None]]

HANDLERS: dict[Room, Handler] = {
    Room.NATIVE: native,
    Room.TASK_STATUS: task_status,
    Room.TASK_RESULT: task_result,
    Room.TASK: submit_task,
    Room.TRANSACTIONS: list_transactions,
    Room.TRANSACTION: one_transaction,
    Room.SUBMIT: submit_transaction,
    Room.PREFER: submit_prefer,
    Room.THROUGH: through,
}
"""Each gives the answer back, or None where it has sent it itself."""

SUBMITS = frozenset({Room.TASK, Room.SUBMIT, Room.PREFER})


SHUTTING_DOWN = StoreUnavailable("The gateway is shutting down.", retry_after_seconds=5)


class Gateway:
    """One address. `native` serves `/-/` on it, `public` everything else (setting `admin_listen`).

    `direct` is asked for each head how it is served without a task of its own; None: it is not (`direct`).
    """

    def __init__(self, desk: Desk, *, native: bool = True, public: bool = True) -> None:
        self._desk = desk
        self._guards_plain = desk.auth.guards_plain
        self._rooms = Rooms(desk.policy, native=native, public=public)
        self.direct = Together(desk, self._rooms).prepare if desk.check is None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _decline(scope, send)
            return
        call = Call(scope, receive, send)
        place: Place | None = None
        try:
            if call.method == "CONNECT":  # a tunnel is not a request that could be stored or sent on
                raise NotServed("CONNECT is not served.")
            reply = self._desk.pages.meet(call)
            if reply is None:
                place = self._rooms.find(call.method, call.path, call.headers)
                if place.room in ROOMS and (self._guards_plain or place.room is not Room.THROUGH):
                    await admit(self._desk, call, need_in(place.room, call.method))
                reply = await HANDLERS[place.room](self._desk, call, place)
        except ClientGone:
            return
        except asyncio.CancelledError:  # the server's time to shut down is over
            if call.started:
                raise BrokenOff("the server was shut down") from None
            reply = failure(SHUTTING_DOWN, path=call.path)
        except BrokenOff:
            raise
        except Exception as error:
            if call.started:
                log.error("an answer broke off", exc_info=error)
                raise BrokenOff("an answer broke off") from None
            reply = self._refused(error, call, place)
        if reply is not None:
            reply.headers.append(self._desk.date())
            await call.answer(reply.code, reply.headers, reply.body)

    def _refused(self, error: Exception, call: Call, place: Place | None) -> Reply:
        if place is not None and place.room in SUBMITS:
            self._desk.service.telemetry.refused(reason_of(error))
        return failure(error, path=call.path, word=call.word)


async def _decline(scope: Scope, send: Send) -> None:
    """Other protocols that an ASGI server may offer: none is served."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1003})
