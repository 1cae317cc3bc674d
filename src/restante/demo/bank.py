"""The bank: it takes its time, then says yes or no to a transaction."""

import random
from typing import Any

from .cards import Card
from .clock import Clock
from .codes import Code
from .ledger import Kind, Status, Transaction

AUTHENTICATED = (Kind.PAYMENT, Kind.AUTHORIZATION, Kind.TOKENIZATION, Kind.CHECKUP)
"""Where the customer is there to be asked (3-D Secure)."""

WITHOUT_MONEY = (Kind.TOKENIZATION, Kind.CHECKUP)
"""What the platform does by itself: the bank has nothing to approve."""

GATEWAY_ID = 317


class Bank:
    def __init__(self, *, clock: Clock, chance: random.Random) -> None:
        self._clock = clock
        self._chance = chance

    def challenges(self, transaction: Transaction) -> bool:
        """Whether the customer has to confirm this first."""
        card = transaction.card
        return transaction.kind in AUTHENTICATED and card is not None and card.behaviour.challenge

    async def ask(self, transaction: Transaction, delay_seconds: float) -> None:
        """Ends `transaction`. Whoever hangs up meanwhile changes nothing: the bank goes on."""
        card = transaction.card
        if transaction.kind in AUTHENTICATED and card and not transaction.challenged:
            transaction.authentication = card.behaviour.authentication
        if delay_seconds:
            await self._clock.sleep(delay_seconds)
        now = self._clock.now()
        code = self._decide(transaction, card)
        transaction.code, transaction.updated_at = code, now
        transaction.status = Status.SUCCESSFUL if code is Code.SUCCESSFUL else Status.FAILED
        transaction.paid_at = now if code is Code.SUCCESSFUL else None
        if transaction.kind not in WITHOUT_MONEY:
            transaction.bank = self._record(transaction)

    def _decide(self, transaction: Transaction, card: Card | None) -> Code:
        now = self._clock.now()
        if transaction.authentication not in (None, "Y", "A"):
            return Code.UNAUTHENTICATED
        if transaction.parent or card is None:
            return Code.SUCCESSFUL
        if card.expired(now.year, now.month):
            return Code.EXPIRED_CARD
        approved = card.behaviour.approved or transaction.kind in WITHOUT_MONEY
        return Code.SUCCESSFUL if approved else Code.DECLINED

    def _record(self, transaction: Transaction) -> dict[str, Any]:
        """What the bank noted, under the name of the operation in the answer."""
        approved = transaction.status is Status.SUCCESSFUL
        return {
            "auth_code": f"{self._chance.randrange(10**6):06d}" if approved else None,
            "bank_code": "00" if approved else "05",
            "rrn": f"{self._chance.randrange(10**12):012d}",
            "ref_id": f"{self._chance.randrange(10**6):06d}",
            "message": f"{transaction.kind.capitalize()} was {'approved' if approved else 'declined'}",
            "amount": transaction.amount,
            "currency": transaction.currency,
            "billing_descriptor": "DEMO SHOP",
            "gateway_id": GATEWAY_ID,
            "status": transaction.status,
        }
