"""What is wrong with a request, as the platform says it: messages by field, nested for its sections.

{"message": "First name can't be blank. Amount must be greater than 0",
 "errors": {"billing_address": {"first_name": ["can't be blank"]}, "amount": ["must be greater than 0"]}}
"""

import re
from typing import Any

from .bank import WITHOUT_MONEY
from .cards import Card, Vault, luhn
from .ledger import Kind

Errors = dict[str, Any]
Fields = dict[str, Any]

BLANK = "can't be blank"
LONGEST = 255

ADDRESS = ("first_name", "last_name")
"""What a billing address must say, if one is sent at all."""


def check_card_request(kind: Kind, fields: Fields, vault: Vault) -> tuple[Card | None, Errors]:
    """The card to work on, and what is wrong with a request that names one."""
    payout = kind is Kind.PAYOUT and "recipient_credit_card" in fields
    card, card_errors = check_card(
        fields, vault, section="recipient_credit_card" if payout else "credit_card"
    )
    required = () if kind is Kind.PAYOUT else ("description",)
    errors = {
        **check_amount(fields, least=0 if kind in WITHOUT_MONEY else 1),
        **check_currency(fields),
        **check_texts(fields, *required),
        **check_urls(fields),
        **check_address(fields),
        **card_errors,
    }
    return card, errors


def check_child_request(kind: Kind, fields: Fields) -> Errors:
    """What is wrong with a request that names a parent transaction."""
    required = ("reason",) if kind is Kind.REFUND else ()
    errors = {**check_amount(fields, least=1), **check_texts(fields, *required), **check_urls(fields)}
    return {"parent_uid": [BLANK], **errors} if blank(fields.get("parent_uid")) else errors


def whole_number(value: object) -> int | None:
    """The number in `value`. Clients send amounts and years as text too."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**18 else None
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return None


def blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def check_amount(fields: Fields, *, least: int) -> Errors:
    value = fields.get("amount")
    amount = whole_number(value)
    if blank(value):
        return {"amount": [BLANK]}
    if amount is None:
        return {"amount": ["is not a number"]}
    if amount < least:
        return {"amount": [f"must be greater than {least - 1}"]}
    return {}


def check_texts(fields: Fields, *required: str) -> Errors:
    """Texts that must be there, and texts that must not be too long."""
    errors: Errors = {}
    for name in ("description", "tracking_id", "reason"):
        value = fields.get(name)
        if blank(value):
            if name in required:
                errors[name] = [BLANK]
        elif not isinstance(value, str):
            errors[name] = ["is not a string"]
        elif len(value) > LONGEST:
            errors[name] = [f"is too long (maximum is {LONGEST} characters)"]
    return errors


def check_currency(fields: Fields) -> Errors:
    value = fields.get("currency")
    if blank(value):
        return {"currency": [BLANK]}
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        return {"currency": ["is unknown ISO 4217 Alpha-3 code"]}
    return {}


def check_urls(fields: Fields) -> Errors:
    """Addresses we are to call or to send somebody to: http and https only."""
    errors: Errors = {}
    for name in ("notification_url", "return_url"):
        value = fields.get(name)
        if not blank(value) and not (
            isinstance(value, str) and re.fullmatch(r"https?://[\x21-\x7e]+", value)
        ):
            errors[name] = ["is not a valid URL"]
    return errors


def check_address(fields: Fields) -> Errors:
    address = fields.get("billing_address")
    if address is None:
        return {}
    if not isinstance(address, dict):
        return {"billing_address": ["is invalid"]}
    errors: Errors = {name: [BLANK] for name in ADDRESS if blank(address.get(name))}
    country = address.get("country")
    if not blank(country) and not (isinstance(country, str) and re.fullmatch(r"[A-Z]{2}", country)):
        errors["country"] = ["is not a valid ISO 3166-1 alpha-2 code"]
    return {"billing_address": errors} if errors else {}


def check_card(fields: Fields, vault: Vault, *, section: str = "credit_card") -> tuple[Card | None, Errors]:
    """The card of a request: by number, or by the token that an earlier answer gave for it."""
    sent = fields.get(section)
    if not isinstance(sent, dict) or not sent:
        return None, {section: [BLANK]}
    token = sent.get("token")
    if not blank(token):
        known = vault.find(token)
        return known, {} if known else {section: {"token": ["is not found"]}}
    errors = card_errors(sent)
    if errors:
        return None, {section: errors}
    card = Card(
        number=str(sent["number"]),
        holder=sent.get("holder"),
        exp_month=whole_number(sent.get("exp_month")),
        exp_year=whole_number(sent.get("exp_year")),
        skip_authentication=sent.get("skip_three_d_secure_verification") is True,
    )
    return card, {}


def card_errors(sent: Fields) -> Errors:
    errors: Errors = {}
    number, cvc = sent.get("number"), sent.get("verification_value")
    month, year = whole_number(sent.get("exp_month")), whole_number(sent.get("exp_year"))
    if blank(number):
        errors["number"] = [BLANK]
    elif not re.fullmatch(r"[0-9]{12,19}", str(number)) or not luhn(str(number)):
        errors["number"] = ["is not a card number"]
    if not blank(cvc) and not re.fullmatch(r"[0-9]{3,4}", str(cvc)):
        errors["verification_value"] = ["is invalid"]
    if sent.get("exp_month") is not None and (month is None or not 1 <= month <= 12):
        errors["exp_month"] = ["is invalid"]
    if sent.get("exp_year") is not None and (year is None or not 2000 <= year <= 2100):
        errors["exp_year"] = ["is invalid"]
    if not isinstance(sent.get("holder") or "", str):
        errors["holder"] = ["is invalid"]
    return errors


def sentence(errors: Errors) -> str:
    """`{"amount": ["can't be blank"]}` → `Amount can't be blank`, all of them in one text."""
    parts: list[str] = []
    for name, value in errors.items():
        if isinstance(value, dict):
            parts.append(sentence(value))
        elif name == "base":
            parts.extend(value)
        else:
            parts.extend(f"{name.replace('_', ' ').capitalize()} {text}" for text in value)
    return ". ".join(parts)
