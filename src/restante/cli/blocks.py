"""What is printed for people: where a server listens, what a configuration means."""

import sys

import click
import msgspec

from .. import __version__
from ..config import Role, Settings
from ..config.describe import describe, spell_route, upstream_url
from ..core.masterkey import id_of

WIDTH = 15


def start_block(settings: Settings, addresses: list[str], *, file: str | None) -> str:
    """What a server says when it is up. `addresses` are the real ones: of callers, unless it takes none,
    then of `/-/`."""
    names = ["/-/ is on"] if settings.role in (Role.RUNNER, Role.WEBHOOKS) else ["listens on", "/-/ is on"]
    lines = [(name, f"http://{address}") for name, address in zip(names, addresses, strict=False)]
    if settings.role is not Role.ALL:
        lines.append(("role", settings.role))
    if settings.workers > 1:
        lines.append(("workers", str(settings.workers)))
    if settings.policy.public_url:
        lines.append(("known as", settings.policy.public_url))
    lines += _upstreams(settings)
    lines.append(("store", settings.store_shown))
    if file is not None:
        lines.append(("settings", file))
    return "\n".join([f"restante {__version__}", *(f"  {name:<{WIDTH}} {value}" for name, value in lines)])


def say_start(
    settings: Settings, addresses: list[str], *, file: str | None, as_json: bool, more: str = ""
) -> None:
    """Says at once that a server is up: as a block for people, or as one line of JSON."""
    if as_json:
        document = {
            "version": __version__,
            "listens": [f"http://{address}" for address in addresses],
            "role": settings.role,
            "workers": settings.workers,
            "store": settings.store_shown,
            "settings": file,
        }
        click.echo(msgspec.json.encode(document))
    else:
        click.echo(start_block(settings, addresses, file=file) + more)
    sys.stdout.flush()


def check_block(settings: Settings, *, file: str | None) -> str:
    """What `restante check` says: every setting as it was understood."""
    lines: list[tuple[str, str]] = []
    for name, value in describe(settings).items():
        if isinstance(value, list):
            value = ", ".join(str(one) for one in value if isinstance(one, str)) or None
        if value is not None and not isinstance(value, dict):
            lines.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    lines.append(("auth.mode", settings.auth_mode + (", insecure" if settings.insecure else "")))
    lines.append(("sealing", _sealing(settings)))
    lines += _upstreams(settings)
    routes = settings.policy.routes
    lines += [(f"routes[{number}]", spell_route(route)) for number, route in enumerate(routes)]
    lines.append(("all else", _all_else(settings)))
    return "\n".join([f"{file or 'The settings'}: all well", *(f"  {n:<{WIDTH}} {v}" for n, v in lines)])


def demo_block(address: str, *, shop: str, traffic: bool) -> str:
    """Calls to paste, for who tries the demo."""
    origin = f"http://{address}"
    busy = "A few calls a second are being made. " if traffic else ""
    return (
        DEMO.replace("ORIGIN", origin).replace("SHOP", shop)
        + f"""
{busy}Everything there is, for people and for programs:

  {origin}/-/
  curl {origin}/-/transactions

Ctrl-C ends it."""
    )


PAYMENT = """{"request": {
      "amount": 100, "currency": "USD", "description": "A test", "tracking_id": "order-1",
      "credit_card": {"number": "4200000000000000", "holder": "Jane Doe", "verification_value": "123",
                      "exp_month": "05", "exp_year": "2049"}}}"""

DEMO = f"""
A payment that takes its time, in the background (without /async the same call waits for it):

  curl -i -u SHOP ORIGIN/async/transactions/payments \\
    -H 'Content-Type: application/json' -d '{PAYMENT}'

Then follow its status_url and response_url. A ticket, of the other kind:

  curl -i ORIGIN/channel/v0/tickets -H 'Content-Type: application/json' \\
    -d '{{"type_code": "marketplace-entrega", "subject": "Late", "description": "Where is it?"}}'
"""


def _upstreams(settings: Settings) -> list[tuple[str, str]]:
    upstreams = settings.policy.upstreams
    if list(upstreams) == ["default"]:
        return [("upstream", upstream_url(upstreams["default"]))]
    return [(f"upstream {name}", upstream_url(upstream)) for name, upstream in upstreams.items()]


def _sealing(settings: Settings) -> str:
    if settings.sealing is None:
        return "off: bodies, credentials, results and webhook secrets are kept in clear"
    ids = [id_of(key) for key in settings.sealing.masters]
    also = f", {', '.join(ids[1:])} opens as well" if ids[1:] else ""
    shared = f"; others may read {', '.join(settings.sealing.shared)}" if settings.sealing.shared else ""
    return f"under master key {ids[0]}{also}; data keys in {settings.sealing.folder}{shared}"


def _all_else(settings: Settings) -> str:
    if settings.policy.strict:
        return "refused with 404 (strict)"
    return "task below /async, otherwise straight through"
