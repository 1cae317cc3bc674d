"""Traffic for a gateway in front of the demo APIs: merchants paying, channels opening tickets.

A few calls a second, of every kind a newcomer should see: cards that pass, cards that do not, a customer who
has to confirm, a request that is refused, a caller who changes his mind. Each is submitted, then polled until
its end, as a real caller would. What a call says is picked by `chance`; the pace is `per_second`, and beyond
`most_at_once` calls under way it waits.

    await Traffic("http://127.0.0.1:8600", shop="361:demo-secret").run()
"""

import asyncio
import base64
import http.client
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .clock import Clock, SystemClock

POLLS = 120
SHORTEST_PAUSE_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 5.0
CALL_TIMEOUT_SECONDS = 30.0
PATIENCE_SECONDS = 2.0
"""How long to wait after a gateway that does not answer."""

GOOD_CARDS = ("4200000000000000", "4012000000001006", "5204240000015003", "5204240000015011")
BAD_CARDS = ("4005550000000019", "4012000000001022", "5204240000015060")
CHALLENGE_CARD = "4012000000001097"

SUBJECTS = ("Pedido atrasado", "Produto trocado", "Endereço errado", "Nota fiscal")


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]  # names in lower case
    document: Any  # None where the body is no JSON


Call = Callable[[str, str, dict[str, str], bytes], Reply]


