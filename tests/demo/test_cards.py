"""What becomes of each test card."""

import random

import httpx
import pytest

from restante.demo.cards import TEST_CARDS, Card, Vault, luhn

from .conftest import APPROVED, make, order

RESULTS = {
    "4200000000000000": ("successful", "S.0000", None),
    "4005550000000019": ("failed", "F.0002", None),
    "4012000000001006": ("successful", "S.0000", "Y"),
    "4012000000001055": ("successful", "S.0000", "A"),
    "4012000000001097": ("incomplete", "P.0001", None),
    "4012000000001022": ("failed", "F.0001", "U"),
    "4012000000001030": ("failed", "F.0001", "R"),
    "4012000000001014": ("failed", "F.0001", "N"),
    "5204240000015003": ("successful", "S.0000", "Y"),
    "5204240000015011": ("successful", "S.0000", "A"),
    "5204240000015029": ("incomplete", "P.0001", None),
    "5204240000015045": ("failed", "F.0001", "U"),
    "5204240000015052": ("failed", "F.0001", "R"),
    "5204240000015060": ("failed", "F.0001", "N"),
    "4111111111111111": ("successful", "S.0000", None),
}


@pytest.mark.parametrize(("number", "result"), RESULTS.items())
async def test_a_test_card_has_its_result(
    psp: httpx.AsyncClient, number: str, result: tuple[str, str, str | None]
) -> None:
    transaction = await make(psp, "payments", order(number))
    verification = transaction.get("three_d_secure_verification", {})
    assert (transaction["status"], transaction["code"], verification.get("pa_status")) == result


def test_every_test_card_is_listed_here_and_is_a_card_number() -> None:
    assert RESULTS.keys() >= TEST_CARDS.keys()
    assert all(luhn(number) for number in RESULTS)


async def test_an_expired_card_fails(psp: httpx.AsyncClient) -> None:
    card = {"number": APPROVED, "exp_month": 4, "exp_year": 2026}
    assert (await make(psp, "payments", order(credit_card=card)))["code"] == "F.0003"
    this_month = {"number": APPROVED, "exp_month": 5, "exp_year": 2026}
    assert (await make(psp, "payments", order(credit_card=this_month)))["code"] == "S.0000"


async def test_authentication_may_be_skipped(psp: httpx.AsyncClient) -> None:
    card = {"number": "4012000000001097", "skip_three_d_secure_verification": True}
    transaction = await make(psp, "payments", order(credit_card=card))
    assert transaction["status"] == "successful"
    assert "three_d_secure_verification" not in transaction


async def test_nobody_is_asked_about_a_payout(psp: httpx.AsyncClient) -> None:
    body = order(credit_card=None, recipient_credit_card={"number": "4012000000001097"})
    assert (await make(psp, "payouts", body))["status"] == "successful"


@pytest.mark.parametrize(
    ("number", "brand"),
    [("4200000000000000", "visa"), ("5204240000015003", "master"), ("370000000000002", "amex")],
)
def test_a_brand_is_told_from_the_number(number: str, brand: str) -> None:
    assert Card(number=number).describe()["brand"] == brand


def test_a_wrong_digit_is_found() -> None:
    chance = random.Random(7)
    for number in TEST_CARDS:
        place = chance.randrange(len(number))
        digit = (int(number[place]) + chance.randrange(1, 10)) % 10
        assert not luhn(f"{number[:place]}{digit}{number[place + 1 :]}")


def test_a_vault_keeps_the_newest() -> None:
    vault = Vault(2)
    first, second, third = (Card(number=number) for number in list(TEST_CARDS)[:3])
    for card in (first, second, first, third):
        vault.keep(card)
    assert vault.find(second.token) is None
    assert (vault.find(first.token), vault.find(third.token)) == (first, third)
    assert vault.find(None) is None
