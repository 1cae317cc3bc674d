"""The gateway as an ASGI application: finds the room, lets its handler answer, turns errors into answers."""

import asyncio
from collections.abc import Awaitable, Callable

from ..core.errors import StoreUnavailable, UpstreamError
from ..core.policy import Policy
from ..core.status import Status
from ..ports import Auth, Chance, Clock, Sender
from ..service import Service
from .call import CLOSE, BrokenOff, Call, ClientGone, Receive, Scope, Send
from .desk import Desk
from .native import native
from .prefer import submit_prefer
from .problems import UNKNOWN, NotServed, as_message, as_problem, log, problem_of
from .proxy import through
from .reply import Reply
from .rooms import OURS, Place, Room, Rooms
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


SHUTTING_DOWN = StoreUnavailable("The gateway is shutting down.", retry_after_seconds=5)


class Gateway:
    """One address. `native` serves `/-/` on it, `public` everything else (setting `admin_listen`)."""

    def __init__(
        self,
        *,
        service: Service,
        policy: Policy,
        auth: Auth,
        sender: Sender,
        clock: Clock,
        chance: Chance,
        native: bool = True,
        public: bool = True,
    ) -> None:
        self._desk = Desk(
            service=service, policy=policy, auth=auth, sender=sender, clock=clock, chance=chance
        )
        self._rooms = Rooms(policy, native=native, public=public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _decline(scope, send)
            return
        call = Call(scope, receive, send)
        try:
            if call.method == "CONNECT":  # a tunnel is not a request that could be stored or sent on
                raise NotServed("CONNECT is not served.")
            place = self._rooms.find(call.method, call.path, call.headers)
            reply = await HANDLERS[place.room](self._desk, call, place)
        except ClientGone:
            return
        except asyncio.CancelledError:  # the server's time to shut down is over
            if call.started:
                raise BrokenOff("the server was shut down") from None
            reply = failure(call, SHUTTING_DOWN)
        except BrokenOff:
            raise
        except Exception as error:
            if call.started:
                log.error("an answer broke off", exc_info=error)
                raise BrokenOff("an answer broke off") from None
            reply = failure(call, error)
        if reply is not None:
            await self._send(call, reply)

    async def _send(self, call: Call, reply: Reply) -> None:
        reply.headers.append(self._desk.date())
        await call.answer(reply.code, reply.headers, reply.body)


def failure(call: Call, error: BaseException) -> Reply:
    """The answer to what went wrong: a problem on `/-/`, else a JSON object with `message`."""
    problem = problem_of(error)
    status = call.word or (Status.FAILED if isinstance(error, UpstreamError) else UNKNOWN)
    ours = call.path.startswith(OURS)
    reply = as_problem(problem, call.path, status=status) if ours else as_message(problem, status=status)
    if isinstance(error, NotServed):  # what would follow on this connection is not what we read
        reply.headers.append(CLOSE)
    return reply


async def _decline(scope: Scope, send: Send) -> None:
    """Other protocols that an ASGI server may offer: none is served."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1003})
