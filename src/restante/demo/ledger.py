"""What the platform remembers: transactions, newest last, the oldest forgotten first."""

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from .cards import Card
from .codes import Code
from .reports import Place

DUPLICATE_WINDOW = timedelta(seconds=30)
RECENT = 10
"""How many transactions a look-up by tracking id gives."""

ECHOED = ("description", "tracking_id", "language", "expired_at")
SECTIONS = ("billing_address", "customer", "additional_data")
KEPT = (*ECHOED, *SECTIONS, "reason", "test", "duplicate_check", "notification_url", "return_url")
"""What of a request is remembered. The card is not: not its number as it came, never its security code."""


class Status(StrEnum):
    """The platform's statuses of a card transaction. `incomplete`: the bank or the customer is not done."""

    SUCCESSFUL = "successful"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


class Kind(StrEnum):
    AUTHORIZATION = "authorization"
    PAYMENT = "payment"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    CREDIT = "credit"
    PAYOUT = "payout"
    CHECKUP = "checkup"
    TOKENIZATION = "tokenization"
    CHARGEBACK = "chargeback"


@dataclass(slots=True, eq=False)
class Transaction:
    uid: str
    kind: Kind
    shop_id: str
    amount: int
    currency: str
    request: dict[str, Any]
    origin: str
    version: str
    created_at: datetime
    updated_at: datetime
    card: Card | None = None
    parent: "Transaction | None" = None
    status: Status = Status.INCOMPLETE
    code: Code = Code.PROCESSING
    paid_at: datetime | None = None
    challenged: bool = False  # the customer was asked to confirm
    authentication: str | None = None  # the 3-D Secure status, once there is one
    bank: dict[str, Any] | None = None  # what the bank answered
    place: Place | None = None  # where the end is to be told, if the answer was put off

    @property
    def tracking_ids(self) -> set[str]:
        """A tracking id may hold several, separated by semicolons."""
        text = self.request.get("tracking_id") or ""
        return {text, *text.split(";")} - {""}

    @property
    def awaits_customer(self) -> bool:
        return self.code is Code.CHALLENGE

    @property
    def duplicate_key(self) -> tuple[object, ...]:
        """Same operation, same money, same card or same parent."""
        subject = self.parent.uid if self.parent else self.card.stamp if self.card else None
        return self.shop_id, self.kind, self.amount, self.currency, subject


@dataclass(slots=True)
class Ledger:
    size: int
    _transactions: OrderedDict[str, Transaction] = field(default_factory=OrderedDict)
    _tracked: dict[tuple[str, str], list[Transaction]] = field(default_factory=lambda: defaultdict(list))
    _children: dict[str, list[Transaction]] = field(default_factory=lambda: defaultdict(list))
    _latest: dict[tuple[object, ...], Transaction] = field(default_factory=dict)

    def add(self, transaction: Transaction) -> None:
        self._transactions[transaction.uid] = transaction
        self._latest[transaction.duplicate_key] = transaction
        for tracking_id in transaction.tracking_ids:
            self._tracked[transaction.shop_id, tracking_id].append(transaction)
        if transaction.parent:
            self._children[transaction.parent.uid].append(transaction)
        while len(self._transactions) > self.size:
            self._forget(self._transactions.popitem(last=False)[1])

    def get(self, uid: object, shop_id: str | None = None) -> Transaction | None:
        """By its uid; with `shop_id`, only if it is that shop's."""
        found = self._transactions.get(uid) if isinstance(uid, str) else None
        return found if found and shop_id in (None, found.shop_id) else None

    def track(self, shop_id: str, tracking_id: str) -> list[Transaction]:
        """The most recent ones, newest first."""
        return self._tracked.get((shop_id, tracking_id), [])[: -RECENT - 1 : -1]

    def spent(self, parent: Transaction, *kinds: Kind) -> int:
        """How much of `parent` its children of these kinds have used, or are about to."""
        children = self._children.get(parent.uid, [])
        return sum(c.amount for c in children if c.kind in kinds and c.status is not Status.FAILED)

    def duplicates(self, transaction: Transaction) -> bool:
        """Whether the same was asked for within 30 seconds, and not in vain."""
        last = self._latest.get(transaction.duplicate_key)
        if last is None or last.status is Status.FAILED:
            return False
        return transaction.created_at - last.created_at < DUPLICATE_WINDOW

    def charges(self, tracking_id: str) -> int:
        """How many times a card was charged, or money on it held, under this tracking id."""
        charging = (Kind.PAYMENT, Kind.AUTHORIZATION)
        found = (t for (_, name), ts in self._tracked.items() if name == tracking_id for t in ts)
        return sum(t.kind in charging and t.status is Status.SUCCESSFUL for t in found)

    def _forget(self, oldest: Transaction) -> None:
        self._children.pop(oldest.uid, None)
        if self._latest.get(oldest.duplicate_key) is oldest:
            del self._latest[oldest.duplicate_key]
        for tracking_id in oldest.tracking_ids:
            tracked = self._tracked[oldest.shop_id, tracking_id]
            tracked.remove(oldest)
            if not tracked:
                del self._tracked[oldest.shop_id, tracking_id]
