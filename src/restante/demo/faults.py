"""What is wrong with a ticket, as the platform of seed 004 says it: a list of errors with details.

The seed shows one, in the event of a failed transaction: the type code `mktplace-entrega`.
"""

from typing import Any

from .web import Answer, Refused, Request, answer_json, read_json

TYPES = ("marketplace-entrega", "marketplace-troca", "marketplace-devolucao", "marketplace-duvida")

LONGEST_SUBJECT = 255
LONGEST_TEXT = 10_000

UNPROCESSABLE = "The request is semantically incorrect or fails business validation"
INVALID = "INVALID_PARAMETER_VALUE"
MISSING = "MISSING_REQUIRED_PARAMETER"
SAID = {INVALID: "Field value is invalid", MISSING: "Field is required"}

Detail = dict[str, Any]
Fields = dict[str, Any]


def fault(status: int, error_code: str, message: str, details: list[Detail] | None = None) -> Answer:
    return answer_json(status, [{"error_code": error_code, "message": message, "details": details or []}])


def detail(field: str, value: object, issue: str = INVALID, location: str = "body") -> Detail:
    return {
        "issue": issue,
        "description": SAID[issue],
        "location": location,
        "field": field,
        "value": value,
    }


def refuse_invalid(details: list[Detail]) -> None:
    """Refuses with 422, if anything is wrong."""
    if details:
        raise Refused(fault(422, "UNPROCESSABLE_ENTITY", UNPROCESSABLE, details))


def read_fields(request: Request) -> Fields:
    try:
        document = read_json(request.body)
    except ValueError as error:
        raise Refused(fault(400, "BAD_REQUEST", str(error))) from None
    if not isinstance(document, dict):
        raise Refused(fault(400, "BAD_REQUEST", "The body is not a JSON object"))
    return document


def check_ticket(fields: Fields) -> list[Detail]:
    details = check_text(fields, "type_code", LONGEST_SUBJECT)
    if not details and fields["type_code"] not in TYPES:
        details = [detail("type_code", fields["type_code"])]
    details += check_text(fields, "subject", LONGEST_SUBJECT)
    details += check_text(fields, "description", LONGEST_TEXT)
    order_id = fields.get("order_id")
    if order_id is not None and (not isinstance(order_id, str) or len(order_id) > LONGEST_SUBJECT):
        details.append(detail("order_id", order_id))
    return details


def check_message(fields: Fields) -> list[Detail]:
    return check_text(fields, "message", LONGEST_TEXT)


def check_text(fields: Fields, name: str, longest: int) -> list[Detail]:
    value = fields.get(name)
    if value is None or value == "":
        return [detail(name, value, MISSING)]
    if not isinstance(value, str) or len(value) > longest:
        return [detail(name, value)]
    return []


def read_number(request: Request, name: str, *, default: int, least: int, most: int) -> int:
    """A number from the query."""
    text = request.query.get(name, str(default))
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
    if not least <= number <= most:
        refuse_invalid([detail(name, text, location="query")])
    return number
