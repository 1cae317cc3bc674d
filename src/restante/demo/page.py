"""The bank's page, where a customer confirms or refuses a payment (3-D Secure challenge)."""

from html import escape

from .ledger import Transaction

LAYOUT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Demo Bank</title>
<style>body{{font:1rem/1.5 system-ui;max-width:24rem;margin:4rem auto;padding:0 1rem}}
button{{font:inherit;padding:.4rem 1.2rem;margin-right:.5rem}}</style>
<h1>Demo Bank</h1>
{content}
</html>
"""

QUESTION = """<p>{shop} asks for <strong>{amount}</strong> from your card ending in {last_4}.</p>
<p>{description}</p>
<form method="post">
<button name="decision" value="confirm">Confirm</button>
<button name="decision" value="refuse">Refuse</button>
</form>"""


def question_page(transaction: Transaction) -> bytes:
    return _page(
        QUESTION,
        shop=f"Shop {transaction.shop_id}",
        amount=_money(transaction),
        last_4=transaction.card.number[-4:] if transaction.card else "",
        description=transaction.request.get("description") or "",
    )


def result_page(transaction: Transaction) -> bytes:
    return _page(
        "<p>{kind} of <strong>{amount}</strong>: {status}.</p><p>{message}</p>",
        kind=transaction.kind.capitalize(),
        amount=_money(transaction),
        status=transaction.status,
        message=transaction.code.friendly,
    )


def unknown_page() -> bytes:
    return _page("<p>There is no such payment.</p>")


def _page(content: str, **values: str) -> bytes:
    filled = content.format(**{name: escape(value) for name, value in values.items()})
    return LAYOUT.format(content=filled).encode()


def _money(transaction: Transaction) -> str:
    return f"{transaction.amount / 100:.2f} {transaction.currency}"
