"""`restante events`: the feed, what went on with all of your transactions in the order of commits."""

import time
from collections.abc import Iterator
from urllib.parse import urlencode

import click

from ..client.flow import HOLD_SECONDS, POLL_SECONDS
from .printing import Document, json_option, plain, say, say_json
from .remote import Server, server_option, tenant_option
from .tables import feed_line


@click.command()
@click.option("--after", metavar="CURSOR", help="Behind this place. Default: from the oldest that is kept.")
@click.option("--follow", is_flag=True, help="Go on with what happens next, until Ctrl-C.")
@tenant_option
@server_option
@json_option
def events(after: str | None, follow: bool, tenant: str | None, server: Server, as_json: bool) -> None:
    """Prints events of all your transactions, the oldest first, and at the end the cursor to go on with. With
    --json each answer is one line: its `events`, and `next`, the cursor behind them."""
    last = None
    try:
        for page in pages(server, after, follow=follow, tenant=tenant):
            last = page["next"]
            if as_json:
                say_json(page, line=True)
            else:
                for event in page["events"]:
                    say(feed_line(event))
    finally:
        if last is not None and not as_json:
            say(f"restante: go on with --after {plain(last)}", err=True)


def pages(server: Server, after: str | None, *, follow: bool, tenant: str | None) -> Iterator[Document]:
    """Answers that have brought something: up to now, or with `follow` for ever.

    A server that was there and is not is tried again for a while. Raises `Trouble`.
    """
    held: tuple[tuple[str, str], ...] = ()
    while True:
        begun = time.monotonic()
        query = urlencode({name: value for name, value in (("after", after), ("tenant", tenant)) if value})
        page = server.ask("GET", f"events?{query}", needs=("events", "next"), headers=held)
        if page["next"] != after:
            after = page["next"]
            yield page
        elif not follow:
            return
        elif held and time.monotonic() - begun < POLL_SECONDS:  # it ends, and holds nothing back
            time.sleep(POLL_SECONDS)
        if follow:
            held = (("Prefer", f"wait={HOLD_SECONDS}"),)
            server.patient()
