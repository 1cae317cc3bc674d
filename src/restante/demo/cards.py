"""Cards: the numbers to test with, what the bank does with each, and what may be told about a card.

The test numbers and their results are those of the platform's page "Test card data". Any other number that
passes the check digit is an ordinary card of a generous bank.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What becomes of a card: `authentication` is the 3-D Secure status, None for a card without it."""

    approved: bool = True  # by the bank, once it is asked
    authentication: str | None = None
    challenge: bool = False


ORDINARY = Behaviour()

TEST_CARDS = {
    "4200000000000000": ORDINARY,
    "4005550000000019": Behaviour(approved=False),
    "4012000000001006": Behaviour(authentication="Y"),
    "4012000000001055": Behaviour(authentication="A"),
    "4012000000001097": Behaviour(authentication="Y", challenge=True),
    "4012000000001022": Behaviour(authentication="U"),
    "4012000000001030": Behaviour(authentication="R"),
    "4012000000001014": Behaviour(authentication="N"),
    "5204240000015003": Behaviour(authentication="Y"),
    "5204240000015011": Behaviour(authentication="A"),
    "5204240000015029": Behaviour(authentication="Y", challenge=True),
    "5204240000015045": Behaviour(authentication="U"),
    "5204240000015052": Behaviour(authentication="R"),
    "5204240000015060": Behaviour(authentication="N"),
}

BRANDS = (("4", "visa"), ("5", "master"), ("2", "master"), ("34", "amex"), ("37", "amex"), ("6", "maestro"))


@dataclass(frozen=True, slots=True)
class Card:
    number: str
    holder: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    skip_authentication: bool = False

    @property
    def behaviour(self) -> Behaviour:
        behaviour = TEST_CARDS.get(self.number, ORDINARY)
        return (
            replace(behaviour, authentication=None, challenge=False)
            if self.skip_authentication
            else behaviour
        )

    @property
    def stamp(self) -> str:
        """The same for the same number, and does not tell it."""
        return hashlib.sha256(b"stamp:" + self.number.encode()).hexdigest()

    @property
    def token(self) -> str:
        return hashlib.sha256(b"token:" + self.number.encode()).hexdigest()

    def expired(self, year: int, month: int) -> bool:
        if self.exp_year is None or self.exp_month is None:
            return False
        return (self.exp_year, self.exp_month) < (year, month)

    def describe(self) -> dict[str, Any]:
        """The `credit_card` section of an answer: never the whole number."""
        brand = max(
            (b for b in BRANDS if self.number.startswith(b[0])), key=lambda b: len(b[0]), default=("", None)
        )
        return {
            "holder": self.holder,
            "stamp": self.stamp,
            "brand": brand[1],
            "last_4": self.number[-4:],
            "first_1": self.number[0],
            "bin": self.number[:6],
            "bin_8": self.number[:8],
            "issuer_country": "US",
            "issuer_name": "Demo Bank",
            "product": "Classic",
            "token_provider": None,
            "token": self.token,
            "exp_month": self.exp_month,
            "exp_year": self.exp_year,
        }


def luhn(number: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1, annex B)."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(number))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


class Vault:
    """Cards by token, the most recent ones only."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._cards: OrderedDict[str, Card] = OrderedDict()

    def keep(self, card: Card) -> None:
        self._cards[card.token] = card
        self._cards.move_to_end(card.token)
        while len(self._cards) > self._size:
            self._cards.popitem(last=False)

    def find(self, token: object) -> Card | None:
        return self._cards.get(token) if isinstance(token, str) else None
