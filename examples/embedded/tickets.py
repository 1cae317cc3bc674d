"""A ticket API whose calls are transactions, and nothing else: `uvicorn tickets:app --port 8600`."""

import asyncio
import os

import msgspec

from restante import Failure, Operations, Restante, Work

SECONDS_OF_WORK = float(os.environ.get("SECONDS_OF_WORK", "3"))

operations = Operations()


class NewTicket(msgspec.Struct):
    subject: str
    order_id: str


@operations.post(
    "/channel/v0/tickets",
    operation="create",
    transactions="/seller/v0/transactions",
    timeout="1m",
    messages={"completed": "Ticket created"},
)
async def create_ticket(ticket: NewTicket, tx: Work) -> dict[str, str]:
    """Opens a ticket about an order."""
    tx.info("Looking for the order", order_id=ticket.order_id)
    if not ticket.order_id.isdigit():
        raise Failure("There is no such order.")
    for step in range(1, 4):
        await asyncio.sleep(SECONDS_OF_WORK / 3)
        tx.progress(step, 3)
    return {"ticket_id": f"T-{ticket.order_id}"}


app = Restante(operations, store="sqlite:///tickets.db")
