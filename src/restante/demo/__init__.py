"""Two demo upstreams in the style of the seeds: a payment API and a ticket API, and traffic for both.

They are honest examples of APIs that somebody would put a gateway in front of: ordinary synchronous HTTP,
nothing of this program in them but what `reports` says to a gateway that asks for it. No module here
imports another room of the package; a test holds that.

    python -m restante.demo.payments --listen 127.0.0.1:9000
    python -m restante.demo.tickets  --listen 127.0.0.1:9001
"""

from .web import App, Receive, Scope, Send

SHOP_ID = "361"
SECRET_KEY = "demo-secret"
"""The one shop of the demo. Not a secret: it is printed in the examples."""


def join(payments: App, tickets: App) -> App:
    """One ASGI app for both; their paths do not meet."""

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        ticketing = str(scope.get("path", "")).startswith(("/channel/", "/seller/"))
        await (tickets if ticketing else payments)(scope, receive, send)

    return both


def apps(
    *,
    bank_delay_seconds: float = 1.5,
    desk_delay_seconds: float = 0.8,
    moderation_seconds: float = 0.0,
    deferring: bool = False,
) -> App:
    """Both demo APIs as one ASGI app, with the demo shop, as `restante demo` runs them."""
    # Imported here so that `python -m restante.demo.payments` runs a module that is not yet loaded.
    from .payments import PaymentAPI
    from .tickets import TicketAPI

    payments = PaymentAPI(
        shops={SHOP_ID: SECRET_KEY}, bank_delay_seconds=bank_delay_seconds, deferring=deferring
    )
    tickets = TicketAPI(delay_seconds=desk_delay_seconds, moderation_seconds=moderation_seconds)
    return join(payments, tickets)
