"""A client of the platform that others wrote: it must take the demo for the original."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from bepaid import ApiError, AsyncBepaidClient
from bepaid.client import parse_webhook, verify_webhook_auth
from bepaid.models import (
    AuthorizationRequest,
    BillingAddress,
    CaptureRequest,
    ChargeCreditCard,
    CheckupRequest,
    CreditCardRaw,
    PaymentRequest,
    PayoutAddress,
    PayoutCreditCard,
    PayoutCustomer,
    PayoutRequest,
    RefundRequest,
    TokenizationRequest,
    VoidRequest,
)

from restante.demo.payments import PaymentAPI

from .conftest import APPROVED, CHALLENGED, DECLINED, Receiver


@pytest_asyncio.fixture
async def client(api: PaymentAPI) -> AsyncIterator[AsyncBepaidClient]:
    transport = httpx.ASGITransport(api)
    async with AsyncBepaidClient(
        361, "demo-secret", base_gateway_url="http://psp.test", transport=transport
    ) as client:
        yield client


def card(number: str) -> CreditCardRaw:
    return CreditCardRaw(
        number=number, verification_value="123", holder="Jane Doe", exp_month=5, exp_year=2030
    )


def payment(number: str = APPROVED, amount: str = "1999") -> PaymentRequest:
    return PaymentRequest(
        amount=amount,
        currency="USD",
        test=True,
        description="An order",
        tracking_id="order-1",
        notification_url="http://shop.test/hook",
        billing_address=BillingAddress(first_name="Jane", last_name="Doe", country="US"),
        credit_card=card(number),
    )


def authorization(amount: int = 1000) -> AuthorizationRequest:
    return AuthorizationRequest(
        amount=amount,
        currency="EUR",
        description="An order",
        tracking_id="order-2",
        credit_card=card(APPROVED),
    )


async def test_a_payment_is_made_and_found(client: AsyncBepaidClient, api: PaymentAPI) -> None:
    made = await client.create_payment(payment())
    assert (made.status, made.amount, made.code) == ("successful", 1999, "S.0000")
    assert made.friendly_message
    assert made.payment is not None and made.payment.gateway_id == 317
    assert made.credit_card is not None and made.credit_card.last_4 == "0000"
    assert await client.get_transaction(made.uid) == made
    tracked = await client.get_transaction_by_tracking_id("order-1")
    assert (tracked.uid, tracked.transaction_status) == (made.uid, "successful")
    assert api.charges("order-1") == 1


async def test_a_declined_payment_is_a_failed_transaction(client: AsyncBepaidClient) -> None:
    made = await client.create_payment(payment(DECLINED))
    assert (made.status, made.code) == ("failed", "F.0002")


async def test_an_authorization_is_captured_and_refunded(client: AsyncBepaidClient) -> None:
    held = await client.create_authorization(authorization())
    assert (held.type, held.status) == ("authorization", "successful")
    captured = await client.capture(CaptureRequest(parent_uid=held.uid, amount=1000))
    assert (captured.status, captured.parent_uid, captured.currency) == ("successful", held.uid, "EUR")
    refunded = await client.refund(
        RefundRequest(parent_uid=captured.uid, amount=400, reason="Client request")
    )
    assert (refunded.status, refunded.amount, refunded.reason) == ("successful", 400, "Client request")
    assert refunded.refund is not None and refunded.refund["status"] == "successful"
    with pytest.raises(ApiError) as refused:
        await client.void(VoidRequest(parent_uid=held.uid, amount=1))
    assert refused.value.status == 422


async def test_an_authorization_is_voided(client: AsyncBepaidClient) -> None:
    held = await client.create_authorization(authorization())
    voided = await client.void(VoidRequest(parent_uid=held.uid, amount=1000))
    assert (voided.type, voided.status, voided.code) == ("void", "successful", "S.0000")


async def test_3_d_secure_is_incomplete_with_an_address(client: AsyncBepaidClient) -> None:
    made = await client.create_payment(payment(CHALLENGED))
    assert (made.status, made.redirect_url) == ("incomplete", f"http://psp.test/process/{made.uid}")
    assert made.three_d_secure_verification is not None


async def test_checkups_tokenizations_and_payouts_are_understood(client: AsyncBepaidClient) -> None:
    checkup = CheckupRequest(
        amount=0,
        currency="USD",
        description="A card",
        tracking_id="card-1",
        credit_card=ChargeCreditCard(number=APPROVED),
    )
    assert (await client.checkup(checkup)).status == "successful"
    tokenization = TokenizationRequest(
        amount=0, currency="USD", description="A card", credit_card=card(APPROVED)
    )
    token = await client.create_tokenization(tokenization)
    assert token.credit_card is not None and token.credit_card.token
    nobody = PayoutCustomer(ip="127.0.0.1")
    payout = PayoutRequest(
        amount=500,
        currency="USD",
        recipient=nobody,
        sender=nobody,
        recipient_billing_address=PayoutAddress(),
        sender_billing_address=PayoutAddress(),
        recipient_credit_card=PayoutCreditCard(number=APPROVED),
    )
    paid = await client.create_payout(payout)
    assert (paid.status, paid.payout is not None) == ("successful", True)


async def test_an_invalid_request_is_an_error_with_its_fields(client: AsyncBepaidClient) -> None:
    with pytest.raises(ApiError) as refused:
        await client.create_payment(payment(amount="0"))
    error = refused.value
    assert (error.status, error.code) == (422, "F.1000")
    assert error.errors == {"amount": ["must be greater than 0"]}


async def test_a_duplicate_is_an_error(client: AsyncBepaidClient) -> None:
    await client.create_payment(payment())
    with pytest.raises(ApiError, match="Duplicate transaction") as refused:
        await client.create_payment(payment())
    assert refused.value.code == "F.0108"


async def test_a_notification_is_understood(
    client: AsyncBepaidClient, api: PaymentAPI, receiver: Receiver
) -> None:
    made = await client.create_payment(payment())
    await api.notices.settled()
    [(_, headers, body)] = receiver.calls
    assert verify_webhook_auth(headers["Authorization"], "361", "demo-secret")
    assert parse_webhook(body.decode()).transaction.uid == made.uid
