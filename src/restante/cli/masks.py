"""What of a command's output is masked: for eyes, unless `--raw` says otherwise.

For eyes is what is written as text for people, and whatever goes to a terminal. JSON and answers that go
into a file or another program are what the server said, byte for byte.
"""

import sys
from collections.abc import Sequence
from typing import Any

import click

from ..core.masking import masked, masked_body, masked_record, masked_text

_RAW = "restante.raw"
_POINTERS = "restante.pointers"


def _set_raw(context: click.Context, _: click.Parameter, given: bool) -> None:
    context.meta[_RAW] = given


raw_option = click.option(
    "--raw",
    is_flag=True,
    expose_value=False,
    callback=_set_raw,
    help="In clear: card numbers, and what the server's `mask` names.",
)


def hide(pointers: Sequence[str]) -> None:
    """From here on this command also hides what these JSON pointers point to."""
    context = click.get_current_context(silent=True)
    if context is not None and pointers:
        context.meta[_POINTERS] = pointers


def in_clear() -> bool:
    """Whether nothing is masked, because that was asked for."""
    return bool(_meta(_RAW, False))


def text_for_eyes(text: str) -> str:
    return text if in_clear() else masked_text(text)


def for_eyes(document: Any) -> Any:
    """A JSON document as people see it."""
    return document if in_clear() else masked(document, _meta(_POINTERS, ()))


def body_for_eyes(body: bytes) -> bytes:
    return body if in_clear() else masked_body(body, _meta(_POINTERS, ()))


def on_a_terminal(record: Any) -> Any:
    """What a server told, as people see it where it goes to a terminal: the pointers are about what is in
    its `data`."""
    if in_clear() or not sys.stdout.isatty():
        return record
    return masked_record(record, _meta(_POINTERS, ()))


def _meta(name: str, otherwise: Any) -> Any:
    context = click.get_current_context(silent=True)
    return otherwise if context is None else context.meta.get(name, otherwise)
