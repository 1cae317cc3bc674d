"""A demo ticket API in the style of the platform of seed 004: channels open tickets, people write in them.

Synchronous: a call waits until the desk has done its work (`delay_seconds`; a call may ask for another delay
with the header `Demo-Desk-Delay: <seconds>`, 0 to 300).

    python -m restante.demo.tickets --listen 127.0.0.1:9001
"""

import random
import uuid
from collections import OrderedDict
from typing import Any

from .clock import Clock, SystemClock
from .faults import check_message, check_ticket, detail, fault, read_fields, read_number, refuse_invalid
from .notices import Notices, Post, post
from .reports import Reports, place_of
from .web import Answer, Receive, Refused, Request, Scope, Send, Site, answer_json, arguments, serve

AUDIENCES = ("/channel/v0", "/seller/v0")
"""The same tickets, for those who sell and for those in between."""

LARGEST_PAGE = 100
MOST_MESSAGES = 1000
LONGEST_DELAY_SECONDS = 300.0


class TicketAPI:
    """The ASGI app. With `moderation_seconds`, a person reads each ticket before it is opened, and says so
    where the caller takes reports. The oldest tickets are forgotten beyond `max_tickets`."""

    def __init__(
        self,
        *,
        delay_seconds: float = 0.0,
        moderation_seconds: float = 0.0,
        clock: Clock | None = None,
        chance: random.Random | None = None,
        max_tickets: int = 10_000,
        post: Post = post,
    ) -> None:
        self._delay_seconds = delay_seconds
        self._clock = clock or SystemClock()
        self._chance = chance or random.SystemRandom()
        self._max_tickets = max_tickets
        self._moderation_seconds = moderation_seconds
        self._reports = Reports(Notices(clock=self._clock, post=post), post)
        self._tickets: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._site = self._lay_out()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._site(scope, receive, send)

    def _lay_out(self) -> Site:
        site = Site()
        for audience in AUDIENCES:
            site.route("POST", f"{audience}/tickets", self._open)
            site.route("GET", f"{audience}/tickets", self._list)
            site.route("GET", f"{audience}/tickets/{{id}}", self._show)
            site.route("POST", f"{audience}/tickets/{{id}}/messages", self._write)
        return site

    async def _open(self, request: Request) -> Answer:
        fields = read_fields(request)
        refuse_invalid(check_ticket(fields))
        await self._work(request)
        await self._moderate(request)
        now = self._stamp()
        ticket = {
            "id": self._identity(),
            "created_at": now,
            "updated_at": now,
            "status": "open",
            "type_code": fields["type_code"],
            "subject": fields["subject"],
            "description": fields["description"],
            "order_id": fields.get("order_id"),
            "messages": [],
        }
        self._tickets[ticket["id"]] = ticket
        while len(self._tickets) > self._max_tickets:
            self._tickets.popitem(last=False)
        return answer_json(201, ticket)

    async def _write(self, request: Request) -> Answer:
        ticket = self._find(request)
        fields = read_fields(request)
        refuse_invalid(check_message(fields))
        if len(ticket["messages"]) >= MOST_MESSAGES:
            refuse_invalid([detail("id", ticket["id"], location="path")])
        await self._work(request)
        message = {"id": self._identity(), "created_at": self._stamp(), "message": fields["message"]}
        ticket["messages"].append(message)
        ticket["updated_at"] = message["created_at"]
        return answer_json(201, message)

    async def _show(self, request: Request) -> Answer:
        return answer_json(200, self._find(request))

    async def _list(self, request: Request) -> Answer:
        """Newest first, in the envelope of the platform's lists."""
        limit = read_number(request, "_limit", default=50, least=1, most=LARGEST_PAGE)
        offset = read_number(request, "_offset", default=0, least=0, most=self._max_tickets)
        tickets = list(reversed(self._tickets.values()))
        if "order_id" in request.query:
            tickets = [ticket for ticket in tickets if ticket["order_id"] == request.query["order_id"]]
        results = tickets[offset : offset + limit]
        page = {"limit": limit, "offset": offset, "count": len(results), "max_limit": LARGEST_PAGE}
        return answer_json(200, {"meta": {"page": page}, "results": results})

    def _find(self, request: Request) -> dict[str, Any]:
        ticket = self._tickets.get(request.params["id"])
        if ticket is None:
            raise Refused(fault(404, "NOT_FOUND", "The requested resource was not found"))
        return ticket

    async def _work(self, request: Request) -> None:
        text = request.headers.get("demo-desk-delay", str(self._delay_seconds))
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= LONGEST_DELAY_SECONDS:
            raise Refused(
                fault(400, "BAD_REQUEST", "Demo-Desk-Delay must be a number of seconds from 0 to 300")
            )
        if seconds:
            await self._clock.sleep(seconds)

    async def _moderate(self, request: Request) -> None:
        """The slow step, in two halves."""
        if not self._moderation_seconds:
            return
        place = place_of(request)
        for message, percent in (("Waiting for a moderator", 0), ("Being read by a moderator", 50)):
            if place is not None:
                await self._reports.progress(place, message, percent=percent)
            await self._clock.sleep(self._moderation_seconds / 2)

    def _identity(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def _stamp(self) -> str:
        """UTC without a zone, as the platform writes it."""
        return self._clock.now().replace(tzinfo=None).isoformat(timespec="microseconds")


def main() -> None:
    parser = arguments("The demo ticket API.", listen="127.0.0.1:9001", delay=0.8)
    parser.add_argument(
        "--moderation",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long a person reads each ticket; default: %(default)s",
    )
    chosen = parser.parse_args()
    serve(TicketAPI(delay_seconds=chosen.delay, moderation_seconds=chosen.moderation), chosen.listen)


if __name__ == "__main__":
    main()
