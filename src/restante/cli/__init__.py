"""The command `restante`: files, environment, flags and exit codes. Nothing else reads any of them."""

from .entry import main

__all__ = ["main"]