def call(method: str, url: str, headers: dict[str, str], body: bytes) -> Reply:
    """One HTTP call; blocks, so it is made in a thread."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=CALL_TIMEOUT_SECONDS)
    try:
        connection.request(method, parts.path or "/", body or None, headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, document)


class Traffic:
    """`told` hears one line per finished call."""

    def __init__(
        self,
        base_url: str,
        *,
        shop: str,
        per_second: float = 3.0,
        most_at_once: int = 32,
        clock: Clock | None = None,
        chance: random.Random | None = None,
        call: Call = call,
        told: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._authorization = "Basic " + base64.b64encode(shop.encode()).decode("ascii")
        self._mean_pause_seconds = 1 / per_second
        self._room = asyncio.Semaphore(most_at_once)
        self._clock = clock or SystemClock()
        self._chance = chance or random.Random()
        self._call = call
        self._told = told

    async def run(self, calls: int | None = None) -> None:
        """Makes `calls` calls, or goes on until it is cancelled."""
        done = 0
        async with asyncio.TaskGroup() as group:
            while calls is None or done < calls:
                await self._room.acquire()
                group.create_task(self._once())
                done += 1
                await self._clock.sleep(self._chance.expovariate(1) * self._mean_pause_seconds)

    async def _once(self) -> None:
        scenarios = (self._pay, self._ask_for_the_impossible, self._change_mind, self._open_ticket)
        scenario = self._chance.choices(scenarios, weights=(11, 2, 1, 6))[0]
        try:
            self._told(await scenario())
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
            # Whatever a gateway that is starting, stopping or broken may answer.
            self._told(f"no answer: {type(error).__name__}")
            await self._clock.sleep(PATIENCE_SECONDS)
        finally:
            self._room.release()

    # -- what callers do

    async def _pay(self) -> str:
        cards = (self._chance.choice(GOOD_CARDS), self._chance.choice(BAD_CARDS), CHALLENGE_CARD)
        card = self._chance.choices(cards, weights=(6, 2, 2))[0]
        operation = self._chance.choice(("payments", "payments", "authorizations"))
        task = await self._submit(f"/async/transactions/{operation}", self._payment(card))
        result = await self._poll_result(task, until_asked=card == CHALLENGE_CARD)
        transaction = _section(result, "transaction")
        if _text(transaction, "redirect_url"):
            return await self._confirm(transaction)
        return f"{operation[:-1]}: {transaction.get('status', result.status)}"

    async def _confirm(self, transaction: dict[str, Any]) -> str:
        """The customer takes some time on the bank's page, then decides."""
        await self._clock.sleep(self._chance.uniform(1, 6))
        decision = self._chance.choices(("confirm", "refuse"), weights=(4, 1))[0]
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        url = _text(transaction, "redirect_url")
        reply = await asyncio.to_thread(self._call, "POST", url, form, f"decision={decision}".encode())
        return f"3-D Secure: {decision} ({reply.status})"

    async def _ask_for_the_impossible(self) -> str:
        payment = self._payment(GOOD_CARDS[0])
        payment["request"]["amount"] = 0
        task = await self._submit("/async/transactions/payments", payment)
        result = await self._poll_result(task)
        return f"payment: refused ({result.status})"

    async def _change_mind(self) -> str:
        task = await self._submit("/async/transactions/payments", self._payment(GOOD_CARDS[0]))
        path = _path(task, "status_url")
        if not path:
            return f"payment: {task.status}"
        reply = await self._send("DELETE", path)
        return f"payment: {'cancelled' if reply.status == 200 else 'too late to cancel'}"

    async def _open_ticket(self) -> str:
        known = self._chance.random() < 0.8
        ticket = {
            "type_code": "marketplace-entrega" if known else "mktplace-entrega",
            "subject": self._chance.choice(SUBJECTS),
            "description": "Cliente pede retorno.",
            "order_id": self._name("order"),
        }
        reply = await self._submit("/channel/v0/tickets", ticket)
        links = reply.document.get("links") if isinstance(reply.document, dict) else None
        if reply.status != 202 or not links:
            return f"ticket: {reply.status}"
        for _ in range(POLLS):
            reply = await self._send("GET", links[0]["path"])
            status = _section(reply, None).get("status")
            if status not in ("pending", "processing"):
                return f"ticket: {status}"
            await self._pause(reply)
        return "ticket: still under way"

    # -- how they do it

    async def _poll_result(self, task: Reply, *, until_asked: bool = False) -> Reply:
        """Asks response_url until it is no longer too early; or, meanwhile, until an event says where the
        customer is asked."""
        path = _path(task, "response_url")
        if not path:
            return task
        reply = task
        for _ in range(POLLS):
            await self._pause(reply)
            reply = await self._send("GET", path)
            if reply.status != 425:
                break
            if until_asked and (asked := await self._asked(path.rpartition("/")[2])):
                return Reply(reply.status, reply.headers, {"transaction": asked})
        return reply

    async def _asked(self, id: str) -> dict[str, Any] | None:
        """The event that says where the customer is asked."""
        events = _section(await self._send("GET", f"/-/transactions/{id}/events"), None).get("events", ())
        return next((event["data"] for event in events if "redirect_url" in event["data"]), None)

    async def _pause(self, reply: Reply) -> None:
        text = reply.headers.get("retry-after", "")
        seconds = float(text) if text.isdecimal() else 0.0
        await self._clock.sleep(min(max(seconds, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS))

    async def _submit(self, path: str, document: dict[str, Any]) -> Reply:
        return await self._send("POST", path, json.dumps(document).encode())

    async def _send(self, method: str, path: str, body: bytes = b"") -> Reply:
        headers = {"Authorization": self._authorization}
        if body:
            headers["Content-Type"] = "application/json"
        return await asyncio.to_thread(self._call, method, self._base_url + path, headers, body)

    def _payment(self, card: str) -> dict[str, Any]:
        return {
            "request": {
                "amount": self._chance.randrange(100, 100_000),
                "currency": "USD",
                "description": "Demo order",
                "tracking_id": self._name("order"),
                "test": True,
                "credit_card": {
                    "number": card,
                    "verification_value": "123",
                    "holder": "Jane Doe",
                    "exp_month": "05",
                    "exp_year": str(self._clock.now().year + 2),
                },
            }
        }

    def _name(self, kind: str) -> str:
        return f"{kind}-{self._chance.getrandbits(32):08x}"


def _section(reply: Reply, name: str | None) -> dict[str, Any]:
    """An object of the answer, or an empty one where there is none."""
    found = reply.document
    if name is not None:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _text(section: dict[str, Any], name: str) -> str:
    value = section.get(name)
    return value if isinstance(value, str) else ""


def _path(reply: Reply, name: str) -> str:
    """The path of a URL in the answer: we stay with the gateway we were given."""
    return urlsplit(_text(_section(reply, None), name)).path
