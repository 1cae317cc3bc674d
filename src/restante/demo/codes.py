"""Processing codes of the platform: what a transaction's `code` and `message` may be."""

from enum import StrEnum


class Code(StrEnum):
    """The message of a transaction or an error, by code; `friendly` is for the one who pays."""

    message: str
    friendly: str

    def __new__(cls, value: str, message: str, friendly: str) -> "Code":
        code = str.__new__(cls, value)
        code._value_ = value
        code.message = message
        code.friendly = friendly
        return code

    SUCCESSFUL = "S.0000", "Successfully processed", "The transaction is successfully processed."
    PROCESSING = "P.0000", "Transaction is being processed", "Your bank is working on it."
    CHALLENGE = "P.0001", "Authentication Available", "Your bank asks you to confirm this payment."
    UNAUTHENTICATED = "F.0001", "Authorization error: cardholder is not authenticated", "Authorization error."
    DECLINED = "F.0002", "Do not honor", "The bank declined the payment. Try another card."
    EXPIRED_CARD = "F.0003", "Card expired", "The card is expired. Use a valid card."
    DUPLICATE = "F.0108", "Duplicate transaction", "Duplicate transaction or order."
    INVALID = "F.1000", "Request is invalid", "We are sorry, but something went wrong."
