"""How the platform spells transactions and errors: API version 2, and what version 3 adds."""

from typing import Any

from .checks import Errors, sentence
from .clock import stamp
from .codes import Code
from .ledger import ECHOED, SECTIONS, Kind, Status, Transaction
from .web import Answer, answer_json


def describe(transaction: Transaction) -> dict[str, Any]:
    """The `transaction` of an answer or a notification, in the order of the platform's examples."""
    request, card = transaction.request, transaction.card
    page = f"{transaction.origin}/process/{transaction.uid}"
    described: dict[str, Any] = {
        "uid": transaction.uid,
        "status": transaction.status,
        "amount": transaction.amount,
        "currency": transaction.currency,
        "type": transaction.kind,
        "payment_method_type": "credit_card",
        "message": transaction.code.message,
        "test": request.get("test", True) is not False,
        "created_at": stamp(transaction.created_at),
        "updated_at": stamp(transaction.updated_at),
        "paid_at": stamp(transaction.paid_at) if transaction.paid_at else None,
        **{name: request.get(name) for name in ECHOED},
        "recurring_type": None,
        "closed_at": None,
        "settled_at": None,
        "manually_corrected_at": None,
        "code": transaction.code,
        "receipt_url": page,
        "id": transaction.uid,
    }
    if transaction.version == "3":
        described["friendly_message"] = transaction.code.friendly
    if transaction.parent:
        described["parent_uid"] = transaction.parent.uid
        described["reason"] = request.get("reason")
    if transaction.awaits_customer:
        described["redirect_url"] = page
    if card:
        described["credit_card"] = card.describe()
    if transaction.bank:
        described[transaction.kind] = transaction.bank
    if transaction.kind is Kind.CHECKUP:
        described["be_protected_verification"] = {"status": transaction.status}
    if transaction.challenged or transaction.authentication:
        described["three_d_secure_verification"] = describe_authentication(transaction, page)
    for section in SECTIONS:
        sent = request.get(section)
        described[section] = sent if isinstance(sent, dict) else {}
    return described


def describe_authentication(transaction: Transaction, page: str) -> dict[str, Any]:
    """The 3-D Secure section: `incomplete` with the bank's page until the customer has answered there."""
    if transaction.awaits_customer:
        return {
            "status": Status.INCOMPLETE,
            "message": "Authentication Available",
            "ve_status": "Y",
            "pa_status": None,
            "acs_url": page,
        }
    passed = transaction.authentication in ("Y", "A")
    return {
        "status": Status.SUCCESSFUL if passed else Status.FAILED,
        "message": "Authentication Successful" if passed else "Authentication Failed",
        "ve_status": "Y",
        "pa_status": transaction.authentication,
        "eci": {"Y": "05", "A": "06"}.get(transaction.authentication or ""),
    }


def answer(transaction: Transaction) -> Answer:
    """200 for declined ones too: the platform did its work, the bank said no."""
    return answer_json(200, {"transaction": describe(transaction)})


def refuse(status: int, version: str, errors: Errors, code: Code = Code.INVALID, text: str = "") -> Answer:
    """Nothing was done, and why."""
    body = {"message": text or sentence(errors), "errors": errors}
    if version == "3":
        body = {"code": code, "friendly_message": code.friendly, **body}
    return answer_json(status, body)
