"""`restante demo`: two small APIs, a gateway in front of them, and some traffic."""

import click


@click.command(short_help="Try it without an API of your own.")
def demo() -> None:
    """Starts."""
